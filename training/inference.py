"""A network as a program for play: its weights, made ready once, and the steps to run them.

Nothing is kept for gradients: only the cells of the board are computed, and all numbers of a position stay in the
processor's cache.
"""

from __future__ import annotations

import torch

from engine.config import Config
from training.layers import write_network
from training.network import Network
from training.programs import Program, Writer


@torch.no_grad()
def make_program(network: Network, config: Config) -> Program:
    """Return the program of a network with its present weights; later changes of the network do not change it."""
    write = Writer(config)
    return write.finish(write_network(network, write).answers)
