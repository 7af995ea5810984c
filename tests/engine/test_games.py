"""The batch API."""

from itertools import chain

import numpy as np
import pytest

from engine.backend.cpu import cpu
from engine.backend.dialect import PLAIN
from engine.config import config
from engine.games import Games, IllegalMoveError
from engine.move_parser import legal_texts, text_to_move

HEX = config("hex8-2")


def played(steps: int, count: int = 8, name: str = "hex8-2") -> Games:
    games = Games.new(config(name), count)
    games.play_randomly(seed=1, steps=steps)
    return games


def test_first_position(kernels: None) -> None:
    games = Games.new(config("square8-3"), 2)
    assert games.text(1) == "b square8 3\nt 1 ring_placement active -\np 1 18 0 0\np 2 18 0 0\np 3 18 0 0"
    assert games.player().tolist() == [1, 1]
    assert games.phase().tolist() == [0, 0]
    assert not games.over().any()
    assert games.winner().tolist() == [0, 0]
    assert games.ply().tolist() == [0, 0]
    assert games.score().shape == (2, 3, 3)
    assert np.diff(games.legal().offsets).tolist() == [192, 192]


def test_apply_by_text(kernels: None) -> None:
    games = Games.new(config("square8-2"), 2)
    for text in ("PR 2,5 3", "MV 2,5 7,0", "NL", "NT"):
        games.apply([text_to_move(games, 0, text), text_to_move(games, 1, text)])
    # the worked example of FORMAT.md, one player's turn of it
    assert games.text(0).splitlines()[1:] == [
        "t 2 ring_placement active -",
        "p 1 15 0 0",
        "p 2 18 0 0",
        "s 7,0 111",
        "m 2,5 1",
    ]
    with pytest.raises(ValueError, match="'MV 0,0 1,1' is not a legal move of game 1"):
        text_to_move(games, 1, "MV 0,0 1,1")


def test_illegal_moves_are_refused_and_change_nothing(kernels: None) -> None:
    games = played(10)
    before = games.states.copy()
    moves = np.array([games.legal().of(game)[0] for game in range(8)])
    for wrong in (-1, 2**62, int(moves[5]) ^ (1 << 20), 24):
        changed = moves.copy()
        changed[5] = wrong
        with pytest.raises(IllegalMoveError, match="game 5"):
            games.apply(changed)
    with pytest.raises(ValueError, match="8 games take as many moves"):
        games.apply(moves[:7])
    assert (games.states == before).all()
    games.apply(moves)
    assert (games.ply() == 11).all()


def test_a_game_that_is_over_ignores_its_move(kernels: None) -> None:
    games = played(5000)
    before = games.states.copy()
    games.apply(np.full(8, -1))
    games.apply(np.full(8, 5), check=False)
    assert (games.states == before).all()


def test_copies_are_independent(kernels: None) -> None:
    games = played(20)
    copied, taken = games.copy(), games.take([3, 3, 1])
    before = games.states.copy()
    copied.play_randomly(seed=2, steps=5)
    taken.play_randomly(seed=2, steps=5)
    assert (games.states == before).all()
    assert len(taken) == 3
    assert (games.take(games.player() == 1).player() == 1).all()
    assert len(games.take([])) == 0
    assert games.take([]).legal().moves.size == 0


def test_threads_change_nothing(kernels: None) -> None:
    one = played(70, count=101)
    two = Games.new(HEX, 101, executor=cpu(2))
    two.play_randomly(seed=1, steps=70)
    assert (one.states == two.states).all()
    assert (one.legal().moves == two.legal().moves).all()


def test_swap_is_offered_once_and_changes_only_the_offer(kernels: None) -> None:
    with pytest.raises(ValueError, match="the pie rule is for 2 players"):
        Games.new(config("hex8-3"), 1, swap=True)
    games = Games.new(HEX, 1, swap=True)
    while games.player()[0] == 1:
        assert "SW" not in legal_texts(games, 0)
        games.play_randomly(seed=4, steps=1)
    text = games.text(0)
    assert "SW" in legal_texts(games, 0)
    games.apply([text_to_move(games, 0, "SW")])
    assert games.text(0) == text
    assert "SW" not in legal_texts(games, 0)


def test_replay_stops_at_the_first_illegal_move(kernels: None) -> None:
    games = Games.new(HEX, 3)
    moves: list[list[int]] = [[], [], []]
    for _ in range(40):
        legal = games.legal()
        chosen = [
            int(legal.of(game)[game]) if len(legal.of(game)) > game else int(legal.of(game)[0]) for game in range(3)
        ]
        for game in range(3):
            moves[game].append(chosen[game])
        games.apply(chosen)
    moves[1][25] ^= 1 << 9
    moves[2].append(-1)
    offsets, listed = [0, 40, 80, 121], list(chain(*moves))
    for executor in (None, PLAIN):
        again = Games.new(HEX, 3, executor=executor)
        assert again.replay(offsets, listed).tolist() == [40, 25, 40]
        assert again.ply().tolist() == [40, 25, 40]
        assert (again.states[[0, 2]] == games.states[[0, 2]]).all()
    for wrong in ([0, 40, 30, 121], [0, 40], [-1, 1, 2, 3], [0, 40, 80, 122]):
        with pytest.raises(ValueError, match="offset"):
            Games.new(HEX, 3).replay(wrong, listed)


def test_states_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"states of hex8-2 are int16\[games, 321\], got int32\[1, 321\]"):
        Games(HEX, np.zeros((1, 321), np.int32))
    with pytest.raises(ValueError, match=r"got int16\[1, 320\]"):
        Games(HEX, np.zeros((1, 320), np.int16))


def test_long_games_are_counted(kernels: None) -> None:
    games = Games.new(HEX, 1)
    games.states[0, 14] = 32766  # the low part of the count
    seen = []
    for _ in range(4):
        games.play_randomly(seed=1, steps=1)
        seen.append(int(games.ply()[0]))
    assert seen == [32767, 32768, 32769, 32770]
