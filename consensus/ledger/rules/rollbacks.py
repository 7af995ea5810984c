"""Rollbacks: when the canonical model counts as weaker than the one that it replaced.

The points of both models against the same fixed opponents are compared block by block (`consensus.betting`), as far as
both have been played; and the points of the canonical model against the other one with those of an equal player, which
tell them apart where both win all games against the fixed opponents. Each of these tests has its part of the risk. The
regression is a reason to nominate the earlier model, and no more: it becomes canonical only if it wins its match.

If it does not, its pair of models is closed, because a model that could be tested again until it passes would pass.
But a match errs now and then, so that must not hold for ever: the two are compared anew by fresh games, with half of
the risk, and so on. So all of the alarms about one model that is not weaker have together at most the probability
`steering.regression_permille`, and a model that is weaker is challenged as often as it takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from consensus.betting import highest_fortune
from consensus.ledger.records.ratings import Milestone, Opponent, Tally
from consensus.ledger.rules import decisions
from consensus.ledger.rules.series import FIXED, ratings_of, tallies_of
from consensus.ledger.state.state import State
from consensus.settings import players


@dataclass(frozen=True, kw_only=True)
class ModelComparison:
    """The canonical model and the one before it against one opponent; or against each other, opponent "model"."""

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


def comparisons(
    compared: tuple[Milestone, ...], tallies: Iterable[Tally], permille: int
) -> tuple[ModelComparison, ...]:
    """Return how the canonical model and the one before it compare; nothing if there is nothing to compare.

    Args:
        compared: both, the canonical one first (`Ratings.compared`).
        tallies: the results of the configuration.
        permille: the risk of an alarm about a model that is not weaker.
    """
    if len(compared) < 2 or permille == 0:
        return ()
    newest = compared[0]
    needed = Fraction(1000 * (len(FIXED) + 1) * 2 ** (newest.failures + 1), permille)
    known = [tally for tally in tallies if tally.pair.player == "search" and tally.number == newest.failures]
    found = []
    for opponent in FIXED:
        now, before = _longest(compared, [tally for tally in known if tally.pair.opponent == opponent])
        most = players(newest.configuration) ** 2
        differences = [was - is_ for was, is_ in zip(before, now, strict=True)]
        found.append(
            ModelComparison(
                opponent=opponent,
                blocks=len(now),
                before=sum(before),
                now=sum(now),
                most=most,
                fortune=highest_fortune(differences, most),
                needed=needed,
            )
        )
    return (*found, _direct(compared, known, needed))


def _direct(compared: tuple[Milestone, ...], tallies: list[Tally], needed: Fraction) -> ModelComparison:
    """Return how the canonical model does against the one before it, where an equal player wins one game of a block."""
    newest, before = compared
    count, models = players(newest.configuration), (newest.model.digest, before.model.digest)
    series = [tally.points for tally in tallies if (tally.pair.model, tally.pair.opponent_model) == models]
    points = max(series, key=len, default=())
    differences = [count * (count - won) for won in points]
    return ModelComparison(
        opponent="model",
        blocks=len(points),
        before=count * len(points),
        now=sum(points),
        most=count**2,
        fortune=highest_fortune(differences, count**2 * (count - 1)),
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

    It may where it is the one before, and games since then say that it is stronger.
    """
    compared = ratings_of(state, configuration).compared
    if len(compared) < 2 or compared[1].model.digest != model:
        return False
    permille = decisions.settings_on(state, configuration).steering.regression_permille
    found = comparisons(compared, tallies_of(state, configuration), permille)
    return any(comparison.is_regression for comparison in found)
