"""The games of matches and series that a training learns from: who won them. Only with `steering.rules`.

The results of a configuration are kept, the newest ones, whatever becomes of their matches and series. A result that is
struck leaves. Games against random play are no use: nobody plays like that.
"""

from __future__ import annotations

from consensus.ledger.records.cases import Outcomes, SlotReport, report_of
from consensus.ledger.records.ratings import Contest, Series
from consensus.ledger.state.state import State

REPORTS_KEPT = 64
"""Of each configuration: 2,048 games of two players in slots of 16 blocks."""


def outcomes_of(state: State, name: str) -> Outcomes:
    """Return the results that are kept of a configuration."""
    return state.outcomes.get(name) or Outcomes(name, ())


def observe_result(state: State, contest: Contest, slot: int) -> None:
    """Keep a result that was just reported."""
    report = report_of(contest, slot)
    if not state.settings.steering.rules or report is None:
        return
    if isinstance(contest, Series) and contest.pair.opponent == "random":
        return
    reports = (*outcomes_of(state, contest.configuration).reports, report)
    state.outcomes[contest.configuration] = Outcomes(contest.configuration, reports[-REPORTS_KEPT:])


def forget(state: State, report: SlotReport) -> None:
    """Forget a result that is struck."""
    before = outcomes_of(state, report.configuration).reports
    reports = tuple(entry for entry in before if entry.digest != report.digest)
    if len(reports) < len(before):
        state.outcomes[report.configuration] = Outcomes(report.configuration, reports)
