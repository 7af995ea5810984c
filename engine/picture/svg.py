"""SVG elements as text. Equal numbers are always written alike, so equal pictures have equal bytes."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

Point = tuple[float, float]
Attributes = dict[str, float | str]


def number(value: float) -> str:
    """Return a number as text with at most two decimals, without trailing zeros."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def element(name: str, content: str | None = None, /, **attributes: float | str) -> str:
    """Return an element. In attribute names `_` stands for `-`, and one at the end is dropped."""
    parts = [name]
    for key, value in attributes.items():
        written = escape(value) if isinstance(value, str) else number(value)
        parts.append(f'{key.rstrip("_").replace("_", "-")}="{written}"')
    head = " ".join(parts)
    return f"<{head}/>" if content is None else f"<{head}>{content}</{name}>"


def group(content: Iterable[str], /, **attributes: float | str) -> str:
    """Return a group of elements."""
    return element("g", "\n" + "\n".join(content) + "\n", **attributes)


def text(words: str, at: Point, size: float, /, **attributes: float | str) -> str:
    """Return a line of text whose middle is at half the height of its digits."""
    x, y = at
    return element("text", escape(words, quote=False), x=x, y=y + 0.36 * size, font_size=size, **attributes)


def title(words: str) -> str:
    """Return a title: browsers show it when the pointer rests on the element around it, screen readers read it."""
    return element("title", escape(words, quote=False))


def path(lines: Iterable[Iterable[Point]], *, closed: bool = False) -> str:
    """Return the path data of polylines."""
    return "".join(
        "M" + "L".join(f"{number(x)} {number(y)}" for x, y in line) + ("Z" if closed else "") for line in lines
    )


def move_to(at: Point) -> str:
    """Return the transformation that puts the origin at a point."""
    return f"translate({number(at[0])} {number(at[1])})"
