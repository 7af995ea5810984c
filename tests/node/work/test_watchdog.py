"""Progress means progress: what hangs, repeats itself or never ends is killed, and what compiles for long is not."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from consensus.ledger.records import transactions as t
from consensus.settings import SteeringSettings
from node.work import watchdog
from node.work.lifecycle import _Profiles
from node.work.rates import Rates, Size, have_changed, size_of
from node.work.watchdog import COMPILING_S, SILENT_S, StuckError, WatchedRunner
from node.work.worker import Report, WorkerProcess, WorkError
from tests.consensus.ledger.swarm import Swarm
from tests.node.work.test_work import SETTINGS, OrderContext, work_alone

LONGEST_S = 3600.0
JOB = {"job": "match", "config": "hex8-2", "settings": {"simulations": 16}, "blocks": [[0, b""]] * 4}

CHILD = """
import os, signal, time
import training.jobs, training.worker

def stop(report):
    os.kill(os.getpid(), signal.SIGSTOP)

def compute(report):
    pow(3, 10**9)  # in one call of C, which keeps the interpreter's lock

def repeat(report):
    while True:
        report({"games": 1})
        time.sleep(0.01)

def sleep(report):
    time.sleep(600)  # the thread that repeats progress goes on

def count(report):
    games = 0
    while True:
        games += 1
        report({"games": games})
        time.sleep(0.01)

def compile(report):
    report({"compiling": "engine.search.tree"})
    time.sleep(2.2)
    report({"compiling": ""})

def run_job(request, report, _is_enough):
    report({"games": 1})
    if request["do"] is not None:
        globals()[request["do"]](report)
    return {"pid": os.getpid()}

