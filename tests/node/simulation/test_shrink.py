"""Shrinking a schedule, with a made-up cause of the failure."""

from dataclasses import replace

import pytest

from node.simulation.invariants import Violation
from node.simulation.schedule import Schedule, draw_schedule
from node.simulation.shrink import shrink


def violation(kind: str = "order", at: float = 12.0) -> Violation:
    found = Violation(kind, "two orders")
    found.at = at
    return found


def culprit(schedule: Schedule) -> tuple[str, ...]:
    """Return what the made-up failure needs, of a crash and a partition."""
    kinds = {fault.kind for fault in schedule.faults}
    return tuple(sorted(kinds & {"crash", "partition"}))


def schedules() -> list[Schedule]:
    drawn = [draw_schedule(seed, 7, 30) for seed in range(200)]
    return [schedule for schedule in drawn if len(culprit(schedule)) == 2][:8]


@pytest.mark.parametrize("schedule", schedules(), ids=lambda schedule: str(schedule.seed))
def test_only_what_is_needed_is_left(schedule: Schedule) -> None:
    runs = 0

    def attempt(smaller: Schedule) -> Violation | None:
        nonlocal runs
        runs += 1
        return violation() if len(culprit(smaller)) == 2 else None

    smaller, found = shrink(schedule, violation(), attempt, 500)
    assert sorted(fault.kind for fault in smaller.faults) == ["crash", "partition"]
    assert not smaller.liars
    assert smaller.seconds == max(round(fault.at + fault.lasts, 2) for fault in smaller.faults)
    assert all(len(fault.nodes) == 1 for fault in smaller.faults)
    assert all(fault.lasts <= 0.5 for fault in smaller.faults)
    assert found.kind == "order"
    assert runs < 500


def test_another_violation_is_not_taken_for_it() -> None:
    schedule = draw_schedule(1, 7, 30)
    kept, found = shrink(schedule, violation("order"), lambda _: violation("progress"), 30)
    assert kept == schedule
    assert found.kind == "order"


def test_the_tries_are_limited() -> None:
    tried: list[Schedule] = []

    def attempt(smaller: Schedule) -> Violation | None:
        tried.append(smaller)
        return None

    shrink(draw_schedule(1, 7, 30), violation(), attempt, 7)
    assert len(tried) == len(set(tried)) == 7


def test_faults_after_the_violation_go_first() -> None:
    schedule = replace(draw_schedule(1, 7, 30), liars=())
    first: list[Schedule] = []

    def attempt(smaller: Schedule) -> Violation | None:
        first.append(smaller)
        return None

    shrink(schedule, violation(at=10.0), attempt, 1)
    assert first[0].seconds == 10.5
    assert first[0].faults == tuple(
        replace(fault, lasts=round(min(fault.lasts, 10.5 - fault.at), 2))
        for fault in schedule.faults
        if fault.at < 10.5
    )
