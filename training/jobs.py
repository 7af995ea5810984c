"""What a worker can be asked to do: each kind of job, the fields of its request and of its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from training.progress import Report

Job = Callable[[Mapping[str, Any], Report], dict[str, Any]]


def run_job(request: Mapping[str, Any], report: Report) -> dict[str, Any]:
    """Runs the job that `request` describes and returns its answer; ValueError for an unknown kind."""
    kind = request.get("job")
    jobs: dict[str, Job] = {}
    if kind not in jobs:
        raise ValueError(f"unknown job {kind!r}: expected one of {sorted(jobs)}")
    return jobs[str(kind)](request, report)
