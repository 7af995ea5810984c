"""The descent player: what it proves is true, its budget counts, and a network's values are those of the seats."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.config import config
from engine.games import Games
from engine.players import DescentPlayer
from engine.players.descent import value_by_heuristic, value_by_network
from engine.players.heuristic import WEIGHTS, describe
from engine.players.heuristic_features import FEATURES
from engine.search import EvalBatch, Evaluation
from tests.engine.players.test_players import choices, seeds_of

_MOST_POSITIONS = 1500


def winning_moves(game: Games) -> set[int] | None:
    """Return the moves after which the player to move wins against every answer; None if that is too much to search."""
    left = [_MOST_POSITIONS]

    def wins(position: Games, seat: int) -> bool:
        left[0] -= 1
        if left[0] < 0:
            raise OverflowError
        if position.over()[0]:
            return bool(position.winner()[0] == seat)
        moves = position.legal().moves
        after = position.take(np.zeros(len(moves), int))
        after.apply(moves)
        every = all if position.player()[0] != seat else any
        return every(wins(after.take([place]), seat) for place in range(len(moves)))

    seat, moves = int(game.player()[0]), game.legal().moves
    after = game.take(np.zeros(len(moves), int))
    after.apply(moves)
    try:
        return {int(move) for place, move in enumerate(moves) if wins(after.take([place]), seat)}
    except OverflowError:
        return None


@pytest.mark.parametrize("name", ["hex8-2", "square8-2"])
def test_with_time_enough_it_wins_whatever_can_be_won(name: str, kernels: None) -> None:
    games = choices(config(name), 24, 5)
    chosen = DescentPlayer(10**6).choose(games, seeds_of(games))
    counts = np.diff(games.legal().offsets)
    told = 0
    for place, move in enumerate(chosen.tolist()):
        winning = winning_moves(games.take([place]))
        if winning and len(winning) < counts[place]:
            told += 1
            assert move in winning
    assert told >= 3  # where there were wins and other moves


def test_no_position_is_opened_beyond_the_budget(kernels: None) -> None:
    asked: list[int] = []

    def count(batch: EvalBatch) -> Evaluation:
        asked.append(len(batch.states))
        return Evaluation(np.empty(0, np.float32), np.zeros((len(batch.states), 2), np.float32))

    game = Games.new("hex8-2", 1)
    moves = len(game.legal().moves)
    DescentPlayer(1, count).choose(game, seeds_of(game))
    assert asked == [moves]
    asked.clear()
    DescentPlayer(moves + 1, count).choose(game, seeds_of(game))
    assert len(asked) == 2


def test_the_only_move_is_played_without_a_search(kernels: None) -> None:
    game = Games.new("hex8-2", 1)
    while len(game.legal().moves) > 1:
        game.play_randomly(5, 1)
    asked: list[int] = []

    def count(batch: EvalBatch) -> Evaluation:
        asked.append(len(batch.states))
        return Evaluation(np.empty(0, np.float32), np.zeros((len(batch.states), 2), np.float32))

    assert DescentPlayer(1000, count).choose(game, seeds_of(game)) == game.legal().moves
    assert sum(asked) <= 1


def test_a_network_s_values_are_those_of_the_seats(kernels: None) -> None:
    """A network begins with the player who moves; a tree of several players needs them by seat."""
    games = choices(config("hex8-3"), 30, 20)
    by_seat = np.array([0.5, -0.25, 0.125], np.float32)

    def evaluate(batch: EvalBatch) -> Evaluation:
        mover = batch.states.player().astype(int) - 1
        values: NDArray[np.float32] = by_seat[(mover[:, None] + np.arange(3)) % 3]
        return Evaluation(np.empty(0, np.float32), values)

    assert len(set(games.player().tolist())) == 3
    assert (value_by_network(evaluate)(games) == by_seat).all()


@pytest.mark.parametrize("name", ["hex8-2", "square8-4"])
def test_the_heuristic_s_values_are_leads_over_the_best_opponent(name: str, kernels: None) -> None:
    games = choices(config(name), 10, 30)
    found = value_by_heuristic(games)
    sums = describe(games) @ np.array([WEIGHTS[number] for number in range(FEATURES)])
    for row, values in zip(sums, found, strict=True):
        for seat, value in enumerate(values):
            lead = row[seat] - np.delete(row, seat).max()
            assert value == pytest.approx(lead / (abs(lead) + 8))


def test_a_budget_is_positive() -> None:
    with pytest.raises(ValueError, match="budget must be"):
        DescentPlayer(0)
