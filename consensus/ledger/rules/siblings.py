"""Siblings: the model of one configuration can be the first of another, as weights fit every board and player count.

A configuration without a network waits until its sibling has been promoted `training.sibling_promotions` times. Then
the sibling's canonical model competes with the first networks, which are trained on random games, and the best of all
is nominated.
"""

from __future__ import annotations

from collections.abc import Collection

from consensus.ledger.records.entities import Configuration
from consensus.ledger.records.transactions import UNIFORM
from consensus.ledger.rules.decisions import settings_on
from consensus.ledger.rules.large_boards import SMALL_BOARD_OF, is_large
from consensus.ledger.state.state import State
from consensus.settings import TrainingSettings

_SMALL_BOARDS = {"square8": "hex8", "hex8": "square8"}  # each with the other one

_TRIES = 4
"""A sibling that had so many candidates for each promotion that is wanted is not waited for any longer."""


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


def sibling_in(state: State, name: str) -> Configuration | None:
    """Return the sibling of a configuration, with its canonical model; None if it has none or none is wanted."""
    if settings_on(state, name).training.sibling_promotions == 0:
        return None
    sibling = sibling_of(name, state.configurations)
    return None if sibling is None else state.configurations[sibling]


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
