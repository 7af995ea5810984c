"""The batched search against the plain reference, planted positions, and its own promises."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.backend.dialect import PLAIN
from engine.config import config
from engine.games import Games
from engine.search import EvalBatch, Evaluation, evaluate_uniformly, gumbel_search
from tests.engine.search.evaluators import hashed, material
from tests.engine.search.reference import search


def _positions(name: str, count: int, plies: int, seed: int = 7) -> Games:
    """Positions with a choice, reached by random play."""
    games = Games.new(config(name), 4 * count)
    games.play_randomly(seed, plies)
    counts = np.diff(games.legal().offsets)
    return games.take(np.flatnonzero(counts > 1)[:count])


@pytest.mark.parametrize(
    ("name", "plies", "simulations", "considered", "value_scale"),
    [
        ("hex8-2", 20, 40, 16, 0.1),
        ("hex8-2", 40, 32, 8, 0.02),
        ("square8-2", 60, 24, 4, 0.1),
        ("hex8-3", 50, 24, 8, 0.3),
        ("square8-4", 120, 24, 8, 0.1),
    ],
)
def test_agrees_with_the_reference(
    name: str, plies: int, simulations: int, considered: int, value_scale: float
) -> None:
    def hashed_at_scale(batch: EvalBatch) -> Evaluation:
        return replace(hashed(batch), value_scale=value_scale)

    games = _positions(name, 4, plies)
    seeds = np.arange(1000, 1000 + len(games), dtype=np.uint64)
    found = gumbel_search(games, hashed_at_scale, simulations=simulations, considered=considered, seeds=seeds)
    for i in range(len(games)):
        root = search(
            games.take([i]),
            hashed_at_scale,
            simulations=simulations,
            considered=considered,
            seed=int(seeds[i]),
            noise=1.0,
        )
        run = slice(found.offsets[i], found.offsets[i + 1])
        assert list(found.moves[run]) == root.moves
        assert list(found.visits[run]) == root.visits
        chosen = root.moves.index(int(found.actions[i]))
        mover = int(games.player()[i])
        assert found.values[i, mover - 1] == pytest.approx(root.totals[chosen] / root.visits[chosen], abs=1e-5)


def test_plain_python_runs_the_same_search() -> None:
    games = _positions("hex8-2", 2, 40)
    seeds = np.array([3, 4], dtype=np.uint64)
    compiled = gumbel_search(games, hashed, simulations=8, considered=4, seeds=seeds)
    plain_games = Games(games.config, games.states, PLAIN)
    plain = gumbel_search(plain_games, hashed, simulations=8, considered=4, seeds=seeds)
    assert (plain.actions == compiled.actions).all()
    assert (plain.visits == compiled.visits).all()
    np.testing.assert_allclose(plain.policy, compiled.policy, atol=1e-5)


def test_equal_input_gives_equal_bytes_whatever_else_is_in_the_batch() -> None:
    games = _positions("square8-2", 12, 50)
    seeds = np.arange(12, dtype=np.uint64)
    whole = gumbel_search(games, hashed, simulations=16, considered=8, seeds=seeds)
    again = gumbel_search(games, hashed, simulations=16, considered=8, seeds=seeds)
    part = gumbel_search(games.take([5]), hashed, simulations=16, considered=8, seeds=seeds[5:6])
    assert whole.policy.tobytes() == again.policy.tobytes()
    assert whole.policy[whole.offsets[5] : whole.offsets[6]].tobytes() == part.policy.tobytes()


def test_games_are_left_alone_and_forced_or_finished_ones_are_not_searched() -> None:
    games = Games.new(config("hex8-2"), 60)
    for i, plies in enumerate(np.linspace(20, 200, len(games))):
        one = games.take([i])
        one.play_randomly(i, int(plies))
        games.states[i] = one.states[0]
    before = games.states.copy()
    found = gumbel_search(games, hashed, simulations=4, considered=4, seeds=np.arange(60, dtype=np.uint64))
    counts = np.diff(games.legal().offsets)
    assert {0, 1} < set(counts)
    assert (games.states == before).all()
    assert (found.actions[counts == 0] == -1).all()
    assert (found.actions[counts == 1] == found.moves[found.offsets[:-1][counts == 1]]).all()
    sums = np.array([found.visits[a:b].sum() for a, b in zip(found.offsets, found.offsets[1:], strict=False)])
    assert (sums == np.where(counts > 1, 4, 0)).all()


def test_without_noise_visits_follow_sequential_halving() -> None:
    games = _positions("hex8-2", 8, 0)
    found = gumbel_search(games, hashed, simulations=32, considered=8, seeds=np.zeros(len(games), np.uint64), noise=0.0)
    for i in range(len(games)):
        visits = sorted(found.visits[found.offsets[i] : found.offsets[i + 1]], reverse=True)
        # three phases: 8 actions once, 4 twice more, 2 five times more; the rest of the budget for these two
        assert visits[:9] == [11, 11, 3, 3, 1, 1, 1, 1, 0]


def test_finds_a_win_in_one() -> None:
    games, winners = _last_choices("hex8-2", 40)
    assert len(games) >= 10
    found = gumbel_search(
        games, evaluate_uniformly, simulations=200, considered=200, seeds=np.zeros(len(games), np.uint64)
    )
    # another move that wins by force may be chosen instead, so the promise is about the value
    assert found.values[np.arange(len(games)), winners - 1].min() > 0.9


def _last_choices(name: str, count: int) -> tuple[Games, np.ndarray]:
    """Positions in which a random mover had a choice and won at once, and who that was."""
    games = Games.new(config(name), count)
    last = games.states.copy()
    while not games.over().all():
        choice = np.diff(games.legal().offsets) > 1
        last[choice] = games.states[choice]
        games.play_randomly(5, 1)
    before = Games(games.config, last)
    own = before.player() == games.winner()
    return before.take(own), games.winner()[own]


def _play_match(name: str, games_count: int, simulations: dict[int, int], plies: int = 400) -> Games:
    """Games between seats that search with `simulations[seat]`, all with the same opinion of positions."""
    games = Games.new(config(name), games_count)
    games.play_randomly(21, 6)
    for ply in range(plies):
        for seat, budget in simulations.items():
            mine = np.flatnonzero(games.player() == seat)
            if len(mine) == 0:
                continue
            batch = games.take(mine)
            seeds = (np.uint64(ply) << np.uint64(32)) + mine.astype(np.uint64)
            found = gumbel_search(batch, material, simulations=budget, considered=16, seeds=seeds, noise=0.01)
            batch.apply(found.actions, check=False)
            games.states[mine] = batch.states
        if games.over().all():
            break
    return games


def test_more_simulations_win() -> None:
    games = _play_match("hex8-2", 24, {1: 2, 2: 32})
    assert (games.winner() == 2).sum() >= 18


def test_three_players_each_for_themselves() -> None:
    games = _play_match("hex8-3", 40, {1: 1, 2: 32, 3: 1})
    assert (games.winner() == 2).sum() >= 19  # 13 or 14 if equal
