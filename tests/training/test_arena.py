"""The arena: pairs, rotations, seeds; what follows from winners; and how strong the yardsticks are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.config import config
from engine.games import Games
from engine.players import HeuristicPlayer, MonteCarloPlayer, Player, UniformPlayer
from training.arena import ArenaResult, meet

SEED = b"a" * 32


@dataclass
class Watched:
    """A player that writes down when it is asked what."""

    player: Player
    asked: list[tuple[int, int, int]] = field(default_factory=list)
    """Seat, ply and seed of each choice."""

    def choose(self, games: Games, seeds: NDArray[np.uint64]) -> NDArray[np.int64]:
        self.asked += zip(games.player().tolist(), games.ply().tolist(), seeds.tolist(), strict=True)
        return self.player.choose(games, seeds)


def result(winners: list[list[int]]) -> ArenaResult:
    return ArenaResult(np.array(winners, np.int8), plies=0)


def test_the_challenger_has_one_seat_and_the_opponent_all_others(kernels: None) -> None:
    challenger, opponent = Watched(UniformPlayer()), Watched(UniformPlayer())
    meet(config("hex8-3"), challenger, opponent, seed=SEED, blocks=1, opening_plies=6)
    streams = {seed - (ply << 32) for _, ply, seed in challenger.asked + opponent.asked}
    assert len(streams) == 1, "one stream of chance a block"
    assert min(ply for _, ply, _ in challenger.asked + opponent.asked) >= 6
    # both players are the same, so are the three games, and whoever is asked for a seat depends on the rotation
    for seat in (1, 2, 3):
        own = [ply for asked, ply, _ in challenger.asked if asked == seat]
        others = [ply for asked, ply, _ in opponent.asked if asked == seat]
        assert own
        assert sorted(others) == sorted(2 * own)


@pytest.mark.parametrize("name", ["hex8-2", "square8-3", "hex8-4"])
def test_a_player_that_meets_itself_has_its_share_in_every_block(name: str, kernels: None) -> None:
    players = config(name).players
    for player in (UniformPlayer(), HeuristicPlayer()):
        found = meet(config(name), player, player, seed=SEED, blocks=4)
        assert (found.firsts.sum(axis=1) == 1).all()
        assert (found.winners == found.winners[:, :1]).all()
        assert found.share == pytest.approx(1 / players)
        assert found.plies > 4 * players * 20


def test_blocks_do_not_depend_on_how_many_are_played_nor_at_once(kernels: None) -> None:
    players = HeuristicPlayer(), UniformPlayer()
    found = [
        meet(config("square8-3"), *players, seed=SEED, blocks=blocks, concurrency=concurrency).winners
        for blocks, concurrency in ((9, 256), (9, 1), (9, 7), (5, 6))
    ]
    assert (found[0] == found[1]).all()
    assert (found[0] == found[2]).all()
    assert (found[0][:5] == found[3]).all()
    other = meet(config("square8-3"), *players, seed=b"b" * 32, blocks=9).winners
    assert (found[0] != other).any()


def test_exchanged_players_play_the_same_games(kernels: None) -> None:
    there = meet(config("hex8-2"), HeuristicPlayer(), UniformPlayer(), seed=SEED, blocks=6)
    back = meet(config("hex8-2"), UniformPlayer(), HeuristicPlayer(), seed=SEED, blocks=6)
    assert (there.winners == back.winners[:, ::-1]).all()
    assert there.plies == back.plies


def test_openings_are_the_blocks(kernels: None) -> None:
    """Games that are over before a player is asked still have a winner."""
    found = meet(config("square8-2"), UniformPlayer(), UniformPlayer(), seed=SEED, blocks=3, opening_plies=10_000)
    assert (found.winners[:, 0] == found.winners[:, 1]).all()
    assert (found.winners > 0).all()
    assert found.share == 0.5


def test_progress_ends_with_all_games(kernels: None) -> None:
    reports: list[Mapping[str, Any]] = []
    meet(config("hex8-2"), UniformPlayer(), UniformPlayer(), seed=SEED, blocks=3, concurrency=4, report=reports.append)
    games = [report["games"] for report in reports]
    assert games == sorted(games)
    assert games[-1] == 6
    assert {report["wanted"] for report in reports} == {6}


def test_no_blocks_are_refused() -> None:
    with pytest.raises(ValueError, match="blocks must be at least 1, got 0"):
        meet(config("hex8-2"), UniformPlayer(), UniformPlayer(), seed=SEED, blocks=0)


@pytest.mark.parametrize("players", [2, 3, 4])
def test_whoever_always_wins_from_the_first_seat_gains_nothing(players: int) -> None:
    found = result([[1] * players] * 5)
    assert found.share == pytest.approx(1 / players)
    assert result([list(range(1, players + 1))] * 5).share == 1
    assert result([[0] * players] * 5).share == pytest.approx(1 / players)
    assert found.firsts.tolist() == [[1] + [0] * (players - 1)] * 5


def test_the_interval_is_of_blocks() -> None:
    split = result([[1, 1]] * 40)  # one game of two in every block: no luck is left
    swept = result([[1, 2]] * 20 + [[2, 1]] * 20)  # the same games won, but whole blocks
    assert split.share == swept.share == 0.5
    low, high = split.interval
    assert high - low == pytest.approx(2 * 1.96 * math.sqrt(0.5 / 41 / 42))
    low, high = swept.interval
    assert high - low == pytest.approx(2 * 1.96 * math.sqrt(10.5 / 41 / 42))
    assert low == pytest.approx(1 - high)


def test_a_clean_sweep_has_an_interval() -> None:
    low, high = result([[1, 2]] * 50).interval
    assert 0.93 < low < 0.96
    assert high == 1
    assert result([[2, 1]] * 50).interval == pytest.approx((0, 1 - low))
    alone = result([[1, 2]]).interval
    assert alone[0] < 0.05


@pytest.mark.parametrize(("players", "chance"), [(2, 0.5), (2, 0.9), (3, 1 / 3), (4, 0.25), (4, 0.8)])
def test_the_interval_covers_the_truth_as_often_as_it_says(players: int, chance: float) -> None:
    random = np.random.default_rng(7)
    seats = np.arange(1, players + 1)
    covered = 0
    for _ in range(600):
        won = random.random((40, players)) < chance
        low, high = ArenaResult(np.where(won, seats, seats % players + 1).astype(np.int8), plies=0).interval
        covered += low <= chance <= high
    assert covered >= 0.93 * 600


def test_the_heuristic_beats_uniform_play(kernels: None) -> None:
    assert meet(config("hex8-2"), HeuristicPlayer(), UniformPlayer(), seed=SEED, blocks=50).share >= 0.9
    assert meet(config("square8-4"), HeuristicPlayer(), UniformPlayer(), seed=SEED, blocks=10).share >= 0.45


def test_monte_carlo_beats_uniform_play(kernels: None) -> None:
    assert meet(config("hex8-2"), MonteCarloPlayer(1), UniformPlayer(), seed=SEED, blocks=10).share >= 0.6
