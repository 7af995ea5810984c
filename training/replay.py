"""Replays of games from their moves alone, which prove that the games are legal and restore their positions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.backend.dialect import Lanes
from engine.config import Config, config
from engine.games import Games
from engine.rules import move_bound, scratch_width, tables
from training import kernels
from training.arrays import DataError
from training.playing import ply_limit
from training.progress import Report
from training.shard import Shard, offsets_of, read_shard

_SLICE = 256  # games replayed between two reports


@dataclass(frozen=True)
class Replayed:
    """The result of replaying G games."""

    final: Games  # the G last positions
    options: NDArray[np.int32]  # [plies]: the number of legal moves at each ply


def replay_games(settings: Config, moves: NDArray[np.int64], lengths: NDArray[np.int32], report: Report) -> Replayed:
    """Replay games, and check that every move is legal and every game is played to its end.

    Raise DataError, which names the first game and ply at fault. A game may stop early only at the ply limit.
    """
    offsets = offsets_of(lengths).astype(np.int32)
    final = Games.new(settings, len(lengths))
    options = np.zeros(len(moves), np.int32)
    faults = np.full(len(lengths), -1, np.int32)
    rules = (
        tables(settings),
        Lanes(scratch_width(settings), np.int32),
        Lanes(move_bound(settings), np.int64),
    )
    for first in range(0, len(lengths), _SLICE):
        last = min(first + _SLICE, len(lengths))
        arguments = (moves, offsets[first : last + 1], final.states[first:last], options)
        final.executor.launch(kernels.replay, last - first, *rules, *arguments, faults[first:last])
        report({"replayed": last})
    bad = np.flatnonzero(faults >= 0)
    if len(bad):
        ply = int(faults[bad[0]] - offsets[bad[0]])
        raise DataError(f"game {bad[0]}: its move {ply} is illegal")
    limit = ply_limit(settings)
    unfinished = np.flatnonzero((~final.over() & (lengths < limit)) | (lengths > limit))
    if len(unfinished):
        game = int(unfinished[0])
        raise DataError(f"game {game}: {lengths[game]} moves, neither to its end nor to the limit of {limit}")
    return Replayed(final, options)


@dataclass(frozen=True)
class Verified:
    """A shard whose games have been replayed; or games of matches, which only teach who won."""

    shard: Shard
    replayed: Replayed
    only_outcomes: bool = False


def load_shard(path: Path, wanted: Config, report: Report) -> Verified:
    """Read a shard and replay its games. Raise DataError with one reason if anything in it is wrong."""
    shard = read_shard(path)
    if shard.config != wanted.name:
        raise DataError(f"games of {shard.config}, not of {wanted.name}", path.name)
    try:
        replayed = replay_games(config(shard.config), shard.moves, shard.lengths, report)
    except DataError as error:
        raise DataError(error.fault, path.name) from None
    wrong = np.flatnonzero(replayed.final.winner() != shard.winners)
    if len(wrong):
        game = int(wrong[0])
        found = int(replayed.final.winner()[game])
        raise DataError(f"game {game}: winner {shard.winners[game]} is claimed, but it is {found}", path.name)
    options = np.repeat(replayed.options[shard.searched], shard.choices)
    if (shard.entries >= options).any():
        raise DataError("a policy entry beyond the legal moves of its position", path.name)
    return Verified(shard, replayed)


def positions_before(
    settings: Config,
    moves: NDArray[np.int64],
    offsets: NDArray[np.int32],
    wanted: NDArray[np.int32],
    count: int,
) -> Games:
    """Return `count` positions of legal games: number `wanted[i]` is the one before ply i, if that is >= 0."""
    start = Games.new(settings, len(offsets) - 1)
    kept = np.empty((count, start.states.shape[1]), np.int16)
    rules = (tables(settings), Lanes(scratch_width(settings), np.int32))
    start.executor.launch(kernels.snapshot, len(start), *rules, moves, offsets, wanted, start.states, kept)
    return Games(settings, kept)
