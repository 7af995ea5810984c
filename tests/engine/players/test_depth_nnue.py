"""Depth search whose leaves an NNUE network values: it finds what a plain recursion with the same values finds."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.backend.dialect import PLAIN
from engine.config import config
from engine.games import Games
from engine.nnue.network import NnueError
from engine.nnue.rating import rate_positions
from engine.players import DepthPlayer, Rule
from engine.players.depth.frames import WIN
from engine.players.depth.leaf import STEPS
from tests.engine.nnue.networks import random_nnue
from tests.engine.players import test_depth
from tests.engine.players.test_depth import NEAR, UNLIMITED, Recursion
from tests.engine.players.test_players import choices, seeds_of

CASES = [("hex8-2", Rule.PARANOID, 3), ("square8-3", Rule.MAX_N, 2), ("hex8-3", Rule.BEST_REPLY, 3)]


@pytest.mark.parametrize(("name", "rule", "limit"), CASES)
def test_it_finds_what_a_plain_recursion_finds(
    name: str, rule: Rule, limit: int, kernels: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    nnue = random_nnue(config(name).board)

    def judge(games: Games, turns: NDArray[np.int64]) -> NDArray[np.float64]:
        chances = rate_positions(nnue, games).chances.astype(np.float64)
        is_winner = games.winner()[:, None] == np.arange(1, games.config.players + 1)
        results = np.where(is_winner, WIN - turns[:, None], turns[:, None] - WIN)
        return np.where(games.over()[:, None], results, np.trunc(STEPS * (2 * chances - 1)))

    monkeypatch.setattr(test_depth, "judge", judge)
    games = choices(config(name), 5, 30)
    player = DepthPlayer(rule, UNLIMITED, nnue=nnue, width=2, root_width=4, most_turns=limit)
    found = player.search(games, seeds_of(games))
    for place, game in enumerate(games.take([place]) for place in range(len(games))):
        root = int(game.player()[0])
        recursion = Recursion(rule, root, 2, int(found.turns[place]))
        values = {move: float(values[root - 1]) for move, values in recursion.children(game, 0, 4)}
        assert abs(found.values[place] - max(values.values())) < NEAR
        if int(found.moves[place]) in values:
            assert values[int(found.moves[place])] > max(values.values()) - NEAR


@pytest.mark.parametrize("rule", Rule)
def test_plain_python_finds_the_same(rule: Rule, kernels: None) -> None:
    games = choices(config("square8-3"), 2, 12)
    player = DepthPlayer(rule, 100, nnue=random_nnue("square8", width=16), width=2, root_width=3)
    compiled = player.search(games, seeds_of(games))
    plain = player.search(Games(games.config, games.states, PLAIN), seeds_of(games))
    assert (plain.tried == compiled.tried).all()
    assert (plain.moves == compiled.moves).all()
    assert (abs(plain.values - compiled.values) < NEAR).all()  # e to the power of x may differ in the last bit


def test_results_do_not_depend_on_the_batch_or_on_what_was_searched_before(kernels: None) -> None:
    games = choices(config("hex8-3"), 6, 40)
    player = DepthPlayer(Rule.PARANOID, 300, nnue=random_nnue("hex8"))
    together = player.search(games, seeds_of(games))
    DepthPlayer(Rule.PARANOID, 300).search(games, seeds_of(games))
    for place in reversed(range(len(games))):
        alone = player.search(games.take([place]), seeds_of(games)[[place]])
        for ours, theirs in zip(astuple(alone), astuple(together), strict=True):
            assert ours[0] == theirs[place]


def test_games_of_another_board_are_refused(kernels: None) -> None:
    player = DepthPlayer(Rule.PARANOID, 10, nnue=random_nnue("hex8"))
    with pytest.raises(NnueError, match="a network for hex8 knows nothing of square8"):
        player.choose(Games.new("square8-2", 1), np.zeros(1, np.uint64))
