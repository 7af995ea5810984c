"""The end of a node's work: nothing new, what is done delivered, the rest given back, all within the bound."""

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from consensus.ledger import Ledger
from consensus.ledger.records import transactions as t
from consensus.ledger.records.entities import Shard
from node.simulation.fake_worker import FakeWorker, fake_facts
from node.system.supervision import Unsupervised
from node.work.drain import Drain
from node.work.lifecycle import _work_in
from node.work.rates import Rates, size_of
from node.work.watchdog import WatchedRunner
from node.work.worker import JobRunner, Report, WorkError
from tests.node.work.test_slots import Machine, fake

BOUND_S = 30


class Long(FakeWorker):
    """A worker whose games are over one every ten seconds; it delivers what is over when that is enough."""

    enough = trio.Event()

    async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        assert job["job"] == "selfplay"
        over = 0
        while over < job["games"] and not self.enough.is_set():
            with trio.move_on_after(10) as waiting:
                await self.enough.wait()
            over += waiting.cancelled_caught
            report({"games": over})
        if not over:
            raise WorkError("no game is over yet")
        done = self._play({**job, "games": over})
        return {**done, "facts": fake_facts(over, is_random=job["model"] is None)}


class Deaf(FakeWorker):
    """A worker that goes on for ever, whatever it is told."""

    async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        while True:
            await trio.sleep(1)
            report({"games": 0, "evaluations": trio.current_time()})


class Ended:
    """A node that worked for a while and was then drained."""

    def __init__(self, directory: Path, *runners: JobRunner, roles: tuple[str, ...] = ("selfplay",)) -> None:
        self.machine, self.drain = Machine(directory, *runners), Drain(BOUND_S)
        self.machine.context.roles = roles
        self.took_s = 0.0

    async def run(self, after_s: float, trouble: Callable[[], None] = lambda: None) -> None:
        context, desk = self.machine.context, self.machine.desk
        async with trio.open_nursery() as nursery:
            scope = trio.CancelScope()
            nursery.start_soon(context.beat)
            nursery.start_soon(_work_in, context, desk, self.machine.slots, Unsupervised().run, scope)
            nursery.start_soon(self.drain.run, context, desk, scope.cancel)
            await trio.sleep(after_s)
            trouble()
            began = trio.current_time()
            self.drain.begin()
            await self.drain.wait_until_done()
            self.took_s = trio.current_time() - began
            nursery.cancel_scope.cancel()

    @property
    def said(self) -> list[t.Transaction]:
        return self.machine.context.said

    @property
    def claims(self) -> int:
        return len(self.machine.swarm.ledger.claims_of(self.machine.context.me))


async def test_jobs_that_end_within_the_bound_are_delivered_whole_and_nothing_new_is_claimed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    node = Ended(tmp_path, fake(tmp_path, 1), fake(tmp_path, 2))
    await node.run(12)
    kinds = [type(entry) for entry in node.said]
    assert kinds.count(t.SelfplayClaim) == kinds.count(t.Games) >= 3
    assert t.Release not in kinds
    assert (node.claims, node.took_s < 12) == (0, True)


async def test_an_idle_node_ends_at_once(tmp_path: Path, autojump_clock: MockClock) -> None:
    node = Ended(tmp_path, fake(tmp_path))
    node.machine.swarm.play(1, games=64)
    await node.run(5)
    assert node.said == []
    assert node.took_s < 1


async def test_games_that_are_over_are_delivered_and_the_rest_of_the_claim_is_given_back(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    long = Long(random.Random(1), tmp_path, [])
    node = Ended(tmp_path, long)
    Long.enough = node.drain.enough
    await node.run(15)
    (games,) = [entry for entry in node.said if isinstance(entry, t.Games)]
    (release,) = [entry for entry in node.said if isinstance(entry, t.Release)]
    assert (games.games, release.claim) == (3, games.claim)
    assert "3 games of 8" in release.reason
    assert node.machine.swarm.ledger.configuration("hex8-2").new_games == 3
    assert node.machine.swarm.ledger.refused_counts() == {}
    assert (node.claims, 20 <= node.took_s < 22) == (0, True)


@pytest.mark.parametrize("kind", ["selfplay", "train"])
async def test_what_goes_on_is_broken_off_and_free_at_once(
    tmp_path: Path, autojump_clock: MockClock, kind: str
) -> None:
    """Without this, a training would be held until its lease ends, 120 s later."""
    node = Ended(tmp_path, Deaf(random.Random(1), tmp_path, []), roles=(kind,))
    shard = node.machine.swarm.play(1, games=64)
    if kind == "selfplay":
        node = Ended(tmp_path, Deaf(random.Random(1), tmp_path, []), roles=(kind,))
    node.machine.context.files[shard] = tmp_path
    await node.run(5)
    assert [type(entry) for entry in node.said if not isinstance(entry, t.Progress)][1:] == [t.Release]
    assert (node.claims, 25 <= node.took_s < 27) == (0, True)
    if kind == "train":
        swarm = node.machine.swarm
        swarm.act(2, t.TrainClaim(swarm.next_id(2), "hex8-2", "c16b2"))
        assert swarm.refusal() is None


async def test_it_takes_no_longer_than_the_bound_where_nothing_is_ordered(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = Ended(tmp_path, Deaf(random.Random(1), tmp_path, []))

    async def say_in_vain(*transactions: t.Transaction) -> None:
        node.machine.context.said += transactions

    await node.run(5, lambda: monkeypatch.setattr(node.machine.context, "submit", say_in_vain))
    assert sum(isinstance(entry, t.Release) for entry in node.said) == 1
    assert node.took_s == pytest.approx(BOUND_S, abs=1)


async def test_the_node_stays_until_others_hold_its_shards(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, ended_at = Ended(tmp_path, fake(tmp_path)), trio.current_time() + 25

    def unsafe(ledger: Ledger) -> tuple[Shard, ...]:
        return ledger.shards("hex8-2") if trio.current_time() < ended_at else ()

    monkeypatch.setattr(Ledger, "unsafe_shards", unsafe)
    await node.run(12)
    assert node.took_s == pytest.approx(13, abs=0.3)


async def test_a_node_that_does_no_work_ends_at_once(autojump_clock: MockClock) -> None:
    drain = Drain(BOUND_S)
    drain.begin()
    drain.begin()
    began = trio.current_time()
    await drain.wait_until_done()
    assert trio.current_time() == began


async def test_games_of_a_part_of_a_job_say_nothing_about_the_rate(tmp_path: Path, autojump_clock: MockClock) -> None:
    long, rates = Long(random.Random(1), tmp_path, []), Rates()
    job: dict[str, Any] = {"job": "selfplay", "config": "hex8-2", "model": None, "games": 8, "settings": {}}
    Long.enough = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(WatchedRunner(long, rates, 3600).perform, job, lambda _told: None)
        await trio.sleep(35)
        Long.enough.set()
    assert rates.seconds(size_of(job)) is None
