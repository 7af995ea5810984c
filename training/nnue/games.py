"""Games of a player against itself with some random moves, as a shard: what can be learned from before models exist."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.config import Config
from engine.players import Player, UniformPlayer
from engine.search.noise import stream_words
from training.playing import Playing
from training.progress import Report, ignore_progress
from training.seeds import seed_words
from training.shard import Shard

_CONCURRENCY: Final = 256
_NO_MODEL: Final = bytes(32)


def play_games(
    config: Config,
    player: Player,
    *,
    seed: bytes,
    games: int,
    opening_plies: int = 24,
    random_share: float = 0.1,
    report: Report = ignore_progress,
) -> Shard:
    """Play games and return them as a shard without searches; equal arguments give an equal shard.

    Args:
        seed: 32 bytes.
        opening_plies: each game begins with 0 to this many random plies.
        random_share: the share of later moves that are random, 0 to 1: positions differ, and errors are punished.
        report: called with the games that are finished and wanted.
    """
    parts = []
    for first in range(0, games, _CONCURRENCY):
        numbers = range(first, min(first + _CONCURRENCY, games))
        parts.append(_play(config, player, seed, numbers, opening_plies, random_share))
        report({"games": numbers[-1] + 1, "wanted": games})
    moves, lengths, openings, winners = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    nothing = np.empty(0, np.int32)
    return Shard(
        config=config.name,
        model=_NO_MODEL,
        seed=seed,
        lengths=lengths,
        openings=openings,
        winners=winners,
        moves=moves,
        searched=nothing,
        choices=nothing,
        entries=np.empty(0, np.uint16),
        weights=np.empty(0, np.uint16),
        values=np.empty(0, np.int16),
    )


def _play(
    config: Config, player: Player, seed: bytes, numbers: range, opening_plies: int, random_share: float
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32], NDArray[np.int8]]:
    """Return moves, lengths, openings and winners of the games with these numbers."""
    playing, uniform = Playing(config, len(numbers)), UniformPlayer()
    wanted = seed_words(seed, "opening length", numbers) % np.uint64(opening_plies + 1)
    playing.play_random(wanted.astype(np.int32), seed_words(seed, "opening", numbers))
    openings = playing.lengths.copy()
    dice, streams = seed_words(seed, "random moves", numbers), seed_words(seed, "players", numbers)
    while True:
        playing.play_forced()
        active = np.flatnonzero(~playing.finished())
        if len(active) == 0:
            break
        plies = playing.lengths[active].astype(np.int64)
        is_random = stream_words(dice[active], plies) >> np.uint64(11) < random_share * 2.0**53
        seeds = stream_words(streams[active], plies)
        for chosen, chooser in ((active[is_random], uniform), (active[~is_random], player)):
            if len(chosen):
                words = seeds[np.isin(active, chosen)]
                playing.play(chosen, chooser.choose(playing.games.take(chosen), words))
    moves = np.concatenate([playing.moves(place) for place in range(len(numbers))])
    return moves, playing.lengths.copy(), openings, playing.games.winner()
