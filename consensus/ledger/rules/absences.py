"""Absences: games of reported slots, or files of a candidate, that nobody can fetch. Only with `steering.rules`.

A result that nobody can replay would keep its candidate from being voted on, and a model that nobody has cannot be
measured. Members that tried for a stated time say so. If they are more than 2/3 of the weight, the slot is free again
and its author is out of the match, as if the result had been proven wrong, except that no fault is counted against it:
its disk may have died. A candidate whose files are missing is dropped. Members of less than a third of the weight can
neither bring that about nor, since more than 2/3 of the others say what they see, prevent it.
"""

from __future__ import annotations

from consensus.keys import MemberId
from consensus.ledger.records.cases import report_of
from consensus.ledger.records.entities import Candidacy, Place
from consensus.ledger.records.ratings import Contest
from consensus.ledger.records.stalls import Absence
from consensus.ledger.records.transactions import Missing
from consensus.ledger.rules import findings
from consensus.ledger.rules.candidates import drop
from consensus.ledger.state.state import RefusedError, State
from consensus.ledger.state.table import Table


def apply_missing(state: State, place: Place, author: MemberId, transaction: Missing) -> None:
    """Count a member's word that it cannot fetch what a slot or a candidate names."""
    contest = state.contest(transaction.candidate)
    if contest is None:
        raise RefusedError("no open candidate")
    subject, suspect = _subject_of(contest, transaction.slot)
    if transaction.subject != subject:
        raise RefusedError("missing of another result")
    absence = Absence(contest.id, transaction.slot, subject, author, place)
    if absence.key in state.absences:
        raise RefusedError("member has said that it is missing")
    state.absences[absence.key] = absence
    state.emit(
        "missing",
        place,
        author,
        candidate=contest.id,
        configuration=contest.configuration,
        slot=transaction.slot,
        suspect=suspect,
        against=_weight(state, absence),
        weight=state.roster.total_weight,
    )
    settle(state, place, absence)


def settle(state: State, place: Place, absence: Absence) -> None:
    """Free the slot, or drop the candidate, if more than 2/3 of the weight cannot fetch it."""
    contest = state.contest(absence.candidate)
    if contest is None or 3 * _weight(state, absence) <= 2 * state.roster.total_weight:
        return
    state.absences = Table((key, entry) for key, entry in state.absences.items() if not absence.is_of_same(entry))
    if isinstance(contest, Candidacy) and absence.slot is None:
        drop(state, place, contest, "missing", "its files cannot be fetched from anybody")
        return
    report = None if absence.slot is None else report_of(contest, absence.slot)
    if report is None or report.digest != absence.subject:
        return  # struck meanwhile
    state.cases.discard(report.digest)  # nobody can answer it
    _, reopened = findings.strike(state, place, report)
    state.emit(
        "absent",
        place,
        report.result.author,
        candidate=contest.id,
        configuration=contest.configuration,
        slot=absence.slot,
        reopened=reopened,
    )


def settle_all(state: State, place: Place) -> None:
    """Count all words anew, by the present weights."""
    for key in sorted(state.absences):
        if (absence := state.absences.get(key)) is not None:
            settle(state, place, absence)


def _subject_of(contest: Contest, slot: int | None) -> tuple[bytes, MemberId]:
    """Return the digest of what is missing, and who should have it."""
    if slot is None and isinstance(contest, Candidacy):
        return contest.model.digest, contest.author
    report = None if slot is None else report_of(contest, slot)
    if report is None:
        raise RefusedError("missing of another result")
    return report.digest, report.result.author


def _weight(state: State, absence: Absence) -> int:
    return state.roster.weight(entry.author for entry in state.absences.values() if absence.is_of_same(entry))
