"""`ringrift-node work`: claims, candidates, and results in doubt or proven wrong."""

import argparse

from rich.console import Console

from node.api.work import CandidateInfo, CaseInfo, ClaimInfo, FaultInfo, WorkInfo
from node.cli.reading import add_node_options, read_and_show
from node.cli.tables import Cells, print_table, state_text
from node.text.formatting import age, count, losses, moment, short, value_by_quarter

_CLAIM_COLUMNS = ("member", "kind", "subject", "#done", "#for", "#lease ends in")
_CANDIDATE_COLUMNS = (
    "candidate", "?by", "configuration", "state", "#blocks", "#score", "?#equal play", "?#votes", "?losses",
    "?value by quarter", "reason",
)  # fmt: skip
_CASE_COLUMNS = ("result", "?candidate", "#slot", "member", "?found wrong by", "replays", "#ends in", "reason")
_FAULT_COLUMNS = ("result", "?candidate", "#slot", "member", "?#round", "?proven (UTC)", "reason")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `work`."""
    add_node_options(parser)


def main(options: argparse.Namespace) -> int:
    """Show what the swarm works on; return 0."""
    return read_and_show(options, "/work", print_work)


def print_work(console: Console, work: WorkInfo) -> None:
    """Print claims, candidates and results in doubt or proven wrong."""
    claims = [_claim_row(entry) for entry in work["claims"]]
    print_table(console, "Claims", _CLAIM_COLUMNS, claims, "nobody has claimed any work")
    candidates = [_candidate_row(entry) for entry in work["candidates"]]
    print_table(console, "Candidates", _CANDIDATE_COLUMNS, candidates, "none yet")
    if work["cases"]:
        print_table(console, "Results in doubt", _CASE_COLUMNS, [_case_row(entry) for entry in work["cases"]], "none")
    if work["faults"]:
        print_table(console, "Wrong results", _FAULT_COLUMNS, [_fault_row(entry) for entry in work["faults"]], "none")


def _claim_row(entry: ClaimInfo) -> Cells:
    return (
        entry["name"],
        entry["kind"],
        entry["subject"],
        f"{count(entry['done'])} of {count(entry['wished'])}",
        age(entry["age_s"]),
        age(entry["lease_s"]),
    )


def _candidate_row(entry: CandidateInfo) -> Cells:
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
        value_by_quarter(entry["measures"]),
        entry["reason"] or "–",
    )


def _case_row(entry: CaseInfo) -> Cells:
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


def _fault_row(entry: FaultInfo) -> Cells:
    return (
        short(entry["result"]),
        short(entry["candidate"]),
        count(entry["slot"]),
        entry["name"],
        count(entry["round"]),
        moment(entry["time"]),
        entry["reason"] or "–",
    )
