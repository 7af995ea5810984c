"""Games as files hold them, and their positions: recorded games, self-play shards, matches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine import notation
from engine.backend.dialect import PLAIN
from engine.config import CONFIGS, Config, config
from engine.games import Games, IllegalMoveError
from engine.move_parser import text_to_move
from engine.picture import LastMove
from engine.position import Position, read_position
from engine.reference_games import Recorded, RecordedGamesError, configuration_of, read_games
from node.config.toml import ConfigError
from node.text.formatting import plural, short

_PASSING = ("SP", "NP", "SW", "SC", "NM", "SR", "NL", "ST", "NT")
_WANTED = "give a file of recorded games, a self-play shard or a match"


@dataclass(frozen=True)
class StoredGame:
    """A game as its file holds it: moves as canonical strings or as packed numbers.

    `winner` is 0 for nobody and None where the file does not say. `note` says what else the file tells.
    """

    name: str
    config: Config
    swap: bool
    moves: Sequence[str | int]
    winner: int | None
    note: str = ""


@dataclass(frozen=True)
class Step:
    """A move of a replayed game: its number from 1, whose it was, in which phase, and its string."""

    number: int
    player: int
    phase: str
    text: str
    last: LastMove


@dataclass(frozen=True)
class Replay:
    """A game played again: its steps, and a record row for the position before each and after the last."""

    game: StoredGame
    steps: tuple[Step, ...]
    rows: tuple[NDArray[np.int16], ...]

    def position(self, number: int) -> Position:
        """The position after so many moves."""
        return read_position(self.game.config, self.rows[number])

    def last_on_board(self, number: int) -> LastMove | None:
        """The latest of so many moves that was more than passing: what a player would call the last move."""
        return next((step.last for step in self.steps[:number][::-1] if step.text[:2] not in _PASSING), None)


def load_games(path: Path) -> list[StoredGame]:
    """The games in a file.

    Raises:
        ConfigError: the file cannot be read, or holds no games.
    """
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    # A safetensors file begins with the length of its header, which then begins with a brace.
    games = _from_arrays(path) if head[8:] == b"{" and head[:1] != b"{" else _from_lines(path)
    if not games:
        raise ConfigError(f"{path}: holds no games; {_WANTED}")
    return games


def _from_lines(path: Path) -> list[StoredGame]:
    try:
        return [_recorded(path, number, game) for number, game in enumerate(read_games(path), 1)]
    except RecordedGamesError as error:
        raise ConfigError(f"{error}; {_WANTED}") from None


def _recorded(path: Path, line: int, game: Recorded) -> StoredGame:
    steps, swap = game["steps"], game["swap"]
    fits = isinstance(steps, list) and all(_is_step(step) for step in steps) and isinstance(swap, bool)
    if not fits or (swap and game["players"] != 2):
        raise ConfigError(f"{path}, line {line}: the game's steps or swap are not as the format has them; get it anew")
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
        raise ConfigError(f"{path}: needs safetensors to be read: pip install 'ringrift-swarm[work]'") from None
    try:
        kind = arrays.read_kind(path)
    except arrays.DataError as error:
        raise ConfigError(f"{error.fault}; {_WANTED}", path) from None
    try:
        if kind == shard.KIND:
            return _from_shard(shard.read_shard(path))
        if kind == match.KIND:
            return _from_match(path, *arrays.read_arrays(path, kind, {"lengths": np.int32, "moves": np.int64}))
    except arrays.DataError as error:
        raise ConfigError(f"{error.fault}; fetch or make the file anew", path) from None
    raise ConfigError(f"{path}: is a {kind!r} file and holds no games; {_WANTED}")


def _from_shard(held: Any) -> list[StoredGame]:
    runs = zip(held.lengths, held.openings, held.winners, np.split(held.moves, held.offsets[1:-1]), strict=True)
    return [
        StoredGame(
            name=str(number),
            config=config(held.config),
            swap=False,
            moves=moves.tolist(),
            winner=int(winner),
            note=f"self-play of {short(held.model.hex())}, the first {plural(int(opening), 'move')} at random",
        )
        for number, (_, opening, winner, moves) in enumerate(runs, 1)
    ]


def _from_match(path: Path, header: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> list[StoredGame]:
    name, lengths, moves = header.get("config"), arrays["lengths"], arrays["moves"]
    adds_up = bool((lengths > 0).all()) and lengths.sum(dtype=np.int64) == len(moves)
    if not isinstance(name, str) or name not in CONFIGS or not adds_up:
        raise ConfigError(f"{path}: configuration or lengths of the match's games are damaged; fetch the file anew")
    settings = CONFIGS[name]
    games = []
    for i, played in enumerate(np.split(moves, np.cumsum(lengths)[:-1])):
        block, rotation = divmod(i, settings.players)
        note = f"match, block {block + 1}, the candidate is player {rotation + 1}"
        games.append(StoredGame(str(i + 1), settings, False, played.tolist(), None, note))
    return games if len(lengths) else []


def replay(game: StoredGame, where: str) -> Replay:
    """Play a game again by the rules.

    Raises:
        ConfigError: a move is not legal; `where` names the file and the game.
    """
    games = Games.new(game.config, 1, swap=game.swap, executor=PLAIN)  # one game is not worth a compiler's start
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
                f"{where}: move {number}, {given}, is not legal after the {number - 1} before it; "
                f"the file is damaged, or made by other rules"
            ) from None
        text = notation.move_to_text(game.config, rows[-1], move)
        steps.append(Step(number, before.player, before.phase, text, LastMove(rows[-1], move)))
        rows.append(games.states[0].copy())
    return Replay(game, tuple(steps), tuple(rows))
