"""How a running job tells what it has done, and learns that nobody wants the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Report = Callable[[Mapping[str, Any]], None]
"""Called often with a job's progress (names to integers or text); raises Cancelled if the job is to stop."""


class Cancelled(Exception):  # noqa: N818 - not an error: somebody asked for it
    """The job was cancelled by whoever asked for it."""


def silent(_progress: Mapping[str, Any]) -> None:
    """A Report for callers that neither watch nor cancel."""
