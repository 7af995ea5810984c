"""Properties of the rules that hold in every position of random play."""

import numpy as np

from engine.backend.dialect import PLAIN, Word, plain_row
from engine.boards import board
from engine.config import Config, config
from engine.games import Games
from engine.play import play_randomly
from engine.rules import legal_moves, move_bound, scratch_width, start, state_width, tables
from engine.rules import state as record
from tests.engine.audit import audit


def test_invariants_hold_after_every_move(any_config: Config) -> None:
    games = Games.new(any_config, 4)
    before = [audit(any_config, row) for row in games.states]
    turn_began = [counts.progress for counts in before]
    for step in range(250):
        games.play_randomly(seed=11, steps=1)
        for game, row in enumerate(games.states):
            counts = audit(any_config, row)
            if row[record.PHASE] == record.PLACEMENT:
                assert counts.progress >= turn_began[game], f"a turn undid something, step {step}"
                turn_began[game] = counts.progress


def test_every_legal_move_applies(any_config: Config) -> None:
    games = Games.new(any_config, 6)
    for steps in (0, 3, 40, 41, 42, 43, 60, 100):
        games.play_randomly(seed=5, steps=steps)
        legal = games.legal()
        assert len(legal.moves) <= 6 * move_bound(any_config)
        for game in range(len(games)):
            moves = legal.of(game)
            assert len(set(moves.tolist())) == len(moves), "a move is listed twice"
            moves = moves[:: 1 + len(moves) // 60]  # some of the many on the big boards
            after = games.take(np.full(len(moves), game))
            after.apply(moves, check=False)
            for row in after.states:
                audit(any_config, row)
            assert (after.ply() == games.ply()[game] + 1).all()
            running = ~after.over()
            assert (np.diff(after.legal().offsets)[running] > 0).all(), "a running game without a move"


def test_random_games_end(small_config: Config) -> None:
    games = Games.new(small_config, 200)
    games.play_randomly(seed=3, steps=5000)
    assert games.over().all()
    assert (games.winner() >= 1).all()
    assert (games.winner() <= small_config.players).all()
    assert len(set(games.winner().tolist())) == small_config.players
    assert games.legal().moves.size == 0


def test_enumeration_does_not_change_the_position(small_config: Config) -> None:
    games = Games.new(small_config, 50)
    for _ in range(30):
        games.play_randomly(seed=8, steps=7)
        before = games.states.copy()
        games.legal()
        assert (games.states == before).all()


def test_a_row_that_is_too_short_is_noticed_and_not_overrun() -> None:
    settings = config("hex8-2")
    table, state = plain_row(tables(settings)), plain_row(np.zeros(state_width(settings), np.int16))
    start(table, state, 0)
    room = np.full(20, -7, np.int64)
    count = legal_moves(table, state, plain_row(np.zeros(scratch_width(settings), np.int16)), plain_row(room[:10]))
    assert count == 3 * len(board("hex8").cells)
    assert (room[:10] >= 0).all()
    assert (room[10:] == -7).all()


def test_plain_python_and_kernels_give_the_same_bytes(any_config: Config) -> None:
    count = 3
    compiled, plain = Games.new(any_config, count), Games.new(any_config, count, executor=PLAIN)
    assert (compiled.states == plain.states).all()
    rounds = 25 if any_config.rings == 18 else 8
    for _ in range(rounds):
        played = compiled.play_randomly(seed=2**63 + 17, steps=9)
        assert (plain.play_randomly(seed=2**63 + 17, steps=9) == played).all()
        assert (compiled.states == plain.states).all()
        ours, theirs = compiled.legal(), plain.legal()
        assert (ours.offsets == theirs.offsets).all()
        assert (ours.moves == theirs.moves).all()
        for made, other in zip(compiled.features(), plain.features(), strict=True):
            assert made.tobytes() == other.tobytes()


class StrictRow:
    """A row that refuses what a kernel must never do: reach outside it, or write what does not fit."""

    def __init__(self, values: np.ndarray) -> None:
        limits = np.iinfo(values.dtype)
        self._values: list[int] = values.tolist()
        self._low, self._high = limits.min, limits.max
        self.shape = values.shape

    def __getitem__(self, index: int) -> int:
        assert 0 <= index < len(self._values), index
        return self._values[index]

    def __setitem__(self, index: int, value: int) -> None:
        assert 0 <= index < len(self._values), index
        assert self._low <= value <= self._high, value
        self._values[index] = value


def test_nothing_reaches_outside_a_row(any_config: Config) -> None:
    table = StrictRow(tables(any_config))
    scratch = StrictRow(np.zeros(scratch_width(any_config), np.int32))
    room = StrictRow(np.zeros(move_bound(any_config), np.int64))
    for game in range(6 if any_config.rings == 18 else 1):
        state = StrictRow(np.zeros(state_width(any_config), np.int16))
        start(table, state, 0)
        played = play_randomly(table, state, scratch, room, Word(6), Word(game), 500)
        assert played == 500 or record.is_over(state)
