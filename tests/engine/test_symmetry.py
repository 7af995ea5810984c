"""Symmetries commute with legal moves and with play, as far as the rules allow."""

import numpy as np
import pytest

from engine.boards import board
from engine.config import Config, config
from engine.games import Games
from engine.move_parser import legal_texts, text_to_move
from engine.moves import Kind
from engine.position_parser import set_up
from engine.symmetry import Symmetry, symmetries, transform_games, transform_moves, transform_planes
from tests.engine.replays import recorded_positions


@pytest.mark.parametrize(
    ("name", "count", "exact"), [("square8", 8, 8), ("square19", 8, 8), ("hex8", 12, 4), ("hexagonal", 12, 12)]
)
def test_symmetries_form_the_group_of_the_board(name: str, count: int, exact: int) -> None:
    found, shape = symmetries(name), board(name)
    assert len(found) == count
    assert sum(each.exact for each in found) == exact
    tables = {each.cells.tobytes() for each in found}
    assert len(tables) == count
    assert (found[0].cells == np.arange(len(shape.cells))).all()
    for one in found:
        assert (one.cells[one.inverse().cells] == found[0].cells).all()
        assert {one.cells[other.cells].tobytes() for other in found} == tables
        for cell in range(0, len(shape.cells), 5):
            for direction, to in enumerate(one.directions):
                near = shape.neighbour(cell, shape.directions[direction])
                seen = shape.neighbour(int(one.cells[cell]), shape.directions[to])
                assert seen == (one.cells[near] if near < len(shape.cells) else near)


def same_lists(games: Games, symmetry: Symmetry) -> bool:
    """Whether enumerating the moves and looking through the symmetry commute."""
    legal, seen = games.legal(), transform_games(games, symmetry).legal()
    owners = np.repeat(np.arange(len(games)), np.diff(legal.offsets))
    moves = transform_moves(games, legal.moves, symmetry, owners)
    return bool(
        (seen.offsets == legal.offsets).all()
        and (moves[np.lexsort((moves, owners))] == seen.moves[np.lexsort((seen.moves, owners))]).all()
    )


def same_play(games: Games, moves: np.ndarray, symmetry: Symmetry) -> np.ndarray:
    """For each game, whether playing its move and looking through the symmetry commute."""
    first = transform_games(games, symmetry)
    first.apply(transform_moves(games, moves, symmetry), check=False)
    last = games.copy()
    last.apply(moves, check=False)
    same: np.ndarray = (transform_games(last, symmetry).states == first.states).all(axis=1)
    return same


def check(games: Games, seed: int) -> int:
    """Hold every symmetry against one random move of every game; return how many claims broke an inexact one."""
    legal, random = games.legal(), np.random.default_rng(seed)
    moves = np.array([random.choice(legal.of(game)) for game in range(len(games))])
    broken = 0
    for symmetry in symmetries(games.config.board):
        assert same_lists(games, symmetry)
        wrong = ~same_play(games, moves, symmetry)
        if symmetry.exact:
            assert not wrong.any()
        assert (moves[wrong] & 255 == Kind.TR).all()
        broken += int(wrong.sum())
    return broken


def test_they_commute_in_random_games(any_config: Config) -> None:
    small = any_config.rings == 18
    games = Games.new(any_config, 40 if small else 4)
    for seed in range(20 if small else 6):
        games.play_randomly(seed=seed, steps=7 if small else 61)
        games = games.take(~games.over())
        check(games, seed)


def test_they_commute_in_recorded_games(any_config: Config) -> None:
    small = any_config.rings == 18
    games = recorded_positions(any_config, 5 if small else 1, 2 if small else 9)
    assert len(games) > 30
    check(games, 1)


CORNER = """b hex8 2
t 1 territory_processing active -
p 1 17 0 0
p 2 17 0 0
s 0,0 1
s 2,0 2
m -4,1 1
m -3,-1 1
m -3,0 1
m -2,1 2"""


def test_claims_on_hex8_take_along_what_lies_on_one_diagonal(kernels: None) -> None:
    # Markers shut off the corner -4,0. The one at -2,1 touches none of them, but is one step (1, 1) from -3,0.
    games = set_up(CORNER)
    move = next(text_to_move(games, 0, text) for text in legal_texts(games, 0) if text.startswith("TR -4,0 1 "))
    kept = [bool(same_play(games, np.array([move]), symmetry)[0]) for symmetry in symmetries("hex8")]
    assert kept == [symmetry.exact for symmetry in symmetries("hex8")]
    after = games.copy()
    after.apply([move])
    assert "c -2,1 1" in after.text(0)


TIE = """b square8 3
t 1 movement active -
p 1 17 0 0
p 2 17 0 0
p 3 18 0 0
s 7,7 12
m 1,3 1
m 2,3 1
m 3,1 1
m 3,2 1
m 4,4 1"""


@pytest.mark.parametrize("longer", [False, True])
def test_recovery_breaks_ties_by_a_fixed_order(longer: bool, kernels: None) -> None:
    # From 4,4 to 3,3 completes a line along E and one of the same length along S: E counts.
    lines = TIE.split("\n") + longer * ["m 0,3 1", "m 3,0 1"]
    games = set_up("\n".join(lines[:6] + sorted(lines[6:])))
    move = np.array([text_to_move(games, 0, "RS 4,4 3,3 L1 7,7")])
    turn, mirror = (symmetry_of("square8", matrix) for matrix in ((-1, 0, 0, -1), (0, 1, 1, 0)))
    assert same_lists(games, turn)
    assert same_play(games, move, turn).all()
    assert same_lists(games, mirror) == (not longer), "of a longer line the free parts are listed"
    assert not same_play(games, move, mirror).any()


def symmetry_of(name: str, matrix: tuple[int, int, int, int]) -> Symmetry:
    return next(each for each in symmetries(name) if each.matrix == matrix)


def test_planes_move_with_the_cells(any_config: Config) -> None:
    games = Games.new(any_config, 5)
    games.play_randomly(seed=4, steps=61)
    planes, scalars = games.features()
    for symmetry in symmetries(any_config.board):
        seen, same = transform_games(games, symmetry).features()
        assert (transform_planes(planes, symmetry) == seen).all()
        assert (same == scalars).all()


def test_texts_move_with_the_cells(any_config: Config) -> None:
    games = Games.new(any_config, 1)
    games.play_randomly(seed=6, steps=90)
    shape = board(any_config.board)
    middle = 2 * shape.low + shape.side - 1

    for symmetry in symmetries(any_config.board):
        a, b, c, d = symmetry.matrix
        seen = set()
        for line in games.text(0).split("\n"):
            kind, where, *rest = line.split(" ")
            if kind in "smc":
                x, y = (2 * int(word) - middle for word in where.split(","))
                where = f"{(a * x + b * y + middle) // 2},{(c * x + d * y + middle) // 2}"
            seen.add(" ".join((kind, where, *rest)))
        assert set(transform_games(games, symmetry).text(0).split("\n")) == seen


def test_wrong_arguments_are_refused(kernels: None) -> None:
    games, turn = Games.new(config("hex8-2"), 2), symmetries("square8")[1]
    with pytest.raises(ValueError, match="a symmetry of square8 does not fit games of hex8-2"):
        transform_games(games, turn)
    with pytest.raises(ValueError, match=r"\[3\] moves need as many owners, got \[2\]"):
        transform_moves(games, [1, 2, 3], symmetries("hex8")[1])
    with pytest.raises(ValueError, match="unknown board"):
        symmetries("go")
    assert transform_moves(games, [-1, -1], symmetries("hex8")[1]).tolist() == [-1, -1]
