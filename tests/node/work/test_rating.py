"""A node rates models, and checks what others say of their rating games."""

import random
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from consensus.ledger.priorities import next_work
from consensus.ledger.records import transactions as t
from consensus.ledger.records.beacon import slot_blocks
from consensus.ledger.records.entities import Lineage
from consensus.ledger.records.ratings import Series
from consensus.settings import SteeringSettings
from node.blobs.needs import needed_blobs, needed_models
from node.simulation.fake_worker import FakeWorker, fake_games
from node.work.jobs import perform
from node.work.voting import vote_on_all
from node.work.worker import Report
from tests.consensus.ledger.rules.test_siblings import Family
from tests.consensus.ledger.swarm import Swarm
from tests.node.work.test_work import SETTINGS, OrderContext, _Trainer, work_alone


class RatedSwarm(Swarm):
    """A swarm with a canonical model, whose files exist."""

    def __init__(self) -> None:
        super().__init__(4, replace(SETTINGS, steering=SteeringSettings(rules=1, outcome_share=250)))
        self.files: dict[bytes, bytes] = {}
        self.promote(3, "first")
        self.order()
        self.order()

    def model(self, name: str, parent: bytes | None = None) -> tuple[bytes, dict[str, bytes]]:
        data = name.encode()
        files = {"weights.safetensors": sha256(data).digest()}
        self.files[files["weights.safetensors"]] = data
        return t.model_digest(files, "c16b2", parent), files

    def series(self, opponent: str = "heuristic") -> Series:
        found = [
            entry for entry in self.ledger.series() if (entry.pair.opponent, entry.pair.player) == (opponent, "search")
        ]
        return found[0]

    def play_for(self, series: Series, member: int, told: int = 3, real: int = 3) -> int:
        """A slot of a series is played and reported; its games may tell another score."""
        claim = self.next_id(member)
        self.act(member, t.RateClaim(claim, series.id))
        self.order()
        self.order()
        granted = self.ledger.claim(self.id(member), claim)
        assert granted is not None
        assert granted.slot is not None
        assert series.beacon is not None
        blocks = slot_blocks(series.beacon, series.id, granted.slot, series.settings.slot_blocks)
        games = fake_games([(number, real) for number, _ in blocks], blocks) + bytes([granted.slot])
        digest = sha256(games).digest()
        self.files[digest] = games
        news = self.result(member, claim, granted.slot, told)
        self.act(member, replace(news, blob=digest, root=digest, size=len(games)))
        return granted.slot


@pytest.fixture
def swarm() -> RatedSwarm:
    return RatedSwarm()


@pytest.fixture
def context(swarm: RatedSwarm, tmp_path: Path) -> OrderContext:
    return OrderContext(swarm, tmp_path, roles=("match",))


def serve(context: OrderContext, swarm: RatedSwarm, directory: Path) -> None:
    for digest, data in swarm.files.items():
        path = directory / digest.hex()
        path.write_bytes(data)
        context.files[digest] = path


def make_worker(tmp_path: Path) -> tuple[FakeWorker, list[Mapping[str, Any]]]:
    jobs: list[Mapping[str, Any]] = []
    return FakeWorker(random.Random(1), tmp_path, jobs, strength=0.5), jobs


