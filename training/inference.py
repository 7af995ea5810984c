"""A network as a program for the kernels of inference: its weights, made ready once, and the steps to run them.

`make_program` follows the modules of a `Network` layer by layer; both give the same answers up to rounding. Programs
are for play, where there is no gradient: only the cells of the board are computed, and all numbers of a position stay
in the processor's cache.
"""

from __future__ import annotations

import torch

from engine.config import Config
from engine.features import PLANES, SCALARS
from training import inference_kernels as kernels
from training.geometry import LOCAL_PLANES
from training.network import Network, ResidualBlock
from training.programs import Program, Writer, runs


@torch.no_grad()
def make_program(network: Network, config: Config) -> Program:
    """Return the program of a network with its present weights; later changes of the network do not change it."""
    write = Writer(config)
    channels, units = network.entry.weight.shape[0], network.value_hidden.out_features
    x, hidden, active = (write.new_board(channels) for _ in range(3))
    row, mean, peak = (write.new_vector(channels) for _ in range(3))
    zeros = write.new_vector(max(channels, units))
    whole = [write.planes.part(LOCAL_PLANES, PLANES - LOCAL_PLANES), write.scalars.part(0, SCALARS)]
    pooled = [mean.part(0, channels), *whole]

    write.start(zeros)
    write.linear(network.entry_scalars, whole, row)
    write.spread(row, x)
    for first, count in runs(write.geometry.local.tolist()):
        planes = write.planes.part(first, count)
        write.convolve(network.entry.weight[:, first : first + count], planes, x)
    for block in network.blocks:
        assert isinstance(block, ResidualBlock)
        write.rectify(x, zeros, active)
        write.start(hidden)
        write.convolve(block.first.weight, active.part(0, channels), hidden)
        write.pool(hidden, mean)
        write.linear(block.pooled, [mean.part(0, channels)], row)
        write.rectify(hidden, row, active)
        write.convolve(block.second.weight, active.part(0, channels), x)
    write.rectify(x, zeros, x)
    write.pool(x, mean)
    write.find_peaks(x, peak)

    write.start(row, network.policy_pooled.bias + network.policy_hidden.bias)
    write.multiply(network.policy_pooled.weight, pooled, row)
    write.spread(row, hidden)
    write.multiply(network.policy_hidden.weight, [x.part(0, channels)], hidden)
    write.rectify(hidden, zeros, hidden)
    layers = (network.policy_roles, network.policy_origin, network.policy_landing)
    roles, embedding = network.policy_roles.out_features, network.policy_origin.out_features
    heads = write.new_board(roles + 2 * embedding)
    write.start(heads, torch.cat([layer.bias for layer in layers]))
    write.multiply(torch.cat([layer.weight for layer in layers]), [hidden.part(0, channels)], heads)
    kinds = write.new_vector(network.policy_kinds.out_features)
    write.linear(network.policy_kinds, pooled, kinds)

    value, second = write.new_vector(units), write.new_vector(units)
    winner = write.new_vector(network.winner.out_features)
    write.linear(network.value_hidden, [mean.part(0, channels), peak.part(0, channels), *whole], value)
    write.rectify(value, zeros, value)
    write.linear(network.value_second, [value.part(0, units)], second)
    write.rectify(second, zeros, second)
    write.linear(network.winner, [second.part(0, units)], winner)
    return write.finish(
        {
            kernels.HEADS: heads.start,
            kernels.HEADS_WIDTH: heads.width,
            kernels.ORIGIN: roles,
            kernels.LANDING: roles + embedding,
            kernels.EMBEDDING: embedding,
            kernels.KINDS: kinds.start,
            kernels.WINNER: winner.start,
        }
    )
