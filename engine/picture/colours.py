"""The colours and signs of the players, and the colours of everything else in a picture.

The players' colours are at least 30 units of CIELAB apart, for normal sight and under simulated protanopia,
deuteranopia and tritanopia (Machado, Oliveira, Fernandes 2009); a test checks this. Markers, territory and the
panel also show a player's sign, so a print in grey can be read.
"""

from __future__ import annotations

from engine.picture.svg import element

PLAYERS = ("#1769aa", "#f5a700", "#be2e2e", "#63c7b2")

PAPER = "#fbfaf7"
CELL = "#efe8d8"
LINE = "#b3a78d"
INK = "#22201c"
FAINT = "#6f6858"
WHITE = "#ffffff"


def colour(player: int) -> str:
    """Return the colour of a player, 1 .. 4."""
    return PLAYERS[player - 1]


def mix(first: str, second: str, share: float) -> str:
    """Return a mixture of two colours: `share` of the first, the rest of the second."""
    channels = (round(share * int(first[i : i + 2], 16) + (1 - share) * int(second[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{channel:02x}" for channel in channels)


def tint(player: int) -> str:
    """Return the colour of a player's territory."""
    return mix(colour(player), CELL, 0.42)


def edge(player: int) -> str:
    """Return the dark shade for the outlines of a player's pieces and territory."""
    return mix(colour(player), "#000000", 0.45)


def on(player: int) -> str:
    """Return a colour that can be read on a player's colour."""
    return WHITE if player in (1, 3) else edge(player)


def sign(player: int, size: float, **attributes: float | str) -> str:
    """Return a player's sign around the origin, `size` across: disc, square, triangle or diamond."""
    half = size / 2
    match player:
        case 1:
            return element("circle", r=half, **attributes)
        case 2:
            inset = 0.86 * half
            return element("rect", x=-inset, y=-inset, width=2 * inset, height=2 * inset, **attributes)
        case 3:
            corners = f"0,{-1.1 * half:.2f} {half:.2f},{0.75 * half:.2f} {-half:.2f},{0.75 * half:.2f}"
        case _:
            corners = f"0,{-1.15 * half:.2f} {1.15 * half:.2f},0 0,{1.15 * half:.2f} {-1.15 * half:.2f},0"
    return element("polygon", points=corners, **attributes)
