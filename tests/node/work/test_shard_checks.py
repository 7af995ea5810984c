"""Nodes compare shards with what was announced: trainers what they load, everybody what is in doubt."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import trio

from consensus.ledger.records import transactions as t
from consensus.ledger.records.shard_cases import MISSING
from consensus.settings import SteeringSettings
from node.simulation.fake_worker import fake_facts
from node.work.jobs import perform
from node.work.shard_checks import announcement_of, check_shards
from node.work.worker import WorkError
from tests.consensus.ledger.swarm import Swarm
from tests.node.work.test_work import SETTINGS, OrderContext, _Trainer, _training_claim


@pytest.fixture
def swarm() -> Swarm:
    return Swarm(4, replace(SETTINGS, steering=SteeringSettings(rules=1)))


@pytest.fixture
def context(swarm: Swarm, tmp_path: Path) -> OrderContext:
    return OrderContext(swarm, tmp_path)


def keep(context: OrderContext, tmp_path: Path, swarm: Swarm, member: int) -> bytes:
    """A shard that can be had. It is named by the digest of its file."""
    number = len(context.files)
    path = tmp_path / f"shard{number}"
    path.write_bytes(bytes([number]))
    shard = swarm.play(member, games=40)
    context.files[shard] = path
    return shard


class Checker:
    """A worker that finds these shards wrong, by their files."""

    def __init__(self, *wrong: str) -> None:
        self.wrong = wrong
        self.jobs: list[Mapping[str, Any]] = []

    async def __call__(self, job: Mapping[str, Any]) -> Mapping[str, Any]:
        await trio.sleep(0.1)
        self.jobs.append(job)
        is_wrong = Path(job["shard"]).name in self.wrong
        return {"ok": not is_wrong, "reason": "searched is 1, but 2 was announced" if is_wrong else ""}


async def run(context: OrderContext, checker: Checker) -> None:
    with trio.move_on_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(context.beat)
            nursery.start_soon(check_shards, context, checker)


def findings(context: OrderContext) -> list[tuple[bytes, bool]]:
    return [(said.shard, said.wrong) for said in context.said if isinstance(said, t.ShardFinding)]


def undamaged(monkeypatch: pytest.MonkeyPatch) -> None:
    async def trust(path: Path, shard: object) -> None:
        await trio.lowlevel.checkpoint()

    monkeypatch.setattr("node.work.shard_checks.require_undamaged", trust)
    monkeypatch.setattr("node.work.training.require_undamaged", trust)


async def test_what_is_in_doubt_is_checked_and_what_is_found_is_said_once(
    swarm: Swarm, context: OrderContext, tmp_path: Path, autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    undamaged(monkeypatch)
    bad, good = keep(context, tmp_path, swarm, 1), keep(context, tmp_path, swarm, 2)
    for shard in (bad, good):
        swarm.act(3, t.ShardFinding(swarm.next_id(3), shard, True, "so it seems"))
    checker = Checker("shard0")
    await run(context, checker)
    assert sorted(findings(context)) == sorted([(bad, True), (good, False)])
    assert len(checker.jobs) == 2
    kept = swarm.ledger.shard(bad)
    assert kept is not None
    assert kept.facts is not None
    assert checker.jobs[0]["announced"]["facts"] == asdict(kept.facts)


async def test_one_waiting_shard_of_a_distrusted_author_is_checked(
    swarm: Swarm, context: OrderContext, tmp_path: Path, autojump_clock: object
) -> None:
    struck = swarm.play(1)
    for member in (0, 2, 3):
        swarm.act(member, t.ShardFinding(swarm.next_id(member), struck, True, "so it seems"))
    first, _ = keep(context, tmp_path, swarm, 1), keep(context, tmp_path, swarm, 1)
    swarm.wait(60)
    await run(context, Checker())
    assert findings(context) == [(first, False)]
    assert swarm.ledger.configuration("hex8-2").games == 80


async def test_a_file_that_is_damaged_here_accuses_nobody(
    swarm: Swarm, context: OrderContext, tmp_path: Path, autojump_clock: object
) -> None:
    shard = keep(context, tmp_path, swarm, 1)  # whose bytes do not have its digest
    swarm.act(3, t.ShardFinding(swarm.next_id(3), shard, True, "so it seems"))
    checker = Checker("shard0")
    await run(context, checker)
    assert len(checker.jobs) > 1
    assert findings(context) == []


async def test_a_trainer_tells_the_others_of_what_it_could_not_use(
    swarm: Swarm, context: OrderContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, autojump_clock: object
) -> None:
    undamaged(monkeypatch)
    shards = [keep(context, tmp_path, swarm, 1) for _ in range(3)]
    claim = _training_claim(swarm)
    candidate = await perform(context, _Trainer(skipped=(1,)), claim, lambda _told: None)
    assert isinstance(candidate, t.Candidate)
    assert candidate.shards == (shards[0], shards[2])
    assert findings(context) == [(shards[1], True)]
    with pytest.raises(WorkError, match="none of the 3 shards is what was announced: shard 0: damaged"):
        await perform(context, _Trainer(skipped=(0, 1, 2)), claim, lambda _told: None)
    assert {shard for shard, _ in findings(context)} == set(shards)


async def test_a_shard_that_nobody_has_is_called_missing_after_two_minutes(
    swarm: Swarm, context: OrderContext, autojump_clock: object
) -> None:
    shard = swarm.play(1)
    swarm.act(3, t.ShardFinding(swarm.next_id(3), shard, True, MISSING))
    with trio.move_on_after(100):
        await run(context, Checker())
    assert findings(context) == []
    with trio.move_on_after(400):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(context.beat)
            nursery.start_soon(check_shards, context, Checker())
    (said,) = (said for said in context.said if isinstance(said, t.ShardFinding))
    assert (said.shard, said.wrong, said.reason) == (shard, True, MISSING)


async def test_announcements_are_compared_only_where_facts_were_announced(swarm: Swarm) -> None:
    swarm.play(1)
    (shard,) = swarm.ledger.shards("hex8-2")
    said = announcement_of(shard)
    assert said is not None
    assert (said["is_random"], said["games"], set(said["facts"])) == (True, 32, set(fake_facts(1, is_random=True)))
    assert announcement_of(replace(shard, facts=None)) is None
