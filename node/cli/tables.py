"""The other answers of a node as tables for people: members, work, models, certificates."""

from collections.abc import Callable
from typing import Any

from rich.console import Console

from node.api.answers import (
    CandidateInfo,
    CaseInfo,
    CertificateInfo,
    ClaimInfo,
    FaultInfo,
    MemberInfo,
    ModelInfo,
    ProofInfo,
    ProposalInfo,
    WorkInfo,
)
from node.cli.rows import Row, model_text, print_table, state_text
from node.cli.status import show_status
from node.text.formatting import age, ago, count, losses, moment, offer, plural, short

_MEMBER_COLUMNS = (
    "name", "?id", "?address", "state", "#weight", "?standing", "works on",
    "?#events", "#games", "#contact", "?#lacks", "?offers",
)  # fmt: skip
_CANDIDATE_COLUMNS = (
    "candidate", "?by", "configuration", "state", "#blocks", "#score", "?#equal play", "?#votes", "?losses", "reason",
)  # fmt: skip
_PIPED_WIDTH = 240  # who reads a file or a pipe can take it all


def show(command: str, answer: Any) -> None:
    """Print the answer of one reading command to standard output."""
    shows: dict[str, Callable[[Console, Any], None]] = {
        "status": show_status,
        "members": _show_members,
        "work": _show_work,
        "models": _show_models,
        "certificates": _show_certificates,
        "faults": _show_faults,
        "proposals": _show_proposals,
    }
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_PIPED_WIDTH)
    shows[command](console, answer)


def _show_members(console: Console, members: list[MemberInfo]) -> None:
    shown = len(_MEMBER_COLUMNS) if any(offer(member) for member in members) else len(_MEMBER_COLUMNS) - 1
    rows = [_member_row(member)[:shown] for member in members]
    print_table(console, "Members", _MEMBER_COLUMNS[:shown], rows, "none")


def _member_row(member: MemberInfo) -> Row:
    is_self = member["state"] == "self"
    return (
        member["name"],
        short(member["id"]),
        member["address"],
        state_text("this node" if is_self else member["state"]),
        count(member["weight"]),
        state_text(member["standing"]),
        member["work"] or "–",
        count(member["events"]),
        count(member["games"]),
        "–" if is_self else ago(member["last_contact_s"]),
        count(member["lag_events"]),
        offer(member) or "–",
    )


def _show_work(console: Console, work: WorkInfo) -> None:
    columns = ("member", "kind", "subject", "#done", "#for", "#lease ends in")
    claims = [_claim_row(claim) for claim in work["claims"]]
    print_table(console, "Claims", columns, claims, "nobody has claimed any work")
    candidates = [_candidate_row(entry) for entry in work["candidates"]]
    print_table(console, "Candidates", _CANDIDATE_COLUMNS, candidates, "none yet")
    if work["cases"]:
        doubts = ("result", "?candidate", "#slot", "member", "?found wrong by", "replays", "#ends in", "reason")
        print_table(console, "Results in doubt", doubts, [_case_row(entry) for entry in work["cases"]], "none")
    if work["faults"]:
        proven = ("result", "?candidate", "#slot", "member", "?#round", "?proven (UTC)", "reason")
        print_table(console, "Wrong results", proven, [_fault_row(entry) for entry in work["faults"]], "none")


def _case_row(entry: CaseInfo) -> Row:
    return (
        short(entry["result"]),
        short(entry["candidate"]),
        count(entry["slot"]),
        entry["name"],
        entry["by_name"],
        f"{count(entry['wrong'])} wrong, {count(entry['right'])} right, needs {count(entry['needs'])}",
        age(entry["ends_s"]),
        entry["reason"] or "–",
    )


def _fault_row(entry: FaultInfo) -> Row:
    return (
        short(entry["result"]),
        short(entry["candidate"]),
        count(entry["slot"]),
        entry["name"],
        count(entry["round"]),
        moment(entry["time"]),
        entry["reason"] or "–",
    )


def _claim_row(claim: ClaimInfo) -> Row:
    return (
        claim["name"],
        claim["kind"],
        claim["subject"],
        f"{count(claim['done'])} of {count(claim['wished'])}",
        age(claim["age_s"]),
        age(claim["lease_s"]),
    )


def _candidate_row(entry: CandidateInfo) -> Row:
    return (
        short(entry["candidate"]),
        entry["name"],
        entry["configuration"],
        state_text(entry["state"]),
        f"{count(entry['counted'])} of {count(entry['limit'])}",
        count(entry["score"]),
        count(entry["null_score"]),
        "–" if entry["approve"] is None else f"{count(entry['approve'])} : {count(entry['reject'])}",
        losses(entry["losses"]),
        entry["reason"] or "–",
    )


def _show_models(console: Console, models: list[ModelInfo]) -> None:
    columns = ("configuration", "model", "state", "since (UTC)", "?certificate", "?by", "?parent", "?#since round")
    print_table(console, "Models", columns, [_model_row(model) for model in models], "none")


def _model_row(model: ModelInfo) -> Row:
    return (
        model["configuration"],
        model_text(model["model"], is_uniform=model["candidate"] is None),
        state_text("canonical" if model["canonical"] else "earlier"),
        moment(model["time"]) if model["time"] else "the start",
        short(model["certificate"]),
        model["name"] or "–",
        short(model["parent"]),
        count(model["since_round"]),
    )


def _show_proposals(console: Console, proposals: list[ProposalInfo]) -> None:
    columns = ("proposal", "change", "?by", "state", "votes", "?#ends in", "reason")
    print_table(console, "Proposals", columns, [_proposal_row(entry) for entry in proposals], "none")


def _proposal_row(entry: ProposalInfo) -> Row:
    return (
        short(entry["proposal"]),
        entry["text"],
        entry["by_name"] or "the genesis",
        state_text(entry["state"]),
        f"{count(entry['approve'])} : {count(entry['reject'])}, needs {count(entry['needs'])}",
        "–" if entry["ends_s"] is None else age(entry["ends_s"]),
        f"{entry['reason']}: {entry['outcome']}" if entry["outcome"] else entry["reason"],
    )


def _show_certificates(console: Console, certificates: list[CertificateInfo]) -> None:
    columns = ("certificate", "configuration", "model", "?replaces", "?#round", "promoted (UTC)", "?sealed by", "state")
    rows = [_certificate_row(entry) for entry in certificates]
    print_table(console, "Certificates", columns, rows, "none yet; the first promotion leaves the first one")


def _certificate_row(entry: CertificateInfo) -> Row:
    return (
        short(entry["id"]),
        entry["configuration"],
        short(entry["model"]),
        short(entry["parent"]),
        count(entry["round"]),
        moment(entry["time"]),
        f"{plural(entry['seals'], 'member')}, {count(entry['sealed'])} of {count(entry['weight'])}",
        state_text("complete" if entry["complete"] else "being sealed"),
    )


def _show_faults(console: Console, faults: list[ProofInfo]) -> None:
    columns = ("result", "reported by", "?configuration", "slot", "proven (UTC)", "?found by", "reason", "proof")
    print_table(console, "Wrong results", columns, [_proof_row(entry) for entry in faults], "none")


def _proof_row(entry: ProofInfo) -> Row:
    return (
        short(entry["result"]),
        entry["name"],
        entry["configuration"],
        f"{count(entry['slot'])} of candidate {short(entry['candidate'])}",
        moment(entry["time"]),
        f"weight {count(entry['found'])} of {count(entry['weight'])}",
        entry["reason"],
        state_text("kept here" if entry["kept"] else "not here"),
    )
