"""Reports of progress: how a running job says what it has done so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Report = Callable[[Mapping[str, Any]], None]
"""Called often with a job's progress: names to integers or text, and the game that it shows as a map. What is not named
again keeps its last value.

Whoever watches the job takes it for stuck if nothing changes for minutes (`node.work.watchdog`): whatever takes long
reports.
"""


def as_measured(report: Report) -> Report:
    """Return a Report for games that measure a model: they are not what the job was asked for."""
    return lambda progress: report({"measured": progress["games"]})


def ignore_progress(_progress: Mapping[str, Any]) -> None:
    """Do nothing: the Report of callers that do not watch."""


def never() -> bool:
    """Return that it is not enough yet, for jobs that are done to their end."""
    return False
