"""Many games of one configuration in progress on a device, where positions, moves and searches stay.

The host sees how each game stands once a move, and takes the moves of a game when it is over. Nothing is asked of it
within a search.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.backend.cuda import Device, DeviceArray
from engine.backend.dialect import Kernel, Lanes
from engine.config import Config
from engine.games import Games
from engine.rules import move_bound, scratch_width, state_width, tables
from engine.rules.state import OVER, PHASE
from engine.search import SearchResult
from engine.search.device_search import DeviceSearch
from engine.search.device_trees import DeviceEvaluate
from training import kernels, playing_kernels
from training.playing import FinishedGame, ply_limit
from training.playing_kernels import IS_OVER, LENGTH, TO_MOVE, TOLD, WON_BY
from training.settings import SelfPlaySettings

_FEWEST = 16
"""Games for which there is room at first, and in the smallest search."""


@dataclass(frozen=True)
class OnDevice:
    """A network on a device, for games that are played there."""

    device: Device
    evaluate: DeviceEvaluate


class DevicePlaying:
    """B games and the moves of each so far, on a device: the counterpart of `training.playing.Playing`.

    Place p of the B has row `rows[p]` of `states`, which has more rows than that: the others hold games that are over.
    """

    def __init__(self, config: Config, device: Device) -> None:
        self.config, self.device, self.limit = config, device, ply_limit(config)
        self._rules = device.upload(tables(config)), Lanes(scratch_width(config), np.int32)
        self._legal = Lanes(move_bound(config), np.int64)
        first, idle = Games.new(config, 1).states[0], np.zeros(state_width(config), np.int16)
        idle[PHASE] = OVER
        self._idle_state = idle
        self._first, self._idle = device.upload(first), device.upload(idle)
        self.rows = np.zeros(0, np.int32)
        self._free: list[int] = []
        self.states: DeviceArray = device.empty((0, state_width(config)), np.int16)
        self._log: DeviceArray = device.empty((0, self.limit), np.int64)
        self._lengths: DeviceArray = device.empty((0,), np.int32)
        self._told: NDArray[np.int32] | None = None  # how the places stand, unless that has changed

    def __len__(self) -> int:
        """Return the number of places."""
        return len(self.rows)

    @property
    def lengths(self) -> NDArray[np.int32]:
        """The plies of each game, int32[B], after waiting for them."""
        return self._tell()[:, LENGTH]

    def play_random(self, plies: NDArray[np.int32], seeds: NDArray[np.uint64]) -> None:
        """See `Playing.play_random`."""
        limits, words = np.zeros(self._capacity, np.int32), np.zeros(self._capacity, np.uint64)
        limits[self.rows], words[self.rows] = np.minimum(plies, self.limit), seeds
        self._play_on(kernels.play_random, self.device.upload(limits), self.device.upload(words))

    def play_forced(self) -> None:
        """See `Playing.play_forced`."""
        self._play_on(kernels.play_forced, self.limit)

    def play(self, where: NDArray[np.int64], moves: NDArray[np.int64]) -> None:
        """See `Playing.play`."""
        chosen = self.device.upload(self.rows[where]), self.device.upload(moves)
        arrays = self.states, self._log, self._lengths
        self.device.launch(playing_kernels.play_chosen, len(where), *self._rules, *chosen, *arrays)
        self._told = None

    def seeds(self, streams: NDArray[np.uint64], where: NDArray[np.int64]) -> NDArray[np.uint64]:
        """See `Playing.seeds`."""
        return np.asarray(streams[where] + (self.lengths[where].astype(np.uint64) << np.uint64(32)))

    def finished(self) -> NDArray[np.bool_]:
        """See `Playing.finished`."""
        told = self._tell()
        return np.asarray((told[:, IS_OVER] == 1) | (told[:, LENGTH] >= self.limit))

    def players(self) -> NDArray[np.int32]:
        """See `Playing.players`."""
        return self._tell()[:, TO_MOVE]

    def positions(self, where: NDArray[np.int64]) -> Games:
        """See `Playing.positions`."""
        taken = self.device.empty((len(where), state_width(self.config)), np.int16)
        rows = self.device.upload(self.rows[where])
        self.device.launch(playing_kernels.take_games, len(where), rows, self.states, taken)
        return Games(self.config, self.device.download(taken))

    def move_at(self, game: int, ply: int) -> int:
        """See `Playing.move_at`."""
        return int(self.device.download(self._log[int(self.rows[game])][ply : ply + 1])[0])

    def finished_games(self, where: NDArray[np.int64], openings: NDArray[np.int32]) -> list[FinishedGame]:
        """See `Playing.finished_games`."""
        told = self._tell()
        return [
            FinishedGame(
                self.device.download(self._log[int(self.rows[place])][: int(told[place, LENGTH])]),
                int(openings[place]),
                int(told[place, WON_BY]),
            )
            for place in where.tolist()
        ]

    def restart(self, where: NDArray[np.int64]) -> None:
        """See `Playing.restart`."""
        self._set(self.rows[where], self._first)

    def extend(self, count: int) -> None:
        """See `Playing.extend`."""
        if count > len(self._free):
            self._grow(max(_FEWEST, 2 * self._capacity, len(self) + count))
        taken = np.array([self._free.pop() for _ in range(count)], np.int32)
        self.rows = np.concatenate([self.rows, taken])
        self._set(taken, self._first)

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """See `Playing.keep`."""
        given_up = self.rows[~mask]
        self._set(given_up, self._idle)
        self._free += given_up.tolist()
        self.rows = self.rows[mask]

    @property
    def _capacity(self) -> int:
        return int(self.states.shape[0])

    def _grow(self, capacity: int) -> None:
        """Make the arrays anew with so many rows."""
        before, device = self._capacity, self.device
        states = np.tile(self._idle_state, (capacity, 1))
        log, lengths = np.zeros((capacity, self.limit), np.int64), np.zeros(capacity, np.int32)
        if before:
            for array, old in ((states, self.states), (log, self._log), (lengths, self._lengths)):
                array[:before] = device.download(old)
        self.states, self._log, self._lengths = device.upload(states), device.upload(log), device.upload(lengths)
        self._free += range(before, capacity)

    def _set(self, rows: NDArray[np.int32], state: DeviceArray) -> None:
        where = self.device.upload(rows)
        self.device.launch(playing_kernels.set_games, len(rows), where, state, self.states, self._lengths)
        self._told = None

    def _play_on(self, kernel: Kernel, *arguments: object) -> None:
        arrays = self.states, self._log, self._lengths
        self.device.launch(kernel, self._capacity, *self._rules, self._legal, *arguments, *arrays)
        self._told = None

    def _tell(self) -> NDArray[np.int32]:
        """Return how each game stands, int32[B, TOLD]; ask the device if that may have changed."""
        if self._told is None:
            told = self.device.empty((self._capacity, TOLD), np.int32)
            self.device.launch(playing_kernels.tell_games, self._capacity, self.states, self._lengths, told)
            self._told = self.device.download(told)[self.rows]
        return self._told


class DeviceSearches:
    """The searches of games on a device: one `DeviceSearch` for each budget and each size, a power of two."""

    def __init__(self, playing: DevicePlaying, evaluate: DeviceEvaluate, settings: SelfPlaySettings) -> None:
        self._playing, self._evaluate, self._settings = playing, evaluate, settings
        self._made: dict[tuple[int, int], DeviceSearch] = {}

    def find(self, where: NDArray[np.int64], seeds: NDArray[np.uint64], simulations: int) -> SearchResult:
        """See `training.searching.HostSearch.find`."""
        return self._run(where, seeds, simulations).result()

    def choose(self, where: NDArray[np.int64], seeds: NDArray[np.uint64], simulations: int) -> NDArray[np.int64]:
        """See `training.searching.HostSearch.choose`."""
        search = self._run(where, seeds, simulations)
        return self._playing.device.download(search.actions)[: len(where)]

    def _run(self, where: NDArray[np.int64], seeds: NDArray[np.uint64], simulations: int) -> DeviceSearch:
        search = self._search_for(len(where), simulations)
        rows = self._playing.rows[where].astype(np.int64)
        search.run(self._playing.states, rows, seeds, noise=self._settings.noise / 1000)
        return search

    def _search_for(self, count: int, simulations: int) -> DeviceSearch:
        size = max(_FEWEST, 1 << (count - 1).bit_length())
        if (size, simulations) not in self._made:
            self._made[size, simulations] = DeviceSearch(
                self._playing.config,
                self._evaluate,
                self._playing.device,
                count=size,
                simulations=simulations,
                considered=self._settings.considered,
            )
        return self._made[size, simulations]
