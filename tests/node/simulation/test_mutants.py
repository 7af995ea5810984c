"""Builds without a safeguard: the simulator finds each of them, and shrinks what it found."""

import runpy
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from node.simulation.invariants import Violation
from node.simulation.mutants import MUTANTS
from node.simulation.run import simulate
from node.simulation.schedule import ATTACK_KINDS, FREQUENCIES, Fault, Schedule, decode_schedule, draw_schedule
from node.simulation.shrink import shrink

ROOT = Path(__file__).parents[3]
HIDDEN = ROOT / "tests" / "data" / "schedules" / "a-needed-member-is-hidden.json"
SELECTION = ROOT / "tests" / "data" / "vectors" / "selection.jsonl.gz"
VECTORS: Any = SimpleNamespace(**runpy.run_path(str(ROOT / "scripts" / "vectors.py")))

# Mixes in which a few seeds are enough: mutant, kind of violation, nodes, faults, attacks, first seed that finds it.
FOUND = [
    ("half", "order", 5, ("split", "delay"), ("two-lives",), 1),
    ("half", "order", 7, ("split", "delay"), ("two-lives",), 3),
    ("overwrite", "order", 4, ("delay", "loss"), ("fork", "two-faces"), 1),
    ("first-wins", "accused", 4, ("delay", "loss"), ("fork", "two-faces"), 1),
    ("unsynced", "honest fork", 4, ("crash", "delay", "loss"), (), 1),
]


def find_failure(
    mutant: str,
    seeds: range,
    *,
    nodes: Sequence[int],
    seconds: float | None,
    faults: Mapping[str, float],
    attacks: Sequence[str],
) -> tuple[Schedule, Violation]:
    """Return the first schedule that makes this build fail, with the violation."""
    for seed in seeds:
        schedule = draw_schedule(seed, nodes[seed % len(nodes)], seconds, faults=faults, attacks=attacks)
        if (violation := failure(mutant, schedule)) is not None:
            return schedule, violation
    raise AssertionError(f"{mutant} was not noticed in seeds {seeds}")


def failure(mutant: str, schedule: Schedule) -> Violation | None:
    with MUTANTS[mutant]():
        try:
            simulate(schedule)
        except Violation as violation:
            return violation
    return None


@pytest.mark.parametrize(("mutant", "kind", "nodes", "faults", "attacks", "first"), FOUND)
def test_a_broken_build_is_found_where_it_was_found_before(
    mutant: str, kind: str, nodes: int, faults: Sequence[str], attacks: Sequence[str], first: int
) -> None:
    chosen = {name: FREQUENCIES[name] for name in faults}
    schedule, violation = find_failure(
        mutant, range(first, first + 40), nodes=[nodes], seconds=12, faults=chosen, attacks=attacks
    )
    assert violation.kind == kind
    simulate(schedule)  # the whole build withstands it


@pytest.mark.slow
@pytest.mark.parametrize("mutant", ["half", "overwrite", "first-wins", "unsynced", "untold", "fetch-only"])
def test_the_full_mix_finds_every_broken_build_within_200_seeds(mutant: str) -> None:
    _, violation = find_failure(
        mutant, range(1, 201), nodes=range(4, 11), seconds=None, faults=FREQUENCIES, attacks=ATTACK_KINDS
    )
    # What breaks may end a node, which is an "error".
    assert violation.kind in (
        "order",
        "ledger",
        "accused",
        "honest fork",
        "error",
        "progress",
        "idle",
    )


def test_without_a_word_on_addresses_a_swarm_that_moves_stands_still() -> None:
    moves = tuple(Fault("move", 0.5, 1.0, (number,), 0.5) for number in range(3))
    schedule = Schedule(seed=2, nodes=4, seconds=3.0, faults=(*moves, Fault("crash", 0.6, 2.4, (0, 1, 2, 3), 0.5)))
    violation = failure("untold", schedule)
    assert violation is not None
    assert violation.kind == "progress"
    simulate(schedule)


def test_a_swarm_stands_still_if_what_is_remembered_is_not_told_again() -> None:
    """Three move while nobody reaches anybody, and start again. Then each of them reaches the fourth one alone."""
    alone = [Fault("partition", 0.3, 6.7, (number,), 0.5) for number in range(3)]
    moves = [Fault("move", 0.5, 1.0, (number,), 0.5) for number in range(3)]
    crash = Fault("crash", 5.0, 1.0, (0, 1, 2), 0.5)
    schedule = Schedule(seed=2, nodes=4, seconds=8.0, faults=(*alone, *moves, crash))
    violation = failure("told-once", schedule)
    assert violation is not None
    assert violation.kind == "progress"
    simulate(schedule)


def test_without_events_that_are_brought_at_rest_a_swarm_with_a_hidden_member_stands_still() -> None:
    schedule = decode_schedule(HIDDEN.read_text())
    violation = failure("fetch-only", schedule)
    assert violation is not None
    assert violation.kind == "idle"
    simulate(schedule)


def test_without_the_proxy_the_vectors_do_not_hold() -> None:
    dags = [dag for dag in VECTORS.read_dags(SELECTION) if dag.kind in ("deficient", "mutant")]
    assert len(dags) >= 2
    assert all(VECTORS.check(dag) == [] for dag in dags)
    with MUTANTS["no-proxy"]():
        wrong = [dag.kind for dag in dags if VECTORS.check(dag)]
    assert "deficient" in wrong


@pytest.mark.slow  # `test_shrink` has each rule by itself
def test_what_was_found_is_shrunk_and_fails_again() -> None:
    chosen = {name: FREQUENCIES[name] for name in ("crash", "delay", "loss", "skew", "slowdisk")}
    schedule, violation = find_failure(
        "unsynced", range(2, 40), nodes=[4], seconds=12, faults=chosen, attacks=ATTACK_KINDS
    )
    smaller, again = shrink(schedule, violation, lambda other: failure("unsynced", other), 10)
    assert again.kind == violation.kind == "honest fork"
    assert len(smaller.faults) + len(smaller.liars) < len(schedule.faults) + len(schedule.liars)
    assert smaller.seconds <= schedule.seconds
    repeated = failure("unsynced", smaller)
    assert str(repeated) == str(again)
    simulate(smaller)
