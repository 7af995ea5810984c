"""What the order holds against members, in the shapes of `node.api`; pure functions."""

from collections.abc import Callable

from consensus.keys import id_text
from consensus.ledger import Ledger
from consensus.ledger.records.cases import Case, Fault
from node.api.faults import ProofInfo
from node.api.status import ConductInfo
from node.api.work import CaseInfo, FaultInfo
from node.report.membership import NS_PER_S, NameOf
from node.text.formatting import needed

_FAULTS_SHOWN = 20


def conduct(ledger: Ledger, name_of: NameOf) -> list[ConductInfo]:
    """Return an entry for each member, in roster order, then for former members that were proven to do wrong."""
    unheard, withheld, wrong = ledger.since_last_event_ns(), ledger.withheld_counts(), ledger.fault_counts()
    convicted = {entry.member: entry.epoch for entry in ledger.convictions()}
    gone = sorted({*convicted, *wrong} - set(ledger.roster.ids))
    return [
        {
            "id": id_text(member),
            "name": name_of(member),
            "unheard_s": unheard[member] / NS_PER_S if member in unheard else None,
            "withheld": withheld.get(member, 0),
            "wrong_results": wrong.get(member, 0),
            "equivocated": convicted.get(member),
            "silenced": ledger.is_silenced(member),
        }
        for member in (*ledger.roster.ids, *gone)
    ]


def cases(ledger: Ledger, name_of: NameOf) -> list[CaseInfo]:
    """Return the results that members are asked to replay, oldest first."""
    return [_case(ledger, name_of, case) for case in ledger.cases()]


def faults(ledger: Ledger, name_of: NameOf) -> list[FaultInfo]:
    """Return the last results that were proven wrong, newest first."""
    return [_fault(name_of, fault) for fault in reversed(ledger.faults()[-_FAULTS_SHOWN:])]


def proofs(ledger: Ledger, name_of: NameOf, is_kept: Callable[[bytes], bool]) -> list[ProofInfo]:
    """Return the results that were proven wrong, oldest first; `is_kept` tells whether a result's proof is here."""
    return [
        {
            "result": fault.id.hex(),
            "member": id_text(fault.accused),
            "name": name_of(fault.accused),
            "configuration": fault.report.configuration,
            "candidate": fault.report.candidate.hex(),
            "slot": fault.report.slot,
            "reason": fault.reason,
            "found": fault.weight,
            "weight": fault.total_weight,
            "round": fault.place.round,
            "time": fault.place.time,
            "count": ledger.fault_counts()[fault.accused],
            "kept": is_kept(fault.id),
        }
        for fault in ledger.faults()
    ]


def _case(ledger: Ledger, name_of: NameOf, case: Case) -> CaseInfo:
    roster = ledger.roster
    return {
        "result": case.id.hex(),
        "candidate": case.report.candidate.hex(),
        "configuration": case.report.configuration,
        "slot": case.report.slot,
        "member": id_text(case.accused),
        "name": name_of(case.accused),
        "by": id_text(case.author),
        "by_name": name_of(case.author),
        "reason": case.replays[0].reason if case.replays else "",
        "wrong": roster.weight(replay.author for replay in case.replays if replay.wrong),
        "right": roster.weight(replay.author for replay in case.replays if not replay.wrong),
        "needs": needed(roster.total_weight),
        "ends_s": (case.deadline - ledger.clock) / NS_PER_S,
    }


def _fault(name_of: NameOf, fault: Fault) -> FaultInfo:
    return {
        "result": fault.id.hex(),
        "candidate": fault.report.candidate.hex(),
        "configuration": fault.report.configuration,
        "slot": fault.report.slot,
        "member": id_text(fault.accused),
        "name": name_of(fault.accused),
        "reason": fault.reason,
        "round": fault.place.round,
        "time": fault.place.time,
    }
