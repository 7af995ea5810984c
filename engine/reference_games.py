"""Recorded games of the reference implementation (FORMAT.md): reading them, and checking the rules against them."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from engine import notation
from engine.backend.dialect import Executor
from engine.config import CONFIGS, config
from engine.files import decode_text, open_regular
from engine.games import Games
from engine.move_parser import text_to_move

Recorded = dict[str, Any]
_GZIP = b"\x1f\x8b"
_MAX_LINE_BYTES = 1 << 24
_KEYS = {"id", "board", "players", "swap", "end", "winner", "steps"}


class RecordedGamesError(ValueError):
    """A file does not hold recorded games."""


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """A difference between these rules and a record: what was compared, our value and the recorded one.

    `position` is the canonical text before the move, or after it if the positions differ.
    """

    game: str
    step: int
    what: str
    ours: str
    recorded: str
    position: str


@dataclass(frozen=True)
class Outcome:
    """The number of steps replayed of a list of games, and the differences found."""

    steps: int
    mismatches: tuple[Mismatch, ...]


def configuration_of(game: Recorded) -> str:
    """Return the name of a recorded game's configuration."""
    return f"{game['board']}-{game['players']}"


def read_games(path: Path, max_bytes: int | None = None) -> Iterator[Recorded]:
    """Yield the games of a file, gzipped or plain, of at most `max_bytes` when unpacked.

    Raises:
        RecordedGamesError: the file is damaged, too large, or does not hold recorded games.
    """
    try:
        with _open_lines(path) as lines:
            for number, line in _numbered(lines, max_bytes):
                game = _parse(number, line)
                if not isinstance(game, dict) or game.get("v") != 1 or not game.keys() >= _KEYS:
                    raise RecordedGamesError(f"{path}, line {number}: not a recorded game of version 1")
                if configuration_of(game) not in CONFIGS:
                    raise RecordedGamesError(f"{path}, line {number}: no configuration {configuration_of(game)}")
                yield game
    except RecordedGamesError:
        raise
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise RecordedGamesError(f"{path}: cannot be read as recorded games: {error}") from None


@contextmanager
def _open_lines(path: Path) -> Iterator[BinaryIO]:
    with open_regular(path) as file:
        is_packed = file.read(len(_GZIP)) == _GZIP
        file.seek(0)
        yield cast(BinaryIO, gzip.GzipFile(fileobj=file)) if is_packed else file


def _numbered(lines: BinaryIO, max_bytes: int | None) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not empty, with their numbers from 1. Raise ValueError where they are too long."""
    total = number = 0
    while line := lines.readline(_MAX_LINE_BYTES + 1):
        total, number = total + len(line), number + 1
        if len(line) > _MAX_LINE_BYTES:
            raise ValueError(f"line {number} is above the limit of {_MAX_LINE_BYTES:,} bytes")
        if max_bytes is not None and total > max_bytes:
            raise ValueError(f"above the limit of {max_bytes:,} bytes")
        if line.strip():
            yield number, line


def _parse(number: int, line: bytes) -> Any:
    try:
        return json.loads(decode_text(line))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"line {number}: {error}") from None


def list_digest(texts: Sequence[str]) -> str:
    """Return the digest that stands for a long list of legal moves in a record; the strings must be sorted."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def check_games(recorded: Sequence[Recorded], executor: Executor | None = None) -> Outcome:
    """Replay games of one configuration together, and compare everything that is recorded at every step.

    The replay of a game stops at its first mismatch.
    """
    checker = _Checker(recorded, executor)
    checker.run()
    return Outcome(checker.steps, tuple(checker.mismatches))


def moves_of(recorded: Recorded, count: int | None = None) -> NDArray[np.int64]:
    """Return int64[n]: the moves of a recorded game from the first position on, or the first `count` of them.

    Raises:
        RecordedGamesError: a move is not legal where it was played.
    """
    games = Games.new(config(configuration_of(recorded)), 1, swap=recorded["swap"])
    steps = recorded["steps"][:count]
    moves = np.empty(len(steps), np.int64)
    for place, step in enumerate(steps):
        try:
            moves[place] = text_to_move(games, 0, step[4])
        except ValueError:
            raise RecordedGamesError(f"{recorded['id']}: {step[4]!r} is not legal at step {place}") from None
        games.apply(moves[place : place + 1], check=False)
    return moves


class _Checker:
    """One replay of several games, which advances together those that agree so far."""

    def __init__(self, recorded: Sequence[Recorded], executor: Executor | None) -> None:
        self._recorded = recorded
        settings = config(configuration_of(recorded[0]))
        self._games = Games.new(settings, len(recorded), executor=executor)
        for place, game in enumerate(recorded):
            if game["swap"]:
                self._games.states[place] = Games.new(settings, 1, swap=True, executor=executor).states[0]
        self.steps = 0
        self.mismatches: list[Mismatch] = []

    def run(self) -> None:
        active = list(range(len(self._recorded)))
        step = 0
        while active:
            active = [place for place in active if self._goes_on(place, step)]
            batch = self._games.take(active)
            legal = batch.legal()
            chosen = [self._compare(batch, row, place, step, legal.of(row)) for row, place in enumerate(active)]
            kept = [row for row, move in enumerate(chosen) if move is not None]
            active = [active[row] for row in kept]
            batch = batch.take(np.array(kept, int))
            batch.apply(np.array([chosen[row] for row in kept], np.int64), check=False)
            self._games.states[active] = batch.states
            active = [place for place in active if self._compare_position(place, step)]
            self.steps += len(kept)
            step += 1

    def _goes_on(self, place: int, step: int) -> bool:
        """Return whether a game has this step; if not, compare its end and winner."""
        game = self._recorded[place]
        if step < len(game["steps"]):
            return True
        state = self._games.states[place]
        winner = int(self._games.winner()[place]) or None
        ours = notation.ending_text(state) or "truncated", winner
        recorded = game["end"], game["winner"]
        self._equal(place, step, "end and winner", ours, recorded)
        return False

    def _equal(self, place: int, step: int, what: str, ours: object, recorded: object) -> bool:
        if ours == recorded:
            return True
        position = self._games.text(place)
        name = str(self._recorded[place]["id"])
        self.mismatches.append(
            Mismatch(game=name, step=step, what=what, ours=str(ours), recorded=str(recorded), position=position)
        )
        return False

    def _compare(self, batch: Games, row: int, place: int, step: int, moves: NDArray[np.int64]) -> int | None:
        """Return the recorded move if player, phase and legal moves agree with the record, else None."""
        player, phase, count, legal, move = self._recorded[place]["steps"][step][:5]
        state = batch.states[row]
        ours = (int(batch.player()[row]), (notation.PHASES + "-")[int(batch.phase()[row])])
        if not self._equal(place, step, "player and phase", ours, (player, phase)):
            return None
        texts = [notation.move_to_text(batch.config, state, each) for each in moves]
        ordered = sorted(texts)
        expected: object = [move] if legal is None else legal
        found: object = list_digest(ordered) if isinstance(legal, str) else ordered
        if found != expected or len(ordered) != count:
            self._equal(place, step, "legal moves", f"{len(ordered)}: {ordered}", f"{count}: {expected}")
            return None
        if move not in texts:
            self._equal(place, step, "move", "not legal", move)
            return None
        return int(moves[texts.index(move)])

    def _compare_position(self, place: int, step: int) -> bool:
        digest = self._recorded[place]["steps"][step][5]
        return self._equal(place, step, "position", self._games.digest(place), digest)
