"""Siblings: the model of one configuration can be the first of another, as weights fit every board and player count.

A configuration without a network waits until its sibling has been promoted `training.sibling_promotions` times. Then
the sibling's canonical model competes with the first networks, which are trained on random games, and the best of all
is nominated.

With `steering.rules` every configuration with a network of the family is a sibling. Those that were promoted so often
come first, then the nearest (`relations`), then the strongest against the heuristic.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction

from consensus.ledger.records.entities import Configuration
from consensus.ledger.records.ratings import Pair
from consensus.ledger.records.transactions import UNIFORM
from consensus.ledger.rules.decisions import settings_on
from consensus.ledger.rules.large_boards import SMALL_BOARD_OF, is_large
from consensus.ledger.rules.relations import RELATIONS, Relation, relation_between
from consensus.ledger.rules.series import tallies_of
from consensus.ledger.state.state import State
from consensus.settings import TrainingSettings, players

_SMALL_BOARDS = {"square8": "hex8", "hex8": "square8"}  # each with the other one

_TRIES = 4
"""A sibling that had so many candidates for each promotion that is wanted is not waited for any longer."""


@dataclass(frozen=True)
class Sibling:
    """A configuration whose canonical model may be the first of another one, and what its place among them is by."""

    configuration: Configuration
    is_experienced: bool  # it was promoted as often as is wanted
    relation: Relation
    odds: Fraction  # of its wins against the heuristic, for equal numbers of players; 0: it is not rated


def sibling_of(name: str, played: Collection[str]) -> str | None:
    """Return the configuration whose model may be the first of `name`: the best of those that the swarm plays.

    There is no circle: games are shorter with the sibling, by the board or the number of players, and `square8-2` has
    `hex8-2`, which has none.
    """
    return next((sibling for sibling in _siblings(name) if sibling in played), None)


def is_waiting(configuration: Configuration, sibling: Configuration | None, settings: TrainingSettings) -> bool:
    """Return whether a configuration should be left alone until its sibling has a better model."""
    wanted = settings.sibling_promotions
    if sibling is None or wanted == 0 or configuration.model.digest != UNIFORM:
        return False
    return sibling.promotions < wanted and sibling.candidates < _TRIES * wanted


def awaited_in(state: State, name: str) -> Configuration | None:
    """Return the configuration that one without a network may wait for; None if there is none or none is wanted."""
    if settings_on(state, name).training.sibling_promotions == 0:
        return None
    sibling = sibling_of(name, state.configurations)
    return None if sibling is None else state.configurations[sibling]


def best_in(state: State, name: str, family: str) -> Sibling | None:
    """Return the sibling whose canonical model a first training of this family begins with; None if there is none."""
    if not state.settings.steering.rules:
        awaited = awaited_in(state, name)
        found = [] if awaited is None else [awaited]
    elif settings_on(state, name).training.sibling_promotions == 0:
        found = []
    else:
        found = [entry for other, entry in sorted(state.configurations.items()) if other != name]
    siblings = [_sibling(state, name, entry) for entry in found if entry.model.architecture == family]
    return min(siblings, key=_order, default=None)


def _order(sibling: Sibling) -> tuple[bool, int, Fraction]:
    return not sibling.is_experienced, RELATIONS.index(sibling.relation), -sibling.odds


def _sibling(state: State, name: str, other: Configuration) -> Sibling:
    wanted = settings_on(state, name).training.sibling_promotions
    odds = odds_of(_points_against_heuristic(state, other), players(other.name))
    return Sibling(other, other.promotions >= wanted, relation_between(other.name, name), odds)


def odds_of(points: tuple[int, ...], count: int) -> Fraction:
    """Return the odds of winning against equal opponents that these points of blocks show; 0 of none.

    Two more blocks count as an equal player's, so that few games say little: its odds are 1, whatever `count` is.
    """
    if not points:
        return Fraction(0)
    total = sum(points) + 2 * count
    return Fraction((count - 1) * total, (len(points) + 2) * count * count - total)


def _points_against_heuristic(state: State, configuration: Configuration) -> tuple[int, ...]:
    """Return the points of the canonical model's search; of several settings, those with the most blocks."""
    by_pair: dict[Pair, tuple[int, ...]] = {}
    for tally in tallies_of(state, configuration.name):
        pair = tally.pair
        if (pair.model, pair.player, pair.opponent) == (configuration.model.digest, "search", "heuristic"):
            by_pair[pair] = by_pair.get(pair, ()) + tally.points
    return max(by_pair.values(), key=len, default=())


def _siblings(name: str) -> list[str]:
    """Return all possible siblings, the best first: the same shape, then the same number of players."""
    board, _, players = name.partition("-")
    near = SMALL_BOARD_OF.get(board, board)
    counts = dict.fromkeys((players, "2")) if is_large(name) else ("2",)
    siblings = [f"{small}-{count}" for small in (near, _SMALL_BOARDS[near]) for count in counts]
    if is_large(name):
        siblings.append(f"{board}-2")
    if name == "hex8-2":
        return []
    return [sibling for sibling in siblings if sibling != name]
