"""What a typed line means: a legal move, or why it is none and what is legal instead."""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.boards import board
from engine.choices import Choice, find_choices
from engine.notation import cell_names
from node.play.game import PlayedGame

_CELL = re.compile(r"(-?[0-9]{1,3}),(-?[0-9]{1,3})")
_NUMBER = re.compile("[0-9]{1,5}")
_SHOWN = 4  # moves that a message names


class NotAMove(Exception):  # noqa: N818 - an answer to a person
    """A line that names no move, or several; the text says in one line what is legal."""


def read_move(game: PlayedGame, line: str) -> Choice:
    """Return the choice that a line names: coordinates, a number of the list, "skip", or its own text.

    Raise NotAMove with one line that says what is legal.
    """
    by_text = [choice for choice in game.choices if choice.text.lower() == line.lower()]
    if by_text:
        return by_text[0]
    words = line.replace(";", " ").split()
    if len(words) == 1 and _NUMBER.fullmatch(words[0]):
        return _by_number(game.choices, int(words[0]))
    if len(words) == 1 and words[0].lower() == "skip":
        return _skip(game.choices)
    return _by_cells(game, words)


def _by_number(choices: Sequence[Choice], number: int) -> Choice:
    if not 1 <= number <= len(choices):
        raise NotAMove(f"there is no move {number}; moves lists 1 to {len(choices)}")
    return choices[number - 1]


def _skip(choices: Sequence[Choice]) -> Choice:
    for choice in choices:
        if not choice.steps:
            return choice
    raise NotAMove(f"there is nothing to skip now; legal: {_examples(choices)}")


def _by_cells(game: PlayedGame, words: Sequence[str]) -> Choice:
    count = int(words[-1]) if _NUMBER.fullmatch(words[-1]) else None
    cells = [_cell(game, word) for word in (words if count is None else words[:-1])]
    found = find_choices(game.choices, cells, count)
    if not found and len(cells) == 1 and count is None and game.choices:
        found = _from_only_stack(game.choices, cells[0])
    whole = [choice for choice in found if len(choice.steps) <= len(cells)]
    if len(whole) == 1:
        return whole[0]
    if len(found) == 1:
        return found[0]
    named = " ".join(words)
    if found:
        raise NotAMove(f"{named} can mean several moves: {_examples(whole or found)}")
    from_there = find_choices(game.choices, cells[:1]) if cells else []
    if from_there and len(words) > 1:
        raise NotAMove(f"{named} is not legal; from {words[0]}: {_examples(from_there)}")
    raise NotAMove(f"{named} is not legal; legal: {_examples(game.choices)}")


def _from_only_stack(choices: Sequence[Choice], cell: int) -> list[Choice]:
    """Return the moves to a cell, if all begin at one cell, as those of a chain of captures do."""
    starts = {choice.steps[0] for choice in choices if choice.steps}
    return [choice for choice in choices if cell in choice.steps[-1]] if len(starts) == 1 else []


def _cell(game: PlayedGame, word: str) -> int:
    parts, shape = _CELL.fullmatch(word), board(game.config.board)
    if parts is None:
        raise NotAMove(f'"{word}" is not a coordinate such as 0,0, nor a command; help lists them')
    cell = shape.index.get((int(parts[1]), int(parts[2])))
    if cell is None:
        first, last = cell_names(shape.name)[0], cell_names(shape.name)[-1]
        raise NotAMove(f"{word} is not on the board, which goes from {first} to {last}")
    return cell


def _examples(choices: Sequence[Choice]) -> str:
    """Return the first moves in words, and how many more there are."""
    listed = "; ".join(choice.words for choice in choices[:_SHOWN])
    more = len(choices) - _SHOWN
    return f"{listed}; and {more} more (moves lists them)" if more > 0 else listed
