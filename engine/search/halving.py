"""Sequential halving: the schedule by which simulations are spread over the root's candidate actions.

Source: Danihelka et al. 2022, "Policy improvement by planning with Gumbel", algorithm 2. The schedule
is a sequence fixed by the number of candidates and of simulations: simulation t visits the best of
the actions that have been visited exactly `sequence[t]` times.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def halving_sequence(candidates: int, simulations: int) -> tuple[int, ...]:
    """Return the visit counts, one for each simulation, for `candidates` actions.

    Each phase gives every remaining candidate the same number of visits and then keeps the better
    half. With fewer simulations than candidates, only the first `simulations` candidates are visited.

    >>> halving_sequence(4, 8)
    (0, 0, 0, 0, 1, 1, 2, 2)
    """
    if candidates < 2:
        return tuple(range(simulations))
    phases = (candidates - 1).bit_length()
    sequence: list[int] = []
    remaining, visited = candidates, 0
    while len(sequence) < simulations:
        rounds = max(1, simulations // (phases * remaining))
        for _ in range(rounds):
            sequence.extend([visited] * remaining)
            visited += 1
        remaining = max(2, remaining // 2)
    return tuple(sequence[:simulations])


def halving_table(considered: int, simulations: int) -> NDArray[np.int32]:
    """Return int32[considered + 1, simulations]: row m is `halving_sequence(m, simulations)`."""
    rows = [halving_sequence(candidates, simulations) for candidates in range(considered + 1)]
    return np.array(rows, dtype=np.int32).reshape(considered + 1, simulations)
