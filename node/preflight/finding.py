"""What a check found: all is well, something to know, or something that keeps the node from working."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True)
class Finding:
    """One line for a person: what was looked at, what is there, and the remedy if it is not well."""

    subject: str
    level: Level
    text: str


def ok(subject: str, text: str) -> Finding:
    """Return that all is well."""
    return Finding(subject, Level.OK, text)


def warning(subject: str, text: str) -> Finding:
    """Return what to know: the node would work all the same."""
    return Finding(subject, Level.WARNING, text)


def fault(subject: str, text: str) -> Finding:
    """Return what keeps the node from working."""
    return Finding(subject, Level.FAULT, text)
