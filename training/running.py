"""A job that a worker runs: what it is asked for, and where its progress and its answer go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from training.progress import Report

Request = Mapping[str, Any]


class DroppedError(Exception):
    """A job was dropped: whoever asked for it does not wait for its answer any more."""


@dataclass(frozen=True, kw_only=True)
class RunningJob:
    """A job between its request and its answer. It is answered, or it fails, once."""

    request: Request
    report: Report
    is_enough: Callable[[], bool]
    """Whether it is to end with what it has."""
    is_dropped: Callable[[], bool]
    """Whether it is to fail with `DroppedError`, if it can be ended at all."""
    answer: Callable[[dict[str, Any]], None]
    fail: Callable[[Exception], None]


Take = Callable[[Callable[[Request], bool]], RunningJob | None]
"""Returns the next job that waits, if there is one and it fits what runs."""


def require_fields(request: Request, needed: str) -> None:
    """Raise ValueError if a request lacks one of the fields, which are given as words."""
    missing = sorted(set(needed.split()) - set(request))
    if missing:
        raise ValueError(f"a {request.get('job')} job needs the field {missing[0]!r}")
