"""How fast a configuration learns, whether it has stalled, and how well its rating is known.

What was gained is measured by rating games (`Scores.gain`), not by the matches that promoted: those end when a model
looks best, so they say too much. Velocity is what the canonical model gained over the one that was canonical before a
window. The window is a cost, that of `steering.stall_trainings` trainings: of the self-play that they wait for. A
configuration has stalled when it had the whole window and gained less than `SLOW` in it, also if twice the standard
error is added: so a gain that is only not known well is no stall. As long as the newest model is not rated, the one
before it says how it is. It has recovered when the newest promotion ended that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from consensus.ledger.records.ratings import Milestone
from consensus.ledger.records.transactions import UNIFORM
from consensus.ledger.steering.amounts import games_of_training, mean_plies
from consensus.ledger.steering.estimates import Estimate, Scores, combined, results_of, scores_of, summed
from consensus.ledger.views import Views

EVALUATIONS = 10**9
"""A million evaluations in the unit of costs, thousandths of one (`consensus.ledger.rules.costs`)."""

SLOW = 50_000
"""Who gains less in a window, in thousandths of Elo, has stalled."""

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
    earlier: bytes = UNIFORM  # the model that was canonical before the window, or the first one
    gained: Estimate | None  # in the window; None: the canonical model is not rated yet
    gained_before: Estimate | None = None  # in the window that ended with the newest promotion, without that

    @property
    def velocity(self) -> int:
        """Thousandths of Elo per million evaluations, in the window or as long as there are networks."""
        gained = 0 if self.gained is None else self.gained.value
        return gained * EVALUATIONS // max(1, min(self.window, self.cost - self.begun))

    @property
    def is_stalled(self) -> bool:
        """Whether less than `SLOW` was gained in the whole window, whatever the error."""
        return _is_stalled(self.gained, self.cost - self.begun, self.window)

    @property
    def has_recovered(self) -> bool:
        """Whether it had stalled before the newest promotion, and has not now."""
        if not self.steps or self.gained is None or self.is_stalled:
            return False
        return _is_stalled(self.gained_before, self.steps[-1].cost - self.begun, self.window)


def learning(ledger: Views, configuration: str) -> Learning:
    """Return what a configuration has learned lately."""
    basis = (
        *results_of(ledger, configuration),
        ledger.deliveries(configuration),
        ledger.configuration(configuration),
        ledger.settings_on(configuration),
    )
    return ledger.recall(_learning, configuration, basis)


def _learning(ledger: Views, configuration: str) -> Learning:
    milestones, scores = ledger.ratings(configuration).milestones, scores_of(ledger, configuration)
    steps = ledger.recall(_steps, configuration, results_of(ledger, configuration))
    cost, window = ledger.deliveries(configuration).cost, window_of(ledger, configuration)
    return Learning(
        configuration=configuration,
        steps=steps,
        begun=milestones[0].cost if milestones else cost,
        cost=cost,
        window=window,
        earlier=next(iter(_path(milestones, cost - window)), UNIFORM),
        gained=_gained(scores, milestones, cost - window),
        gained_before=_gained(scores, milestones[:-1], milestones[-1].cost - window) if steps else None,
    )


def _steps(ledger: Views, configuration: str) -> tuple[Step, ...]:
    milestones, scores = ledger.ratings(configuration).milestones, scores_of(ledger, configuration)
    return tuple(
        Step(entry.number, entry.cost, scores.gain((before.model.digest, entry.model.digest)))
        for before, entry in pairwise(milestones)
    )


def _gained(scores: Scores, milestones: Sequence[Milestone], since: int) -> Estimate | None:
    """Return what the last model gained over the one that was canonical at a cost, or over the first one.

    If it gained little as far as is known, but little is known of it, that is what the one before it gained.
    """
    path = _path(milestones, since)
    shorter = [path[:-1]] if len(path) > 2 else []
    gains = [scores.gain(models) for models in (path, *shorter) if models]
    known = (gain for gain in gains if gain is not None and (gain.error <= SLOW or gain.value >= SLOW))
    return next(known, gains[0] if gains else None)


def _path(milestones: Sequence[Milestone], since: int) -> list[bytes]:
    """Return the model that was canonical at a cost, or else the first one, and those that came after it."""
    older = sum(entry.cost <= since for entry in milestones)
    return [entry.model.digest for entry in milestones[max(0, older - 1) :]]


def _is_stalled(gained: Estimate | None, cost: int, window: int) -> bool:
    return gained is not None and cost >= window and gained.value + _BEYOND * gained.error < SLOW


def window_of(ledger: Views, configuration: str) -> int:
    """Return the cost of the self-play for so many trainings as may pass without a gain."""
    settings, entry = ledger.settings_on(configuration), ledger.configuration(configuration)
    games = games_of_training(settings, entry)
    training = games * mean_plies(entry) * ledger.budget(configuration).ply_cost
    return settings.steering.stall_trainings * max(1, training)


def velocity(ledger: Views, configuration: str) -> int:
    """Return the rating gained lately, in thousandths of Elo per million evaluations; 0: nothing is known."""
    return learning(ledger, configuration).velocity


def rating_error(ledger: Views, configuration: str) -> int | None:
    """Return the error of the canonical model's rating in thousandths of Elo; None: it has no rating.

    It is that of its strength against the heuristic, or of the model before and of what was gained since, if that is
    known better.
    """
    return ledger.recall(_rating_error, configuration, results_of(ledger, configuration))


def _rating_error(ledger: Views, configuration: str) -> int | None:
    scores = scores_of(ledger, configuration)
    known: Estimate | None = None
    for entry in ledger.ratings(configuration).milestones:
        own = scores.against(entry.model.digest, "heuristic")
        step = scores.against(entry.model.digest, "model", other=entry.previous)
        found = [] if own is None else [own]
        if known is not None and step is not None:
            found.append(summed((known, step)))
        known = combined(found)
    return None if known is None else known.error


def is_above_heuristic(ledger: Views, configuration: str) -> bool:
    """Return whether the canonical model is rated above the fixed opponent `heuristic`, beyond the error."""
    model = ledger.configuration(configuration).model.digest
    found = scores_of(ledger, configuration).against(model, "heuristic")
    return found is not None and found.value > found.error
