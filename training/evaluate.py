"""The network as the callback of a search."""

from __future__ import annotations

import copy

import numpy as np

from engine.backend.cpu import cpu
from engine.backend.dialect import Executor, Lanes
from engine.config import Config
from engine.rules import tables
from engine.search import EvalBatch, Evaluation
from training import inference_kernels as kernels
from training.inference import make_program
from training.move_index import field_roles
from training.network import Network
from training.programs import Program


class NetworkEvaluator:
    """A callback for `gumbel_search` that runs a network on the CPU, in the calling thread.

    It keeps the weights that the network has now. A position's answer does not depend on the others of its batch.
    """

    def __init__(self, network: Network, executor: Executor | None = None) -> None:
        self._network = copy.deepcopy(network)
        self._executor = executor or cpu()
        self._programs: dict[str, Program] = {}
        self._fields = field_roles()

    def __call__(self, batch: EvalBatch) -> Evaluation:
        program = self.program(batch.config)
        logits = np.empty(len(batch.moves), np.float32)
        values = np.empty((len(batch.states), batch.config.players), np.float32)
        self._executor.launch(
            kernels.evaluate_positions,
            len(batch.states),
            tables(batch.config),
            program.grid,
            program.features,
            program.steps,
            program.indices,
            program.weights,
            program.answers,
            self._fields,
            Lanes(program.memory, np.float32),
            batch.states.states,
            batch.offsets,
            batch.moves,
            logits,
            values,
        )
        return Evaluation(logits, values, self._network.value_scale)

    def program(self, config: Config) -> Program:
        """Return the network's program for a configuration."""
        if config.name not in self._programs:
            self._programs[config.name] = make_program(self._network, config)
        return self._programs[config.name]
