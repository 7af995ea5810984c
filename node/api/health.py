"""The shapes of `GET /health` and `GET /ready`: whether the process serves, and whether the node is level."""

from typing import TypedDict


class HealthInfo(TypedDict):
    """The answer of `GET /health`: always 200 while the process serves."""

    alive: bool
    """Always true."""


class ReadinessInfo(TypedDict):
    """The answer of `GET /ready`: with HTTP status 200 if the node is ready, 503 if not."""

    ready: bool
    """As `ready` of `GET /status`."""
    reason: str
    """As `ready_reason` of `GET /status`."""
