"""How fast this node does each kind of job, as it was measured: seconds for a game, a step or a block.

What is measured is kept in a file, so that a node knows its rates after a restart, too.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import structlog

from consensus.settings import CONFIGURATION
from engine.files import read_regular
from node.system.files import write_atomically

_log = structlog.get_logger(__name__)

_MAX_BYTES = 1 << 20
_MOST = 256  # kinds of jobs that are remembered, the newest
_MOST_ANNOUNCED = 32  # a profile holds no more
_LARGEST_RATE = 10**12
_NEWEST_SHARE = 0.5  # of a job in the rate of its kind: it follows a new model within a few jobs


@dataclass(frozen=True)
class Size:
    """How large a job is: `amount` units of work, whose time depends on `kind` alone."""

    kind: str
    amount: int


def size_of(job: Mapping[str, Any]) -> Size:
    """Return the size of a job (`training.jobs`): games, steps, or blocks of games."""
    kind, configuration, settings = str(job.get("job")), job.get("config"), job.get("settings", {})
    if kind == "selfplay":
        search = "random" if job["model"] is None else f"{settings['simulations']} simulations"
        return Size(f"selfplay {configuration} {search}", job["games"])
    if kind == "train":
        name = f"train {configuration} {settings['architecture']}"
        if job["parent"] is None:
            return Size(f"{name} first", settings["first_networks"] * settings["first_steps"])
        return Size(name, settings["steps"])
    if kind == "match":
        return Size(f"match {configuration} {settings['simulations']} simulations", len(job["blocks"]))
    if kind == "check_shard":
        return Size(f"{kind} {configuration}", job["announced"]["games"])
    if kind == "rate":
        pair = f"{job['player']} {job['opponent']} {settings['simulations']} simulations"
        return Size(f"rate {configuration} {pair}", len(job["blocks"]))
    return Size(f"{kind} {configuration}", len(job.get("blocks", ())) or 1)


class Rates:
    """The measured seconds per unit of each kind of job, in memory and, with a `path`, in a file."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._seconds: dict[str, float] = _read(path) if path is not None else {}

    def seconds(self, size: Size) -> float | None:
        """Return how long a job of this size takes, in s; None if none of its kind has been measured."""
        each = self._seconds.get(size.kind)
        return None if each is None else each * size.amount

    def observe(self, size: Size, seconds: float) -> None:
        """Take in how long a job took."""
        each = seconds / max(1, size.amount)
        before = self._seconds.pop(size.kind, each)
        self._seconds[size.kind] = before + _NEWEST_SHARE * (each - before)
        while len(self._seconds) > _MOST:
            del self._seconds[next(iter(self._seconds))]
        if self._path is not None:
            with suppress(OSError):  # without the file they are measured again after a restart
                write_atomically(self._path, json.dumps(self._seconds).encode())

    def table(self) -> Mapping[str, float]:
        """Return the seconds per unit of each kind."""
        return dict(self._seconds)

    def announced(self) -> Mapping[str, int]:
        """Return the rates that a profile tells, in units per hour (`consensus.ledger.steering.capability`).

        Of jobs that differ in their search alone, the one measured last counts.
        """
        rates: dict[str, int] = {}
        for kind, each in self._seconds.items():
            name = _announced_name(kind)
            if name and each > 0:
                rates.pop(name, None)
                rates[name] = max(1, round(min(3600 / each, _LARGEST_RATE)))
        return dict(list(rates.items())[-_MOST_ANNOUNCED:])


@lru_cache(maxsize=1024)
def _announced_name(kind: str) -> str:
    """Return the name in a profile of a kind of jobs; empty if profiles do not tell it, or if it is none of ours."""
    match kind.split(" "):
        case ["selfplay", configuration, search, *_]:
            work = "random" if search == "random" else "selfplay"
        case ["train", configuration, _]:  # first networks have one word more
            work = "train"
        case _:
            return ""
    return f"{work}-{configuration}" if CONFIGURATION.fullmatch(configuration) else ""


def have_changed(before: Mapping[str, int], now: Mapping[str, int]) -> bool:
    """Return whether rates differ by so much that others should know: by a quarter, or in what is measured."""
    if before.keys() != now.keys():
        return True
    return any(4 * abs(now[name] - before[name]) > before[name] for name in now)


def _read(path: Path) -> dict[str, float]:
    """Return the rates in a file; none if it is damaged or missing."""
    try:
        table = json.loads(read_regular(path, _MAX_BYTES))
        return {str(kind): each for kind, value in table.items() if 0 <= (each := float(value)) < float("inf")}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        _log.warning("measured rates are not readable; they are measured again", path=str(path), why=str(error))
        return {}
