"""Boxes, texts and lines as SVG elements; sizes in units of a picture that is 1200 wide."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import NamedTuple

from scripts.house_drawing.facts import Room

LINE = 16.5  # from one line of text to the next
PAD = 13
_THICKNESS = ((20, 4.2), (10, 3.2), (5, 2.4), (2, 1.7), (0, 1.1))  # from so many pairs of modules on

# Widths of characters as shares of the font size: what they come to at most in usual sans-serif fonts.
_NARROW, _WIDE = frozenset("ijlft.,:;'|!()[]/I "), frozenset("mwMW@%")
_NAME_SIGN = 9.4  # width of a character of a room's name


class Box(NamedTuple):
    """A rectangle on the paper."""

    x: float
    y: float
    width: float
    height: float

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


def card_height(room: Room, width: float) -> float:
    """Return the height of a room's card at this width."""
    return 42 + LINE * len(wrap(room.says, width - 2 * PAD, 13))


def card(room: Room, box: Box, name: str, kind: str = "") -> Iterator[str]:
    """Yield the elements of a room's card: its name, its size, and what it says of itself."""
    x, y, width, height = map(number, box)
    yield f'<g class="room {kind}" id="{name}">'
    yield f'<rect class="card" x="{x}" y="{y}" width="{width}" height="{height}" rx="7"/>'
    yield text(room.name, (box.x + PAD, box.y + 23), "name", 15)
    if room.rooms and name.startswith("node-"):
        inner = " ".join(f"{each.name}/" for each in room.rooms)
        yield text(f"with {inner}", (box.x + PAD + _NAME_SIGN * len(room.name) + 10, box.y + 23), "lines", 11.5)
    yield text(f"{room.lines:,} lines", (box.right - PAD, box.y + 23), "lines end", 11.5)
    for place, words in enumerate(wrap(room.says, box.width - 2 * PAD, 13)):
        yield text(words.replace("`", ""), (box.x + PAD, box.y + 43 + place * LINE), "says", 13)
    yield "</g>"


def wrap(words: str, width: float, size: float) -> list[str]:
    """Return the lines of a text, none wider than `width` in a usual font of this size."""
    lines: list[str] = []
    for word in words.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and size * _extent(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _extent(words: str) -> float:
    return sum(
        0.34 if sign in _NARROW else 0.93 if sign in _WIDE else 0.70 if sign.isupper() else 0.59 for sign in words
    )


def text(words: str, at: tuple[float, float], kind: str, size: float) -> str:
    """Return a line of text that stands on the height of `at`."""
    shown = escape(words, quote=False)
    return f'<text class="{kind}" x="{number(at[0])}" y="{number(at[1])}" font-size="{number(size)}">{shown}</text>'


def bend(start: tuple[float, float], end: tuple[float, float]) -> str:
    """Return the path data of a curve that leaves and arrives upright."""
    middle = number((start[1] + end[1]) / 2)
    return f"C{number(start[0])} {middle} {number(end[0])} {middle} {number(end[0])} {number(end[1])}"


def thickness(count: int) -> float:
    """Return the width of an arrow behind which so many pairs of modules are."""
    return next(width for least, width in _THICKNESS if count >= least)


def number(value: float) -> str:
    """Return a number with one decimal at most."""
    return f"{value:.1f}".removesuffix(".0")
