"""Reads games from recorded games, self-play shards and matches, and replays them for their positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine import notation
from engine.backend.dialect import PLAIN
from engine.config import Config, config
from engine.files import open_regular
from engine.games import Games, IllegalMoveError
from engine.move_parser import text_to_move
from engine.picture import LastMove
from engine.position import Position, read_position
from engine.reference_games import Recorded, RecordedGamesError, configuration_of, read_games
from node.config.toml import ConfigError
from node.text.formatting import plural, short

_PASSES = ("SP", "NP", "SW", "SC", "NM", "SR", "NL", "ST", "NT")  # moves that do nothing on the board
_MAX_BYTES = 1 << 28  # of recorded games
_WANTED = "give a file of recorded games, a self-play shard or a match"


@dataclass(frozen=True, kw_only=True)
class StoredGame:
    """A game as its file holds it.

    `moves` are canonical strings or packed numbers. `winner` is 0 if nobody won, and None where the file does not
    say. `note` is what else the file tells, for people.
    """

    name: str
    config: Config
    swap: bool
    moves: Sequence[str | int]
    winner: int | None
    note: str = ""


@dataclass(frozen=True)
class Step:
    """A move of a replayed game.

    `number` counts from 1, `player` made the move in `phase`, `text` is its canonical string, and `last` the move as
    pictures show it.
    """

    number: int
    player: int
    phase: str
    text: str
    last: LastMove


@dataclass(frozen=True)
class ReplayedGame:
    """A game played again: its steps, and the record of the position before each step and after the last."""

    game: StoredGame
    steps: tuple[Step, ...]
    rows: tuple[NDArray[np.int16], ...]

    def position(self, number: int) -> Position:
        """Return the position after `number` moves."""
        return read_position(self.game.config, self.rows[number])

    def last_on_board(self, number: int) -> LastMove | None:
        """Return the last of `number` moves that did something on the board, or None."""
        return next((step.last for step in self.steps[:number][::-1] if step.text[:2] not in _PASSES), None)


def load_games(path: Path) -> list[StoredGame]:
    """Return the games in a file. Raise ConfigError if it cannot be read, or holds no games."""
    try:
        with open_regular(path) as file:
            head = file.read(9)
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror}); check the path", path) from None
    # A safetensors file begins with the length of its header in 8 bytes, and the header with a brace.
    games = _from_arrays(path) if head[8:] == b"{" and head[:1] != b"{" else _from_lines(path)
    if not games:
        raise ConfigError(f"holds no games; {_WANTED}", path)
    return games


def _from_lines(path: Path) -> list[StoredGame]:
    try:
        return [_recorded(path, number, game) for number, game in enumerate(read_games(path, _MAX_BYTES), 1)]
    except RecordedGamesError as error:
        raise ConfigError(f"{error}; {_WANTED}") from None


def _recorded(path: Path, line: int, game: Recorded) -> StoredGame:
    steps, swap = game["steps"], game["swap"]
    fits = isinstance(steps, list) and all(_is_step(step) for step in steps) and isinstance(swap, bool)
    if not fits or (swap and game["players"] != 2):
        raise ConfigError(f"{path}, line {line}: the game's steps or swap are not of this format; fetch the file again")
    winner = game["winner"]
    return StoredGame(
        name=str(game["id"]),
        config=config(configuration_of(game)),
        swap=swap,
        moves=tuple(step[4] for step in steps),
        winner=winner if isinstance(winner, int) else 0,
        note="with the pie rule" if swap else "",
    )


def _is_step(step: Any) -> bool:
    return isinstance(step, list) and len(step) > 5 and isinstance(step[4], str)


def _from_arrays(path: Path) -> list[StoredGame]:
    try:
        from training import arrays, match, shard
    except ImportError:
        raise ConfigError("needs safetensors to be read: pip install 'ringrift-swarm[work]'", path) from None
    try:
        kind = arrays.read_kind(path)
    except arrays.DataError as error:
        raise ConfigError(f"{error.fault}; {_WANTED}", path) from None
    try:
        if kind == shard.KIND:
            return _from_shard(shard.read_shard(path))
        if kind == match.KIND:
            return _from_match(*match.read_moves(path))
    except arrays.DataError as error:
        raise ConfigError(f"{error.fault}; fetch or make the file again", path) from None
    raise ConfigError(f"is a {kind!r} file and holds no games; {_WANTED}", path)


def _from_shard(shard: Any) -> list[StoredGame]:
    games = zip(shard.openings, shard.winners, np.split(shard.moves, shard.offsets[1:-1]), strict=True)
    return [
        StoredGame(
            name=str(number),
            config=config(shard.config),
            swap=False,
            moves=moves.tolist(),
            winner=int(winner),
            note=f"self-play of {short(shard.model.hex())}, the first {plural(int(opening), 'move')} at random",
        )
        for number, (opening, winner, moves) in enumerate(games, 1)
    ]


def _from_match(settings: Config, played: Sequence[NDArray[np.int64]]) -> list[StoredGame]:
    games = []
    for i, moves in enumerate(played):
        block, rotation = divmod(i, settings.players)
        note = f"match, block {block + 1}, the candidate is player {rotation + 1}"
        game = StoredGame(name=str(i + 1), config=settings, swap=False, moves=moves.tolist(), winner=None, note=note)
        games.append(game)
    return games


def replay(game: StoredGame, where: str) -> ReplayedGame:
    """Play a game again by the rules. Raise ConfigError if a move is illegal; `where` names the file and the game."""
    games = Games.new(game.config, 1, swap=game.swap, executor=PLAIN)  # for one game, compiling takes longer
    steps, rows = [], [games.states[0].copy()]
    for number, given in enumerate(game.moves, 1):
        before = read_position(game.config, rows[-1])
        try:
            if games.over()[0]:
                raise IllegalMoveError("the game is over")
            move = text_to_move(games, 0, given) if isinstance(given, str) else given
            games.apply([move], check=not isinstance(given, str))
        except (ValueError, OverflowError):
            raise ConfigError(
                f"move {number}, {given}, is not legal after the {number - 1} before it; "
                "the file is damaged or follows other rules; fetch it again",
                where,
            ) from None
        text = notation.move_to_text(game.config, rows[-1], move)
        steps.append(Step(number, before.player, before.phase, text, LastMove(rows[-1], move)))
        rows.append(games.states[0].copy())
    return ReplayedGame(game, tuple(steps), tuple(rows))
