"""Gumbel search on a device: trees, positions and scores stay there, and no simulation waits for the host.

The kernels are those of `engine.search.gumbel`; `engine.search.device_kernels` do what NumPy does there between two
launches. A simulation is always the same sequence of launches with the same arguments: it is recorded once, on a GPU as
a CUDA graph, and then repeated. Its results are those of `gumbel_search`: the same moves and visits, and on Warp's CPU
device the same bits, wherever the evaluator gives the same answers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engine.backend.cuda import Device, DeviceArray
from engine.backend.dialect import Lanes
from engine.config import Config
from engine.rules import move_bound, scratch_width, tables
from engine.search import device_kernels, kernels
from engine.search.device_trees import DeviceEvaluate, DeviceTrees, Leaves
from engine.search.gumbel import SearchResult
from engine.search.halving import halving_table

_EDGES_EXPECTED = 64  # legal moves of a node, for the initial size of the pool
_ROOM = 4096  # legal moves for which each game has room at first; 1,407 is the most that games have had
_MOST_EDGES = 2**30  # so that the sum of a full pool and one more simulation is an int32


class DeviceSearch:
    """Searches of up to `count` games of one configuration at once, one search after the other, on one device."""

    def __init__(
        self,
        config: Config,
        evaluate: DeviceEvaluate,
        device: Device,
        *,
        count: int,
        simulations: int,
        considered: int,
        edges: int = _EDGES_EXPECTED,
        room: int = _ROOM,
    ) -> None:
        """Take the memory for searches of up to `simulations` simulations each.

        Args:
            considered: number of actions that sequential halving begins with.
            edges: legal moves of a node, on average, for which there is room at first; a search that needs more gets
                it, and begins again.
            room: legal moves of one position, likewise.
        """
        if min(count, simulations, considered, edges, room) < 1:
            raise ValueError("a search needs at least one game, simulation, considered action, edge and legal move")
        self.config, self.device, self.count = config, device, count
        self._evaluate, self._simulations, self._considered = evaluate, simulations, considered
        self._slots = simulations + 1
        self._capacity, self._room = count * self._slots * edges, min(room, move_bound(config))
        self._schedule = device.zeros((considered + 1, simulations), np.int32)
        self._where = device.zeros((count,), np.int32)
        self._seeds = device.zeros((count,), np.uint64)
        self._rules = (device.upload(tables(config)), Lanes(scratch_width(config), np.int32), self._slots)
        self._searched = 0  # games of the last search
        self._make()

    def _make(self) -> None:
        """Make the trees, and forget what was recorded for others."""
        if self._capacity > _MOST_EDGES:
            raise ValueError(f"a search of more than {_MOST_EDGES} edges; search fewer games or simulations at once")
        trees = DeviceTrees(self.config, self.device, self.count, self._slots, self._capacity, self._room)
        self._trees = trees
        self.leaves = Leaves(
            config=self.config,
            device=self.device,
            states=trees.states,
            leaves=trees.leaves,
            nodes=trees.nodes,
            moves=trees.moves,
            stats=trees.stats,
            values=trees.relative,
        )
        self._look: Callable[[], None] = self._evaluate.prepare(self.leaves)
        if self._evaluate.is_recordable:
            self._simulate = self.device.repeat(self._simulation)
        else:
            before, after = self.device.repeat(self._before), self.device.repeat(self._after)
            self._simulate = lambda: _run(before, self._look, after)

    @property
    def actions(self) -> DeviceArray:
        """The moves to play in the games of the last search, int64[count] on the device; -1 where a game is over."""
        return self._trees.actions

    def run(
        self,
        states: DeviceArray,
        where: NDArray[np.int64],
        seeds: NDArray[np.uint64],
        *,
        simulations: int | None = None,
        noise: float = 1.0,
    ) -> None:
        """Search the games in rows `where` of `states`, at most `count`; wait for the end, and nowhere else.

        Args:
            states: int16[n, state width] on the device, left as they are.
            seeds: uint64, one for each of `where`.
            simulations: at most those for which there is memory, which is the default.
            noise: as in `gumbel_search`.
        """
        budget = simulations or self._simulations
        if not 1 <= budget <= self._simulations or not len(where) == len(seeds) <= self.count:
            raise ValueError(
                f"{budget} simulations in {len(where)} games with {len(seeds)} seeds, in a search made for "
                f"{self._simulations} simulations in {self.count} games"
            )
        self._searched = len(where)
        self._prepare(where, seeds, budget)
        while True:
            self._open(states, noise)
            for _ in range(budget):
                self._simulate()
            self._conclude()
            trouble = self.device.download(self._trees.trouble)
            if not trouble.any():
                return
            self._grow(trouble)

    def _prepare(self, where: NDArray[np.int64], seeds: NDArray[np.uint64], budget: int) -> None:
        schedule = np.zeros((self._considered + 1, self._simulations), np.int32)
        schedule[:, :budget] = halving_table(self._considered, budget)
        rows = np.full(self.count, -1, np.int32)
        rows[: len(where)] = where
        words = np.zeros(self.count, np.uint64)
        words[: len(seeds)] = seeds
        for target, array in ((self._schedule, schedule), (self._where, rows), (self._seeds, words)):
            self.device.write(target, array)

    def _grow(self, trouble: NDArray[np.int8]) -> None:
        """Make the trees anew with more room where it was too little."""
        if (trouble == device_kernels.POOL_FULL).any():
            self._capacity *= 2
        if (trouble == device_kernels.NO_ROOM).any():
            self._room = min(2 * self._room, move_bound(self.config))
        self._make()

    def _open(self, states: DeviceArray, noise: float) -> None:
        """Make and evaluate the roots."""
        trees, launch = self._trees, self.device.launch
        trees.trouble.zero_()
        launch(device_kernels.take_roots, self.count, self._where, states, self._slots, trees.states, trees.counters)
        launch(kernels.open_roots, self.count, *self._rules, trees.states, trees.legal, trees.nodes, trees.leaves)
        self._take_edges()
        threads = self.count * device_kernels.LANES
        launch(device_kernels.draw_noise, threads, self._slots, noise, self._seeds, trees.nodes, trees.stats)
        self._look()
        self._after()

    def _simulation(self) -> None:
        _run(self._before, self._look, self._after)

    def _before(self) -> None:
        """Walk to a leaf in every game and give new ones their edges."""
        trees = self._trees
        self.device.launch(
            kernels.descend,
            self.count,
            *self._rules,
            trees.counters,
            self._evaluate.value_scale,
            self._schedule,
            trees.states,
            trees.legal,
            trees.nodes,
            trees.values,
            trees.moves,
            trees.links,
            trees.stats,
            trees.leaves,
        )
        self._take_edges()

    def _take_edges(self) -> None:
        trees, launch = self._trees, self.device.launch
        groups = int(trees.groups.shape[0])
        launch(device_kernels.count_edges, groups, self._room, trees.leaves, trees.groups)
        launch(
            device_kernels.place_edges,
            groups,
            self._room,
            self._capacity,
            trees.groups,
            trees.counters,
            trees.leaves,
            trees.nodes,
            trees.values,
            trees.starts,
            trees.ranks,
            trees.trouble,
        )
        edges = (trees.nodes, trees.moves, trees.links, trees.stats)
        launch(kernels.pool_edges, self.count, trees.legal, trees.leaves, trees.starts, *edges)

    def _after(self) -> None:
        """Back up the values of all leaves and turn to the next simulation."""
        trees, launch = self._trees, self.device.launch
        edges = (trees.nodes, trees.values, trees.links, trees.stats)
        launch(kernels.receive, self.count, trees.leaves, trees.ranks, trees.relative, *edges)
        launch(device_kernels.advance, 1, self._capacity, trees.counters)

    def _conclude(self) -> None:
        trees, launch = self._trees, self.device.launch
        trees.outcomes.zero_()
        edges = (trees.nodes, trees.values, trees.moves, trees.links, trees.stats)
        scale = self._evaluate.value_scale
        launch(kernels.conclude, self.count, self._slots, scale, *edges, trees.actions, trees.outcomes)
        launch(device_kernels.read_roots, self.count, self._slots, trees.nodes, trees.counts)

    def result(self) -> SearchResult:
        """Return the result of the last search, after waiting for it."""
        trees, device, searched = self._trees, self.device, self._searched
        offsets = np.zeros(searched + 1, np.int32)
        np.cumsum(device.download(trees.counts[:searched]), out=offsets[1:])
        total = int(offsets[-1])
        policy, visits = device.empty((total,), np.float32), device.empty((total,), np.int32)
        device.launch(device_kernels.read_edges, total, trees.links, trees.stats, policy, visits)
        return SearchResult(
            actions=device.download(trees.actions[:searched]),
            offsets=offsets,
            moves=device.download(trees.moves[:total]),
            policy=device.download(policy),
            visits=device.download(visits),
            values=device.download(trees.outcomes[:searched]),
        )


def _run(*steps: Callable[[], None]) -> None:
    for step in steps:
        step()
