"""Findings: members replay a reported slot and say whether it is wrong; more than 2/3 of the weight prove a fault.

Whether a result is wrong follows from the signed event that reported it, the games that it names and the seeds. So
honest members that replay it find the same, and fewer than a third can neither prove a right result wrong nor prevent
the proof of a wrong one. The ledger cannot replay games itself; it counts the findings.

The first `wrong` opens a case. If more than 2/3 of the weight find the result wrong, it is proven. If a third or more
find it right, or the time is over, the case is closed without proof, and the member that opened it cannot open another
one about this candidate. So false alarms cost each member at most one replay per liar and candidate. Votes go on
meanwhile; an alarm delays nothing.
"""

from __future__ import annotations

from consensus.keys import MemberId
from consensus.ledger.records.cases import Case, Fault, Replay, SlotReport, report_of, verdict, weigh
from consensus.ledger.records.changes import Change
from consensus.ledger.records.entities import Place, Slot
from consensus.ledger.records.entity import replace
from consensus.ledger.records.ratings import Contest, Series
from consensus.ledger.records.transactions import Finding
from consensus.ledger.rules import claims, membership, outcomes
from consensus.ledger.rules.scores import counted_slots
from consensus.ledger.state.state import RefusedError, State

MAX_OPEN_CASES = 4  # opened by one member; cases can outlive their candidates


def apply_finding(state: State, place: Place, author: MemberId, transaction: Finding) -> None:
    """Count the first finding of a member about a result; a `wrong` opens a case if there is none."""
    case = state.cases.get(transaction.result)
    opens = case is None
    if case is None:
        case = _open(state, place, author, transaction)
    if (case.report.candidate, case.report.slot) != (transaction.candidate, transaction.slot):
        raise RefusedError("finding on another result")
    if any(entry.author == author for entry in case.replays):
        raise RefusedError("member has said what it found")
    case = replace(case, replays=(*case.replays, Replay(author, transaction.wrong, transaction.reason, place)))
    state.cases[case.id] = case
    wrong, right = tally(state, case)
    state.emit(
        "finding",
        place,
        author,
        candidate=transaction.candidate,
        configuration=case.report.configuration,
        slot=transaction.slot,
        result=case.id,
        suspect=case.accused,
        wrong=transaction.wrong,
        reason=transaction.reason,
        opens=opens,
        against=wrong,
        cleared=right,
        weight=state.roster.total_weight,
    )
    settle(state, place, case)


def check_can_open(state: State, author: MemberId, contest: Contest) -> str:
    """Return why the member cannot open a case about this match or series now; empty if it can."""
    if author in contest.barred:
        return "member raised a false alarm"
    mine = [case for case in state.cases.values() if case.author == author]
    if any(case.report.candidate == contest.id for case in mine):
        return "member has an open case"
    return "too many open cases" if len(mine) >= MAX_OPEN_CASES else ""


def _open(state: State, place: Place, author: MemberId, transaction: Finding) -> Case:
    if not transaction.wrong:
        raise RefusedError("no open case")
    contest = state.contest(transaction.candidate)
    if contest is None:
        raise RefusedError("no open candidate")
    report = report_of(contest, transaction.slot)
    if report is None or report.digest != transaction.result:
        raise RefusedError("finding on another result")
    if obstacle := check_can_open(state, author, contest):
        raise RefusedError(obstacle)
    deadline = state.clock + state.settings.timing.vote_s * 10**9
    return Case(report, author, place, deadline, ())


def tally(state: State, case: Case) -> tuple[int, int]:
    """Return the weight of the members that found the result wrong, and of those that found it right."""
    return weigh(state.roster, case.replays)


def settle(state: State, place: Place, case: Case) -> None:
    """Close the case if it is decided."""
    found = verdict(state.roster, case.replays)
    if found == "wrong":
        _prove(state, place, case, tally(state, case)[0])
    elif found == "right":
        _close(state, place, case, "a third of the weight or more finds it right")


def expire(state: State, place: Place) -> None:
    """Close the cases whose time is over."""
    for _, case in sorted(state.cases.items()):
        if case.deadline <= state.clock:
            _close(state, place, case, "not enough findings in time")


def _close(state: State, place: Place, case: Case, reason: str) -> None:
    del state.cases[case.id]
    report = case.report
    contest = state.contest(report.candidate)
    if contest is not None:
        state.put_contest(replace(contest, barred=(*contest.barred, case.author)))
    state.emit(
        "unproven",
        place,
        case.author,
        candidate=report.candidate,
        configuration=report.configuration,
        slot=report.slot,
        result=case.id,
        suspect=case.accused,
        reason=reason,
    )


def _prove(state: State, place: Place, case: Case, against: int) -> None:
    del state.cases[case.id]
    replays = tuple(entry for entry in case.replays if entry.wrong)
    total = state.roster.total_weight
    fault = Fault(
        report=case.report,
        reason=replays[0].reason,
        replays=replays,
        roster_version=state.epoch.version,
        weight=against,
        total_weight=total,
        place=place,
    )
    state.faults.append(fault)
    state.fault_chain.add(fault.fingerprint)
    count = state.fault_counts[fault.accused] = state.fault_counts.get(fault.accused, 0) + 1
    struck, reopened = strike(state, place, fault.report)
    report = fault.report
    state.emit(
        "fault",
        place,
        case.author,
        candidate=report.candidate,
        configuration=report.configuration,
        slot=report.slot,
        result=fault.id,
        accused=fault.accused,
        reason=fault.reason,
        against=against,
        weight=total,
        count=count,
        struck=struck,
        reopened=reopened,
    )
    limit = state.settings.membership.faults
    if limit and count >= limit:
        membership.suggest(state, place, Change("leave", fault.accused), f"results proven wrong: {count}")


def strike(state: State, place: Place, report: SlotReport) -> tuple[bool, bool]:
    """Free the slot, if its match or series is still open, and exclude its author from that and the vote.

    Return whether there was anything to strike, and whether the candidate is no longer ripe because of it.
    """
    accused = report.result.author
    outcomes.forget(state, report)
    for key in sorted(state.claims):
        claim = state.claims[key]
        if claim.author == accused and claim.candidate == report.candidate:
            claims.revoke(state, place, claim)
    contest = state.contest(report.candidate)
    if contest is None:
        return False, False
    slots = tuple(_without(slot, number, report) for number, slot in enumerate(contest.slots))
    faulty = tuple(sorted({*contest.faulty, accused}))
    if isinstance(contest, Series):
        state.series[contest.id] = replace(contest, slots=slots, faulty=faulty)
        return True, False
    candidacy, ripe = contest, contest.ripe
    counted = ripe is not None and report.slot < counted_slots(ripe.blocks, candidacy.settings.slot_blocks)
    ballots = () if counted else tuple(entry for entry in candidacy.ballots if entry.author != accused)
    state.candidates[candidacy.id] = replace(
        candidacy,
        slots=slots,
        last_result_clock=state.clock,
        ripe=None if counted else ripe,
        ballots=ballots,
        faulty=faulty,
    )
    return True, counted


def _without(slot: Slot, number: int, report: SlotReport) -> Slot:
    """Return the slot without the wrong result, or without an open claim of its author."""
    if slot.result is None:
        is_theirs = slot.claim is not None and slot.claim[0] == report.result.author
        return replace(slot, claim=None) if is_theirs else slot
    return Slot(was_struck=True) if number == report.slot else slot
