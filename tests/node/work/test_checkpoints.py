"""Interrupted trainings: the next attempt at the same goes on with the same games and seed, others begin anew."""

import random
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from trio.testing import MockClock

from consensus.ledger.records import transactions as t
from consensus.ledger.records.entities import Claim
from consensus.ledger.rules.seeds import DISTANCE
from node.simulation.fake_worker import FakeWorker
from node.work.checkpoints import MOST_ATTEMPTS, CheckpointFolder
from node.work.jobs import perform
from node.work.loop import _fulfil
from node.work.slots import SlotState, WorkerSlot
from node.work.training_plans import PlanError, PlannedPartner, TrainingPlan, TrainingSubject, decode_plan
from node.work.watchdog import _is_part
from node.work.worker import Report, WorkError
from tests.consensus.ledger.swarm import Swarm
from tests.node.work.test_work import SETTINGS, OrderContext

SUBJECT = TrainingSubject(
    configuration="hex8-2", family="c16b2", model=bytes(32), state=None, is_sibling=False, settings_version=0
)
PLAN = TrainingPlan(
    subject=SUBJECT,
    seed=b"s" * 32,
    shards=(b"a" * 32, b"b" * 32),
    outcomes=(b"c" * 32,),
    partners=(PlannedPartner("hex8-3", (b"d" * 32,)),),
)


class Trainer(FakeWorker):
    """A worker that is told to end while it trains, as long as `stops`; then it goes on from what it finds."""

    stops = True

    async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        done = await super().perform(job, report)
        folder = Path(job["checkpoints"])
        found = list(folder.iterdir()) if folder.exists() else []
        if not self.stops:
            return {**done, "resumed": 7 if found else 0, "dropped": []}
        folder.mkdir(exist_ok=True)
        (folder / "checkpoint.safetensors").write_bytes(b"7 steps")
        return {"stopped": {"steps": 7, "wanted": 300}}


class Story:
    """A trainer in a swarm whose order takes everything at once."""

    def __init__(self, tmp_path: Path) -> None:
        self.swarm = Swarm(4, SETTINGS)
        self.context = OrderContext(self.swarm, tmp_path)
        self.trainer = Trainer(random.Random(1), tmp_path, [])
        self.path = tmp_path
        self.play()

    def play(self) -> bytes:
        shard = self.swarm.play(0, games=40)
        self.context.files[shard] = self.path
        return shard

    def claim(self) -> Claim:
        number = self.swarm.next_id(0)
        self.swarm.act(0, t.TrainClaim(number, "hex8-2", "c16b2"))
        for _ in range(DISTANCE):
            self.swarm.order()  # the seed of the training is drawn
        claim = self.swarm.ledger.claim(self.context.me, number)
        assert claim is not None
        return claim

    async def train(self, claim: Claim) -> t.Transaction:
        report = await perform(self.context, self.trainer, claim, lambda _told: None)
        if isinstance(report, t.Release):
            self.swarm.act(0, report)
        return report

    @property
    def asked(self) -> tuple[bytes, int]:
        """The seed and the number of shards that the trainer was asked to train with last."""
        return self.trainer.jobs[-1]["seed"], len(self.trainer.jobs[-1]["shards"])

    @property
    def kept(self) -> list[str]:
        return sorted(path.name for path in (self.path / "checkpoints").rglob("*"))


async def test_a_training_that_was_stopped_goes_on_with_its_games_and_its_seed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    story = Story(tmp_path)
    first = story.claim()
    report = await story.train(first)
    assert report == t.Release(report.id, first.id, "7 of 300 steps: the node ends its work")
    story.play()
    second = story.claim()
    assert second.seed != first.seed
    await story.train(second)
    assert story.asked == (first.seed, 1)
    story.trainer.stops = False
    with capture_logs() as logs:
        candidate = await story.train(story.claim())
    assert isinstance(candidate, t.Candidate)
    assert len(candidate.shards) == 1
    assert [entry["steps"] for entry in logs if entry["event"].startswith("training went on")] == [7]