async def test_models_are_rated_until_nothing_is_left_for_the_node(
    swarm: RatedSwarm, context: OrderContext, tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    serve(context, swarm, tmp_path)
    worker, jobs = make_worker(tmp_path)
    nursery.start_soon(context.beat)
    nursery.start_soon(work_alone, context, worker)
    await trio.sleep(900)
    nursery.cancel_scope.cancel()
    assert {(job["player"], job["opponent"]) for job in jobs} == {
        ("search", "heuristic"), ("search", "random"), ("policy", "heuristic"),
    }  # fmt: skip
    assert {Path(job["model"]).name for job in jobs} == {swarm.ledger.configuration("hex8-2").model.digest.hex()}
    assert swarm.ledger.refused_counts() == {}
    assert next_work(swarm.ledger, swarm.id(0), ("match",)) is None
    for series in swarm.ledger.series():
        mine = [slot.result for slot in series.slots if slot.result is not None]
        assert len(mine) in (1, 2)  # two slots are in play, and of a pair nobody plays both


async def test_a_wrong_result_of_a_series_is_reported_and_a_right_one_is_not(
    swarm: RatedSwarm, context: OrderContext, tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    series = swarm.series()
    swarm.play_for(series, 1)
    wrong = swarm.play_for(series, 2, told=4, real=2)
    serve(context, swarm, tmp_path)
    worker, _ = make_worker(tmp_path)
    nursery.start_soon(context.beat)
    nursery.start_soon(vote_on_all, context, worker)
    await trio.sleep(60)
    nursery.cancel_scope.cancel()
    (finding,) = [entry for entry in context.said if isinstance(entry, t.Finding)]
    assert (finding.candidate, finding.slot, finding.wrong) == (series.id, wrong, True)
    assert swarm.refusal() is None
    assert [case.accused for case in swarm.ledger.cases()] == [swarm.id(2)]


def test_one_member_of_eight_rates_at_once(swarm: RatedSwarm) -> None:
    work = next_work(swarm.ledger, swarm.id(0), ("match", "selfplay"))
    assert work is not None
    assert work.kind == "rate"
    swarm.act(0, work.claim(swarm.next_id(0)))
    assert swarm.refusal() is None
    other = next_work(swarm.ledger, swarm.id(1), ("match", "selfplay"))
    assert other is not None
    assert other.kind == "selfplay"


def test_what_is_rated_is_kept(swarm: RatedSwarm) -> None:
    series = swarm.series()
    swarm.play_for(series, 1)
    first = swarm.ledger.configuration("hex8-2").model
    swarm.promote(2, "second")
    blobs = {slot.result.blob for entry in swarm.ledger.series() for slot in entry.slots if slot.result is not None}
    assert blobs
    assert blobs | set(first.files.values()) <= needed_blobs(swarm.ledger)
    assert first.digest in needed_models(swarm.ledger)


class _Asked(_Trainer):
    """A trainer that keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[Mapping[str, Any]] = []

    async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        self.jobs.append(job)
        return await super().perform(job, report)


async def test_a_training_takes_the_games_of_matches_and_series_that_it_can_get(
    swarm: RatedSwarm, context: OrderContext, tmp_path: Path, autojump_clock: MockClock
) -> None:
    series = swarm.series()
    slots = [swarm.play_for(series, member) for member in (0, 1, 2)]
    serve(context, swarm, tmp_path)
    for _ in range(12):
        context.files[swarm.play(1)] = tmp_path
    reports = {entry.result.blob: entry for entry in swarm.ledger.outcomes("hex8-2") if entry.candidate == series.id}
    assert sorted(entry.slot for entry in reports.values()) == sorted(slots)
    lost = next(iter(reports))
    del context.files[lost]
    number = swarm.next_id(0)
    swarm.act(0, t.TrainClaim(number, "hex8-2", "c16b2"))
    swarm.order()
    claim = swarm.ledger.claim(context.me, number)
    assert claim is not None
    trainer = _Asked()
    candidate = await perform(context, trainer, claim, lambda _told: None)
    told = trainer.jobs[-1]["outcomes"]
    assert [entry["root"] for entry in told] == [report.result.root for blob, report in reports.items() if blob != lost]
    for entry, report in zip(told, list(reports.values())[1:], strict=True):
        assert [tuple(block) for block in entry["blocks"]] == list(report.blocks)
        assert [tuple(score) for score in entry["scores"]] == list(report.scores)
    swarm.act(0, candidate)
    assert swarm.refusal() is None
    assert set(reports) <= needed_blobs(swarm.ledger)


class _Joint(_Asked):
    """A trainer whose model has this share against the canonical model of the partner."""

    def __init__(self, share: int | None) -> None:
        super().__init__()
        self.share = share

    async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        done = await super().perform(job, report)
        return {**done, "partners": [{"used": [0], "share": self.share} for _ in job["partners"]]}


@pytest.mark.parametrize(("share", "nominates"), [(1000, True), (999, False), (None, False)])
async def test_a_joint_model_is_nominated_in_a_partner_where_it_plays_well_enough(
    tmp_path: Path, autojump_clock: MockClock, share: int | None, nominates: bool
) -> None:
    swarm = Family("hex8-2", "hex8-3", joint_share=250)
    context = OrderContext(swarm, tmp_path)
    for name in ("hex8-2", "hex8-3"):
        given = swarm.give(name)
        weights = sha256(name.encode()).digest()
        context.files[weights] = tmp_path / name
        context.files[weights].write_text(name)
        model = replace(given.model, files={"weights.safetensors": weights})
        swarm.ledger._state.configurations[name] = replace(given, model=model)
        lineages = {"c16b2": Lineage(model, None, 0, 0)}
        swarm.ledger._state.configurations[name] = replace(given, model=model, lineages=lineages)
        context.files[swarm.play(1, configuration=name)] = tmp_path
    games = swarm.ledger.configuration("hex8-3").new_games
    number = swarm.next_id(0)
    swarm.act(0, t.TrainClaim(number, "hex8-2", "c16b2"))
    claim = swarm.ledger.claim(context.me, number)
    assert claim is not None
    trainer = _Joint(share)
    candidate = await perform(context, trainer, claim, lambda _told: None)
    assert isinstance(candidate, t.Candidate)
    (asked,) = trainer.jobs[-1]["partners"]
    assert (asked["config"], len(asked["shards"]), trainer.jobs[-1]["joint_share"]) == ("hex8-3", 1, 250)
    nominated = [entry for entry in swarm.ledger.candidates() if entry.configuration == "hex8-3"]
    assert [entry.model.digest for entry in nominated] == [candidate.model] * nominates
    assert all(not entry.was_trained and len(entry.shards) == 1 for entry in nominated)
    assert swarm.ledger.configuration("hex8-3").new_games == games
    swarm.act(0, candidate)
    assert swarm.refusal() is None
    assert len(swarm.ledger.candidates()) == 1 + nominates
