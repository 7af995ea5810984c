"""Values as page and terminal show them: durations, counts, times, short identifiers, and what members tell."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_SHORT_DIGITS = 10
_MILLIONTHS = 10**6
_LONG_UNHEARD_S = 60.0  # a member that is up has an event in the order every few seconds


def age(seconds: float | None) -> str:
    """Return a duration in at most two units: "0.4 s", "38 s", "4 min", "2 h 5 min", "3 d 4 h"; "never" for None."""
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
    """Return how long ago something was: "4 min ago"; "never" for None."""
    return age(seconds) if seconds is None else f"{age(seconds)} ago"


def count(number: int | None) -> str:
    """Return a whole number with separated thousands: "12,345"; a dash for None."""
    return "–" if number is None else f"{number:,}"


def share(part: int, whole: int) -> str:
    """Return a percentage with one decimal: "62.5%"; a dash where `whole` is 0."""
    return f"{100 * part / whole:.1f}%" if whole else "–"


def short(identifier: str | None) -> str:
    """Return the beginning of an id or digest, enough to tell it from others; a dash for None."""
    if identifier is None:
        return "–"
    return identifier if len(identifier) <= _SHORT_DIGITS + 2 else identifier[:_SHORT_DIGITS] + "…"


def short_hex(digest: bytes) -> str:
    """Return the beginning of a digest in hexadecimal, as in `short` but with no dots: for the log, and to be typed."""
    return digest.hex()[:_SHORT_DIGITS]


def conduct(entry: Mapping[str, Any]) -> str:
    """Return what is held against a member, from an entry of /status's `conduct`; empty if nothing is."""
    charges = []
    if entry["equivocated"] is not None:
        charges.append(f"signed two events in one place in epoch {entry['equivocated']}")
    if entry["silenced"]:
        charges.append("has no say")
    if entry["wrong_results"]:
        charges.append(plural(entry["wrong_results"], "wrong result"))
    if entry["withheld"]:
        charges.append(f"{plural(entry['withheld'], 'preimage')} withheld")
    if entry["unheard_s"] is not None and entry["unheard_s"] > _LONG_UNHEARD_S:
        charges.append(f"no event in the order for {age(entry['unheard_s'])}")
    return ", ".join(charges)


def losses(values: Mapping[str, float] | None) -> str:
    """Return a candidate's losses by name: "policy 1.934, winner 0.512"; a dash if none are known."""
    return ", ".join(f"{name} {value:.3f}" for name, value in sorted(values.items())) if values else "–"


def offer(member: Mapping[str, Any]) -> str:
    """Return the rates, cost and life that a member announced, from an entry of /members; empty if there are none."""
    told = [f"{rate:,} {name} per hour" for name, rate in sorted(member["rates"].items())]
    if member["cost_per_h"]:
        told.append(f"costs {member['cost_per_h'] / _MILLIONTHS:g} per hour")
    if member["life_s"]:
        told.append(f"stays {age(member['life_s'])}")
    return ", ".join(told)


def plural(number: int, one: str, many: str | None = None) -> str:
    """Return a count of things: "1 member", "4 members"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def moment(nanoseconds: int) -> str:
    """Return a consensus time as UTC to the second: "2026-11-20 14:03:09"."""
    return datetime.fromtimestamp(nanoseconds // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%S")


def clock(nanoseconds: int) -> str:
    """Return the time of day of a consensus time, UTC: "14:03:09"."""
    return moment(nanoseconds)[11:]
