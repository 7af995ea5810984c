"""Reports of progress: how a running job says what it has done so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Report = Callable[[Mapping[str, Any]], None]
"""Called often with a job's progress: names to integers or text."""


def ignore_progress(_progress: Mapping[str, Any]) -> None:
    """Do nothing: the Report of callers that do not watch."""
