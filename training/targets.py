"""The training targets from the searches of self-play: sparse policies and values, as fixed-point integers."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.search import SearchResult
from training.shard import VALUE_UNIT, WEIGHT_UNIT, offsets_of

SMALLEST: Final = WEIGHT_UNIT // 500
"""Policy entries below this are left out, except the best one of a policy."""


def sparse_policy(
    policy: NDArray[np.float32], offsets: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.uint16], NDArray[np.uint16]]:
    """Return policies over the runs `offsets` as (choices, entries, weights) of a Shard; no run may be empty."""
    firsts = offsets[:-1]
    best = np.maximum.reduceat(policy, firsts)
    kept = policy * WEIGHT_UNIT >= SMALLEST
    for row in np.flatnonzero(best * WEIGHT_UNIT < SMALLEST).tolist():  # a policy over so many that none is above
        run = policy[offsets[row] : offsets[row + 1]]
        kept[offsets[row] + run.argmax()] = (
            True  # one: the rounding of hundreds of equal ones would exceed each of them
        )
    places = np.flatnonzero(kept)
    choices = np.add.reduceat(kept, firsts, dtype=np.int64)
    owners = np.repeat(np.arange(len(choices)), choices)
    entries, starts = places - firsts[owners], offsets_of(choices)[:-1]
    mass = np.add.reduceat(policy[places].astype(np.float64), starts)
    weights = np.rint(policy[places] / mass[owners] * WEIGHT_UNIT).astype(np.int64)
    largest = np.flatnonzero(weights == np.maximum.reduceat(weights, starts)[owners])
    last = largest[np.flatnonzero(np.diff(owners[largest], append=-1))]  # of equal ones
    weights[last] += WEIGHT_UNIT - np.add.reduceat(weights, starts)
    return choices.astype(np.int32), entries.astype(np.uint16), weights.astype(np.uint16)


class Targets:
    """The searches of many games, added in the order in which they happen and returned in the games' order."""

    def __init__(self) -> None:
        self._games: list[NDArray[np.int64]] = []
        self._plies: list[NDArray[np.int64]] = []
        self._choices: list[NDArray[np.int32]] = []
        self._entries: list[NDArray[np.uint16]] = []
        self._weights: list[NDArray[np.uint16]] = []
        self._values: list[NDArray[np.int16]] = []

    def add(self, games: NDArray[np.int64], plies: NDArray[np.int32], found: SearchResult) -> None:
        """Add the searches of the given games at the given plies, row by row."""
        choices, entries, weights = sparse_policy(found.policy, found.offsets)
        self._games.append(games)
        self._plies.append(plies.astype(np.int64))
        self._choices.append(choices)
        self._entries.append(entries)
        self._weights.append(weights)
        self._values.append(np.rint(found.values * VALUE_UNIT).astype(np.int16))

    def arrays(self, starts: NDArray[np.int64], players: int) -> dict[str, NDArray[Any]]:
        """Return the arrays `searched` .. `values` of a Shard in which game i's moves begin at starts[i].

        Games that it does not have are left out.
        """
        games = np.concatenate([np.empty(0, np.int64), *self._games])
        kept = np.flatnonzero(games < len(starts))
        searched = starts[games[kept]] + np.concatenate([np.empty(0, np.int64), *self._plies])[kept]
        choices = np.concatenate([np.empty(0, np.int32), *self._choices])
        order = kept[by_place := np.argsort(searched, kind="stable")]
        ranges = offsets_of(choices)[:-1][order] - offsets_of(choices[order])[:-1]
        source = np.repeat(ranges, choices[order]) + np.arange(int(choices[order].sum()))
        values = np.concatenate([np.empty((0, players), np.int16), *self._values])
        return {
            "searched": searched[by_place].astype(np.int32),
            "choices": choices[order],
            "entries": np.concatenate([np.empty(0, np.uint16), *self._entries])[source],
            "weights": np.concatenate([np.empty(0, np.uint16), *self._weights])[source],
            "values": values[order].reshape(-1),
        }
