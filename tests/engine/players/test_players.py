"""Players: legal, deterministic, independent of their batch, and each as strong as it ought to be."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.backend.dialect import PLAIN
from engine.config import Config, config
from engine.games import Games
from engine.players import (
    DepthPlayer,
    DescentPlayer,
    HeuristicPlayer,
    MonteCarloPlayer,
    Player,
    PolicyPlayer,
    Rule,
    SearchPlayer,
    UniformPlayer,
)
from engine.search import EvalBatch, Evaluation, evaluate_uniformly
from tests.engine.search.evaluators import hashed

PLAYERS: dict[str, Player] = {
    "uniform": UniformPlayer(),
    "heuristic": HeuristicPlayer(),
    "monte-carlo": MonteCarloPlayer(1),
    "alpha-beta": DepthPlayer(Rule.PARANOID, 60),
    "maxn": DepthPlayer(Rule.MAX_N, 60),
    "brs": DepthPlayer(Rule.BEST_REPLY, 60),
    "descent": DescentPlayer(60),
    "descent by a network": DescentPlayer(60, hashed),
    "policy": PolicyPlayer(hashed),
    "search": SearchPlayer(hashed, simulations=6, considered=4),
}


@pytest.fixture(params=PLAYERS)
def player(request: pytest.FixtureRequest, kernels: None) -> Player:
    return PLAYERS[request.param]


def endings(settings: Config, count: int, plies: int, seed: int = 3) -> Games:
    """Return the positions of random games so many plies before their end."""
    rows = []
    for number in range(count):
        game = Games.new(settings, 1)
        length = int(game.copy().play_randomly(seed, 10**6, [number])[0])
        game.play_randomly(seed, max(0, length - plies), [number])
        rows.append(game.states)
    return Games(settings, np.concatenate(rows))


def choices(settings: Config, count: int, plies: int) -> Games:
    """Return such positions in which there is a choice."""
    games = endings(settings, 4 * count, plies)
    return games.take(np.flatnonzero(np.diff(games.legal().offsets) > 1)[:count])


def seeds_of(games: Games) -> NDArray[np.uint64]:
    return np.arange(100, 100 + len(games), dtype=np.uint64)


def test_choices_are_legal_and_depend_on_position_and_seed_alone(player: Player, any_config: Config) -> None:
    games = choices(any_config, 5, 20)
    before, seeds = games.states.copy(), seeds_of(games)
    chosen = player.choose(games, seeds)
    assert chosen.dtype == np.int64
    assert (games.states == before).all()
    games.copy().apply(chosen)  # which refuses what is not legal
    assert (player.choose(games, seeds) == chosen).all()
    assert (player.choose(games.take([4, 2, 0]), seeds[[4, 2, 0]]) == chosen[[4, 2, 0]]).all()
    for place in range(len(games)):
        assert player.choose(games.take([place]), seeds[[place]])[0] == chosen[place]


@pytest.mark.parametrize("name", [name for name in PLAYERS if name != "monte-carlo"])
def test_the_first_position_is_no_exception(name: str, any_config: Config) -> None:
    """Where moves are most; there Monte Carlo would take seconds on the large boards."""
    games = Games.new(any_config, 3)
    chosen = PLAYERS[name].choose(games, seeds_of(games))
    games.apply(chosen)


@pytest.mark.parametrize("name", ["hex8-2", "square8-3"])
def test_plain_python_plays_the_same(player: Player, name: str) -> None:
    games = choices(config(name), 3, 12)
    plain = Games(games.config, games.states, PLAIN)
    assert (player.choose(plain, seeds_of(games)) == player.choose(games, seeds_of(games))).all()


def test_no_games_have_no_choices(player: Player) -> None:
    assert player.choose(Games.new("hex8-2", 0), np.empty(0, np.uint64)).shape == (0,)


def test_what_is_not_a_question_is_refused(player: Player) -> None:
    games = endings(config("hex8-2"), 2, 1)
    with pytest.raises(ValueError, match="2 games take as many seeds, got"):
        player.choose(games, np.zeros(3, np.uint64))
    with pytest.raises(TypeError, match="seeds must be integers"):
        player.choose(games, np.zeros(2))  # type: ignore[arg-type]
    over = Games(games.config, np.concatenate((games.states, endings(config("hex8-2"), 1, 0).states)))
    with pytest.raises(ValueError, match="game 2 is over"):
        player.choose(over, seeds_of(over))


@pytest.mark.parametrize("name", ["uniform", "heuristic", "monte-carlo", "alpha-beta", "descent", "search"])
def test_where_moves_are_equal_the_seed_decides(name: str, kernels: None) -> None:
    """In the first position of a symmetric board no move is the only best one."""
    equal = {"search": SearchPlayer(evaluate_uniformly, simulations=2, considered=2)}
    games = Games.new("square8-2", 24)
    chosen = (equal | PLAYERS | equal)[name].choose(games, seeds_of(games))
    assert len(set(chosen.tolist())) > 3


def test_uniform_is_uniform(kernels: None) -> None:
    games = Games.new("hex8-2", 1)
    options = games.legal().moves
    many = games.take(np.zeros(40 * len(options), int))
    chosen = UniformPlayer().choose(many, np.arange(len(many), dtype=np.uint64) << np.uint64(32))
    counts = np.array([(chosen == move).sum() for move in options])
    assert counts.sum() == len(many)
    # chi-squared of so many degrees of freedom: mean n - 1, deviation sqrt(2 (n - 1))
    excess = ((counts - 40) ** 2 / 40).sum() - (len(options) - 1)
    assert abs(excess) < 4 * (2 * (len(options) - 1)) ** 0.5


def win_in_one(game: Games) -> set[int]:
    """Return the moves that win at once, unless all do."""
    moves = game.legal().moves
    after = game.take(np.zeros(len(moves), int))
    after.apply(moves)
    winning = moves[after.winner() == game.player()[0]]
    return set(winning.tolist()) if len(winning) < len(moves) else set()


@pytest.mark.parametrize("name", ["hex8-2", "square8-2", "hex8-4"])
@pytest.mark.parametrize("kind", ["heuristic", "monte-carlo"])
def test_a_win_in_one_is_found(kind: str, name: str, kernels: None) -> None:
    games = endings(config(name), 60, 1)
    found = [(games.take([place]), winning) for place in range(60) if (winning := win_in_one(games.take([place])))]
    assert len(found) >= 3
    for game, winning in found:
        for seed in range(3):
            assert int(PLAYERS[kind].choose(game, np.array([seed], np.uint64))[0]) in winning


def test_monte_carlo_plays_what_wins_most_random_games(kernels: None) -> None:
    games = choices(config("hex8-2"), 6, 24)
    chosen = MonteCarloPlayer(200).choose(games, seeds_of(games))
    for place, move in enumerate(chosen.tolist()):
        moves = games.legal().of(place)
        after = games.take(np.full(200 * len(moves), place))
        mover = after.player()[0]
        after.apply(np.repeat(moves, 200))
        after.play_randomly(seed=9, steps=10**6)
        shares = (after.winner() == mover).reshape(-1, 200).mean(axis=1)
        assert shares[moves == move] > shares.max() - 0.1
        assert shares.max() > shares.mean()


def test_policy_takes_the_move_of_the_greatest_logit(kernels: None) -> None:
    games = choices(config("hex8-3"), 6, 30)
    legal = games.legal()
    logits = hashed(EvalBatch(games, legal.offsets, legal.moves)).logits
    runs = zip(legal.offsets[:-1], legal.offsets[1:], strict=True)
    wanted = [legal.moves[start + int(np.argmax(logits[start:end]))] for start, end in runs]
    assert PolicyPlayer(hashed).choose(games, seeds_of(games)).tolist() == wanted


def test_a_search_asks_its_network_as_often_as_it_may(kernels: None) -> None:
    batches = []

    def count(batch: EvalBatch) -> Evaluation:
        batches.append(len(batch.states))
        return hashed(batch)

    games = Games.new("hex8-2", 2)
    SearchPlayer(count, simulations=5, considered=2).choose(games, seeds_of(games))
    assert batches == [2] * 6  # the roots, and once a simulation


@pytest.mark.parametrize("repeats", [0, -1, 2**31])
def test_monte_carlo_needs_games(repeats: int) -> None:
    with pytest.raises(ValueError, match="repeats must be 1 to"):
        MonteCarloPlayer(repeats)
