"""The trees of a search on a device: arrays of fixed sizes, and what an evaluator sees of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from engine.backend.cuda import Device, DeviceArray
from engine.config import Config
from engine.rules.sizes import state_width
from engine.search.device_kernels import GROUP
from engine.search.nodes import COUNTERS, EDGE_COLUMNS, LEAF_COLUMNS, NODE_COLUMNS, TOTALS


@dataclass(frozen=True, kw_only=True)
class Leaves:
    """The new leaves of the games of a search, for an evaluator. All arrays are on `device` and stay where they are.

    Game g has a new leaf if `leaves[g][FRESH]` is above 0. That is the number of its legal moves: `moves[e]` for the
    edges e that begin at `nodes[leaf][FIRST]`, where `leaf` is `leaves[g][LEAF]`, and its position is `states[leaf]`.
    """

    config: Config
    device: Device
    states: DeviceArray  # int16[nodes, state width]
    leaves: DeviceArray  # int32[games, LEAF_COLUMNS]
    nodes: DeviceArray  # int32[nodes, NODE_COLUMNS]
    moves: DeviceArray  # int64[edges]
    stats: DeviceArray  # float32[edges, TOTALS + players]; the evaluator writes the logit of each edge to LOGIT
    values: DeviceArray  # float32[games, players]; the evaluator writes the values of each leaf, as in `Evaluation`

    def __len__(self) -> int:
        """Return the number of games."""
        return int(self.leaves.shape[0])


class DeviceEvaluate(Protocol):
    """A network on a device: the counterpart of `Evaluate`."""

    @property
    def value_scale(self) -> float:
        """How far a search should follow its values (`engine.search.Evaluation`)."""

    @property
    def is_recordable(self) -> bool:
        """Whether what `prepare` returns does nothing but launch kernels, and can be part of a recorded sequence."""

    def prepare(self, leaves: Leaves) -> Callable[[], None]:
        """Return a call that evaluates the new leaves. It is called once in each simulation and must not wait."""


class DeviceTrees:
    """The trees of `count` games with up to `slots` nodes each, and `capacity` edges for all of them."""

    def __init__(self, config: Config, device: Device, count: int, slots: int, capacity: int, room: int) -> None:
        size, players = count * slots, config.players
        self.states = device.zeros((size, state_width(config)), np.int16)
        self.nodes = device.zeros((size, NODE_COLUMNS), np.int32)
        self.values = device.zeros((size, players), np.float32)
        self.moves = device.empty((capacity,), np.int64)
        self.links = device.empty((capacity, EDGE_COLUMNS), np.int32)
        self.stats = device.empty((capacity, TOTALS + players), np.float32)
        self.legal = device.empty((count, room), np.int64)
        self.leaves = device.zeros((count, LEAF_COLUMNS), np.int32)
        self.counters = device.zeros((COUNTERS,), np.int32)
        self.groups = device.zeros((-(-count // GROUP),), np.int32)
        self.starts = device.zeros((count,), np.int32)
        self.ranks = device.zeros((count,), np.int32)
        self.trouble = device.zeros((count,), np.int8)
        self.relative = device.zeros((count, players), np.float32)
        self.outcomes = device.zeros((count, players), np.float32)
        self.actions = device.zeros((count,), np.int64)
        self.counts = device.zeros((count,), np.int32)
