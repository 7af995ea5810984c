"""How fast a configuration learns, whether it has stalled, and how well its rating is known.

What a promotion gained is measured by rating games (`Scores.gain`), not by the match that promoted it: that ends when
it looks best, so it says too much. The gains of the promotions in a window are added up. The window is a cost, that of
`steering.stall_trainings` trainings: of the self-play that they wait for. A configuration has stalled when it had the
whole window and its gains are not beyond their error (twice the standard error). It has recovered when the newest
promotion ended that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

from consensus.ledger.steering.amounts import games_of_training, mean_plies
from consensus.ledger.steering.estimates import Estimate, combined, scores_of
from consensus.ledger.views import Views

EVALUATIONS = 10**9
"""A million evaluations in the unit of costs, thousandths of one (`consensus.ledger.rules.costs`)."""

_BEYOND = 2  # standard errors


@dataclass(frozen=True)
class Step:
    """A promotion over another network: the cost of all self-play before it, and what it gained; None: not known."""

    number: int
    cost: int
    gain: Estimate | None


@dataclass(frozen=True, kw_only=True)
class Learning:
    """What a configuration has learned lately, with all inputs. Costs are thousandths of an evaluation."""

    configuration: str
    steps: tuple[Step, ...]  # all that are kept
    begun: int  # cost of all self-play before the first network that is kept
    cost: int  # of all self-play so far
    window: int  # cost of the trainings within which something has to be gained
    gained: Estimate  # in the window

    @property
    def velocity(self) -> int:
        """Thousandths of Elo per million evaluations, in the window or as long as there are networks."""
        return self.gained.value * EVALUATIONS // max(1, min(self.window, self.cost - self.begun))

    @property
    def is_stalled(self) -> bool:
        """Whether nothing was gained beyond the error in the whole window; not while a promotion is not rated."""
        return _is_stalled(self.steps, self.begun, self.cost, self.window)

    @property
    def has_recovered(self) -> bool:
        """Whether it had stalled before the newest promotion, and has not now."""
        if not self.steps or self.is_stalled:
            return False
        return _is_stalled(self.steps[:-1], self.begun, self.steps[-1].cost, self.window)


def learning(ledger: Views, configuration: str) -> Learning:
    """Return what a configuration has learned lately."""
    return ledger.remember(_learning, configuration)


def _learning(ledger: Views, configuration: str) -> Learning:
    milestones, scores = ledger.ratings(configuration).milestones, scores_of(ledger, configuration)
    networks = {entry.model.digest for entry in milestones}
    steps = tuple(
        Step(entry.number, entry.cost, scores.gain(entry.model.digest, entry.previous))
        for entry in milestones
        if entry.previous in networks
    )
    cost, window = ledger.deliveries(configuration).cost, window_of(ledger, configuration)
    return Learning(
        configuration=configuration,
        steps=steps,
        begun=milestones[0].cost if milestones else cost,
        cost=cost,
        window=window,
        gained=gained_in(steps, cost - window),
    )


def window_of(ledger: Views, configuration: str) -> int:
    """Return the cost of the self-play for so many trainings as may pass without a gain."""
    settings, entry = ledger.settings_on(configuration), ledger.configuration(configuration)
    games = games_of_training(settings, entry)
    training = games * mean_plies(entry) * ledger.budget(configuration).ply_cost
    return settings.steering.stall_trainings * max(1, training)


def gained_in(steps: Sequence[Step], since: int) -> Estimate:
    """Return the sum of what the promotions after this cost gained, as far as it is known, and its standard error."""
    gains = [step.gain for step in steps if step.cost > since and step.gain is not None]
    return Estimate(sum(entry.value for entry in gains), isqrt(sum(entry.error**2 for entry in gains)))


def _is_stalled(steps: Sequence[Step], begun: int, cost: int, window: int) -> bool:
    if cost - begun < window or (steps and steps[-1].gain is None):
        return False
    gained = gained_in(steps, cost - window)
    return gained.value <= _BEYOND * gained.error


def velocity(ledger: Views, configuration: str) -> int:
    """Return the rating gained lately, in thousandths of Elo per million evaluations; 0: nothing is known."""
    return learning(ledger, configuration).velocity


def rating_error(ledger: Views, configuration: str) -> int | None:
    """Return the error of the canonical model's rating in thousandths of Elo; None: it has no rating.

    It is that of its strength against the heuristic, or of the model before and of what was gained since, if that is
    known better.
    """
    scores = scores_of(ledger, configuration)
    known: Estimate | None = None
    for entry in ledger.ratings(configuration).milestones:
        own = scores.against(entry.model.digest, "heuristic")
        step = scores.against(entry.model.digest, "model", other=entry.previous)
        found = [] if own is None else [own]
        if known is not None and step is not None:
            found.append(Estimate(known.value + step.value, isqrt(known.error**2 + step.error**2)))
        known = combined(found)
    return None if known is None else known.error


def is_above_heuristic(ledger: Views, configuration: str) -> bool:
    """Return whether the canonical model is rated above the fixed opponent `heuristic`, beyond the error."""
    model = ledger.configuration(configuration).model.digest
    found = scores_of(ledger, configuration).against(model, "heuristic")
    return found is not None and found.value > found.error
