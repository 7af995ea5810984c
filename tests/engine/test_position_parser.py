"""Positions set up from their text."""

import pytest

from engine.config import Config
from engine.games import Games
from engine.move_parser import legal_texts
from engine.position_parser import PositionError, set_up
from engine.rules import state as record
from tests.engine.audit import audit

TEXT = """b square8 2
t 1 ring_placement active -
p 1 15 1 1
p 2 17 0 0
s 5,0 12
s 7,0 1
m 0,0 2
m 2,5 1
c 3,3 1"""


def test_the_text_comes_back(kernels: None) -> None:
    games = set_up(TEXT)
    assert games.text(0) == TEXT
    counts = audit(games.config, games.states[0])
    assert (counts.markers, counts.collapsed, counts.eliminated) == (2, 1, 1)
    assert "PR 1,1 3" in legal_texts(games, 0)


def test_positions_at_the_start_of_a_turn_are_played_on_as_in_their_game(any_config: Config) -> None:
    games = Games.new(any_config, 60)
    games.play_randomly(seed=9, steps=50)
    games = games.take(games.phase() == record.PLACEMENT)
    assert len(games) > 3
    for game in range(len(games)):
        again = set_up(games.text(game))
        audit(any_config, again.states[0])
        assert again.text(0) == games.text(game)
        assert (again.legal().moves == games.take([game]).legal().moves).all()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("b square8 2", "b square9 2", "line 1: unknown configuration 'square9-2'"),
        ("b square8 2", "square8 2", "line 1 is 'square8 2'; it names board and players"),
        ("t 1 ring", "t 3 ring", "line 2, 't 3 ring_placement active -', does not fit a position of square8-2"),
        ("ring_placement", "chain_capture", "line 2, 't 1 chain_capture"),
        ("t 1 ring_placement active -", "t 0 game_over completed 1", "line 2, 't 0 game_over completed 1'"),
        ("p 1 15 1 1", "p 1 17 1 1", "line 3, 'p 1 17 1 1': player 1 has at most 16 rings in hand"),
        ("p 1 15 1 1", "p 1 14 1 1", "2 rings are neither in a hand nor on the board, but 1 are eliminated"),
        ("p 1 15 1 1", "p 1 15 1 2", "line 3 is 'p 1 15 1 2', but the canonical text has 'p 1 15 1 1' there"),
        ("s 7,0 1", "s 5,0 1", "line 6, 's 5,0 1', does not fit"),
        ("s 7,0 1", "s 8,0 1", "line 6, 's 8,0 1', does not fit"),
        ("s 7,0 1", "s 7,0 3", "line 6, 's 7,0 3', does not fit"),
        ("s 7,0 1", "s 7,0 1111111111111111111", "line 6, 's 7,0 1"),
        ("m 0,0 2\nm 2,5 1", "m 2,5 1\nm 0,0 2", "line 7 is 'm 2,5 1', but the canonical text has 'm 0,0 2'"),
        ("c 3,3 1", "c 3,3 1\n", "line 10, '', does not fit"),
        ("c 3,3 1", "x 3,3 1", "line 9, 'x 3,3 1', does not fit"),
    ],
)
def test_other_texts_are_refused(old: str, new: str, message: str, kernels: None) -> None:
    assert old in TEXT
    with pytest.raises(PositionError) as caught:
        set_up(TEXT.replace(old, new))
    assert str(caught.value).startswith(message)
