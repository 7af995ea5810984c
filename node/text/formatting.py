"""What page and terminal share: numbers as people read them, short identifiers, what is held against a member."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_SHORT = 10
_LONG_UNHEARD = 60.0  # seconds; one that is up has an event in the order every few of them


def age(seconds: float | None) -> str:
    """Return a duration in its two largest units at most: "0.4 s", "38 s", "4 min", "2 h 5 min", "3 d 4 h"."""
    if seconds is None:
        return "never"
    seconds = max(seconds, 0.0)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def ago(seconds: float | None) -> str:
    """Return how long ago something was: "4 min ago", "never"."""
    return age(seconds) if seconds is None else f"{age(seconds)} ago"


def count(number: int | None) -> str:
    """Return a whole number with its thousands apart: "12,345"; a dash for None."""
    return "–" if number is None else f"{number:,}"


def share(part: int, whole: int) -> str:
    """Return a percentage with one decimal: "62.5%"; a dash if there is no whole yet."""
    return f"{100 * part / whole:.1f}%" if whole else "–"


def short(identifier: str | None) -> str:
    """Return the beginning of an id or digest, enough to tell it from others; a dash for None."""
    if identifier is None:
        return "–"
    return identifier if len(identifier) <= _SHORT + 2 else identifier[:_SHORT] + "…"


def conduct(entry: Mapping[str, Any]) -> str:
    """Return what is held against a member, from an entry of /status's `conduct`; empty if nothing is."""
    said = []
    if entry["equivocated"] is not None:
        said.append(f"signed two events in one place in epoch {entry['equivocated']}")
    if entry["silenced"]:
        said.append("has no say")
    if entry["wrong_results"]:
        said.append(plural(entry["wrong_results"], "wrong result"))
    if entry["withheld"]:
        said.append(f"{plural(entry['withheld'], 'preimage')} withheld")
    if entry["unheard_s"] is not None and entry["unheard_s"] > _LONG_UNHEARD:
        said.append(f"no event in the order for {age(entry['unheard_s'])}")
    return ", ".join(said)


def plural(number: int, one: str, many: str | None = None) -> str:
    """Return "1 member", "4 members"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def moment(nanoseconds: int) -> str:
    """Return a consensus time as UTC to the second: "2026-11-20 14:03:09"."""
    return datetime.fromtimestamp(nanoseconds // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%S")


def clock(nanoseconds: int) -> str:
    """Return the time of day of a consensus time, UTC: "14:03:09"."""
    return moment(nanoseconds)[11:]
