"""Search for failures: run swarms of real nodes in virtual time, with faults and liars, seed after seed.

With --ledger: run agents on one ledger instead, and measure what the steering leads to.
"""

import argparse
import json
import logging
import os
import resource
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from engine.files import read_text
from node.simulation.invariants import Violation
from node.simulation.mutants import MUTANTS
from node.simulation.run import RunReport, simulate
from node.simulation.schedule import (
    ATTACK_KINDS,
    FREQUENCIES,
    LONGEST_S,
    SHORTEST_S,
    Schedule,
    decode_schedule,
    draw_schedule,
)
from node.simulation.shrink import shrink
from scripts.ledger_simulation import add_ledger_arguments, run_ledgers

_MAX_SCHEDULE_BYTES = 1 << 24
_NODES = range(4, 11)

Job = tuple[Schedule, str | None]  # and the name of a mutant


class Failure(NamedTuple):
    """A violation as it travels between processes."""

    kind: str
    text: str
    at: float  # virtual seconds
    trace: str  # of an error in a node; empty if there was none

    def violation(self) -> Violation:
        """Return the violation, without its cause."""
        violation = Violation(self.kind, self.text)
        violation.at = self.at
        return violation


def main(argv: Sequence[str]) -> int:
    """Run all seeds; return 0 if there was no violation, 1 at the first one."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.ledger:
        return run_ledgers(arguments)
    try:
        schedules = _schedules(arguments)
    except (OSError, ValueError) as error:
        parser.error(f"{arguments.schedule}: {error}")
    started, reports = time.monotonic(), []
    jobs = [(schedule, arguments.broken) for schedule in schedules]
    with get_context("spawn").Pool(min(arguments.jobs, len(jobs)), _silence_log) as pool:
        for schedule, result in pool.imap_unordered(_run, jobs):
            if isinstance(result, RunReport):
                reports.append(result)
                _print_report(result, as_json=arguments.json)
                continue
            pool.terminate()
            _shrink_and_save(schedule, result, arguments)
            return 1
    _print_summary(reports, schedules, time.monotonic() - started, as_json=arguments.json)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/simulate", description=__doc__)
    add = parser.add_argument
    add("--nodes", type=_span, help="N, or A..B, one after the other by seed (4..10)")
    add("--seeds", type=_span, default="1..100", help="one seed, or A..B (%(default)s)")
    add("--seconds", type=float, help=f"virtual seconds with faults ({SHORTEST_S:g} to {LONGEST_S:g}, by the seed)")
    add(
        "--faults",
        type=_faults,
        default=FREQUENCIES,
        metavar="KIND[=FREQUENCY],...",
        help=f"some of {', '.join(FREQUENCIES)}, or none; by default all, each with its own frequency",
    )
    add(
        "--malice",
        type=_attacks,
        default=ATTACK_KINDS,
        metavar="KIND,...",
        help=f"how members below 1/3 may lie: some of {', '.join(ATTACK_KINDS)}, or none; by default all",
    )
    add("--schedule", type=Path, help="run this file, saved at a violation, instead of seeds")
    add(
        "--shrink",
        type=int,
        default=150,
        metavar="RUNS",
        help="at most so many runs to shrink a schedule that failed (%(default)s)",
    )
    add("--keep", type=Path, default=Path("."), metavar="FOLDER", help="where to save the schedule of a violation")
    add("--broken", choices=MUTANTS, help="remove a safeguard from all nodes: this must fail")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="processes (%(default)s)")
    add("--json", action="store_true", help="one JSON object a line")
    add_ledger_arguments(parser)
    return parser


def _span(text: str) -> range:
    first, _, last = text.partition("..")
    try:
        span = range(int(first), int(last or first) + 1)
    except ValueError:
        span = range(0)
    if not span or span[0] < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number from 1 nor a span such as 4..7")
    return span


def _faults(text: str) -> Mapping[str, float]:
    chosen = {}
    for part in () if text == "none" else text.split(","):
        kind, _, frequency = part.partition("=")
        _require_known(kind, FREQUENCIES, "fault")
        try:
            chosen[kind] = float(frequency) if frequency else FREQUENCIES[kind]
        except ValueError:
            chosen[kind] = -1.0
        if not 0 < chosen[kind] < 1000:
            raise argparse.ArgumentTypeError(f"{part!r}: a frequency must be a number above 0, such as crash=2.5")
    return chosen


def _attacks(text: str) -> tuple[str, ...]:
    kinds = () if text == "none" else tuple(text.split(","))
    for kind in kinds:
        _require_known(kind, ATTACK_KINDS, "malice")
    return kinds


def _require_known(kind: str, known: Iterable[str], what: str) -> None:
    if kind not in known:
        raise argparse.ArgumentTypeError(f"unknown {what} {kind!r}; known are {', '.join(known)}")


def _schedules(arguments: argparse.Namespace) -> list[Schedule]:
    if arguments.schedule is not None:
        return [decode_schedule(read_text(arguments.schedule, _MAX_SCHEDULE_BYTES))]
    counts = list(arguments.nodes or _NODES)
    faults, attacks = arguments.faults, arguments.malice
    return [
        draw_schedule(seed, counts[seed % len(counts)], arguments.seconds, faults=faults, attacks=attacks)
        for seed in arguments.seeds
    ]


def _silence_log() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def _run(job: Job) -> tuple[Schedule, RunReport | Failure]:
    schedule, broken = job
    try:
        with MUTANTS[broken]() if broken else nullcontext():
            return schedule, simulate(schedule)
    except Violation as violation:
        cause = violation.__cause__
        trace = "" if cause is None else "".join(traceback.format_exception(cause))
        return schedule, Failure(violation.kind, str(violation), violation.at, trace)


def _shrink_and_save(schedule: Schedule, failure: Failure, arguments: argparse.Namespace) -> None:
    """Shrink a schedule that failed; print and save what is left of it, and how to run it again."""
    _silence_log()
    print(f"seed {schedule.seed}: VIOLATION: {failure.text}\n{failure.trace}", end="", flush=True)
    before = f"{len(schedule.faults)} faults and {len(schedule.liars)} liars in {schedule.seconds:g} s"

    def attempt(smaller: Schedule) -> Violation | None:
        _, result = _run((smaller, arguments.broken))
        return None if isinstance(result, RunReport) else result.violation()

    schedule, violation = shrink(schedule, failure.violation(), attempt, arguments.shrink)
    print(f"shrunk from {before}: {violation} at {violation.at:.1f} s of {schedule.seconds:g}")
    for line in (*schedule.liars, *schedule.faults):
        print(f"  {line}")
    path = arguments.keep / f"violation-{schedule.seed}.json"
    path.write_text(schedule.encode())
    broken = f" --broken {arguments.broken}" if arguments.broken else ""
    print(f"again: scripts/simulate --schedule {path}{broken}")


def _print_report(report: RunReport, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(report)), flush=True)
        return
    print(
        f"seed {report.seed}: {report.nodes} nodes, {report.liars} liars, {report.faults} faults, "
        f"{report.crashes} crashes, {report.rounds} rounds, {report.events} events ordered, "
        f"{report.certified} certificates, in order again after {report.recovery:.1f} s, {report.idle:.1f} s at rest, "
        f"trace {report.trace[:12]}",
        flush=True,
    )


SUMMED = (
    "faults",
    "liars",
    "crashes",
    "stops",
    "rounds",
    "events",
    "attached",
    "epochs",
    "forks",
    "refused",
    "promotions",
    "certified",
    "verified",
    "settings",
    "jumps",
    "bent",
    "cured",
    "asked",
)
"""The figures of runs that a summary adds up."""


def _print_summary(
    reports: Sequence[RunReport], schedules: Sequence[Schedule], wall_s: float, *, as_json: bool
) -> None:
    summary: dict[str, object] = {
        "seeds": len(reports),
        "nodes": f"{min(report.nodes for report in reports)}..{max(report.nodes for report in reports)}",
        "violations": 0,
        "virtual_s": round(sum(report.seconds for report in reports)),
        **{name: sum(getattr(report, name) for report in reports) for name in SUMMED},
        "with_promotions": sum(report.promotions > 0 for report in reports),
        "with_certificates": sum(report.certified > 0 for report in reports),
        "slowest_recovery_s": max(report.recovery for report in reports),
        "slowest_recovery_rounds": max(report.recovery_rounds for report in reports),
        "slowest_healing_s": max(report.healing for report in reports),
        "slowest_idle_s": max(report.idle for report in reports),
        "wall_s": round(wall_s, 1),
        "cpu_s": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime),
    }
    tables = {
        "fault_kinds": Counter(fault.kind for schedule in schedules for fault in schedule.faults),
        "lies": Counter(kind for schedule in schedules for liar in schedule.liars for kind in liar.kinds),
        "changes": _sum(report.changes for report in reports),
        "tenths": _sum(report.offsets for report in reports),
        "effects": _sum(report.effects for report in reports),
    }
    if as_json:
        print(json.dumps(summary | tables))
        return
    print(", ".join(f"{name} {value}" for name, value in summary.items()))
    for name, counts in tables.items():
        print(f"{name}: " + ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items())))


def _sum(counts: Iterable[Mapping[Any, int]]) -> Counter[Any]:
    total: Counter[Any] = Counter()
    for count in counts:
        total.update(count)
    return total


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
