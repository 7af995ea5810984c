"""Shrinking: from a schedule that fails to a smaller one that fails in the same way, by repeated runs."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from node.simulation.invariants import Violation
from node.simulation.schedule import Fault, Schedule

Attempt = Callable[[Schedule], Violation | None]

_SHORTEST_S = 0.5  # a fault of this length is not shortened any more
_MARGIN_S = 0.5  # kept after the violation


def shrink(schedule: Schedule, violation: Violation, attempt: Attempt, tries: int) -> tuple[Schedule, Violation]:
    """Return the smallest schedule found in `tries` attempts, and its violation, which is of the same kind.

    Tried are fewer seconds, liars, faults and attacks, then shorter faults of fewer nodes (delta debugging:
    Zeller and Hildebrandt 2002; here the units are of several sorts, and each success begins anew).
    """
    tried = {schedule}
    while smaller := _next(schedule, violation, tried):
        if tries == 0:
            break
        tries -= 1
        tried.add(smaller)
        found = attempt(smaller)
        if found is not None and found.kind == violation.kind:
            schedule, violation = smaller, found
    return schedule, violation


def _next(schedule: Schedule, violation: Violation, tried: set[Schedule]) -> Schedule | None:
    return next((smaller for smaller in _smaller(schedule, violation) if smaller not in tried), None)


def _smaller(schedule: Schedule, violation: Violation) -> Iterator[Schedule]:
    """Yield simpler schedules, those that leave out most first."""
    last = max((fault.at + fault.lasts for fault in schedule.faults), default=_SHORTEST_S)
    for seconds in (violation.at + _MARGIN_S, schedule.seconds / 2, last):
        if (seconds := round(seconds, 2)) < schedule.seconds:
            yield _cut(schedule, seconds)
    liars, faults = schedule.liars, schedule.faults
    if liars:
        yield replace(schedule, liars=())
    if schedule.weights:
        yield replace(schedule, weights=())
    if schedule.hidden:
        yield replace(schedule, hidden=())
    if schedule.steered:
        yield replace(schedule, steered=False)
    size = len(faults)
    while size:
        for start in range(0, len(faults), size):
            yield replace(schedule, faults=faults[:start] + faults[start + size :])
        size //= 2
    for place, liar in enumerate(liars):
        rest = liars[:place], liars[place + 1 :]
        yield replace(schedule, liars=(*rest[0], *rest[1]))
        for kind in liar.kinds if len(liar.kinds) > 1 else ():
            kinds = tuple(other for other in liar.kinds if other != kind)
            yield replace(schedule, liars=(*rest[0], replace(liar, kinds=kinds), *rest[1]))
    for place, fault in enumerate(faults):
        for simpler in _simpler(fault):
            yield replace(schedule, faults=(*faults[:place], simpler, *faults[place + 1 :]))


def _cut(schedule: Schedule, seconds: float) -> Schedule:
    """Return the schedule without what comes after so many seconds."""
    faults = tuple(
        replace(fault, lasts=round(min(fault.lasts, seconds - fault.at), 2))
        for fault in schedule.faults
        if fault.at < seconds
    )
    return replace(schedule, seconds=seconds, faults=faults)


def _simpler(fault: Fault) -> Iterator[Fault]:
    if fault.lasts > _SHORTEST_S:
        yield replace(fault, lasts=round(fault.lasts / 2, 2))
    if len(fault.nodes) > 1:
        half = len(fault.nodes) // 2
        yield replace(fault, nodes=fault.nodes[:half])
        yield replace(fault, nodes=fault.nodes[half:])
