"""Rollbacks: when the canonical model counts as weaker than the one that it replaced, or the strongest before it.

The points of the canonical model and of the one that it replaced against the same fixed opponents are compared block by
block (`consensus.betting`), as far as both have been played. The points of the canonical model against that one, and
against the strongest one before it (`series`), are compared with those of an equal player. That tells them apart where
both win all games against the fixed opponents, and where a weak model was replaced by its equal before anybody noticed.
Each of these tests has its part of the risk: which models are compared is fixed before the games are played, so however
they were chosen, the bound of each holds. The regression is a reason to nominate the earlier model, and no more: it
becomes canonical only if it wins its match.

If it does not, its pair of models is closed, because a model that could be tested again until it passes would pass.
But a match errs now and then, so that must not hold for ever: all are compared anew by fresh games, with half of the
risk, and so on. So all of the alarms about one model that is not weaker have together at most the probability
`steering.regression_permille`, and a model that is weaker is challenged as often as it takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from consensus.betting import highest_fortune
from consensus.ledger.records.entities import Model
from consensus.ledger.records.ratings import Milestone, Opponent, Ratings, Tally
from consensus.ledger.rules import decisions
from consensus.ledger.rules.series import FIXED, direct_points, ratings_of, tallies_of
from consensus.ledger.state.state import State
from consensus.settings import players

TESTS = len(FIXED) + 2
"""Against each fixed opponent, against the model before, and against the strongest one."""


@dataclass(frozen=True, kw_only=True)
class ModelComparison:
    """The canonical model and an earlier one against one opponent; or against each other, opponent "model"."""

    earlier: Model
    opponent: Opponent
    blocks: int  # that both have played, in their order
    before: int  # points of the earlier model in these; against each other, those of an equal player
    now: int  # points of the canonical one
    most: int  # points of one block
    fortune: Fraction  # the highest on the way
    needed: Fraction  # the fortune that is enough

    @property
    def is_regression(self) -> bool:
        """Whether the canonical model counts as weaker by this."""
        return self.fortune >= self.needed


def comparisons(ratings: Ratings, tallies: Iterable[Tally], permille: int) -> tuple[ModelComparison, ...]:
    """Return how the canonical model and earlier ones compare; nothing if there is nothing to compare.

    Args:
        ratings: those of the configuration.
        tallies: the results of the configuration.
        permille: the risk of an alarm about a model that is not weaker.
    """
    if not ratings.milestones or permille == 0:
        return ()
    newest = ratings.milestones[-1]
    needed = Fraction(1000 * TESTS * 2 ** (newest.failures + 1), permille)
    known = [tally for tally in tallies if tally.pair.player == "search" and tally.number == newest.failures]
    direct = [_direct(newest, other, known, needed) for other in ratings.challengers]
    return (*_by_fixed_opponents(ratings.compared, known, needed), *direct)


def _by_fixed_opponents(compared: tuple[Milestone, ...], known: list[Tally], needed: Fraction) -> list[ModelComparison]:
    """Return how the canonical model and the one before it do against each fixed opponent."""
    if len(compared) < 2:
        return []
    newest, earlier = compared
    found = []
    for opponent in FIXED:
        now, before = _longest(compared, [tally for tally in known if tally.pair.opponent == opponent])
        most = players(newest.configuration) ** 2
        differences = [was - is_ for was, is_ in zip(before, now, strict=True)]
        found.append(
            ModelComparison(
                earlier=earlier.model,
                opponent=opponent,
                blocks=len(now),
                before=sum(before),
                now=sum(now),
                most=most,
                fortune=highest_fortune(differences, most),
                needed=needed,
            )
        )
    return found


def _direct(newest: Milestone, earlier: Milestone, known: list[Tally], needed: Fraction) -> ModelComparison:
    """Return how the canonical model does against an earlier one, where an equal player wins one game of a block."""
    count = players(newest.configuration)
    points = direct_points(newest.model.digest, earlier.model.digest, known)
    differences = [count * (count - won) for won in points]
    return ModelComparison(
        earlier=earlier.model,
        opponent="model",
        blocks=len(points),
        before=count * len(points),
        now=sum(points),
        most=count**2,
        fortune=highest_fortune(differences, count**2 * (count - 1), Fraction(count - 1, count)),
        needed=needed,
    )


def _longest(compared: tuple[Milestone, ...], tallies: list[Tally]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the points of the canonical model and of the one before it in as many blocks as both have played.

    The two were played with the same settings: with those under which most blocks were, if they changed.
    """
    newest, before = (entry.model.digest for entry in compared)
    best: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
    for now in tallies:
        for then in tallies:
            is_pair = now.pair.model == newest and then.pair.model == before
            blocks = min(len(now.points), len(then.points))
            if is_pair and now.pair.settings == then.pair.settings and blocks > len(best[0]):
                best = now.points[:blocks], then.points[:blocks]
    return best


def may_be_tried_again(state: State, configuration: str, model: bytes) -> bool:
    """Return whether a model that failed against the canonical one may be nominated against it again.

    It may where games since then say that the canonical one is weaker than this.
    """
    permille = decisions.settings_on(state, configuration).steering.regression_permille
    found = comparisons(ratings_of(state, configuration), tallies_of(state, configuration), permille)
    return any(comparison.is_regression for comparison in found if comparison.earlier.digest == model)
