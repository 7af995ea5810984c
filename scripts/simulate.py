"""Hunts for failures: swarms of real nodes in virtual time, with faults and a traitor, seed after seed."""

import argparse
import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from multiprocessing import get_context

import structlog

from node.simulation.agreement import Violation
from node.simulation.faults import KINDS, draw_faults
from node.simulation.run import Report, simulate

Job = tuple[int, int, float, tuple[str, ...], bool]


def main(argv: Sequence[str]) -> int:
    """Runs all seeds; 0 if none violated anything, 1 at the first that did."""
    arguments = _parser().parse_args(argv)
    counts = list(arguments.nodes)
    jobs = [
        (seed, counts[seed % len(counts)], arguments.seconds, tuple(arguments.faults), not arguments.loyal)
        for seed in arguments.seeds
    ]
    started, reports = time.monotonic(), []
    with get_context("spawn").Pool(min(arguments.jobs, len(jobs)), _quiet) as pool:
        for job, result in pool.imap_unordered(_run, jobs):
            if isinstance(result, str):
                _tell_violation(job, result)
                return 1
            reports.append(result)
            _tell(result, arguments.json)
    _tell_all(reports, time.monotonic() - started, arguments.json)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/simulate", description=__doc__)
    parser.add_argument("--nodes", type=_span, default="4..7", help="N, or A..B by seed (%(default)s)")
    parser.add_argument("--seeds", type=_span, default="1..200", help="one seed, or A..B (%(default)s)")
    parser.add_argument("--seconds", type=float, default=40, help="virtual seconds with faults (%(default)s)")
    parser.add_argument(
        "--faults", type=_kinds, default=KINDS, help=f"some of {','.join(KINDS)}, or none; all by default"
    )
    parser.add_argument("--loyal", action="store_true", help="nobody equivocates (one does, if N > 3)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (%(default)s)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
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


def _kinds(text: str) -> tuple[str, ...]:
    kinds = () if text == "none" else tuple(text.split(","))
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown fault {unknown[0]!r}; known are {', '.join(KINDS)}")
    return kinds


def _quiet() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


def _run(job: Job) -> tuple[Job, Report | str]:
    seed, nodes, seconds, kinds, malice = job
    try:
        return job, simulate(seed, nodes, seconds, kinds=kinds, malice=malice)
    except Violation as violation:
        return job, str(violation)
    except Exception:
        return job, f"a node crashed\n{traceback.format_exc()}"


def _tell(report: Report, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(report)), flush=True)
        return
    print(
        f"seed {report.seed}: {report.nodes} nodes, {report.seconds:.1f} s, {report.faults} faults, "
        f"{report.crashes} crashes, {report.rounds} rounds, {report.events} events ordered, in order again "
        f"after {report.recovery:.1f} s, trace {report.trace[:12]}", flush=True,
    )


def _tell_violation(job: Job, violation: str) -> None:
    seed, nodes, seconds, kinds, malice = job
    loyal = "" if malice else " --loyal"
    print(f"seed {seed}: VIOLATION: {violation}")
    for fault in draw_faults(seed, nodes, seconds, kinds):
        print(f"  {fault}")
    print(
        f"again: scripts/simulate --nodes {nodes} --seeds {seed} --seconds {seconds:g} "
        f"--faults {','.join(kinds) or 'none'}{loyal}"
    )


def _tell_all(reports: Sequence[Report], wall: float, as_json: bool) -> None:
    summary = {
        "seeds": len(reports),
        "violations": 0,
        "virtual_s": round(sum(report.seconds for report in reports)),
        "faults": sum(report.faults for report in reports),
        "crashes": sum(report.crashes for report in reports),
        "events": sum(report.events for report in reports),
        "rounds": sum(report.rounds for report in reports),
        "questions": sum(report.asked for report in reports),
        "wall_s": round(wall, 1),
    }
    print(json.dumps(summary) if as_json else ", ".join(f"{name} {value}" for name, value in summary.items()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
