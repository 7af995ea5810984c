"""Batches of games on NumPy arrays: `Games`, its legal moves, play, and what can be read from a position."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine import config as configurations
from engine import kernels, notation
from engine.arguments import integers, within
from engine.backend.cpu import cpu
from engine.backend.dialect import Executor, Lanes
from engine.config import Config
from engine.features import PLANES, SCALARS, frame
from engine.rules import state as record
from engine.rules.sizes import move_bound, scratch_width, state_width
from engine.rules.tables import CELLS, tables

_MOST = 2**31 - 1  # the largest int32: games of a batch, moves of a list


@dataclass(frozen=True)
class Legal:
    """The legal moves of a batch: those of game i are `moves[offsets[i]:offsets[i + 1]]`.

    `offsets` int32[games + 1]; `moves` int64[total], in the order in which the rules enumerate them. The order
    depends on the position alone. A game that is over has no move, any other game has at least one.
    """

    offsets: NDArray[np.int32]
    moves: NDArray[np.int64]

    def of(self, game: int) -> NDArray[np.int64]:
        """Return the moves of one game.

        Raises:
            IndexError: there is no such game.
        """
        if not 0 <= game < len(self.offsets) - 1:
            raise IndexError(f"game {game} is not one of the {len(self.offsets) - 1} listed")
        return self.moves[self.offsets[game] : self.offsets[game + 1]]


class IllegalMoveError(ValueError):
    """A move is not legal in its game. The games are unchanged."""


class Games:
    """A batch of games of one configuration.

    `states` int16[games, width] holds everything about each game (see `engine.rules.state`), hidden state
    included. Rows may be copied, stored and moved between batches of the same configuration. Their contents are
    trusted: only rows that come from `Games` or `engine.set_up` are positions.
    """

    def __init__(self, config: Config, states: NDArray[np.int16], executor: Executor | None = None) -> None:
        width = state_width(config)
        if states.dtype != np.int16 or states.ndim != 2 or states.shape[1] != width:
            raise ValueError(
                f"states of {config.name} are int16[games, {width}], got {states.dtype}{list(states.shape)}"
            )
        self.config = config
        self.states = np.ascontiguousarray(states)
        self.executor = executor or cpu()
        self._tables = tables(config)
        self._scratch = Lanes(scratch_width(config), np.int32)

    @classmethod
    def new(cls, config: Config | str, count: int, swap: bool = False, executor: Executor | None = None) -> Games:
        """Return a batch of `count` games at their first position.

        Args:
            config: a configuration or its name, such as "hex8-2".
            swap: turn on the pie rule (2 players only).
            executor: where kernels run: `engine.backend.cpu.cpu(threads)` (the default, with one thread),
                `engine.backend.dialect.PLAIN` or an `engine.backend.cuda.Device`.

        Raises:
            ValueError: there is no such configuration, it has no pie rule, or `count` is negative.
        """
        settings = configurations.config(config) if isinstance(config, str) else config
        if swap and settings.players != 2:
            raise ValueError(f"the pie rule is for 2 players, not for {settings.name}")
        number = within(count, 0, _MOST, "count")
        games = cls(settings, np.zeros((number, state_width(settings)), np.int16), executor)
        games.executor.launch(kernels.start_games, number, games._tables, games.states, int(bool(swap)))
        return games

    def __len__(self) -> int:
        return len(self.states)

    def legal(self) -> Legal:
        """Return the legal moves of every game.

        Raises:
            ValueError: they are 2^31 or more in all.
        """
        counts = np.zeros(len(self), np.int32)
        found = self._find(counts, 3 * int(self._tables[CELLS]) + 2)
        if len(self) and counts.max() > found.shape[1]:
            found = self._find(counts, int(counts.max()))
        total = within(int(counts.sum(dtype=np.int64)), 0, _MOST, "the legal moves of one batch")
        offsets = np.zeros(len(self) + 1, np.int32)
        np.cumsum(counts, out=offsets[1:])
        if len(self) == 1:  # saves a launch for callers who play one game
            return Legal(offsets, found[0, : offsets[1]].copy())
        moves = np.empty(total, np.int64)
        self.executor.launch(kernels.pack_rows, len(self), found, offsets, moves)
        return Legal(offsets, moves)

    def _find(self, counts: NDArray[np.int32], room: int) -> NDArray[np.int64]:
        found = np.empty((len(self), room), np.int64)
        self.executor.launch(kernels.find_legal, len(self), self._tables, self.states, self._scratch, found, counts)
        return found

    def apply(self, moves: ArrayLike, *, check: bool = True) -> None:
        """Apply one move to every game, in place; a game that is over ignores its entry.

        Args:
            moves: int64[games].
            check: check first that every move is legal. Unchecked, an illegal move corrupts its game: turn this
                off only for moves that `legal` has just returned.

        Raises:
            IllegalMoveError: a move is not legal; no game was changed.
            TypeError, ValueError: `moves` are not integers, or not one for each game.
        """
        chosen = integers(moves, np.int64, "moves")
        if chosen.shape != (len(self),):
            raise ValueError(f"{len(self)} games take as many moves, got {list(chosen.shape)}")
        if check:
            self._check(chosen)
        self.executor.launch(kernels.apply_moves, len(self), self._tables, self.states, self._scratch, chosen)

    def _check(self, chosen: NDArray[np.int64]) -> None:
        legal = self.legal()
        owners = np.repeat(np.arange(len(self)), np.diff(legal.offsets))
        fits = self.over()
        fits[owners[legal.moves == chosen[owners]]] = True
        if not fits.all():
            game = int(np.argmin(fits))
            raise IllegalMoveError(
                f"move {int(chosen[game])} is not one of the {len(legal.of(game))} legal moves of game {game}"
            )

    def play_randomly(self, seed: int, steps: int, numbers: ArrayLike | None = None) -> NDArray[np.int32]:
        """Play up to `steps` uniformly random moves in every game, in place.

        Args:
            seed: uint64.
            steps: int32, 0 or more.
            numbers: uint64[games], the number of each game for the random stream; by default its place in the batch.

        Returns:
            int32[games], the number of moves played: fewer than `steps` where a game ended.

        Raises:
            TypeError, ValueError: an argument has the wrong type or shape, or is out of range.
        """
        played = np.zeros(len(self), np.int32)
        streams = np.arange(len(self), dtype=np.uint64)
        if numbers is not None:
            streams = integers(numbers, np.uint64, "numbers")
        if streams.shape != (len(self),):
            raise ValueError(f"{len(self)} games take as many numbers, got {list(streams.shape)}")
        self.executor.launch(
            kernels.random_games,
            len(self),
            self._tables,
            self.states,
            self._scratch,
            Lanes(move_bound(self.config), np.int64),
            np.array([within(seed, 0, 2**64 - 1, "seed")], np.uint64),
            streams,
            within(steps, 0, _MOST, "steps"),
            played,
        )
        return played

    def replay(self, offsets: ArrayLike, moves: ArrayLike) -> NDArray[np.int32]:
        """Apply `moves[offsets[i]:offsets[i + 1]]` to game i, in place, up to the first illegal one.

        Returns:
            int32[games], the number of moves applied.

        Raises:
            TypeError, ValueError: `offsets` and `moves` are not integers, or do not fit the batch or each other.
        """
        edges = integers(offsets, np.int32, "offsets")
        listed = integers(moves, np.int64, "moves")
        if edges.shape != (len(self) + 1,) or (np.diff(edges) < 0).any() or edges[0] < 0:
            raise ValueError(f"{len(self)} games take {len(self) + 1} offsets that never fall")
        if edges[-1] > len(listed):
            raise ValueError(f"the last offset is {edges[-1]}, but there are {len(listed)} moves")
        played = np.zeros(len(self), np.int32)
        room = Lanes(move_bound(self.config), np.int64)
        self.executor.launch(
            kernels.replay_games,
            len(self),
            self._tables,
            self.states,
            self._scratch,
            room,
            edges,
            listed,
            played,
        )
        return played

    def features(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return planes float32[games, PLANES, side, side] and scalars float32[games, SCALARS]."""
        square = frame(self.config.board)
        planes = np.zeros((len(self), PLANES * square.side * square.side), np.float32)
        scalars = np.zeros((len(self), SCALARS), np.float32)
        self.executor.launch(
            kernels.describe_games,
            len(self),
            self._tables,
            self.states,
            square.grid,
            square.side,
            planes,
            scalars,
        )
        return planes.reshape(len(self), PLANES, square.side, square.side), scalars

    def player(self) -> NDArray[np.int8]:
        """Return int8[games]: the player to act, 1 .. players, or 0 when the game is over."""
        return self.states[:, record.PLAYER].astype(np.int8)

    def phase(self) -> NDArray[np.int8]:
        """Return int8[games]: 0 to 6 for the phases P M C H L T F, 7 when the game is over."""
        return self.states[:, record.PHASE].astype(np.int8)

    def over(self) -> NDArray[np.bool_]:
        """Return bool[games]: whether each game is over."""
        return np.asarray(self.states[:, record.PHASE] == record.OVER)

    def winner(self) -> NDArray[np.int8]:
        """Return int8[games]: the winner, or 0 while the game runs."""
        return self.states[:, record.WINNER].astype(np.int8)

    def ply(self) -> NDArray[np.int32]:
        """Return int32[games]: the number of moves applied."""
        high = self.states[:, record.PLY_HIGH].astype(np.int32)
        return high * 32768 + self.states[:, record.PLY_LOW]

    def score(self) -> NDArray[np.int32]:
        """Return int32[games, players, 3]: by seat, eliminated rings credited, territory and markers."""
        fields = (record.ELIMINATED, record.TERRITORY, record.MARKERS)
        seats = range(1, self.config.players + 1)
        columns = [[field + seat for field in fields] for seat in seats]
        return self.states[:, columns].astype(np.int32)

    def take(self, indices: ArrayLike) -> Games:
        """Return a new batch of copies of the games at these places (one integer, several, or a mask)."""
        chosen = np.atleast_1d(np.asarray(indices))
        if chosen.size == 0:
            chosen = chosen.astype(np.intp)
        return Games(self.config, self.states[chosen].copy(), self.executor)

    def copy(self) -> Games:
        """Return a new batch with a copy of every game."""
        return Games(self.config, self.states.copy(), self.executor)

    def text(self, game: int) -> str:
        """Return the canonical text of a game's position (FORMAT.md section 5)."""
        return notation.state_text(self.config, self.states[game])

    def digest(self, game: int) -> str:
        """Return the first 16 hexadecimal digits of the SHA-256 of a game's `text`."""
        return notation.state_digest(self.config, self.states[game])
