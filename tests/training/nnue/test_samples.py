"""Samples: the positions of the games, turned as the board may be, with targets that say what happened."""

from __future__ import annotations

import numpy as np
import pytest

from engine.config import config
from engine.nnue.features import slots
from engine.nnue.rating import list_features
from engine.search import EvalBatch, Evaluation
from engine.symmetry import symmetries, transform_games
from tests.training.conftest import MODEL, QUICK, SEED
from tests.training.verified import experience_of, positions_of
from training.nnue.samples import (
    Positions,
    TargetShares,
    draw_positions,
    features_of,
    make_targets,
    next_search,
    outcomes,
    turn_features,
)
from training.selfplay import play_shard
from training.shard import Shard


def drawn(shard: Shard, per_game: int = 20) -> Positions:
    experience = experience_of(shard)
    return draw_positions(experience, np.random.default_rng(1), np.arange(len(experience)), per_game)


def test_positions_are_those_of_the_games_after_their_openings(searched_shard: Shard) -> None:
    experience, positions = experience_of(searched_shard), drawn(searched_shard)
    assert len(positions.plies) == 20 * len(experience)
    assert len(set(positions.plies.tolist())) == len(positions.plies)
    for game in range(len(experience)):
        start, end = experience.offsets[game : game + 2]
        states = positions_of("hex8-2", experience.moves[start:end]).states
        mine = np.flatnonzero(positions.games == game)
        assert (positions.states.states[mine] == states[positions.plies[mine] - start]).all()
        assert (positions.plies[mine] - start >= searched_shard.openings[game]).all()
    assert (experience.options[positions.plies] == 1).any(), "positions without a choice count, too"
    again = draw_positions(experience, np.random.default_rng(1), np.arange(len(experience)), 20)
    assert (again.plies == positions.plies).all()


def test_targets_are_outcomes_searches_and_a_teacher(searched_shard: Shard) -> None:
    experience, positions = experience_of(searched_shard), drawn(searched_shard)
    won = outcomes(experience, positions.games)
    assert (won.argmax(axis=1) + 1 == experience.winners[positions.games]).all()
    assert (won.sum(axis=1) == 1).all()

    def teach(batch: EvalBatch) -> Evaluation:
        """The player to move has a chance of 0.9."""
        values = np.tile(np.array([0.8, -0.8], np.float32), (len(batch.states), 1))
        return Evaluation(np.zeros(len(batch.moves), np.float32), values)

    only_teacher = make_targets(experience, positions, TargetShares(0.5, 1.0), teach)
    mover = positions.states.player() - 1
    np.testing.assert_allclose(only_teacher[np.arange(len(mover)), mover], 0.9, atol=1e-6)
    assert (make_targets(experience, positions, TargetShares(0.0, 1.0), None) == won).all()
    search = next_search(experience, positions)
    values = (experience.values[search] + 1) / 2
    only_search = make_targets(experience, positions, TargetShares(1.0, 1.0), None)
    np.testing.assert_allclose(only_search[search >= 0], values[search >= 0], atol=1e-6)
    assert (only_search[search < 0] == won[search < 0]).all()
    np.testing.assert_allclose(make_targets(experience, positions, TargetShares(), None).sum(axis=1), 1.0, atol=1e-5)


def test_the_search_of_a_position_is_its_own_or_the_next_one_without_a_choice_between(searched_shard: Shard) -> None:
    experience, positions = experience_of(searched_shard), drawn(searched_shard)
    found = next_search(experience, positions)
    for ply, game, search in zip(positions.plies.tolist(), positions.games.tolist(), found.tolist(), strict=True):
        later = ply
        while later < experience.offsets[game + 1] and experience.options[later] == 1:
            later += 1
        is_there = later < experience.offsets[game + 1] and experience.search_of[later] >= 0
        assert search == (experience.search_of[later] if is_there else -1)
    assert (found >= 0).mean() > 0.8


def test_games_without_searches_have_outcomes_alone(random_shard: Shard) -> None:
    experience, positions = experience_of(random_shard), drawn(random_shard)
    assert (next_search(experience, positions) == -1).all()
    assert (make_targets(experience, positions, TargetShares(), None) == outcomes(experience, positions.games)).all()


def test_a_game_that_was_broken_off_is_everybodys(random_shard: Shard) -> None:
    experience = experience_of(random_shard)
    experience.winners = np.zeros_like(experience.winners)
    assert (outcomes(experience, np.array([0, 1])) == 0.5).all()


@pytest.mark.parametrize("name", ["hex8-3", "square8-2"])
def test_turned_features_are_those_of_the_turned_positions(name: str, kernels: None) -> None:
    shard = play_shard(config(name), None, MODEL, SEED, 2, QUICK)
    positions = drawn(shard, per_game=6)
    board_name = config(name).board
    features = list_features(positions.states)
    for place, symmetry in enumerate(symmetries(board_name)):
        turned = turn_features(features, board_name, np.full(len(features), place))
        expected = list_features(transform_games(positions.states, symmetry))
        assert (np.sort(turned) == np.sort(expected)).all()
    assert (turn_features(features, board_name, np.zeros(len(features), np.int64)) == features).all()


def test_features_are_seen_under_all_symmetries(random_shard: Shard) -> None:
    positions = drawn(random_shard)
    seen = features_of(positions, np.random.default_rng(2))
    assert seen.shape == (len(positions.plies), 2, slots("hex8", 2))
    assert 0.02 < (seen == list_features(positions.states)).all(axis=(1, 2)).mean() < 0.2