training.jobs.run_job = run_job
training.worker.HEARTBEAT_S = training.worker.REPORT_S = 0.05
raise SystemExit(training.worker.main())
"""


def real_worker(tmp_path: Path) -> WorkerProcess:
    """The program of a worker, with jobs that do not end."""
    script = tmp_path / "child.py"
    script.write_text(f"import sys; sys.path.insert(0, {str(Path(watchdog.__file__).parents[2])!r})\n{CHILD}")
    return WorkerProcess(tmp_path / "worker.log", (sys.executable, str(script)))


@pytest.mark.parametrize(
    ("hang", "reason"),
    [
        ("stop", "no progress for"),
        ("compute", "no progress for"),
        ("repeat", "no progress for"),
        ("sleep", "no progress for"),
        ("count", "its time budget"),
    ],
)
async def test_a_real_process_that_hangs_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hang: str, reason: str
) -> None:
    monkeypatch.setattr(watchdog, "_LOOK_S", 0.05)
    monkeypatch.setattr(watchdog, "_SLACK", 0.0 if hang == "count" else 100.0)
    process, rates = real_worker(tmp_path), Rates()
    watched = WatchedRunner(process, rates, LONGEST_S)
    try:
        first = await watched.perform({**JOB, "do": None}, lambda _told: None)
        monkeypatch.setattr(watchdog, "SILENT_S", 1.2)
        with trio.fail_after(20), pytest.raises(StuckError, match=reason):
            await watched.perform({**JOB, "do": hang}, lambda _told: None)
        with pytest.raises(ProcessLookupError):
            os.kill(first["pid"], 0)
        monkeypatch.setattr(watchdog, "SILENT_S", SILENT_S)
        again = await watched.perform({**JOB, "do": None}, lambda _told: None)
        assert again["pid"] != first["pid"]
    finally:
        await watched.aclose()


async def test_a_real_process_may_compile_for_longer_than_it_may_be_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "_LOOK_S", 0.05)
    watched = WatchedRunner(real_worker(tmp_path), Rates(), LONGEST_S)
    told: list[Mapping[str, Any]] = []
    try:
        await watched.perform({**JOB, "do": None}, lambda _told: None)
        monkeypatch.setattr(watchdog, "SILENT_S", 1.2)
        await watched.perform({**JOB, "do": "compile"}, told.append)
        assert told[-1] in ({"games": 1, "compiling": "engine.search.tree"}, {"games": 1, "compiling": ""})
        monkeypatch.setattr(watchdog, "COMPILING_S", 0.7)
        with pytest.raises(StuckError, match=r"has compiled engine\.search\.tree for"):
            await watched.perform({**JOB, "do": "compile"}, told.append)
    finally:
        await watched.aclose()


class Telling:
    """A job runner that tells `progress`, and then the next, every two seconds, and is done after `count`."""

    def __init__(self, *progress: Mapping[str, Any], count: int = 10**6) -> None:
        self.progress, self.count, self.jobs = progress, count, 0

    async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        self.jobs += 1
        for number in range(self.count):
            await trio.sleep(2)
            report(self.progress[min(number, len(self.progress) - 1)])
        return {}

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


async def _ended_after(runner: Telling, rates: Rates | None = None) -> float:
    began = trio.current_time()
    with pytest.raises(StuckError):
        await WatchedRunner(runner, rates or Rates(), LONGEST_S).perform(JOB, lambda _told: None)
    return trio.current_time() - began


async def test_the_bounds_are_as_stated(autojump_clock: MockClock) -> None:
    assert await _ended_after(Telling({"games": 1})) == pytest.approx(SILENT_S + 2, abs=1)
    assert await _ended_after(Telling({"compiling": "a"})) == pytest.approx(COMPILING_S + 2, abs=1)
    growing = Telling(*({"games": number} for number in range(10_000)))
    assert await _ended_after(growing) == pytest.approx(LONGEST_S, abs=1)
    rates = Rates()
    rates.observe(size_of(JOB), 100.0)
    assert await _ended_after(growing, rates) == pytest.approx(SILENT_S + 5 * 100, abs=1)
    compiles = Telling({"compiling": "a"}, {"compiling": "b"})
    assert await _ended_after(compiles, rates) == pytest.approx(COMPILING_S + 4, abs=1)
    alternating = Telling(*({"compiling": str(number)} for number in range(10_000)))
    assert await _ended_after(alternating, rates) == pytest.approx(LONGEST_S, abs=1)


async def test_a_machine_that_became_far_slower_is_measured_anew(autojump_clock: MockClock) -> None:
    """The rates of a quiet machine must not end every job of a busy one for ever."""
    rates = Rates()
    rates.observe(size_of(JOB), 10.0)
    slow = Telling(*({"games": number} for number in range(10_000)), count=1000)  # 2000 s
    watched, ended = WatchedRunner(slow, rates, LONGEST_S), 0
    with trio.fail_after(4 * LONGEST_S):
        while True:
            before = rates.seconds(size_of(JOB)) or 0.0
            try:
                await watched.perform(JOB, lambda _told: None)
                break
            except StuckError:
                ended += 1
                assert (rates.seconds(size_of(JOB)) or 0.0) > 2 * before
    assert 1 <= ended <= 4
    assert rates.seconds(size_of(JOB)) == pytest.approx(2000, rel=0.5)


async def test_a_job_that_no_claim_is_long_enough_for_makes_the_next_claims_smaller(autojump_clock: MockClock) -> None:
    rates = Rates()
    await _ended_after(Telling(*({"games": number} for number in range(10_000))), rates)
    assert rates.seconds(size_of(JOB)) == pytest.approx(LONGEST_S, abs=1)
    hanging = Rates()
    await _ended_after(Telling({"games": 1}), hanging)
    assert hanging.seconds(size_of(JOB)) is None, "a hang tells nothing about the rate"


async def test_time_in_which_the_machine_slept_does_not_count(autojump_clock: MockClock) -> None:
    class Sleeping(Telling):
        async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
            await trio.sleep(10)
            autojump_clock.jump(10_000)
            return await super().perform(job, report)

    rates = Rates()
    await WatchedRunner(Sleeping({"games": 1}, count=5), rates, LONGEST_S).perform(JOB, lambda _told: None)
    assert rates.seconds(size_of(JOB)) == pytest.approx(20, abs=2)


async def test_only_changed_progress_is_passed_on_and_the_rate_is_measured_without_compiling(
    autojump_clock: MockClock,
) -> None:
    told: list[Mapping[str, Any]] = []
    steps: list[Mapping[str, Any]] = [{"compiling": "a"}, {"compiling": "a"}, {"games": 1}, {"games": 1}, {"games": 2}]
    rates = Rates()
    await WatchedRunner(Telling(*steps, count=5), rates, LONGEST_S).perform(JOB, told.append)
    assert told == [{"compiling": "a"}, {"games": 1}, {"games": 2}]
    assert rates.seconds(size_of(JOB)) == pytest.approx(6, abs=1)


@pytest.mark.parametrize("progress", [{"games": 1}, {"compiling": "engine.search.tree"}])
async def test_a_hang_holds_a_claim_no_longer_than_stated(
    tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery, progress: Mapping[str, Any]
) -> None:
    """The lease runs out in the ledger though the worker repeats its progress, and the claim is given back."""
    swarm = Swarm(4, SETTINGS)
    context = OrderContext(swarm, tmp_path, roles=("selfplay",))
    nursery.start_soon(context.beat)
    nursery.start_soon(work_alone, context, WatchedRunner(Telling(progress), Rates(), LONGEST_S))
    bound_s = COMPILING_S if "compiling" in progress else SILENT_S
    await trio.sleep(bound_s - 20)
    (held,) = swarm.ledger.claims_of(context.me)
    await trio.sleep(40)
    assert swarm.ledger.claim(context.me, held.id) is None
    said = [entry.reason for entry in context.said if isinstance(entry, t.Release)]
    assert len(said) == 1
    assert "no progress" in said[0] or "has compiled" in said[0]
    assert len([entry for entry in context.said if isinstance(entry, t.Progress)]) <= bound_s / 30


async def test_progress_that_is_repeated_renews_no_lease_even_without_a_watchdog(
    tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    swarm = Swarm(4, SETTINGS)
    context = OrderContext(swarm, tmp_path, roles=("selfplay",))
    runner = Telling({"games": 3})
    nursery.start_soon(context.beat)
    nursery.start_soon(work_alone, context, runner)
    await trio.sleep(140)
    assert len([entry for entry in context.said if isinstance(entry, t.Progress)]) == 1
    assert swarm.ledger.claims_of(context.me)
    await trio.sleep(30)
    assert runner.jobs == 2  # the claim ran out, and nobody wanted the first one any more


def test_rates_are_kept_and_follow_what_is_measured(tmp_path: Path) -> None:
    path, size = tmp_path / "rates.json", Size("match hex8-2 16 simulations", 4)
    rates = Rates(path)
    assert rates.seconds(size) is None
    rates.observe(size, 8.0)
    rates.observe(size, 16.0)
    assert Rates(path).seconds(size) == 12.0
    for damaged in (b"", b"[]", b'{"a": "x"}', b"\xff", b"[" * 100_000):
        path.write_bytes(damaged)
        assert Rates(path).table() == {}
    path.unlink()
    path.mkdir()
    rates.observe(size, 16.0)  # it cannot be written: the node goes on


def test_a_profile_leaves_out_what_is_none_of_our_rates(tmp_path: Path) -> None:
    """A file of another version, or one that a person wrote, ends no node."""
    path = tmp_path / "rates.json"
    rest = "selfplay hex8-2", "selfplay", "", "train", "train x" + "y" * 99 + " c16b2", "selfplay \u202e 16 simulations"
    path.write_text(json.dumps({**dict.fromkeys(rest, 1.0), "train hex8-2 c16b2": 5e-324, "selfplay hex8-2 random": 9}))
    assert Rates(path).announced() == {"train-hex8-2": 10**12, "random-hex8-2": 400}


def test_a_profile_tells_the_rates_that_members_size_claims_by() -> None:
    """Games of models and random games an hour, and steps; first networks and checks are no measure of that."""
    rates = Rates()
    for kind in (
        "selfplay hex8-2 16 simulations",
        "selfplay hex8-2 64 simulations",
        "selfplay hex8-3 random",
        "train hex8-2 c16b2",
        "train hex8-2 c16b2 first",
        "check hex8-2",
    ):
        rates.observe(Size(kind, 10), 20.0)
    rates.observe(Size("selfplay hex8-2 64 simulations", 10), 40.0)
    told = {"selfplay-hex8-2": 1200, "random-hex8-3": 1800, "train-hex8-2": 1800}
    assert rates.announced() == told
    assert not have_changed(told, told | {"train-hex8-2": 1500})
    assert have_changed(told, told | {"train-hex8-2": 1300})
    assert have_changed({}, told)


async def test_a_node_announces_its_rates_when_they_change_and_only_with_the_rules(
    tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    for rules in (0, 1):
        swarm = Swarm(4, replace(SETTINGS, steering=SteeringSettings(rules=rules)))
        context, rates = OrderContext(swarm, tmp_path), Rates()
        profiles = _Profiles(context, ("train",), "cpu", rates=rates, is_reached=lambda: True, life_s=1000, cost=350)
        await profiles.submit()
        rates.observe(Size("train hex8-2 c16b2", 10), 20.0)
        with trio.move_on_after(300):
            await profiles.run()
        told = [entry for entry in context.said if isinstance(entry, t.Profile)]
        assert [dict(entry.rates) for entry in told] == [{}, {"train-hex8-2": 1800}][: 1 + rules]
        assert [entry.life for entry in told] == [1000, 940][: 1 + rules]
        assert {entry.cost for entry in told} == {350_000}


async def test_a_node_that_nobody_reaches_tells_so_until_somebody_does(
    tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    context = OrderContext(Swarm(4, replace(SETTINGS, steering=SteeringSettings(rules=1))), tmp_path)
    profiles = _Profiles(
        context, (), "cpu", rates=Rates(), is_reached=lambda: not 100 < trio.current_time() - began < 500
    )
    began = trio.current_time()
    await profiles.submit()
    with trio.move_on_after(900):
        await profiles.run()
    assert [entry.hidden for entry in context.said if isinstance(entry, t.Profile)] == [None, True, None]


async def test_a_node_tells_its_disk_where_that_counts_and_again_when_it_moves_shards(
    tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    for unit_gib, wanted in ((0, [None]), (50, [210, 90, 0, 800])):
        steering = SteeringSettings(rules=1, custodians=2, custody_disk_gib=unit_gib)
        context = OrderContext(Swarm(4, replace(SETTINGS, steering=steering)), tmp_path)
        free = [210]
        profiles = _Profiles(
            context,
            (),
            "cpu",
            rates=Rates(),
            is_reached=lambda: True,
            disk_gib=lambda free=free: free[0],  # type: ignore[misc]
        )
        await profiles.submit()
        with trio.move_on_after(1000):
            async with trio.open_nursery() as watching:
                watching.start_soon(profiles.run)
                for gib in (190, 160, 90, 80, 0, 800, 1200):
                    await trio.sleep(100)
                    free[0] = gib
        assert [entry.disk for entry in context.said if isinstance(entry, t.Profile)] == wanted
        assert context.swarm.ledger.refused_counts() == {}


def test_jobs_of_one_kind_take_equally_long() -> None:
    settings: dict[str, Any] = {"simulations": 16, "architecture": "c16b2", "steps": 300}
    play = {"job": "selfplay", "config": "hex8-2", "model": "/m", "games": 256, "settings": settings}
    assert size_of(play) == Size("selfplay hex8-2 16 simulations", 256)
    assert size_of({**play, "model": None}) == Size("selfplay hex8-2 random", 256)
    train = {"job": "train", "config": "hex8-2", "parent": "/m", "settings": settings}
    assert size_of(train) == Size("train hex8-2 c16b2", 300)
    first = {**settings, "first_networks": 2, "first_steps": 600}
    assert size_of({**train, "parent": None, "settings": first}) == Size("train hex8-2 c16b2 first", 1200)
    check = {"job": "check", "config": "hex8-2", "blocks": [[0, b""]] * 3, "settings": {}}
    assert size_of(check) == Size("check hex8-2", 3)


async def test_a_job_that_fails_measures_nothing(autojump_clock: MockClock) -> None:
    class Failing(Telling):
        async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
            raise WorkError("no such thing")

    rates = Rates()
    with pytest.raises(WorkError, match="no such thing"):
        await WatchedRunner(Failing(), rates, LONGEST_S).perform(JOB, lambda _told: None)
    assert rates.table() == {}
