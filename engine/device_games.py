"""Batches of games that live on a device: the kernels of `Games` on arrays that stay there, without waiting."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from engine import kernels
from engine.arguments import within
from engine.backend.cuda import Device, DeviceArray
from engine.backend.dialect import Kernel, Lanes
from engine.config import Config
from engine.features import PLANES, SCALARS, frame
from engine.games import Games
from engine.rules.sizes import move_bound, scratch_width, state_width
from engine.rules.tables import tables

ROOM = 4096
"""Legal moves for which each game has room by default; 1,407 is the most that games have had."""


class DeviceGamesError(RuntimeError):
    """A game could not go on: it was given an illegal move, or had more legal moves than there was room for."""


@dataclass(frozen=True)
class DeviceLegal:
    """The legal moves of a batch: those of game i are `moves[i, :counts[i]]`.

    `moves` int64[games, room] and `counts` int32[games] are arrays on the device, in the order of `Games.legal`.
    """

    moves: DeviceArray
    counts: DeviceArray


class DeviceGames:
    """A batch of games of one configuration on a device.

    `states` int16[games, width] is an array on the device with the rows of `Games`. torch shares its memory with
    `torch.from_dlpack(games.states)` or `torch.as_tensor(games.states, device=...)`, other libraries likewise; so they
    do with every array that a method returns. Methods queue kernels and return. Only `check`, `download` and
    arguments that are NumPy arrays wait for the device. The next call of a method overwrites the arrays that it
    returned.

    An error is found on the device and kept: the game in question does not move, and `check` and `download` raise.

    Args:
        room: number of legal moves for which each game has room; by default as many as a position can have, but at
            most `ROOM`. `move_bound(config)` never overflows; it takes 1.1 MB a game on the largest board.
    """

    def __init__(self, config: Config, states: DeviceArray, device: Device, room: int | None = None) -> None:
        self.config, self.device = config, device
        self.states = device.share(states)
        _expect(self.states, "states", np.int16, (self.states.shape[0], state_width(config)))
        self.room = room or min(move_bound(config), ROOM)
        count = len(self)
        self._rules = device.upload(tables(config)), self.states, Lanes(scratch_width(config), np.int32)
        self._room = Lanes(self.room, np.int64)
        self._seed = device.empty((1,), np.uint64)
        self._numbers = device.upload(np.arange(count, dtype=np.uint64))
        self._played = device.zeros((count,), np.int32)
        self._trouble = device.zeros((count,), np.int8)

    @classmethod
    def new(
        cls,
        config: Config | str,
        count: int,
        swap: bool = False,
        *,
        device: Device | None = None,
        room: int | None = None,
    ) -> DeviceGames:
        """Return a batch of `count` games at their first position; the device is by default the first GPU.

        Raises:
            DeviceError: there is no GPU.
        """
        device = device or Device()
        return cls.upload(Games.new(config, count, swap, executor=device), device, room)

    @classmethod
    def upload(cls, games: Games, device: Device | None = None, room: int | None = None) -> DeviceGames:
        """Return a copy of a batch on a device, by default the first GPU."""
        device = device or Device()
        return cls(games.config, device.upload(games.states), device, room)

    def __len__(self) -> int:
        return int(self.states.shape[0])

    def legal(self) -> DeviceLegal:
        """Return the legal moves of every game."""
        moves, counts = self._found
        self._launch(kernels.find_legal, moves, counts)
        self._mark(kernels.note_overflow, counts, self.room)
        return DeviceLegal(moves, counts)

    def apply(self, moves: Any, *, check: bool = True) -> None:
        """Apply one move to every game; a game that is over ignores its entry.

        Args:
            moves: int64[games], on the device or NumPy.
            check: check that every move is legal, and leave a game with an illegal move as it is. Unchecked, an
                illegal move corrupts its game: turn this off only for moves that `legal` has just returned.
        """
        given = self.device.upload(moves) if isinstance(moves, np.ndarray) else self.device.share(moves)
        _expect(given, "moves", np.int64, (len(self),))
        if check:
            edges, applied = self._one_each
            self._launch(kernels.replay_games, self._room, edges, given, applied)
            self._mark(kernels.note_refusals, self.states, applied)
        else:
            self._launch(kernels.apply_moves, given)

    def play_randomly(self, seed: int, steps: int, numbers: Any = None) -> DeviceArray:
        """Play up to `steps` uniformly random moves in every game, as `Games.play_randomly` does.

        Args:
            seed: uint64.
            steps: int32, 0 or more.
            numbers: uint64[games], on the device or NumPy: the number of each game for the random stream; by
                default its place in the batch.

        Returns:
            int32[games] on the device, the number of moves played: fewer than `steps` where a game ended, and
            minus the number of legal moves where these did not fit.
        """
        streams = self._numbers
        if numbers is not None:
            streams = self.device.upload(numbers) if isinstance(numbers, np.ndarray) else self.device.share(numbers)
            _expect(streams, "numbers", np.uint64, (len(self),))
        most = within(steps, 0, 2**31 - 1, "steps")
        self._seed.fill_(within(seed, 0, 2**64 - 1, "seed"))
        self._launch(kernels.random_games, self._room, self._seed, streams, most, self._played)
        self._mark(kernels.note_overflow, self._played, most)
        return self._played

    def features(self) -> tuple[DeviceArray, DeviceArray]:
        """Return planes float32[games, PLANES, side, side] and scalars float32[games, SCALARS] (`engine.features`)."""
        grid, side, planes, scalars = self._features
        planes.zero_()
        scalars.zero_()
        table, states, _ = self._rules
        self.device.launch(kernels.describe_games, len(self), table, states, grid, side, planes, scalars)
        return planes.reshape((len(self), PLANES, side, side)), scalars

    def check(self) -> None:
        """Wait for the device and check that every game could go on.

        Raises:
            DeviceGamesError: a game could not; it stands where that happened.
        """
        trouble = self.device.download(self._trouble)
        if trouble.any():
            game = int(np.argmax(trouble))
            count = len(Games(self.config, self.device.download(self.states[game : game + 1])).legal().moves)
            if count > self.room:
                raise DeviceGamesError(
                    f"game {game} has {count} legal moves, but room for {self.room}: give DeviceGames more `room`"
                )
            raise DeviceGamesError(f"game {game} was given a move that is not one of its {count} legal moves")

    def download(self) -> Games:
        """Return a copy of the batch on the CPU, after a `check`."""
        self.check()
        return Games(self.config, self.device.download(self.states))

    def _launch(self, kernel: Kernel, *arguments: Any) -> None:
        self.device.launch(kernel, len(self), *self._rules, *arguments)

    def _mark(self, kernel: Kernel, *arguments: Any) -> None:
        self.device.launch(kernel, len(self), *arguments, self._trouble)

    @cached_property
    def _found(self) -> tuple[DeviceArray, DeviceArray]:
        count = len(self)
        return self.device.empty((count, self.room), np.int64), self.device.empty((count,), np.int32)

    @cached_property
    def _one_each(self) -> tuple[DeviceArray, DeviceArray]:
        edges = self.device.upload(np.arange(len(self) + 1, dtype=np.int32))
        return edges, self.device.empty((len(self),), np.int32)

    @cached_property
    def _features(self) -> tuple[DeviceArray, int, DeviceArray, DeviceArray]:
        square, count = frame(self.config.board), len(self)
        planes = self.device.empty((count, PLANES * square.side * square.side), np.float32)
        return self.device.upload(square.grid), square.side, planes, self.device.empty((count, SCALARS), np.float32)


def _expect(array: DeviceArray, name: str, dtype: type[np.generic], shape: tuple[int, ...]) -> None:
    found = np.dtype(array.dtype.__name__)
    if found != dtype or array.shape != shape:
        raise ValueError(f"{name} are {np.dtype(dtype)}{list(shape)}, got {found}{list(array.shape)}")
