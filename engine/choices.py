"""What a player can choose in a position: each legal move with its words, and the cells by which a person names it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.boards import Board, board
from engine.games import Games
from engine.moves import Kind, move_a, move_b, move_c, move_kind
from engine.notation import cell_names, move_to_text, region_cells

PASSES = (Kind.NP, Kind.NM, Kind.NL, Kind.NT)
"""What is played where nothing can be chosen; it needs no person."""

_SLIDES = (Kind.RS_F, Kind.RS_S, Kind.RS_L1, Kind.RS_L2)
_CAPTURES = (Kind.OC, Kind.CC)
_LINES = (Kind.PL, Kind.CL_ALL, Kind.CL_SUB)
_LOSSES = (Kind.EL, Kind.ET, Kind.ER, Kind.FE)
_PLAIN = {
    Kind.SP: "place nothing",
    Kind.NP: "have nothing to place",
    Kind.SW: "swap sides",
    Kind.SC: "capture nothing",
    Kind.NM: "have nothing to move",
    Kind.SR: "slide nothing",
    Kind.NL: "have no line",
    Kind.ST: "claim nothing",
    Kind.NT: "have no region",
}
_LOST = {
    Kind.EL: "give up the top ring of {}",
    Kind.ET: "give up the cap of {}",
    Kind.ER: "give up the lowest own ring buried in {}",
    Kind.FE: "lose the cap of {}",
}


@dataclass(frozen=True)
class Choice:
    """A legal move: its number, its canonical text, its words, and the cells that name it.

    A person names a move by one cell after the other: `steps` has the cells that will do at each step, none where the
    move has no place on the board.
    """

    move: int
    text: str
    words: str
    steps: tuple[tuple[int, ...], ...]

    @property
    def kind(self) -> Kind:
        """What kind of move it is."""
        return Kind(move_kind(self.move))


def list_choices(games: Games) -> list[Choice]:
    """Return the legal moves of a batch of one game, in the order of `Games.legal`; none if it is over."""
    moves = games.legal().moves.tolist()
    slides = Counter(_ends(move) for move in moves if move_kind(move) in _SLIDES)
    return [_choice(games, move, is_only_slide=slides[_ends(move)] == 1) for move in moves]


def describe_move(games: Games, move: int) -> Choice:
    """Return one legal move of a batch of one game as a choice."""
    return _choice(games, move, is_only_slide=True)


def find_choices(choices: Iterable[Choice], cells: Sequence[int], count: int | None = None) -> list[Choice]:
    """Return the choices that these cells name, step by step; with `count` only placements of so many rings.

    Fewer cells than steps name every choice that begins so. The captured stack may be named between the ends.
    """
    return [
        choice
        for choice in choices
        if (_begins_so(choice, cells) or _is_whole_capture(choice, cells))
        and (count is None or (choice.kind == Kind.PR and move_b(choice.move) == count))
    ]


def _begins_so(choice: Choice, cells: Sequence[int]) -> bool:
    return len(cells) <= len(choice.steps) and all(
        cell in step for cell, step in zip(cells, choice.steps, strict=False)
    )


def _is_whole_capture(choice: Choice, cells: Sequence[int]) -> bool:
    move = choice.move
    return choice.kind in _CAPTURES and list(cells) == [move_a(move), move_b(move), move_c(move)]


def _ends(move: int) -> tuple[int, int]:
    return move_a(move), move_b(move)


def _choice(games: Games, move: int, *, is_only_slide: bool) -> Choice:
    text = move_to_text(games.config, games.states[0], move)
    if Kind(move_kind(move)) in _PLAIN:
        return Choice(move, text, _PLAIN[Kind(move_kind(move))], ())
    steps = _steps(games, move)
    return Choice(move, text, _words(games, move, steps), steps[:2] if is_only_slide else steps)


def _steps(games: Games, move: int) -> tuple[tuple[int, ...], ...]:
    shape = board(games.config.board)
    kind, a, b, c = Kind(move_kind(move)), move_a(move), move_b(move), move_c(move)
    if kind == Kind.MV:
        return (a,), (b,)
    if kind in _CAPTURES:
        return (a,), (c,)
    if kind == Kind.RS_L2:
        return (a,), (b,), _run(shape, c >> 3, c & 7, games.config.line_length)
    if kind in _SLIDES:
        return (a,), (b,), (c,)
    if kind in _LINES:
        return (_line(games, kind, move),)
    if kind == Kind.TR:
        return (tuple(region_cells(games.config, games.states[0], a, b)),)
    return ((a,),)


def _line(games: Games, kind: Kind, move: int) -> tuple[int, ...]:
    length = games.config.line_length if kind == Kind.CL_SUB else move_c(move)
    return _run(board(games.config.board), move_a(move), move_b(move), length)


def _run(shape: Board, first: int, axis: int, length: int) -> tuple[int, ...]:
    cells = [first]
    while len(cells) < length:
        cells.append(shape.neighbour(cells[-1], shape.directions[axis]))
    return tuple(cells)


def _words(games: Games, move: int, steps: tuple[tuple[int, ...], ...]) -> str:
    names = cell_names(games.config.board)
    kind, a, b, c = Kind(move_kind(move)), move_a(move), move_b(move), move_c(move)
    if kind == Kind.PR:
        return f"place {b} {'ring' if b == 1 else 'rings'} on {names[a]}"
    if kind == Kind.MV:
        return f"move {names[a]} to {names[b]}"
    if kind in _CAPTURES:
        return f"capture {names[b]} from {names[a]} and land on {names[c]}"
    if kind in _LOSSES:
        return _LOST[kind].format(names[a])
    if kind == Kind.TR:
        return f"claim the region of {c} {'cell' if c == 1 else 'cells'} at {names[a]}"
    if kind in _LINES:
        return f"{_line_words(kind)} from {names[steps[0][0]]} to {names[steps[0][-1]]}"
    slide = f"slide {names[a]} to {names[b]}"
    if kind == Kind.RS_L2:
        return f"{slide}, collapse {names[steps[2][0]]} to {names[steps[2][-1]]}"
    return f"{slide}{', collapse the line' if kind == Kind.RS_L1 else ''}, pay a ring of {names[c]}"


def _line_words(kind: Kind) -> str:
    match kind:
        case Kind.PL:
            return "collapse the line"
        case Kind.CL_ALL:
            return "collapse the whole line, for a ring,"
    return "collapse a part, for nothing,"
