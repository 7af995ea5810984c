"""The layers of a network as steps of a program, for play and for training alike.

What is written is `training.network.Network.forward`, layer by layer; both give the same answers up to rounding. The
order of the steps is part of what a network answers to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.features import PLANES, SCALARS
from training import inference_kernels as kernels
from training.geometry import LOCAL_PLANES
from training.network import Network, ResidualBlock
from training.programs import Inputs, Matrix, Writer, runs


@dataclass(frozen=True)
class Outputs:
    """Where a program has what a network computes."""

    answers: Mapping[int, int]  # what play asks for: `training.inference_kernels`
    trunk: Matrix  # from which the owners of cells are told
    value: Matrix  # from which the winner and the margins are told


def write_network(network: Network, write: Writer) -> Outputs:
    """Write the layers on which the choice of a move depends."""
    whole = [write.planes.part(LOCAL_PLANES, PLANES - LOCAL_PLANES), write.scalars.part(0, SCALARS)]
    trunk = _write_trunk(network, write, whole)
    mean, peak = write.pool(trunk), write.find_peaks(trunk)
    heads, kinds = _write_policy(network, write, trunk, [mean.inputs, *whole])
    value = _write_value(network, write, [mean.inputs, peak.inputs, *whole])
    winner = write.linear(network.winner, [value.inputs])
    roles, embedding = network.policy_roles.out_features, network.policy_origin.out_features
    answers = {
        kernels.HEADS: heads.start,
        kernels.HEADS_WIDTH: heads.width,
        kernels.ORIGIN: roles,
        kernels.LANDING: roles + embedding,
        kernels.EMBEDDING: embedding,
        kernels.KINDS: kinds.start,
        kernels.WINNER: winner.start,
    }
    return Outputs(answers, trunk, value)


def _write_trunk(network: Network, write: Writer, whole: Sequence[Inputs]) -> Matrix:
    row = write.linear(network.entry_scalars, whole)
    x = write.spread(row)
    write.release(row)
    for first, count in runs(write.geometry.local.tolist()):
        write.convolve(network.entry.weight[:, first : first + count], write.planes.part(first, count), x)
    for block in network.blocks:
        assert isinstance(block, ResidualBlock)
        _write_block(block, write, x)
    trunk = write.rectify(x)
    write.release(x)
    return trunk


def _write_block(block: ResidualBlock, write: Writer, x: Matrix) -> None:
    """Write a block that adds its result to x."""
    active, hidden = write.rectify(x), write.new_board(x.columns)
    write.start(hidden)
    write.convolve(block.first.weight, active.inputs, hidden)
    write.release(active)
    mean = write.pool(hidden)
    row = write.linear(block.pooled, [mean.inputs])
    active = write.rectify(hidden, row)
    write.convolve(block.second.weight, active.inputs, x)
    write.release(hidden, mean, row, active)


def _write_policy(network: Network, write: Writer, trunk: Matrix, pooled: Sequence[Inputs]) -> tuple[Matrix, Matrix]:
    """Return the heads of the cells, and the scores of the kinds of moves."""
    shaped = write.linear_rectified(network.policy_hidden, trunk, network.policy_pooled, pooled)
    heads = write.linear_board([network.policy_roles, network.policy_origin, network.policy_landing], shaped)
    write.release(shaped)
    return heads, write.linear(network.policy_kinds, pooled)


def _write_value(network: Network, write: Writer, inputs: Sequence[Inputs]) -> Matrix:
    first = write.rectify(write.linear(network.value_hidden, inputs))
    return write.rectify(write.linear(network.value_second, [first.inputs]))
