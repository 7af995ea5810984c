"""What self-play costs: the unit is a thousandth of one evaluation by the network c16b2 on hex8.

A game of a large board costs as much as hundreds on a small one, so counts of games say nothing about work. An
evaluation costs what its multiplications cost: those of the network, and what rules and trees need besides
(docs/performance.md). Both grow with the cells of the board and the weights of a convolution on it. With two blocks of
16 channels the network is two fifths of the whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from consensus.architecture import Architecture, parse_architecture
from consensus.ledger.records.entities import Model
from consensus.ledger.records.transactions import UNIFORM

EVALUATION = 1000

CELLS: Mapping[str, int] = MappingProxyType({"square8": 64, "hex8": 61, "square19": 361, "hexagonal": 469})
"""The cells of each board."""

LARGEST = 2**53
"""No shard costs more: what a liar announces must not exceed what can be summed up."""

_TAPS: Mapping[str, int] = MappingProxyType({"square8": 9, "hex8": 7, "square19": 9, "hexagonal": 7})
"""The weights of a convolution that count: a hexagon has six neighbours."""

_USUAL = Architecture(16, 2)
"""The network in the unit; what is not the name of an architecture is taken for this one."""

_RANDOM_PLY = 200
"""A ply of a random game on hex8, without search: a hundredth of one with 16 simulations, and a little more."""

_PLIES_OF_CELL = 32
"""A game is cut at so many plies for each cell, so no more are counted."""


@lru_cache(maxsize=1024)
def cost_of_evaluation(architecture: str, configuration: str) -> int:
    """Return what one evaluation by a network costs on the board of a configuration, in thousandths of the unit."""
    board = configuration.partition("-")[0]
    network = parse_architecture(architecture) or _USUAL
    size, usual = (each.blocks * each.channels**2 for each in (network, _USUAL))
    place, unit = CELLS[board] * _TAPS[board], CELLS["hex8"] * _TAPS["hex8"]
    return EVALUATION * place * (3 * usual + 2 * size) // (unit * 5 * usual)


def cost_of_ply(model: Model, configuration: str, simulations: int) -> int:
    """Return what one ply of self-play costs: a search of so many simulations, or a random move of `uniform`."""
    if model.digest == UNIFORM:
        return max(1, _RANDOM_PLY * CELLS[configuration.partition("-")[0]] // CELLS["hex8"])
    return min(LARGEST, simulations * cost_of_evaluation(model.architecture, configuration))


def cost_of_games(configuration: str, games: int, plies: int, ply: int) -> int:
    """Return what games with so many plies cost where one ply costs `ply`; no game has more plies than it may."""
    most = games * _PLIES_OF_CELL * CELLS[configuration.partition("-")[0]]
    return min(LARGEST, min(plies, most) * ply)


def usual_plies(configuration: str) -> int:
    """Return how many plies a game has, about, before any was played: two and a half for each cell."""
    return CELLS[configuration.partition("-")[0]] * 5 // 2
