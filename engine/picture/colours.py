"""Who has which colour and which sign.

The four colours keep at least 30 units of CIELAB from each other for normal sight and under simulated
protanopia, deuteranopia and tritanopia (Machado, Oliveira, Fernandes 2009), which a test holds. Markers,
territory and the panel show a player's sign too, so a print in grey can be read.
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
    """The colour of a player, 1 .. 4."""
    return PLAYERS[player - 1]


def mix(first: str, second: str, share: float) -> str:
    """A colour between two: `share` of the first, the rest of the second."""
    channels = (round(share * int(first[i : i + 2], 16) + (1 - share) * int(second[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{channel:02x}" for channel in channels)


def tint(player: int) -> str:
    """The colour of a player's territory."""
    return mix(colour(player), CELL, 0.42)


def edge(player: int) -> str:
    """The dark shade that outlines what a player has."""
    return mix(colour(player), "#000000", 0.45)


def on(player: int) -> str:
    """A colour that stands out on a player's colour."""
    return WHITE if player in (1, 3) else edge(player)


def sign(player: int, size: float, **attributes: float | str) -> str:
    """A player's sign round the origin, `size` across: disc, square, triangle, diamond."""
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
