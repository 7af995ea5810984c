"""Feeds a target inputs and watches it: any error but its own, a hang, or memory without bound is a finding."""

import resource
import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from tests.fuzz.mutations import Mutator
from tests.fuzz.targets import TARGETS, Target

ROOT = Path(__file__).parents[2]

_SECONDS_PER_BYTE = 4e-6  # that a large input may take besides


class Hang(BaseException):
    """An input that takes too long; no `except Exception` catches it."""


@dataclass(frozen=True)
class Finding:
    """An input that did harm; target, seed and index make it again."""

    target: str
    seed: int
    index: int
    what: str  # the error, and where it came from
    data: bytes


@dataclass
class Result:
    """What a number of inputs did."""

    target: str
    inputs: int = 0
    accepted: int = 0
    slowest: float = 0.0  # seconds
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)

    def add(self, other: "Result") -> None:
        """Takes another part of the same target in."""
        self.inputs += other.inputs
        self.accepted += other.accepted
        self.slowest = max(self.slowest, other.slowest)
        self.seconds += other.seconds
        self.findings += other.findings


def make_input(name: str, target: Target, seed: int, index: int) -> bytes:
    """The input of this number, the same every time."""
    return target.forge(Mutator(f"{seed}/{name}/{index}", target.samples))


def fuzz(name: str, seed: int, start: int, count: int, limit: float, most: int = 3) -> Result:
    """Tries inputs `start` and on; one may take `limit` seconds, large ones more. Stops after `most` findings."""
    target = TARGETS[name]()
    return fuzz_target(name, target, seed, start, count, limit, most)


def fuzz_target(name: str, target: Target, seed: int, start: int, count: int, limit: float, most: int = 3) -> Result:
    """As `fuzz`, for a target at hand."""
    result = Result(name)
    began = time.perf_counter()
    for index in range(start, start + count):
        data = make_input(name, target, seed, index)
        before = time.perf_counter()
        try:
            with alarm(limit + len(data) * _SECONDS_PER_BYTE):
                result.accepted += target.try_one(data)
        except (Exception, Hang) as error:
            result.findings.append(Finding(name, seed, index, describe(error), data))
        result.inputs += 1
        result.slowest = max(result.slowest, time.perf_counter() - before)
        if len(result.findings) >= most:
            break
    result.seconds = time.perf_counter() - began
    return result


@contextmanager
def alarm(limit: float) -> Iterator[None]:
    """Raises Hang in the main thread after `limit` seconds of this process's own time, however busy others are."""

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise Hang(f"more than {limit} seconds")

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, limit)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def bound_memory(more: int) -> None:
    """This process may take `more` bytes of addresses beyond what it has: then it gets a MemoryError."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, hard))


def describe(error: BaseException) -> str:
    """The error in one line, with the innermost line of this repository."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if str(ROOT) in frame.filename and frame.filename != __file__
    ]
    where = f"{Path(frames[-1].filename).relative_to(ROOT)}:{frames[-1].lineno}" if frames else "?"
    return f"{type(error).__name__} at {where}: {str(error)[:200]!r}"
