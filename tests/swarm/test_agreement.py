"""Whole swarms in virtual time under faults, with a member that equivocates: they agree, and they go on."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from consensus.event import Event
from node.member import Member
from node.simulation.agreement import Agreement, Violation
from node.simulation.faults import KINDS, draw_faults
from node.simulation.run import simulate
from node.store.memory import MemoryStore

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("seed", range(1, 29))
def test_seeded_swarms_agree(seed: int) -> None:
    report = simulate(seed, nodes=4 + seed % 4, seconds=15)
    assert report.rounds >= 4
    assert report.events > 30


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 201))
def test_two_hundred_seeded_swarms_agree(seed: int) -> None:
    report = simulate(seed, nodes=4 + seed % 4, seconds=40)
    assert report.rounds >= 5


@pytest.mark.parametrize("nodes", [1, 2, 3])
def test_small_swarms_without_malice_agree(nodes: int) -> None:
    report = simulate(3, nodes=nodes, seconds=15, malice=False, kinds=["crash", "slowdisk", "skew"])
    assert report.rounds >= 5
    assert report.forks == 0


def test_a_seed_gives_the_same_run_every_time() -> None:
    code = "from node.simulation.run import simulate; print(simulate(5, nodes=5, seconds=12))"
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True,
            env=os.environ | {"PYTHONHASHSEED": hashseed},
        ).stdout.splitlines()[-1]
        for hashseed in ("1", "2")
    ]
    assert runs[0].startswith("Report(")
    assert runs[0] == runs[1]
    assert simulate(6, nodes=5, seconds=12).trace not in runs[0]


def test_the_faults_do_happen() -> None:
    reports = [simulate(seed, nodes=5, seconds=15) for seed in range(100, 106)]
    assert all(report.faults for report in reports)
    assert sum(report.crashes for report in reports) > 0
    assert sum(report.forks for report in reports) == len(reports)
    drawn = {fault.kind for seed in range(30) for fault in draw_faults(seed, 5, 30)}
    assert drawn == set(KINDS)


# The simulator has to catch a broken node; each of these is one.


class Forgetful(Member):
    """Sends own events before they are on disk, and does not listen after a start."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self._listening = None
        assert isinstance(self._store, MemoryStore)
        self._store.append_own = self._append_unsynced  # type: ignore[method-assign]

    async def _append_unsynced(self, event: Event) -> None:
        await self._store.append([event])


class Deaf(Member):
    """Never builds on others' events."""

    async def _create(self, plan: Any) -> None:
        await super()._create(type(plan)(other_parents=(), advances=True))


def violation(make_member: type[Member], seeds: range, **options: Any) -> str:
    """What the simulator says of swarms of such nodes, or nothing."""
    for seed in seeds:
        try:
            simulate(seed, nodes=4, seconds=15, make_member=make_member, malice=False, **options)
        except Violation as found:
            return str(found)
    return ""


def test_a_node_that_forgets_what_it_sent_is_caught() -> None:
    assert "signed two events" in violation(Forgetful, range(1, 30), kinds=["crash", "delay"])


def test_a_node_that_does_not_build_on_others_is_caught() -> None:
    assert "without a place" in violation(Deaf, range(1, 2), kinds=[])


def test_two_orders_and_two_ledgers_are_caught() -> None:
    from dataclasses import replace

    taken: list[Any] = []

    class Recording(Agreement):
        def watch(self, node: Any, effects: Any) -> None:
            super().watch(node, effects)
            taken.append((node, effects))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("node.simulation.run.Agreement", Recording)
        simulate(1, nodes=4, seconds=5, kinds=[], malice=False)
    node, effects = next(item for item in taken if len(item[1].round.events) > 1)
    agreement = Agreement()
    agreement.watch(node, effects)
    with pytest.raises(Violation, match="another ledger"):
        agreement.watch(node, replace(effects, digest=bytes(32)))
    swapped = replace(effects.round, events=effects.round.events[::-1])
    with pytest.raises(Violation, match="in another way"):
        agreement.watch(node, replace(effects, round=swapped))

