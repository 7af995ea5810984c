"""Arguments that do not fit are refused with one clear error, before a kernel sees them."""

from typing import Any

import numpy as np
import pytest

from engine.arguments import integers, within
from engine.config import CONFIGS
from engine.games import Games
from engine.notation import move_to_text
from engine.perft import count_sequences
from engine.search import EvalBatch, Evaluation, evaluate_uniformly, gumbel_search
from engine.search.pool import EdgePool


@pytest.fixture
def games(kernels: None) -> Games:
    return Games.new("hex8-2", 3)


def refused(error: type[Exception], message: str) -> pytest.RaisesExc[Exception]:
    return pytest.raises(error, match=f"^{message}")


def test_a_batch_is_made_for_a_name_and_a_count(games: Games) -> None:
    assert games.config is CONFIGS["hex8-2"]
    assert len(Games.new("hex8-2", 0)) == 0
    truthy: Any = 7
    assert Games.new("hex8-2", 1, swap=True).states.tolist() == Games.new("hex8-2", 1, swap=truthy).states.tolist()
    with refused(ValueError, "unknown configuration 'hex9-2'; it is one of square8-2, "):
        Games.new("hex9-2", 1)
    for count in (-1, 2**31):
        with refused(ValueError, f"count must be 0 to 2147483647, got {count}"):
            Games.new("hex8-2", count)
    with refused(TypeError, r"count must be an integer, got 2\.5"):
        Games.new("hex8-2", 2.5)  # type: ignore[arg-type]  # what is refused


def test_moves_are_integers(games: Games) -> None:
    before = games.states.copy()
    for wrong in ([256.0] * 3, ["NL"] * 3, [True] * 3):
        with refused(TypeError, "moves must be integers that fit int64, got "):
            games.apply(wrong)
    with refused(ValueError, "moves must fit int64, got 0 to 9223372036854775808"):
        games.apply(np.array([0, 0, 2**63], np.uint64))
    with refused(ValueError, r"3 games take as many moves, got \[1\]"):
        games.apply(256)
    assert (games.states == before).all()
    games.apply(games.legal().moves[[0, 183, 366]].astype(np.uint32))
    assert games.ply().tolist() == [1, 1, 1]


def test_random_play_needs_a_number_for_each_game(games: Games) -> None:
    with refused(ValueError, r"3 games take as many numbers, got \[1\]"):
        games.play_randomly(seed=1, steps=1, numbers=[1])
    with refused(ValueError, "numbers must fit uint64, got -3 to 2"):
        games.play_randomly(seed=1, steps=1, numbers=[1, 2, -3])
    with refused(TypeError, "numbers must be integers"):
        games.play_randomly(seed=1, steps=1, numbers=[1, 2, 3.5])
    for seed in (-1, 2**64):
        with refused(ValueError, f"seed must be 0 to 18446744073709551615, got {seed}"):
            games.play_randomly(seed=seed, steps=1)
    for steps in (-1, 2**31):
        with refused(ValueError, f"steps must be 0 to 2147483647, got {steps}"):
            games.play_randomly(seed=1, steps=steps)
    assert games.ply().tolist() == [0, 0, 0]
    widest = np.array([0, 1, 2**64 - 1], np.uint64)
    assert games.play_randomly(seed=2**64 - 1, steps=2, numbers=widest).tolist() == [2, 2, 2]


def test_replay_takes_integers(games: Games) -> None:
    with refused(ValueError, "offsets must fit int32, got 0 to 1099511627776"):
        games.replay([0, 1, 2, 2**40], [0])
    with refused(TypeError, "moves must be integers"):
        games.replay([0, 0, 0, 1], [0.5])


def test_games_are_named_by_their_places(games: Games) -> None:
    for game in (-1, 3):
        with refused(IndexError, f"game {game} is not one of the 3 listed"):
            games.legal().of(game)
    assert games.take(1).states.tolist() == games.take([1]).states.tolist()
    with pytest.raises(IndexError, match="index 7 is out of bounds"):
        games.take([7])


def test_rows_in_any_order_in_memory_are_taken(games: Games) -> None:
    games.play_randomly(seed=1, steps=9)
    for rows in (np.asfortranarray(games.states), games.states[::-1][::-1], games.states[:]):
        assert Games(games.config, rows).legal().moves.tolist() == games.legal().moves.tolist()


def test_numbers_that_are_no_moves_have_no_text(games: Games) -> None:
    config, row = games.config, games.states[0]
    for wrong in (4 | 4000 << 8, 14 | 3 << 20 | 200 << 32, 17 | 61 << 8):
        with refused(ValueError, f"{wrong} is not a move of hex8-2: it names a cell beyond the board"):
            move_to_text(config, row, wrong)


def test_sequences_have_a_length(games: Games) -> None:
    with refused(ValueError, "depth must be 0 to "):
        count_sequences(games, -1)


@pytest.mark.parametrize(
    ("logits", "values"), [((548,), (3, 2)), ((549,), (2, 2)), ((549,), (3, 3)), ((549, 1), (3, 2))]
)
def test_a_network_must_answer_for_every_move_and_position(
    games: Games, logits: tuple[int, ...], values: tuple[int, ...]
) -> None:
    def answer(_: EvalBatch) -> Evaluation:
        return Evaluation(np.zeros(logits, np.float32), np.zeros(values, np.float32))

    with refused(ValueError, r"logits and values of these positions have the shapes \(\(549,\), \(3, 2\)\), got "):
        gumbel_search(games, answer, simulations=2, considered=2, seeds=[1, 2, 3])


def test_a_search_takes_a_seed_for_each_game(games: Games) -> None:
    with refused(ValueError, r"3 games take as many seeds, got \[2\]"):
        gumbel_search(games, evaluate_uniformly, simulations=2, considered=2, seeds=[1, 2])
    listed = gumbel_search(games, evaluate_uniformly, simulations=2, considered=2, seeds=[1, 2, 3])
    made = gumbel_search(games, evaluate_uniformly, simulations=2, considered=2, seeds=np.array([1, 2, 3], np.uint64))
    assert listed.actions.tolist() == made.actions.tolist()


def test_more_edges_than_can_be_numbered_are_refused() -> None:
    pool = EdgePool(2, 8)
    pool.used = 2**31 - 5
    with refused(ValueError, "a search of more than 2147483647 edges"):
        pool.take(np.array([3, 3], np.int32))


def test_checks_keep_what_fits() -> None:
    assert integers([], np.int32, "x").dtype == np.int32
    kept = np.array([1, 2], np.int64)
    assert integers(kept, np.int64, "x") is kept
    numpys_own: Any = np.int16(3)
    assert within(numpys_own, 0, 3, "x") == 3
    with refused(TypeError, "x must be an integer, got True"):
        within(True, 0, 3, "x")
