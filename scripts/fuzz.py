"""Feed damaged inputs to everything that reads foreign bytes; any error other than the reader's own is a finding.

Inputs are made from valid samples: bits flipped, bytes cut, repeated and spliced, lengths and values changed, also
under valid digests and signatures. Input number I of a target depends on the seed alone, not on the number of jobs.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.fuzz.running import Finding, Result, bound_memory, fuzz
from tests.fuzz.targets import TARGETS

_PORTION = 2000  # inputs that a process tries at a time

Job = tuple[str, int, int, int, float]


def main(argv: Sequence[str]) -> int:
    """Try all inputs; return 0 if there was no finding, 1 if there was one, 2 for an unknown target."""
    arguments = _parser().parse_args(argv)
    names = arguments.targets or list(TARGETS)
    unknown = [name for name in names if name not in TARGETS]
    if unknown:
        print(f"fuzz: unknown target {unknown[0]!r}; known are {', '.join(TARGETS)}", file=sys.stderr)
        return 2
    began = time.monotonic()
    results = _run(_jobs(names, arguments), arguments.jobs, arguments.megabytes << 20)
    _show(results, time.monotonic() - began)
    return 1 if any(result.findings for result in results.values()) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"some of {', '.join(TARGETS)}; all by default")
    parser.add_argument("--count", type=_whole, default=100_000, help="inputs of all targets together (%(default)s)")
    parser.add_argument("--first", type=int, default=0, help="number of the first input of each target (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="(%(default)s)")
    parser.add_argument("--limit", type=float, default=5.0, help="seconds that an input may take (%(default)s)")
    parser.add_argument("--megabytes", type=_whole, default=256, help="memory a process may add (%(default)s)")
    parser.add_argument("--jobs", type=_whole, default=os.cpu_count() or 1, help="processes (%(default)s)")
    return parser


def _whole(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def _jobs(names: Sequence[str], arguments: argparse.Namespace) -> list[Job]:
    each = -(-arguments.count // len(names))
    starts = range(arguments.first, arguments.first + each, _PORTION)
    end = arguments.first + each
    return [
        (name, arguments.seed, start, min(_PORTION, end - start), arguments.limit) for start in starts for name in names
    ]


def _run(jobs: Sequence[Job], processes: int, memory: int) -> dict[str, Result]:
    results: dict[str, Result] = {}
    names = tuple(dict.fromkeys(job[0] for job in jobs))
    with get_context("spawn").Pool(min(processes, len(jobs)), _prepare, (names, memory)) as pool:
        for part in pool.imap_unordered(_try, jobs):
            for finding in part.findings:
                _show_finding(finding)
            results.setdefault(part.target, Result(part.target)).add(part)
    return results


def _prepare(names: Sequence[str], memory: int) -> None:
    """Load what inputs are tried on: compiled rules, libraries and samples take more memory than an input may."""
    for name in names:
        TARGETS[name]()
    bound_memory(memory)


def _try(job: Job) -> Result:
    return fuzz(*job)


def _show_finding(finding: Finding) -> None:
    print(f"FINDING {finding.target}: {finding.what}")
    print(f"  again: scripts/fuzz {finding.target} --seed {finding.seed} --first {finding.index} --count 1")
    print(f"  input: {len(finding.data)} bytes, {finding.data[:200].hex()}{'...' if len(finding.data) > 200 else ''}")


def _show(results: dict[str, Result], seconds: float) -> None:
    table = Table("target", "inputs", "accepted", "inputs/s a process", "slowest ms", "findings")
    for name, result in sorted(results.items()):
        rate = result.inputs / result.seconds
        numbers = (result.inputs, result.accepted, round(rate), f"{1000 * result.slowest:.0f}", len(result.findings))
        table.add_row(name, *map(str, numbers))
    Console().print(table)
    total = sum(result.inputs for result in results.values())
    found = sum(len(result.findings) for result in results.values())
    print(f"{total} inputs in {seconds:.0f} s, {total / seconds:.0f} a second: {found} findings")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
