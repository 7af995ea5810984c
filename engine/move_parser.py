"""Legal moves as text: all strings of a position's legal moves, and the move that a string names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.games import Games
from engine.moves import Kind
from engine.notation import cell_names, move_to_text


def legal_texts(games: Games, game: int) -> list[str]:
    """Return the strings of a game's legal moves, in the order in which `Games.legal` lists them."""
    moves = games.take([game]).legal().moves
    return [move_to_text(games.config, games.states[game], move) for move in moves]


def text_to_move(games: Games, game: int, text: str) -> int:
    """Return the legal move of a game that has this string.

    Raises:
        ValueError: no legal move has it.
    """
    moves = games.take([game]).legal().moves
    for move in moves[_candidates(moves, text, cell_names(games.config.board))]:
        if move_to_text(games.config, games.states[game], move) == text:
            return int(move)
    raise ValueError(f"{text!r} is not a legal move of game {game}")


def _candidates(moves: NDArray[np.int64], text: str, names: Sequence[str]) -> NDArray[np.bool_]:
    """Return bool[moves]: the moves of the string's kind that start at its first cell.

    A string whose first word after the kind is a list of cells (a line) is compared by its kind alone.
    """
    head, _, rest = text.partition(" ")
    kinds = [kind for kind in Kind if kind.name.partition("_")[0] == head]
    fits: NDArray[np.bool_] = np.isin(moves & 255, kinds)
    first = rest.partition(" ")[0]
    if first in names:
        fits &= (moves >> 8 & 4095) == names.index(first)
    return fits
