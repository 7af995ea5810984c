"""The network as the evaluator of a search on a device: our own kernels on CPUs, torch on GPUs.

Either reads positions and writes scores where the search has them; nothing is copied to the host.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from engine.backend.cuda import Device
from engine.backend.dialect import Lanes
from engine.features import PLANES, SCALARS, frame
from engine.rules import tables
from engine.search.device_trees import DeviceEvaluate, Leaves
from training import device_kernels, inference_kernels
from training.geometry import Geometry, geometry_on
from training.inference import make_program
from training.move_index import field_roles
from training.network import Heads, Network, seat_values


def device_evaluator(network: Network, device: Device) -> DeviceEvaluate:
    """Return the evaluator for a device: the one that gives the bits of `NetworkEvaluator` on CPUs, torch on GPUs."""
    return KernelEvaluator(network) if device.name == "cpu" else TorchEvaluator(network)


class KernelEvaluator:
    """A network that runs by the kernels of `training.inference_kernels`, which are for CPUs alone.

    Its answers are those of `training.evaluate.NetworkEvaluator`, to the bit.
    """

    is_recordable = True

    def __init__(self, network: Network) -> None:
        """Keep the weights that the network has now."""
        self._network = copy.deepcopy(network)
        self.value_scale = network.value_scale

    def prepare(self, leaves: Leaves) -> Callable[[], None]:
        """Return a call that evaluates the new leaves."""
        program, device = make_program(self._network, leaves.config), leaves.device
        arguments = (
            device.upload(tables(leaves.config)),
            device.upload(program.grid),
            program.features,
            *map(device.upload, (program.steps, program.indices, program.weights, program.answers, field_roles())),
            Lanes(program.memory, np.float32),
            *(leaves.states, leaves.leaves, leaves.nodes, leaves.moves, leaves.stats, leaves.values),
        )
        return lambda: device.launch(inference_kernels.evaluate_leaves, len(leaves), *arguments)


class TorchEvaluator:
    """A network that torch runs on the device of a search, in memory that both share.

    It evaluates a row for every game, whether or not that has a new leaf, so that all sizes are fixed; on a GPU its
    own part of a simulation becomes a CUDA graph, too.
    """

    is_recordable = False  # torch must record its part itself, since its allocator has to know

    def __init__(self, network: Network, dtype: torch.dtype | None = None, *, is_compiled: bool = False) -> None:
        """Keep the weights that the network has now.

        Args:
            dtype: of the weights and the layers; by default bfloat16 on GPUs, float32 on CPUs.
            is_compiled: compile the network with `torch.compile`, which takes minutes.
        """
        self._network = copy.deepcopy(network).eval()
        self._dtype, self._is_compiled = dtype, is_compiled
        self.value_scale = network.value_scale

    def prepare(self, leaves: Leaves) -> TorchNetwork:
        """Return a call that evaluates the new leaves."""
        return TorchNetwork(self._network, leaves, self._dtype, self._is_compiled)


class TorchNetwork:
    """A network on the arrays of one search."""

    def __init__(self, network: Network, leaves: Leaves, dtype: torch.dtype | None, is_compiled: bool) -> None:
        device, count, square = leaves.device, len(leaves), frame(leaves.config.board)
        self._is_gpu = device.name != "cpu"
        self._dtype = dtype or (torch.bfloat16 if self._is_gpu else torch.float32)
        moved = copy.deepcopy(network).to(device.name, self._dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._network: Callable[..., Heads] = torch.compile(moved, dynamic=False) if is_compiled else moved
        self._geometry = geometry_on(Geometry.of(leaves.config), device.name, self._dtype)

        planes = device.zeros((count, PLANES * square.side * square.side), np.float32)
        scalars = device.zeros((count, SCALARS), np.float32)
        self._planes = torch.from_dlpack(planes).view(count, PLANES, square.side, square.side)
        self._scalars, self._values = torch.from_dlpack(scalars), torch.from_dlpack(leaves.values)
        places = _places(network, len(square.grid))
        heads = device.zeros((count, places[inference_kernels.KINDS] + network.policy_kinds.out_features), np.float32)
        self._heads = torch.from_dlpack(heads)

        answers, roles, grid = map(device.upload, (places, field_roles(), square.grid))
        rules = device.upload(tables(leaves.config)), leaves.states, leaves.leaves

        def describe() -> None:
            planes.zero_()
            scalars.zero_()
            device.launch(device_kernels.describe_leaves, count, *rules, grid, square.side, planes, scalars)

        def score() -> None:
            arrays = (leaves.leaves, leaves.nodes, leaves.moves, leaves.stats)
            threads = count * device_kernels.LANES
            device.launch(device_kernels.score_leaves, threads, answers, roles, heads, *arrays)

        self._describe, self._score = device.repeat(describe), device.repeat(score)
        self._has_run = False
        self._graph: Any = None

    def __call__(self) -> None:
        """Queue the evaluation of the new leaves."""
        self._describe()
        self.think()
        self._score()

    def think(self) -> None:
        """Run the network: as it is at first and always on a CPU, then as a recorded graph."""
        if self._graph is not None:
            self._graph.replay()
        elif self._is_gpu and self._has_run:
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                self._forward()
            self._graph.replay()
        else:
            self._forward()
            self._has_run = True

    @torch.no_grad()
    def _forward(self) -> None:
        geometry = self._geometry
        heads = self._network(self._planes.to(self._dtype), self._scalars.to(self._dtype), geometry)
        cells = torch.cat((heads.roles, heads.origin, heads.landing), dim=2)[:, geometry.cells]
        width = cells.shape[1] * cells.shape[2]
        self._heads[:, :width] = cells.flatten(1)
        self._heads[:, width:] = heads.kinds
        self._values.copy_(seat_values(heads.winner.float()))


def _places(network: Network, cells: int) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Return where `score_leaves` finds what the network says of a position, as in `inference_kernels.ANSWERS`."""
    roles, embedding = network.policy_roles.out_features, network.policy_origin.out_features
    width = roles + 2 * embedding
    places = np.zeros(inference_kernels.ANSWERS, np.int32)
    places[inference_kernels.HEADS_WIDTH] = width
    places[inference_kernels.ORIGIN], places[inference_kernels.LANDING] = roles, roles + embedding
    places[inference_kernels.EMBEDDING], places[inference_kernels.KINDS] = embedding, cells * width
    return places
