"""Draws a position as text: the board, the players and the stacks. Colours only repeat what the text says."""

from __future__ import annotations

from collections.abc import Collection

from rich.text import Text

from engine.boards import Board, board
from engine.moves import Kind, move_a, move_b, move_c, move_kind
from engine.notation import cell_names
from engine.picture.colours import INK, PLAYERS, colour, tint
from engine.position import Position, cap_of

STACKS, MARKERS, TERRITORY, EMPTY = "●■▲◆", "○□△◇", "▒", "·"

_WIDE, _NARROW = 7, 4  # columns of text for a cell, on boards of up to nine cells a row and on larger ones
_LABEL = 4  # columns of text for a coordinate

_CELLS = {  # the fields of a move that are cells
    **dict.fromkeys((Kind.MV, Kind.RS_L2), (move_a, move_b)),
    **dict.fromkeys((Kind.OC, Kind.CC, Kind.RS_F, Kind.RS_S, Kind.RS_L1), (move_a, move_b, move_c)),
    **dict.fromkeys(
        (Kind.PR, Kind.EL, Kind.ET, Kind.ER, Kind.FE, Kind.TR, Kind.PL, Kind.CL_ALL, Kind.CL_SUB), (move_a,)
    ),
}


def touched_cells(move: int) -> set[int]:
    """Return the cells that a move names: where from, over what, where to; of a line or region the first."""
    return {field(move) for field in _CELLS.get(Kind(move_kind(move)), ())}


def board_lines(position: Position, marked: Collection[int] = ()) -> list[Text]:
    """Return the board, a line for each row: x to the right, y down, with coordinates; marked cells are underlined."""
    shape = board(position.config.board)
    return _hex_lines(position, shape, marked) if len(shape.directions) == 6 else _square_lines(position, shape, marked)


def _square_lines(position: Position, shape: Board, marked: Collection[int]) -> list[Text]:
    wide = _WIDE if shape.side < 10 else _NARROW
    head = Text(" " * _LABEL + "".join(f"{x:<{wide}}" for x in range(shape.side)).rstrip(), style="dim")
    lines = [head]
    for y in range(shape.side):
        line = Text.assemble((f"{y:>{_LABEL - 1}} ", "dim"))
        for x in range(shape.side):
            line.append_text(_cell(position, shape.index[x, y], wide, marked))
        lines.append(line)
    return lines


def _hex_lines(position: Position, shape: Board, marked: Collection[int]) -> list[Text]:
    """Draw rows that begin half a cell beside the row before; columns lean and are labelled at their upper end."""
    radius = -shape.low
    wide, margin, gap = (_WIDE, _LABEL, "  ") if shape.side < 10 else (_NARROW - 1, _LABEL - 1, " ")
    lines = []
    for y in range(-radius, radius + 1):
        first, last = max(-radius, -radius - y), min(radius, radius - y)
        indent = margin + wide * abs(y) // 2
        if y == -radius:
            heads = "".join(f"{x:<{wide}}" for x in range(first, last + 1))
            lines.append(Text(" " * (indent - wide // 2) + heads.rstrip() + "  x", style="dim"))
        # Each upper row begins with a column left of 0.
        side = str(first - 1) if y < 0 else ""
        line = Text.assemble((f"{side:>{indent - 1}} ", "dim"))
        for x in range(first, last + 1):
            line.append_text(_cell(position, shape.index[x, y], wide, marked))
        line.append(f"{gap}{y}", style="dim")
        lines.append(line)
    lines[-1].append("  y", style="dim")
    return lines


def _cell(position: Position, cell: int, wide: int, marked: Collection[int]) -> Text:
    drawn = _content(position, cell, wide)
    if cell in marked:
        drawn.stylize("bold underline")
    drawn.append(" " * (wide - drawn.cell_len))
    return drawn


def _content(position: Position, cell: int, wide: int) -> Text:
    """Return what is on a cell: of a stack its owner's sign, then its rings from bottom to top, or else its height."""
    if cell in position.stacks:
        rings = position.stacks[cell]
        owner = rings[-1]
        if wide == _WIDE:
            listed = rings_text(rings, wide - 2)
            return Text.assemble((STACKS[owner - 1], f"bold {colour(owner)}"), listed)
        height = str(len(rings)) if len(rings) < 100 else "++"
        return Text(STACKS[owner - 1] + height[: wide - 1], style=f"bold {colour(owner)}")
    if cell in position.markers:
        owner = position.markers[cell]
        return Text(MARKERS[owner - 1], style=colour(owner))
    if cell in position.collapsed:
        owner = position.collapsed[cell]
        return Text(f"{TERRITORY}{owner}", style=f"{INK} on {tint(owner)}")
    return Text(EMPTY, style="dim")


def rings_text(rings: tuple[int, ...], room: int | None = None) -> Text:
    """Return the owners of a stack's rings from bottom to top, each in its colour, cut at the bottom to fit."""
    text = Text()
    if room is not None and len(rings) > room:
        rings = rings[-(room - 1) :]
        text.append("…", style="dim")
    for owner in rings:
        text.append(str(owner), style=f"bold {colour(owner)}")
    return text


def stack_lines(position: Position, width: int) -> list[Text]:
    """Return all stacks by cell with their rings, as many on a line as fit into `width` columns of text."""
    names = cell_names(position.config.board)
    entries = []
    for cell, rings in sorted(position.stacks.items()):
        entry = Text.assemble((f"{names[cell]} ", "dim"))
        entry.append_text(rings_text(rings))
        entry.append(f" cap {cap_of(rings)}" if cap_of(rings) < len(rings) else "", style="dim")
        entries.append(entry)
    column = max((entry.cell_len for entry in entries), default=0) + 3
    count = max(1, width // column)
    lines = []
    for first in range(0, len(entries), count):
        line = Text()
        for entry in entries[first : first + count]:
            line.append_text(entry)
            line.append(" " * (column - entry.cell_len))
        line.rstrip()
        lines.append(line)
    return lines


def standing_lines(position: Position) -> list[Text]:
    """Return a line for each player: rings in hand, eliminated rings and territory, and how many of them win."""
    config, lines = position.config, []
    for seat in range(config.players):
        turn = "▶" if seat + 1 == (position.winner or position.player) else " "
        line = Text(f"{turn} ")
        line.append(f"{STACKS[seat]} player {seat + 1}", style=f"bold {PLAYERS[seat]}")
        line.append(f"   in hand {position.hand[seat]:>2} / {config.rings}")
        line.append(f"   eliminated {position.eliminated[seat]:>3} / {config.ring_threshold}")
        line.append(f"   territory {position.territory[seat]:>3} / {config.territory_minimum}")
        lines.append(line)
    return lines


def legend_line(position: Position) -> Text:
    """Return a line that says what the signs of the board mean."""
    players, line = range(position.config.players), Text(style="dim")
    if board(position.config.board).side < 10:
        line.append(f"{STACKS[0]}211 stack, its rings from bottom to top")
    else:
        line.append(" ".join(STACKS[seat] for seat in players) + " stacks with their heights")
    line.append("   " + " ".join(MARKERS[seat] for seat in players) + " markers")
    line.append(f"   {TERRITORY}1 territory")
    return line
