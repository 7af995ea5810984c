"""Search for failures: run swarms of real nodes in virtual time, with faults and liars, seed after seed."""

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
from typing import Any

import structlog

from node.simulation.invariants import Violation
from node.simulation.mutants import MUTANTS
from node.simulation.run import RunReport, simulate
from node.simulation.schedule import (
    ATTACK_KINDS,
    FREQUENCIES,
    Schedule,
    ScheduleError,
    decode_schedule,
    draw_schedule,
)
from node.simulation.shrink import shrink

Job = tuple[Schedule, str | None]


def main(argv: Sequence[str]) -> int:
    """Run all seeds; return 0 if no invariant was violated, 1 at the first violation."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        schedules = _schedules(arguments)
    except (OSError, ScheduleError) as error:
        parser.error(f"{arguments.schedule}: {error}")
    started, reports = time.monotonic(), []
    jobs = [(schedule, arguments.broken) for schedule in schedules]
    with get_context("spawn").Pool(min(arguments.jobs, len(jobs)), _quiet) as pool:
        for schedule, result in pool.imap_unordered(_run, jobs):
            if isinstance(result, RunReport):
                reports.append(result)
                _show(result, arguments.json)
                continue
            pool.terminate()
            _reduce(schedule, result, arguments)
            return 1
    _show_sums(reports, schedules, time.monotonic() - started, arguments.json)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/simulate", description=__doc__)
    add = parser.add_argument
    add("--nodes", type=_span, default="4..10", help="N, or A..B by seed (%(default)s)")
    add("--seeds", type=_span, default="1..100", help="one seed, or A..B (%(default)s)")
    add("--seconds", type=float, default=20, help="virtual seconds with faults (%(default)s)")
    add(
        "--faults",
        type=_faults,
        default=FREQUENCIES,
        metavar="KIND[=HOW OFTEN],...",
        help=f"some of {', '.join(FREQUENCIES)}, or none; by default all, each with its own frequency",
    )
    add(
        "--malice",
        type=_lies,
        default=ATTACK_KINDS,
        metavar="KIND,...",
        help=f"how members below 1/3 of the weight may lie: some of {', '.join(ATTACK_KINDS)}, or none; all by default",
    )
    add("--schedule", type=Path, help="run this file, written after a violation, instead of seeds")
    add("--shrink", type=int, default=150, metavar="RUNS", help="at most, to shrink a violation (%(default)s)")
    add("--keep", type=Path, default=Path("."), metavar="FOLDER", help="where to write the schedule of a violation")
    add("--broken", choices=MUTANTS, help="remove a safeguard from all nodes: this must fail")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="processes (%(default)s)")
    add("--json", action="store_true", help="one JSON object a line")
    return parser


def _span(text: str) -> range:
    first, _, last = text.partition("..")
    try:
        span = range(int(first), int(last or first) + 1)
    except ValueError:
        span = range(0)
    if not span or span[0] < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number of 1 or more nor a span such as 4..7")
    return span


def _faults(text: str) -> Mapping[str, float]:
    chosen = {}
    for part in () if text == "none" else text.split(","):
        kind, _, often = part.partition("=")
        _require_known(kind, FREQUENCIES, "fault")
        try:
            chosen[kind] = float(often) if often else FREQUENCIES[kind]
        except ValueError:
            chosen[kind] = -1.0
        if not 0 < chosen[kind] < 1000:
            raise argparse.ArgumentTypeError(f"{part!r}: how often must be a number above 0, such as crash=2.5")
    return chosen


def _lies(text: str) -> tuple[str, ...]:
    kinds = () if text == "none" else tuple(text.split(","))
    for kind in kinds:
        _require_known(kind, ATTACK_KINDS, "malice")
    return kinds


def _require_known(kind: str, known: Iterable[str], what: str) -> None:
    if kind not in known:
        raise argparse.ArgumentTypeError(f"unknown {what} {kind!r}; known are {', '.join(known)}")


def _schedules(arguments: argparse.Namespace) -> list[Schedule]:
    if arguments.schedule is not None:
        return [decode_schedule(arguments.schedule.read_text())]
    counts = list(arguments.nodes)
    return [
        draw_schedule(
            seed, counts[seed % len(counts)], arguments.seconds, faults=arguments.faults, attacks=arguments.malice
        )
        for seed in arguments.seeds
    ]


def _quiet() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def _run(job: Job) -> tuple[Schedule, RunReport | tuple[str, str, float, str]]:
    """Return the report, or the violation's kind, text and time and the trace of an error in a node."""
    schedule, broken = job
    try:
        with MUTANTS[broken]() if broken else nullcontext():
            return schedule, simulate(schedule)
    except Violation as violation:
        cause = violation.__cause__
        trace = "" if cause is None else "".join(traceback.format_exception(cause))
        return schedule, (violation.kind, str(violation), violation.at, trace)


def _reduce(schedule: Schedule, found: tuple[str, str, float, str], arguments: argparse.Namespace) -> None:
    """Shrink a violation, write its schedule, and print what is left of it and how to run it again."""
    _quiet()
    kind, text, at, trace = found
    print(f"seed {schedule.seed}: VIOLATION: {text}\n{trace}", end="", flush=True)
    before = f"{len(schedule.faults)} faults and {len(schedule.liars)} liars in {schedule.seconds:g} s"
    violation = Violation(kind, text)
    violation.at = at

    def attempt(smaller: Schedule) -> Violation | None:
        _, result = _run((smaller, arguments.broken))
        if isinstance(result, RunReport):
            return None
        other = Violation(result[0], result[1])
        other.at = result[2]
        return other

    schedule, violation = shrink(schedule, violation, attempt, arguments.shrink)
    print(f"shrunk from {before}: {violation} at {violation.at:.1f} s of {schedule.seconds:g}")
    for line in (*schedule.liars, *schedule.faults):
        print(f"  {line}")
    path = arguments.keep / f"violation-{schedule.seed}.json"
    path.write_text(schedule.encode())
    broken = f" --broken {arguments.broken}" if arguments.broken else ""
    print(f"again: scripts/simulate --schedule {path}{broken}")


def _show(report: RunReport, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(report)), flush=True)
        return
    print(
        f"seed {report.seed}: {report.nodes} nodes, {report.liars} liars, {report.faults} faults, "
        f"{report.crashes} crashes, {report.rounds} rounds, {report.events} events ordered, "
        f"{report.certified} certificates, in order again after {report.recovery:.1f} s, "
        f"trace {report.trace[:12]}",
        flush=True,
    )


def _show_sums(reports: Sequence[RunReport], schedules: Sequence[Schedule], wall: float, as_json: bool) -> None:
    added = (
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
        "jumps",
        "bent",
        "cured",
        "asked",
    )
    summary: dict[str, object] = {
        "seeds": len(reports),
        "nodes": f"{min(report.nodes for report in reports)}..{max(report.nodes for report in reports)}",
        "violations": 0,
        "virtual_s": round(sum(report.seconds for report in reports)),
        **{name: sum(getattr(report, name) for report in reports) for name in added},
        "with_promotions": sum(report.promotions > 0 for report in reports),
        "with_certificates": sum(report.certified > 0 for report in reports),
        "slowest_recovery_s": max(report.recovery for report in reports),
        "slowest_recovery_rounds": max(report.recovery_rounds for report in reports),
        "wall_s": round(wall, 1),
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
