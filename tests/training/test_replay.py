"""Replaying: what it finds out about legal games, and that it names what is wrong with others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.config import config
from tests.training.conftest import MODEL, QUICK, SEED
from tests.training.verified import positions_of
from training import replay
from training.arrays import DataError
from training.progress import ignore_progress
from training.replay import load_shard, positions_before, replay_games
from training.selfplay import play_shard
from training.shard import Shard, write_shard

HEX = config("hex8-2")


@pytest.fixture(scope="module")
def square_shard() -> Shard:
    """Two random games of three players."""
    return play_shard(config("square8-3"), None, MODEL, SEED, 2, QUICK)


def games_of(shard: Shard) -> Iterator[tuple[int, np.ndarray]]:
    """Where each game begins, and its moves."""
    yield from zip(shard.offsets[:-1].tolist(), np.split(shard.moves, shard.offsets[1:-1]), strict=True)


def changed(moves: np.ndarray, place: int, move: int) -> np.ndarray:
    copy = moves.copy()
    copy[place] = move
    return copy


@pytest.mark.parametrize("name", ["random_shard", "searched_shard", "square_shard"])
def test_options_and_last_positions_are_those_of_plain_play(name: str, request: pytest.FixtureRequest) -> None:
    shard: Shard = request.getfixturevalue(name)
    found = replay_games(config(shard.config), shard.moves, shard.lengths, ignore_progress)
    assert found.options.dtype.name == "int32"
    for number, (start, moves) in list(enumerate(games_of(shard)))[:2]:
        positions = positions_of(shard.config, moves)
        assert (found.final.states[number] == positions.states[-1]).all()
        legal = positions.take(np.arange(len(moves))).legal()
        plies = slice(start, start + len(moves))
        assert (found.options[plies] == np.diff(legal.offsets)).all()
    assert (found.final.winner() == shard.winners).all()
    assert (found.final.ply() == shard.lengths).all()


@pytest.mark.parametrize("size", [1, 5, 12, 13])
def test_games_are_replayed_in_slices_that_change_nothing(
    size: int, random_shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = replay_games(HEX, random_shard.moves, random_shard.lengths, ignore_progress)
    monkeypatch.setattr(replay, "_SLICE", size)
    told: list[Mapping[str, Any]] = []
    sliced = replay_games(HEX, random_shard.moves, random_shard.lengths, told.append)
    assert told == [{"replayed": min(end, 12)} for end in range(size, 12 + size, size)]
    assert (sliced.final.states == whole.final.states).all()
    assert (sliced.options == whole.options).all()


def test_replaying_leaves_the_games_alone(random_shard: Shard) -> None:
    moves, lengths = random_shard.moves.copy(), random_shard.lengths.copy()
    replay_games(HEX, moves, lengths, ignore_progress)
    assert (moves == random_shard.moves).all()
    assert (lengths == random_shard.lengths).all()


def test_no_games_are_proved_at_once() -> None:
    found = replay_games(HEX, np.zeros(0, np.int64), np.zeros(0, np.int32), ignore_progress)
    assert (len(found.final), len(found.options)) == (0, 0)


@pytest.mark.parametrize("move", [-1, -(2**63), 2**63 - 1, 255, 255 | 1 << 20])
def test_a_number_that_is_no_move_is_found_wherever_it_stands(move: int, random_shard: Shard) -> None:
    for game, ply in ((0, 0), (3, 20), (11, int(random_shard.lengths[11]) - 1)):
        moves = changed(random_shard.moves, int(random_shard.offsets[game]) + ply, move)
        with pytest.raises(DataError, match=f"^game {game}: its move {ply} is illegal$"):
            replay_games(HEX, moves, random_shard.lengths, ignore_progress)


def test_of_several_faults_the_first_is_named(random_shard: Shard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "_SLICE", 4)
    moves = random_shard.moves.copy()
    for game, ply in ((10, 0), (5, 9), (5, 4), (7, 2)):
        moves[random_shard.offsets[game] + ply] = -1
    with pytest.raises(DataError, match=r"^game 5: its move 4 is illegal$"):
        replay_games(HEX, moves, random_shard.lengths, ignore_progress)


def test_another_legal_move_is_believed_until_the_game_breaks_on_it(random_shard: Shard) -> None:
    """Whatever legal move is put in: up to there the game stays as it was, and from there on it is checked anew."""
    start, moves = next(games_of(random_shard))
    lengths, random = random_shard.lengths[:1], np.random.default_rng(1)
    whole = replay_games(HEX, moves, lengths, ignore_progress)
    assert start == 0
    for ply in random.choice(np.flatnonzero(whole.options > 1), 8, replace=False).tolist():
        before = positions_of(HEX.name, moves[:ply])
        legal = before.take(ply).legal().moves
        other = int(legal[(legal.tolist().index(moves[ply]) + 1) % len(legal)])
        try:
            found = replay_games(HEX, changed(moves, ply, other), lengths, ignore_progress)
        except DataError as error:
            words = str(error).split()
            assert "neither" in words or int(words[4]) > ply, error  # noqa: PT017
        else:
            assert (found.options[: ply + 1] == whole.options[: ply + 1]).all()
            assert (found.final.states != whole.final.states).any()


def test_a_game_may_stop_at_the_limit_and_nowhere_else(random_shard: Shard, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 30
    assert random_shard.lengths.min() > limit
    monkeypatch.setattr(replay, "ply_limit", lambda settings: limit)
    for length in (limit - 1, limit, limit + 1):
        moves = np.concatenate([moves[:length] for _, moves in games_of(random_shard)])
        lengths = np.full(12, length, np.int32)
        if length == limit:
            assert not replay_games(HEX, moves, lengths, ignore_progress).final.over().any()
            continue
        reason = f"^game 0: {length} moves, neither to its end nor to the limit of 30$"
        with pytest.raises(DataError, match=reason):
            replay_games(HEX, moves, lengths, ignore_progress)


def test_a_policy_may_name_the_last_legal_move_and_none_after_it(searched_shard: Shard, tmp_path: Path) -> None:
    options = replay_games(HEX, searched_shard.moves, searched_shard.lengths, ignore_progress).options
    entries, offset = searched_shard.entries, 0
    for ply, choices in zip(searched_shard.searched[:5].tolist(), searched_shard.choices[:5].tolist(), strict=True):
        last = offset + choices - 1  # entries go up
        fits = replace(searched_shard, entries=changed(entries, last, options[ply] - 1))
        load_shard(write_shard(tmp_path, fits).path, HEX, ignore_progress)
        beyond = write_shard(tmp_path, replace(searched_shard, entries=changed(entries, last, options[ply]))).path
        with pytest.raises(DataError, match=f"^{beyond.name}: a policy entry beyond the legal moves of its position$"):
            load_shard(beyond, HEX, ignore_progress)
        offset += choices


def test_a_wrong_winner_is_named_with_the_right_one(random_shard: Shard, tmp_path: Path) -> None:
    for game, claimed in ((4, 0), (11, 3 - int(random_shard.winners[11]))):
        winners = random_shard.winners.copy()
        winners[game] = claimed
        path = write_shard(tmp_path, replace(random_shard, winners=winners)).path
        right = random_shard.winners[game]
        with pytest.raises(DataError, match=f": game {game}: winner {claimed} is claimed, but it is {right}$"):
            load_shard(path, HEX, ignore_progress)


@pytest.mark.parametrize("name", ["random_shard", "square_shard"])
def test_positions_before_plies_are_those_of_plain_play(name: str, request: pytest.FixtureRequest) -> None:
    shard: Shard = request.getfixturevalue(name)
    positions = np.concatenate(
        [positions_of(shard.config, moves).states[:-1] for _, moves in list(games_of(shard))[:2]]
    )
    moves = shard.moves[: len(positions)]
    offsets = shard.offsets[:3].astype(np.int32)
    random = np.random.default_rng(2)
    chosen = np.concatenate([[0, len(moves) - 1], random.permutation(np.arange(1, len(moves) - 1))[:40]])
    chosen = random.permutation(chosen)
    wanted = np.full(len(moves), -1, np.int32)
    wanted[chosen] = np.arange(len(chosen))
    found = positions_before(config(shard.config), moves, offsets, wanted, len(chosen))
    assert found.config.name == shard.config
    assert (found.states == positions[chosen]).all()


def test_no_position_is_wanted(random_shard: Shard) -> None:
    nothing = np.full(len(random_shard.moves), -1, np.int32)
    found = positions_before(HEX, random_shard.moves, random_shard.offsets.astype(np.int32), nothing, 0)
    assert len(found) == 0
