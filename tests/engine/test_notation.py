"""Moves and positions as text, and moves as numbers."""

import numpy as np
import pytest

from engine import notation
from engine.config import Config, config
from engine.games import Games
from engine.move_parser import legal_texts, text_to_move
from engine.moves import Kind, move_a, move_b, move_c, move_kind, pack


@pytest.mark.parametrize(("a", "b", "c"), [(0, 0, 0), (468, 468, 468), (4095, 4095, 468 * 8 + 7), (1, 2, 469)])
def test_moves_keep_their_fields(a: int, b: int, c: int) -> None:
    for kind in Kind:
        move = pack(kind, a, b, c)
        assert (move_kind(move), move_a(move), move_b(move), move_c(move)) == (kind, a, b, c)
        assert 0 <= move < 2**63


def test_kinds_are_numbered_as_agreed() -> None:
    names = "PR SP NP SW MV OC CC SC NM RS_F RS_S RS_L1 RS_L2 SR PL CL_ALL CL_SUB EL NL TR ET ER ST NT FE"
    assert [kind.name for kind in sorted(Kind)] == names.split()
    assert [int(kind) for kind in sorted(Kind)] == list(range(25))


def test_every_legal_move_has_a_text_of_its_own(any_config: Config) -> None:
    games = Games.new(any_config, 4)
    for _ in range(12):
        games.play_randomly(seed=21, steps=17)
        for game in range(4):
            texts = legal_texts(games, game)
            assert len(set(texts)) == len(texts)
            for text in texts[:2]:
                move = text_to_move(games, game, text)
                assert notation.move_to_text(any_config, games.states[game], move) == text


@pytest.mark.parametrize("number", [-1, 25, 255, 200 | 1 << 8])
def test_numbers_that_are_no_moves_are_refused(number: int, kernels: None) -> None:
    settings = config("hex8-2")
    with pytest.raises(ValueError, match=f"{number} is not a move"):
        notation.move_to_text(settings, Games.new(settings, 1).states[0], number)


def test_a_region_that_is_none_is_refused(kernels: None) -> None:
    settings = config("hex8-2")
    with pytest.raises(ValueError, match="no region of 7 cells at -4,0: it has 61"):
        notation.move_to_text(settings, Games.new(settings, 1).states[0], pack(Kind.TR, 0, 0, 7))


def test_digest_is_of_the_text(kernels: None) -> None:
    games = Games.new(config("hex8-2"), 1)
    assert games.digest(0) == notation.state_digest(games.config, games.states[0])
    assert len(games.digest(0)) == 16
    games.states[0, 1] = 4
    assert "line_processing" in games.text(0)
    assert notation.ending_text(np.zeros(321, np.int16)) == ""
