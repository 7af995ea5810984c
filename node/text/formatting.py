"""Values as page and terminal show them: durations, counts, times, short identifiers, and what members tell."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

_SHORT_DIGITS = 10
_LETTERS = {"selfplay": "S", "train": "T", "match": "M"}
_MILLIONTHS = 10**6
_QUARTERS = tuple(f"value_correlation_{quarter}" for quarter in range(1, 5))
_HELD_OUT = "held_out_games"
_SEARCHES = re.compile("search_([0-9]+)_vs_([0-9]+)")
_POLICIES = re.compile("policy_vs_search_([0-9]+)")
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


def bytes_in_words(number: int) -> str:
    """Return an amount of memory with its unit: "512 B", "3.4 kB", "120 MB", "98.8 GB"."""
    value, unit = float(number), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"


def share(part: int, whole: int) -> str:
    """Return a percentage with one decimal: "62.5%"; a dash where `whole` is 0."""
    return f"{100 * part / whole:.1f}%" if whole else "–"


def needed(total: int) -> int:
    """Return the least weight that is more than 2/3 of `total`."""
    return 2 * total // 3 + 1


def quorum(weight: int, total: int, silent: Sequence[str]) -> str:
    """Return what is missing for a decision: "2 of 4 weight, 3 needed; silent: node3, node4"; empty if nothing is."""
    if weight >= needed(total):
        return ""
    who = f"; silent: {', '.join(silent)}" if silent else ""
    return f"{count(weight)} of {count(total)} weight, {count(needed(total))} needed{who}"


def short(identifier: str | None) -> str:
    """Return the beginning of an id or digest, enough to tell it from others; a dash for None."""
    if identifier is None:
        return "–"
    return identifier if len(identifier) <= _SHORT_DIGITS + 2 else identifier[:_SHORT_DIGITS] + "…"


def fragility(names: Sequence[str]) -> str:
    """Return what it means that each of these members has a third of the weight or more; "" if there are none."""
    if not names:
        return ""
    listed = " or ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
    whose = "each has" if len(names) > 1 else "it has"
    return (
        f"without {listed} the others decide nothing, nor can they prove it at fault, as {whose} a third of the weight "
        "or more; have four members or more, each with less than a third"
    )


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


def value_by_quarter(measures: Mapping[str, int]) -> str:
    """Return how well a model's value knows the winner in each quarter of a game: "0.12 0.31 0.48 0.77"; or a dash."""
    quarters = [measures[name] for name in _QUARTERS if name in measures]
    return " ".join(hundredths(quarter) for quarter in quarters) if len(quarters) == len(_QUARTERS) else "–"


def hundredths(millionths: int | None) -> str:
    """Return a number of millionths with two decimals: "0.19"; a dash for None."""
    return "–" if millionths is None else f"{round(millionths / _MILLIONTHS, 2) + 0.0:.2f}"  # + 0.0: no -0.00


def percent(millionths: int | None) -> str:
    """Return a share in millionths as a percentage: "58%"; a dash for None."""
    return "–" if millionths is None else f"{millionths / _MILLIONTHS:.0%}"


def measures(values: Mapping[str, int]) -> str:
    """Return what a trainer measured of a model: "Brier 0.19; 64 simulations score 58% against 16"; or nothing."""
    knows = all(name in values for name in _QUARTERS)
    told = [f"value knows the winner: {value_by_quarter(values)} by quarter"] if knows else []
    rest = sorted(name for name in values if name != _HELD_OUT and not (knows and name in _QUARTERS))
    told += [_measure(name, values[name]) for name in rest]
    if _HELD_OUT in values:
        told.append(plural(values[_HELD_OUT], "held-out game"))
    return "; ".join(told)


def _measure(name: str, value: int) -> str:
    if name == "outcome_games":
        return f"learned from {plural(value, 'game')} of matches and series, too"
    if name == "brier":
        return f"Brier {hundredths(value)}"
    if found := _SEARCHES.fullmatch(name):
        return f"{found[1]} simulations score {percent(value)} against {found[2]}"
    if found := _POLICIES.fullmatch(name):
        return f"the policy alone scores {percent(value)} against {found[1]} simulations"
    return f"{name} {value:,}"


def offer(member: Mapping[str, Any]) -> str:
    """Return the rates, cost and life that a member announced, from an entry of /members; empty if there are none."""
    told = [f"{rate:,} {name} per hour" for name, rate in sorted(member["rates"].items())]
    if member["cost_per_h"]:
        told.append(f"costs {hourly(member['cost_per_h'])} per hour")
    if member["life_s"]:
        told.append(f"stays {age(member['life_s'])}")
    return ", ".join(told)


def offer_in_short(member: Mapping[str, Any]) -> str:
    """Return the roles that a member announced, as letters, its cost per hour, and how long it stays: "STM, 0.35/h".

    Its rates are left out: there may be dozens. Empty if it announced nothing.
    """
    told = ["".join(letter for role, letter in _LETTERS.items() if role in member["roles"])]
    told += [f"{hourly(member['cost_per_h'])}/h"] if member["cost_per_h"] else []
    told += [f"stays {age(member['life_s'])}"] if member["life_s"] else []
    return ", ".join(filter(None, told))


def hourly(millionths: int) -> str:
    """Return the cost of an hour in currency units; empty if it costs nothing."""
    return f"{millionths / _MILLIONTHS:g}" if millionths else ""


def plural(number: int, one: str, many: str | None = None) -> str:
    """Return a count of things: "1 member", "4 members"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def moment(nanoseconds: int) -> str:
    """Return a consensus time as UTC to the second: "2026-11-20 14:03:09"."""
    return datetime.fromtimestamp(nanoseconds // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%S")


def clock(nanoseconds: int) -> str:
    """Return the time of day of a consensus time, UTC: "14:03:09"."""
    return moment(nanoseconds)[11:]
