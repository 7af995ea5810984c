"""How play improves: networks, self-play, data, trainer, matches. Knows no network and no consensus."""
