"""Positions read from their canonical text, to play on from there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.backend.dialect import Executor, Row, plain_row
from engine.config import Config, config
from engine.games import Games
from engine.notation import PHASE_NAMES, cell_names
from engine.rules import state as record
from engine.rules.markers import collapse, put_marker
from engine.rules.stacks import place_ring
from engine.rules.tables import tables


class PositionError(ValueError):
    """A text is not the canonical text of a position."""


def set_up(text: str, executor: Executor | None = None) -> Games:
    """Return a batch of one game at the position with this text (FORMAT.md section 5).

    State that the text does not hold is that of a fresh turn: no move was made in it, nothing is owed, the rounds of
    the last-player-standing rule begin, the pie rule is off. The phases capture and chain_capture cannot be set up,
    since the text does not say which stack captures; nor can a game that is over.

    Raises:
        PositionError: it is not the text of such a position; the message names the line.
    """
    lines = text.split("\n")
    settings = _configuration(lines[0])
    games = Games.new(settings, 1, executor=executor)
    state = games.states[0]
    for number, line in enumerate(lines[1:], 2):
        try:
            _read(settings, state, line.split(" "))
        except (ValueError, IndexError):
            raise PositionError(f"line {number}, {line!r}, does not fit a position of {settings.name}") from None
    _take_from_hands(settings, state, lines)
    if games.text(0) != text:
        pairs = zip([*lines, ""], [*games.text(0).split("\n"), ""], strict=False)
        number, (found, wanted) = next((n, pair) for n, pair in enumerate(pairs, 1) if pair[0] != pair[1])
        raise PositionError(f"line {number} is {found!r}, but the canonical text has {wanted!r} there")
    return games


def _configuration(line: str) -> Config:
    words = line.split(" ")
    if len(words) != 3 or words[0] != "b":
        raise PositionError(f"line 1 is {line!r}; it names board and players, as in 'b hex8 2'")
    try:
        return config("-".join(words[1:]))
    except ValueError as error:
        raise PositionError(f"line 1: {error}") from None


def _read(settings: Config, state: NDArray[np.int16], words: list[str]) -> None:
    """Write the contents of a line into the record row, except for the rings in hand.

    Stacks take their rings from the hands; `_take_from_hands` sets the rest.

    Raises:
        ValueError, IndexError: the line does not fit the position so far.
    """
    table, row = plain_row(tables(settings)), plain_row(state)
    match words:
        case ["t", player, phase, "active", "-"]:
            state[record.PLAYER] = _seat(settings, player)
            state[record.PHASE] = _phase(phase)
        case ["p", player, _, eliminated, _]:
            state[record.ELIMINATED + _seat(settings, player)] = int(eliminated)
        case ["s", name, rings]:
            cell = _free_cell(settings, row, name)
            for owner in rings:
                _place(table, row, cell, _seat(settings, owner))
        case ["m", name, owner]:
            put_marker(row, _free_cell(settings, row, name), _seat(settings, owner))
        case ["c", name, owner]:
            collapse(row, _free_cell(settings, row, name), _seat(settings, owner))
        case _:
            raise ValueError


def _seat(settings: Config, word: str) -> int:
    return range(settings.players + 1)[1:].index(int(word)) + 1


def _phase(name: str) -> int:
    phase = PHASE_NAMES.index(name)
    if phase in (record.CAPTURE, record.CHAIN):
        raise ValueError
    return phase


def _free_cell(settings: Config, row: Row, name: str) -> int:
    cell = cell_names(settings.board).index(name)
    if row[record.BOARD + cell] != record.EMPTY:
        raise ValueError
    return cell


def _place(table: Row, row: Row, cell: int, owner: int) -> None:
    if row[record.HAND + owner] == 0:
        raise ValueError
    place_ring(table, row, cell, owner)


def _take_from_hands(settings: Config, state: NDArray[np.int16], lines: list[str]) -> None:
    """Set the rings in hand to those of the text; all others that are not on the board must be eliminated.

    Raises:
        PositionError: the numbers of rings do not add up.
    """
    gone = 0
    for seat in range(1, settings.players + 1):
        number = seat + 2
        line = lines[number - 1] if number <= len(lines) else ""
        words = line.split(" ")
        left = int(state[record.HAND + seat])
        if len(words) != 5 or not words[2].isdecimal() or int(words[2]) > left:
            raise PositionError(f"line {number}, {line!r}: player {seat} has at most {left} rings in hand")
        state[record.HAND + seat] = int(words[2])
        gone += left - int(words[2])
    eliminated = int(state[record.ELIMINATED + 1 : record.ELIMINATED + 1 + settings.players].sum())
    if gone != eliminated:
        raise PositionError(f"{gone} rings are neither in a hand nor on the board, but {eliminated} are eliminated")
