"""Exploration: losses that leave their band raise it, promotions let it decay, where the genesis has `steering.rules`.

A candidate whose losses lie far from those of the last ones was trained on games that differ from theirs, or has
stopped learning from them. Then games should begin in more ways and try more moves. Nobody can check losses, so one
candidate raises the level by a quarter at most, and the level never more than doubles what the settings say.
"""

from __future__ import annotations

from collections.abc import Sequence

from consensus.ledger.records.entities import Candidacy, Promotion
from consensus.ledger.records.entity import replace
from consensus.ledger.records.explorations import Exploration
from consensus.ledger.state.state import State

FULL = 1000
KEPT = 8  # losses
LARGEST_LOSS = 2**40  # millionths; nobody has such losses, but liars may say so

_LEAST = 4  # losses that make a band
_DEVIATIONS = 3  # mean deviations on either side of the mean, but at least
_NARROWEST = 20  # thousandths of the mean
_STEP = 250  # at most, for one candidate; as much as one band's width beyond it
_DECAYS = ((600, 100), (0, 20))
"""Of itself, in thousandths, for a promotion with at least so many thousandths of the points."""
_AFTER_ROLLBACK = 50


def exploration_of(state: State, configuration: str) -> Exploration:
    """Return the exploration of a configuration."""
    return state.explorations.get(configuration) or Exploration(configuration)


def observe_candidate(state: State, candidacy: Candidacy) -> None:
    """Take in the losses of a candidate that was trained."""
    if not state.settings.steering.rules or not candidacy.was_trained or not candidacy.losses:
        return
    before = exploration_of(state, candidacy.configuration)
    loss = min(LARGEST_LOSS, max(0, sum(max(0, part) for part in candidacy.losses.values())))
    level = min(FULL, before.level + anomaly(before.losses, loss))
    losses = (*before.losses, loss)[-KEPT:]
    state.explorations[candidacy.configuration] = replace(before, level=level, losses=losses)


def observe_promotion(state: State, promotion: Promotion) -> None:
    """Let the level decay after a promotion, faster after a clear one; raise it where an earlier model came back."""
    if not state.settings.steering.rules:
        return
    before = exploration_of(state, promotion.configuration)
    earlier = [entry for entry in state.promotions.values() if entry.configuration == promotion.configuration]
    if any(entry.model.digest == promotion.model.digest for entry in earlier if entry.digest != promotion.digest):
        level = min(FULL, before.level + _AFTER_ROLLBACK)
    else:
        score = FULL * promotion.score // max(1, promotion.blocks * promotion.most)
        decay = next(part for least, part in _DECAYS if score >= least)
        level = before.level - -(-before.level * decay // FULL)
    state.explorations[promotion.configuration] = replace(before, level=level)


def anomaly(losses: Sequence[int], loss: int) -> int:
    """Return how far a loss lies outside the band of the last ones, as a step of the level.

    The band is the mean and three mean deviations, or a fiftieth of the mean, on either side. A loss that lies as far
    beyond it as it is wide to one side, or farther, makes the whole step.
    """
    if len(losses) < _LEAST:
        return 0
    mean = sum(losses) // len(losses)
    deviation = sum(abs(entry - mean) for entry in losses) // len(losses)
    band = max(1, _DEVIATIONS * deviation, mean * _NARROWEST // FULL)
    beyond = max(0, abs(loss - mean) - band)
    return min(_STEP, _STEP * beyond // band)
