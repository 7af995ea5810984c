"""NNUE as a player and as what a search asks: legal, deterministic, independent of the batch, true to its network."""

from __future__ import annotations

import numpy as np
import pytest

from engine.backend.dialect import PLAIN
from engine.config import Config, config
from engine.games import Games
from engine.nnue.network import NnueError
from engine.nnue.rating import rate_positions
from engine.players import NnueEvaluator, NnuePlayer, SearchPlayer
from engine.search import EvalBatch
from tests.engine.nnue.networks import random_nnue
from tests.engine.players.test_players import choices, endings, seeds_of, win_in_one


def test_it_plays_the_move_after_which_its_chance_is_best(any_config: Config) -> None:
    nnue = random_nnue(any_config.board)
    games = choices(any_config, 5, 20)
    before = games.states.copy()
    chosen = NnuePlayer(nnue).choose(games, seeds_of(games))
    assert (games.states == before).all()
    for place, move in enumerate(chosen.tolist()):
        moves = games.legal().of(place)
        after = games.take(np.full(len(moves), place))
        after.apply(moves)
        mover = int(games.player()[place])
        chances = rate_positions(nnue, after).chances[:, mover - 1].astype(np.float64)
        chances[after.over()] = np.where(after.winner()[after.over()] == mover, 2.0, -1.0)
        assert chances[moves == move] > chances.max() - 1e-6


def test_choices_depend_on_position_and_seed_alone(any_config: Config) -> None:
    player, games = NnuePlayer(random_nnue(any_config.board)), choices(any_config, 5, 30)
    seeds = seeds_of(games)
    chosen = player.choose(games, seeds)
    assert (player.choose(games, seeds) == chosen).all()
    for place in range(len(games)):
        assert player.choose(games.take([place]), seeds[[place]])[0] == chosen[place]


@pytest.mark.parametrize("name", ["hex8-2", "square8-3"])
def test_plain_python_plays_the_same(name: str, kernels: None) -> None:
    player, games = NnuePlayer(random_nnue(name[:-2], width=16)), choices(config(name), 2, 12)
    plain = Games(games.config, games.states, PLAIN)
    assert (player.choose(plain, seeds_of(games)) == player.choose(games, seeds_of(games))).all()


@pytest.mark.parametrize("name", ["hex8-2", "square8-2", "hex8-4"])
def test_a_win_in_one_is_found(name: str, kernels: None) -> None:
    player, games = NnuePlayer(random_nnue(name[:-2])), endings(config(name), 40, 1)
    found = [(games.take([place]), winning) for place in range(40) if (winning := win_in_one(games.take([place])))]
    assert len(found) >= 3
    for game, winning in found:
        assert int(player.choose(game, seeds_of(game))[0]) in winning


def test_it_plays_on_one_board(kernels: None) -> None:
    player = NnuePlayer(random_nnue("hex8"))
    assert player.board == "hex8"
    with pytest.raises(NnueError, match="a network for hex8 knows nothing of square8"):
        player.choose(Games.new("square8-2", 1), np.zeros(1, np.uint64))
    assert player.choose(Games.new("hex8-4", 0), np.empty(0, np.uint64)).shape == (0,)


@pytest.mark.parametrize("name", ["hex8-2", "hex8-3"])
def test_a_search_gets_values_of_seats_and_a_logit_for_each_move(name: str, kernels: None) -> None:
    nnue, games = random_nnue("hex8"), choices(config(name), 6, 25)
    legal = games.legal()
    found = NnueEvaluator(nnue)(EvalBatch(games, legal.offsets, legal.moves))
    players = games.config.players
    chances = rate_positions(nnue, games).chances
    for place, mover in enumerate(games.player().tolist()):
        expected = (np.roll(chances[place], 1 - mover) * players - 1) / (players - 1)
        np.testing.assert_allclose(found.values[place], expected, atol=1e-5)
    assert found.values.dtype == found.logits.dtype == np.float32
    assert found.logits.shape == legal.moves.shape
    runs = zip(legal.offsets[:-1], legal.offsets[1:], strict=True)
    best = [legal.moves[start + int(np.argmax(found.logits[start:end]))] for start, end in runs]
    assert best == NnuePlayer(nnue).choose(games, seeds_of(games)).tolist()


def test_a_search_plays_with_it(kernels: None) -> None:
    player = SearchPlayer(NnueEvaluator(random_nnue("hex8")), simulations=8, considered=4)
    games = choices(config("hex8-2"), 4, 25)
    chosen = player.choose(games, seeds_of(games))
    games.apply(chosen)
