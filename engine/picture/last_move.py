"""The last move in a picture: an arrow along its way, and outlines of the cells it touched or collapsed."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot

import numpy as np
from numpy.typing import NDArray

from engine.moves import Kind, move_a, move_b, move_c, move_kind
from engine.picture.colours import INK, WHITE, edge
from engine.picture.layout import Layout
from engine.picture.svg import Attributes, Point, element, group, move_to, number, path, text
from engine.position import Position

_SLIDES = (Kind.RS_F, Kind.RS_S, Kind.RS_L1, Kind.RS_L2)
_CAPTURES = (Kind.OC, Kind.CC)
_LOSSES = (Kind.EL, Kind.ET, Kind.ER, Kind.FE)


@dataclass(frozen=True, eq=False)
class LastMove:
    """A move, and the record row (int16[width]) of the position in which it was played."""

    before: NDArray[np.int16]
    move: int


def draw_outlines(layout: Layout, before: Position, after: Position, move: int) -> list[str]:
    """Return the outlines, to lie beneath the pieces: of newly collapsed cells, and of the ends of the move.

    The outline of a captured stack is dashed.
    """
    fresh = {cell for cell, owner in after.collapsed.items() if before.collapsed.get(cell) != owner}
    kind = Kind(move_kind(move))
    touched: list[int] = []
    if kind == Kind.PR or kind in _LOSSES:
        touched = [move_a(move)]
    elif kind == Kind.MV or kind in _SLIDES:
        touched = [move_a(move), move_b(move)]
    elif kind in _CAPTURES:
        touched = [move_a(move), move_c(move)]
    drawn = [_outline(layout, fresh, before.player)] if fresh else []
    drawn += [_outline(layout, {cell}, before.player) for cell in touched if cell not in fresh]
    if kind in _CAPTURES:
        dashes = f"{number(0.16 * layout.unit)} {number(0.12 * layout.unit)}"
        drawn.append(_outline(layout, {move_b(move)}, before.player, stroke_dasharray=dashes))
    return drawn


def _outline(layout: Layout, cells: set[int], player: int, **attributes: str) -> str:
    border = path(layout.border(cells))
    pen: Attributes = {"d": border, "fill": "none", "stroke_linecap": "round"}
    return group(
        [
            element("path", **pen, stroke=WHITE, stroke_width=0.1 * layout.unit),
            element("path", **pen, stroke=edge(player), stroke_width=0.055 * layout.unit, **attributes),
        ]
    )


def draw_way(layout: Layout, before: Position, move: int) -> list[str]:
    """Return the arrow from the move's start to its end, to lie beneath the stacks; none for other moves."""
    kind = Kind(move_kind(move))
    if kind == Kind.MV or kind in _SLIDES:
        end = move_b(move)
    elif kind in _CAPTURES:
        end = move_c(move)
    else:
        return []
    return [_arrow(layout.centres[move_a(move)], layout.centres[end], layout.unit, before.player)]


def _arrow(start: Point, end: Point, unit: float, player: int) -> str:
    length = hypot(end[0] - start[0], end[1] - start[1])
    along = (end[0] - start[0]) / length, (end[1] - start[1]) / length

    def place(distance: float, aside: float) -> Point:
        return (
            start[0] + along[0] * distance - along[1] * aside,
            start[1] + along[1] * distance + along[0] * aside,
        )

    near = length < 1.5 * unit  # then there is little room between the pieces on the two cells
    first, tip = (0.16 * unit, length - 0.38 * unit) if near else (0.24 * unit, length - 0.47 * unit)
    neck, thick, wide = tip - 0.23 * unit, 0.045 * unit, 0.15 * unit
    corners = [(first, thick), (neck, thick), (neck, wide), (tip, 0.0), (neck, -wide), (neck, -thick), (first, -thick)]
    return element(
        "path",
        d=path([[place(*corner) for corner in corners]], closed=True),
        fill=edge(player),
        stroke=WHITE,
        stroke_width=0.035 * unit,
        stroke_linejoin="round",
    )


def draw_losses(layout: Layout, before: Position, after: Position, move: int) -> list[str]:
    """Return the badge, to lie above the pieces, with the number of rings a stack lost to an elimination."""
    if Kind(move_kind(move)) not in _LOSSES:
        return []
    cell, unit = move_a(move), layout.unit
    lost = len(before.stacks[cell]) - len(after.stacks.get(cell, ()))
    x, y = layout.centres[cell]
    badge = [
        element("circle", r=0.17 * unit, fill=INK, stroke=WHITE, stroke_width=0.03 * unit),
        text(f"\u2212{lost}", (0, 0), 0.2 * unit, fill=WHITE, font_weight="bold", text_anchor="middle"),
    ]
    return [group(badge, transform=move_to((x - 0.3 * unit, y - 0.3 * unit)))]
