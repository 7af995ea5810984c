"""What the order holds against members, as the plain JSON of `node.api`; pure functions."""

from collections.abc import Callable

from consensus.keys import MemberId, id_text
from consensus.ledger import Ledger
from consensus.ledger.records.cases import Case, Fault
from node.api.answers import CaseInfo, FaultInfo, ProofInfo
from node.api.status import ConductInfo
from node.report.membership import needed

Names = Callable[[MemberId], str]
SECOND = 10**9
FAULTS_SHOWN = 20


def conduct(ledger: Ledger, names: Names) -> list[ConductInfo]:
    """All members, in roster order, and after them those that are none any more but were proven to do wrong."""
    unheard, withheld, wrong = ledger.unheard(), ledger.withheld(), ledger.faulted()
    convicted = {entry.member: entry.epoch for entry in ledger.convictions()}
    gone = sorted({*convicted, *wrong} - set(ledger.roster.ids))
    return [
        {
            "id": id_text(member),
            "name": names(member),
            "unheard_s": unheard[member] / SECOND if member in unheard else None,
            "withheld": withheld.get(member, 0),
            "wrong_results": wrong.get(member, 0),
            "equivocated": convicted.get(member),
            "silenced": ledger.silenced(member),
        }
        for member in (*ledger.roster.ids, *gone)
    ]


def cases(ledger: Ledger, names: Names) -> list[CaseInfo]:
    """Results that members are asked to replay, oldest first."""
    return [_case(ledger, names, case) for case in ledger.cases()]


def faults(ledger: Ledger, names: Names) -> list[FaultInfo]:
    """The last results that were proven to be wrong, newest first."""
    return [_fault(names, fault) for fault in reversed(ledger.faults()[-FAULTS_SHOWN:])]


def proofs(ledger: Ledger, names: Names, kept: Callable[[bytes], bool]) -> list[ProofInfo]:
    """The results that were proven to be wrong, oldest first; `kept` says of which there is a proof here."""
    return [
        {
            "result": fault.id.hex(),
            "member": id_text(fault.accused),
            "name": names(fault.accused),
            "configuration": fault.report.configuration,
            "candidate": fault.report.candidate.hex(),
            "slot": fault.report.slot,
            "reason": fault.reason,
            "found": fault.weight,
            "weight": fault.total_weight,
            "round": fault.place.round,
            "time": fault.place.time,
            "count": ledger.faulted()[fault.accused],
            "kept": kept(fault.id),
        }
        for fault in ledger.faults()
    ]


def _case(ledger: Ledger, names: Names, case: Case) -> CaseInfo:
    roster = ledger.roster
    return {
        "result": case.id.hex(),
        "candidate": case.report.candidate.hex(),
        "configuration": case.report.configuration,
        "slot": case.report.slot,
        "member": id_text(case.accused),
        "name": names(case.accused),
        "by": id_text(case.author),
        "by_name": names(case.author),
        "reason": case.replays[0].reason if case.replays else "",
        "wrong": roster.weight(replay.author for replay in case.replays if replay.wrong),
        "right": roster.weight(replay.author for replay in case.replays if not replay.wrong),
        "needs": needed(roster.total_weight),
        "ends_s": (case.deadline - ledger.clock) / SECOND,
    }


def _fault(names: Names, fault: Fault) -> FaultInfo:
    return {
        "result": fault.id.hex(),
        "candidate": fault.report.candidate.hex(),
        "configuration": fault.report.configuration,
        "slot": fault.report.slot,
        "member": id_text(fault.accused),
        "name": names(fault.accused),
        "reason": fault.reason,
        "round": fault.place.round,
        "time": fault.place.time,
    }
