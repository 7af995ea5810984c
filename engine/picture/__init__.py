"""Pictures of positions as SVG text: the board as the players see it, and a panel beside it.

The same position and last move give the same bytes. Nothing is read, written or fetched.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine import notation
from engine.config import Config
from engine.picture import colours
from engine.picture.colours import edge, sign, tint
from engine.picture.last_move import LastMove, draw_losses, draw_outlines, draw_way
from engine.picture.layout import MARGIN, Layout, layout_of
from engine.picture.panel import WIDTH, draw_panel, panel_height
from engine.picture.pieces import definitions, describe_stack, draw_marker, draw_stack
from engine.picture.svg import Attributes, element, group, move_to, number, path, text, title
from engine.position import Position, read_position

__all__ = ["LastMove", "draw"]


def draw(config: Config, state: NDArray[np.int16], last: LastMove | None = None) -> str:
    """Return a position as an SVG document.

    Args:
        state: int16[width], a row of `Games.states`.
        last: the move that led to the position, to be shown with an arrow and outlines.

    Raises:
        ValueError: the row is not as wide as this configuration's records.
    """
    position, layout = read_position(config, state), layout_of(config.board)
    under: list[str] = []
    over: list[str] = []
    words = None
    if last is not None:
        before = read_position(config, last.before)
        words = before.player, notation.move_to_text(config, last.before, last.move)
        under = draw_outlines(layout, before, position, last.move) + draw_way(layout, before, last.move)
        over = draw_losses(layout, before, position, last.move)
    height = max(layout.height, layout.letters * panel_height(config.players) + MARGIN)
    top = (height - layout.height) / 2
    board = [*_cells(layout, position), *_markers(layout, position), *under, *_stacks(layout, position), *over]
    panel = draw_panel(position, words, (height - MARGIN) / layout.letters, layout.unit)
    beside = f"{move_to((layout.width, MARGIN / 2))} scale({number(layout.letters)})"
    return _document(
        f"RingRift, {config.name}, after move {position.ply}",
        (layout.width + layout.letters * WIDTH, height),
        [
            element("defs", "\n".join(["", *definitions(layout.unit, config.players), ""])),
            group([*_labels(layout), *board], transform=move_to((0, top))),
            group([panel], transform=beside),
        ],
    )


def _document(name: str, size: tuple[float, float], content: list[str]) -> str:
    width, height = map(number, size)
    attributes: Attributes = {
        "xmlns": "http://www.w3.org/2000/svg",
        "viewBox": f"0 0 {width} {height}",
        "width": width,
        "height": height,
        "role": "img",
        "font_family": "sans-serif",
    }
    paper = element("rect", width="100%", height="100%", fill=colours.PAPER)
    return element("svg", "\n".join(["", title(name), paper, *content, ""]), **attributes) + "\n"


def _labels(layout: Layout) -> list[str]:
    size = 13.0 * layout.letters
    plain: Attributes = {"fill": colours.FAINT, "text_anchor": "middle"}
    names: Attributes = {**plain, "font_style": "italic", "font_weight": "bold"}
    return [text(label.words, label.at, size, **(names if label.names else plain)) for label in layout.labels]


def _cells(layout: Layout, position: Position) -> list[str]:
    """Return the elements of the board's cells and of the territory on them."""
    pen: Attributes = {"stroke": colours.LINE, "stroke_width": 0.018 * layout.unit, "stroke_linejoin": "round"}
    corners = [[(x + dx, y + dy) for dx, dy in layout.outline] for x, y in layout.centres]
    drawn = [element("path", d=path(corners, closed=True), fill=colours.CELL, **pen)]
    names = notation.cell_names(layout.board.name)
    for cell, owner in position.collapsed.items():
        drawn.append(
            group(
                [
                    title(f"{names[cell]}: territory of player {owner}"),
                    element("path", d=path([corners[cell]], closed=True), fill=tint(owner), **pen),
                    group(
                        [sign(owner, 0.2 * layout.unit, fill=edge(owner), fill_opacity=0.55)],
                        transform=move_to(layout.centres[cell]),
                    ),
                ],
                data_collapsed=names[cell],
                data_owner=str(owner),
            )
        )
    return drawn


def _markers(layout: Layout, position: Position) -> list[str]:
    names = notation.cell_names(layout.board.name)
    return [
        group(
            [title(f"{names[cell]}: marker of player {owner}"), draw_marker(owner)],
            transform=move_to(layout.centres[cell]),
            data_marker=names[cell],
            data_owner=str(owner),
        )
        for cell, owner in position.markers.items()
    ]


def _stacks(layout: Layout, position: Position) -> list[str]:
    names = notation.cell_names(layout.board.name)
    # from the back row to the front, since high stacks may reach into the row behind them
    order = sorted(position.stacks, key=lambda cell: (layout.centres[cell][1], cell))
    return [
        group(
            [describe_stack(position.stacks[cell]), draw_stack(position.stacks[cell], layout.unit)],
            transform=move_to(layout.centres[cell]),
            data_stack=names[cell],
            data_rings="".join(map(str, position.stacks[cell])),
        )
        for cell in order
    ]