async def test_it_begins_anew_where_its_games_count_no_more_or_its_parent_is_another(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    story = Story(tmp_path)
    await story.train(story.claim())
    before = dict(story.context.files)
    story.context.files = {story.play(): tmp_path}  # nobody has the first shard any more
    claim = story.claim()
    await story.train(claim)
    assert story.asked == (claim.seed, 1)
    story.context.files |= before
    story.swarm.promote(1)
    (weights,) = story.swarm.ledger.configuration("hex8-2").model.files.values()
    story.context.files[weights] = tmp_path / "weights"
    story.context.files[weights].write_text(repr(("weights", "first")))
    later = story.claim()
    await story.train(later)
    assert story.asked == (later.seed, 2)
    assert len([name for name in story.kept if name.endswith(".safetensors")]) == 1


async def test_the_checkpoint_is_deleted_once_the_candidate_is_delivered(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    story = Story(tmp_path)
    await story.train(story.claim())
    assert "checkpoint.safetensors" in story.kept
    story.trainer.stops = False
    slot = SlotState(WorkerSlot(1), story.trainer)
    await _fulfil(story.context, slot, story.claim(), lambda _: None)
    assert isinstance(story.context.said[-1], t.Candidate)
    assert story.kept == []


async def test_another_member_goes_on_with_what_was_handed_over(tmp_path: Path, autojump_clock: MockClock) -> None:
    story = Story(tmp_path)
    first = story.claim()
    await story.train(first)
    (offer,) = story.context.offers.values()
    assert (offer.steps, offer.size) == (7, len(b"7 steps"))
    shutil.rmtree(tmp_path / "checkpoints")  # what follows is at a machine that has nothing of it
    story.play()
    story.trainer.stops = False
    candidate = await story.train(story.claim())
    assert isinstance(candidate, t.Candidate)
    assert story.asked == (first.seed, 1)
    assert f"{offer.digest.hex()}.safetensors" in story.kept


@pytest.mark.parametrize("lie", ["no plan", "of another training", "games that nobody played", "no blob"])
async def test_who_offers_a_lie_costs_nothing(tmp_path: Path, autojump_clock: MockClock, lie: str) -> None:
    story = Story(tmp_path)
    await story.train(story.claim())
    ((subject, offer),) = story.context.offers.items()
    plan = decode_plan(offer.plan)
    lies = {
        "no plan": replace(offer, plan=b"no plan"),
        "of another training": replace(offer, plan=replace(plan, subject=SUBJECT).encode()),
        "games that nobody played": replace(offer, plan=replace(plan, shards=(b"a" * 32,)).encode()),
        "no blob": replace(offer, digest=bytes(32)),
    }
    story.context.offers[subject] = lies[lie]
    shutil.rmtree(tmp_path / "checkpoints")
    story.trainer.stops = False
    claim = story.claim()
    with capture_logs() as logs:
        candidate = await story.train(claim)
    assert isinstance(candidate, t.Candidate)
    assert story.asked == (claim.seed, 1)
    assert [entry["event"] for entry in logs if entry["event"].startswith("training begins")] == [
        "training begins anew"
    ]


async def test_a_training_that_fails_after_a_checkpoint_is_offered_to_whoever_comes_first(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    story = Story(tmp_path)
    await story.train(story.claim())
    story.context.offers.clear()
    story.trainer = Trainer(random.Random(1), tmp_path, [], failing=1.0)
    with pytest.raises(WorkError, match="SIGKILL"):
        await story.train(story.claim())
    assert len(story.context.offers) == 1


def test_a_folder_holds_the_checkpoints_of_one_plan(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, "hex8-2", "c16b2")
    assert (folder.newest(), folder.find(SUBJECT)) == (None, None)
    steps = folder.begin(PLAN)
    assert folder.find(SUBJECT) is None, "a plan without a checkpoint is none to go on with"
    steps.mkdir()
    (steps / "a.safetensors").touch()
    assert folder.begin(PLAN) == steps
    assert folder.find(SUBJECT) == PLAN
    assert folder.find(replace(SUBJECT, settings_version=1)) is None
    assert folder.newest() == steps / "a.safetensors"
    (steps.parent / "plan").write_bytes(b"damaged")
    with capture_logs() as logs:
        assert folder.find(SUBJECT) is None
    assert [entry["event"] for entry in logs] == ["checkpoint dropped"]
    folder.begin(replace(PLAN, seed=bytes(32)))
    assert folder.newest() is None
    other = CheckpointFolder(tmp_path, "hex8-2", "c32b4")
    other.begin(PLAN)
    folder.clear()
    folder.clear()
    assert len(list(tmp_path.iterdir())) == 1


def test_a_checkpoint_from_which_nothing_comes_is_given_up_after_three_attempts(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, "hex8-2", "c16b2")
    steps = folder.begin(PLAN)
    steps.mkdir()
    (steps / "a.safetensors").touch()
    for _ in range(MOST_ATTEMPTS - 1):
        folder.begin(PLAN)
    (steps / "a.safetensors").rename(steps / "b.safetensors")  # it got further
    for _ in range(MOST_ATTEMPTS):
        assert folder.find(SUBJECT) == PLAN
        folder.begin(PLAN)
    with capture_logs() as logs:
        assert folder.find(SUBJECT) is None
    assert [entry["event"] for entry in logs] == ["checkpoint dropped"]
    assert folder.newest() is None
    (folder.begin(PLAN).parent / "attempts").write_bytes(b"\xff")
    assert folder.newest() is None


def test_a_plan_survives_its_bytes_and_nothing_else_is_one() -> None:
    assert decode_plan(PLAN.encode()) == PLAN
    assert SUBJECT.digest != replace(SUBJECT, family="c32b4").digest
    data = PLAN.encode()
    for bad in (b"", data[:-1], data + b"\0", b"\x80", data.replace(b"s" * 32, b"t" * 31 + b"\xff", 1)[:-5]):
        with pytest.raises(PlanError):
            decode_plan(bad)
    for wrong in (replace(PLAN, seed=b"short"), replace(PLAN, shards=(b"a",)), replace(PLAN, outcomes=(b"",))):
        with pytest.raises(PlanError, match="not a digest"):
            decode_plan(wrong.encode())
    with pytest.raises(PlanError, match="does not say what is trained"):
        decode_plan(replace(PLAN, subject=replace(SUBJECT, family="x" * 65)).encode())


@pytest.mark.parametrize(
    ("done", "is_part"), [({"stopped": {}}, True), ({"resumed": 7}, True), ({"resumed": 0}, False), ({}, False)]
)
def test_the_time_of_an_attempt_at_a_part_of_a_training_is_no_rate(done: dict[str, Any], is_part: bool) -> None:
    assert _is_part({"job": "train"}, done) == is_part
