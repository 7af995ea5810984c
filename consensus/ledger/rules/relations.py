"""How near two configurations are: what is learned in one is worth more in the other the nearer they are."""

from __future__ import annotations

from typing import Literal

from consensus.ledger.rules.large_boards import SMALL_BOARD_OF

Relation = Literal["same", "shape", "board", "other"]
RELATIONS: tuple[Relation, ...] = ("same", "shape", "board", "other")
"""The same configuration, as many players on the other board of one shape, the same board with other players, another
board; the nearest first."""


def relation_between(one: str, other: str) -> Relation:
    """Return how near two configurations are."""
    (board, _, players), (its_board, _, its_players) = one.partition("-"), other.partition("-")
    if one == other:
        return "same"
    if players == its_players and SMALL_BOARD_OF.get(board, board) == SMALL_BOARD_OF.get(its_board, its_board):
        return "shape"
    return "board" if board == its_board else "other"
