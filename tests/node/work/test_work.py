"""The working tasks of one node over a real ledger: what others do, lose or lie about stops none of them."""

import random
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from consensus.genesis import Genesis
from consensus.keys import SigningKey
from consensus.ledger import Ledger
from consensus.ledger.priorities import Subject
from consensus.ledger.records import transactions as t
from consensus.ledger.records.entities import Claim, Place
from consensus.ledger.rules.seeds import DISTANCE
from consensus.settings import MatchSettings, SelfplaySettings, Settings, TrainingSettings
from engine.config import config
from node.blobs.checkpoint_messages import CheckpointOffer
from node.member.ledger_client import SubmitError
from node.proofs.certificates import write_certificates
from node.simulation.fake_worker import FakeWorker
from node.work.backoff import Backoff
from node.work.context import NobodyHasError, as_reason
from node.work.desk import ClaimDesk
from node.work.jobs import perform
from node.work.loop import _renew, _Tally, work_on
from node.work.slots import SlotState, WorkerSlot
from node.work.training_plans import TrainingPlan, TrainingSubject
from node.work.worker import JobRunner, Report, WorkerProcess, WorkError
from tests.consensus.ledger.swarm import Swarm, digest_of
from training.selfplay import play_shard
from training.settings import SelfPlaySettings
from training.shard import write_shard

SETTINGS = Settings(
    selfplay=SelfplaySettings(games=8, random_games=0, ceiling=64, late_promotions=2),
    training=TrainingSettings(games=24, window=2048),
    match=MatchSettings(slot_blocks=2, block_limit=32, p1=Fraction(3, 4)),
)

SIBLINGS = replace(
    SETTINGS, configurations=("hex8-2", "hex8-3"), training=replace(SETTINGS.training, sibling_promotions=1)
)


class OrderContext:
    """`FakeContext` of member 0 in a swarm whose order takes everything at once."""

    def __init__(self, swarm: Swarm, directory: Path, roles: tuple[str, ...] = ("match", "selfplay", "train")) -> None:
        self.swarm, self.roles, self._directory = swarm, roles, directory
        self.files: dict[bytes, Path] = {}
        self.offers: dict[TrainingSubject, CheckpointOffer] = {}
        self.said: list[t.Transaction] = []
        self.advances = 0
        self._moved = trio.Event()

    @property
    def key(self) -> SigningKey:
        return self.swarm.keys[0]

    @property
    def me(self) -> bytes:
        return self.swarm.id(0)

    @property
    def genesis(self) -> Genesis:
        return self.swarm.genesis

    @property
    def ledger(self) -> Ledger:
        return self.swarm.ledger

    def next_id(self) -> int:
        return self.swarm.next_id(0)

    async def submit(self, *transactions: t.Transaction) -> None:
        await trio.lowlevel.checkpoint()
        self.said += transactions
        self.swarm.act(0, *transactions)
        for _ in range(DISTANCE):
            self.swarm.order()
        self.stir()

    def stir(self) -> None:
        self.advances += 1
        self._moved.set()
        self._moved = trio.Event()

    async def wait_until_ordered(self, number: int) -> None:
        await trio.lowlevel.checkpoint()

    async def wait_for_advance(self, since: int) -> None:
        while self.advances <= since:
            await self._moved.wait()

    async def fetch(self, digest: bytes, size: int | None) -> Path:
        await trio.sleep(0.1)
        if digest not in self.files:
            raise NobodyHasError("nobody has it")
        return self.files[digest]

    async def keep(self, path: Path) -> tuple[bytes, int]:
        data = path.read_bytes()
        digest = sha256(data).digest()
        self.files[digest] = path
        return digest, len(data)

    async def hand_over(self, checkpoint: Path, plan: TrainingPlan, steps: int) -> int:
        await trio.lowlevel.checkpoint()
        data = checkpoint.read_bytes()
        digest = sha256(data).digest()
        self.files[digest] = self._directory / "handed over"
        self.files[digest].write_bytes(data)
        self.offers[plan.subject] = CheckpointOffer(
            subject=plan.subject.digest, plan=plan.encode(), digest=digest, size=len(data), steps=steps
        )
        return 1

    async def find_checkpoint(self, subject: TrainingSubject) -> CheckpointOffer | None:
        await trio.lowlevel.checkpoint()
        return self.offers.get(subject)

    def folder(self, name: str) -> Path:
        folder = self._directory / name
        folder.mkdir(exist_ok=True)
        return folder

    async def beat(self) -> None:
        """Empty rounds, as a swarm's heartbeats cause them."""
        while True:
            await trio.sleep(1)
            self.swarm.order((self.swarm.id(1), []))
            self.stir()


async def work_alone(context: OrderContext, runner: JobRunner) -> None:
    """Work as a node with one slot does."""
    await work_on(context, ClaimDesk(context), SlotState(WorkerSlot(1), runner))


@pytest.fixture
def swarm() -> Swarm:
    return Swarm(4, SETTINGS)


@pytest.fixture
def context(swarm: Swarm, tmp_path: Path) -> OrderContext:
    return OrderContext(swarm, tmp_path)


def worker(tmp_path: Path, **options: Any) -> FakeWorker:
    return FakeWorker(random.Random(1), tmp_path, [], **options)


class Breaking:
    """A job runner that fails every job of some kinds with an odd text."""

    def __init__(self, *kinds: str) -> None:
        self.kinds, self.tried = kinds, Counter[str]()

    async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        self.tried[job["job"]] += 1
        await trio.sleep(1)
        if job["job"] in self.kinds:
            raise WorkError("Broken:\nthe \x1b[31mwhole\u2028 worker " + "x" * 300)
        return {}

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


async def test_a_model_that_nobody_has_keeps_an_evaluator_from_nothing(
    swarm: Swarm, context: OrderContext, tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    swarm.nominate(3)
    nursery.start_soon(context.beat)
    nursery.start_soon(work_alone, context, worker(tmp_path))
    await trio.sleep(120)
    nursery.cancel_scope.cancel()
    said = Counter(type(entry) for entry in context.said)
    assert 2 <= said[t.MatchClaim] == said[t.Release] <= 6
    assert said[t.Games] >= 3
    assert said[t.Candidate] == 1
    assert not [claim for claim in swarm.ledger.claims_of(context.me) if claim.kind == "match"]


async def test_a_broken_machine_does_not_fill_the_order_with_claims(
    swarm: Swarm, context: OrderContext, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    broken = Breaking("selfplay")
    nursery.start_soon(context.beat)
    nursery.start_soon(work_alone, context, broken)
    await trio.sleep(3600)
    nursery.cancel_scope.cancel()
    assert 8 <= broken.tried["selfplay"] <= 15
    assert swarm.ledger.refused_counts() == {}
    assert not swarm.ledger.claims_of(context.me)


async def test_a_claim_of_an_earlier_life_that_is_granted_late_is_given_back(
    swarm: Swarm, tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    context = OrderContext(swarm, tmp_path, roles=("match",))
    early, late = swarm.next_id(0), swarm.next_id(0)
    swarm.act(0, t.SelfplayClaim(early, "hex8-2", 8))
    nursery.start_soon(work_alone, context, worker(tmp_path))
    await trio.sleep(1)
    swarm.act(0, t.TrainClaim(late, "hex8-2", "c16b2"))
    context.stir()
    await trio.sleep(1)
    nursery.cancel_scope.cancel()
    assert swarm.ledger.claims_of(context.me) == ()
    assert [entry.claim for entry in context.said if isinstance(entry, t.Release)] == [early, late]
    assert swarm.ledger.refused_counts() == {}


async def test_progress_without_a_quorum_does_not_pile_up(
    context: OrderContext, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_number: int) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr(context, "wait_until_ordered", never)
    claim = Claim(
        author=context.me,
        id=0,
        kind="selfplay",
        configuration="hex8-2",
        model=t.UNIFORM,
        amount=8,
        place=Place(1, 1, 1, bytes(32), 1),
    )
    tally = _Tally(SlotState(WorkerSlot(1), Breaking()), claim)

    async def work() -> None:
        while True:
            await trio.sleep(1)
            tally.observe({"games": 1, "plies": trio.current_time()})

    with trio.move_on_after(10_000):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_renew, context, claim, tally)
            nursery.start_soon(work)
    assert len(context.said) == 1


async def test_training_goes_on_with_older_shards_where_the_newest_are_lost(
    swarm: Swarm, context: OrderContext, tmp_path: Path
) -> None:
    claim = _training_claim(swarm)
    held = [swarm.play(0, games=40) for _ in range(3)]
    for _ in range(60):
        swarm.play(3, games=40)
    for shard in held:
        context.files[shard] = tmp_path
    candidate = await _trained(context, claim)
    assert candidate.shards == tuple(held)


async def test_what_is_trained_is_of_the_claimed_family(swarm: Swarm, context: OrderContext, tmp_path: Path) -> None:
    """A model of another architecture became canonical: to go on from it would be refused for ever."""
    statement = swarm.promote(1)
    promotion = swarm.ledger.promotion(statement)
    assert promotion is not None
    claim = swarm.next_id(0)
    swarm.act(0, t.TrainClaim(claim, "hex8-2", "c99b9"))
    swarm.order()
    context.files[swarm.play(0, games=40)] = tmp_path
    granted = swarm.ledger.claim(context.me, claim)
    assert granted is not None
    candidate = await _trained(context, granted)
    assert candidate.architecture == "c99b9"
    swarm.act(0, candidate)
    assert swarm.refusal() is None


async def test_jobs_are_asked_for_as_the_settings_say(
    swarm: Swarm, context: OrderContext, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Later models play with more simulations; first networks are chosen among several."""
    player = worker(tmp_path)
    for simulations in (16, 16, 64):
        number = swarm.next_id(0)
        swarm.act(0, t.SelfplayClaim(number, "hex8-2", 8))
        claim = swarm.ledger.claim(context.me, number)
        assert claim is not None
        await perform(context, player, claim, lambda _told: None)
        assert player.jobs[-1]["settings"]["simulations"] == simulations
        swarm.promote(1, f"no. {number}")
        weights = tmp_path / f"weights {number}"
        weights.write_text(repr(("weights", f"no. {number}")))
        context.files[digest_of("weights", f"no. {number}")] = weights
    context.files[swarm.play(0, games=40)] = tmp_path
    await perform(context, player, _training_claim(swarm, "c32b4"), lambda _told: None)
    asked = player.jobs[-1]["settings"]
    assert (asked["first_networks"], asked["architecture"]) == (2, "c32b4")


async def test_training_goes_on_from_the_newest_weights_with_the_state_of_their_training(
    swarm: Swarm, context: OrderContext, tmp_path: Path, autojump_clock: MockClock
) -> None:
    context.files[swarm.play(0, games=40)] = tmp_path
    trainer = worker(tmp_path)
    news = await perform(context, trainer, _training_claim(swarm), lambda _told: None)
    assert isinstance(news, t.Candidate)
    assert (trainer.jobs[-1]["parent"], trainer.jobs[-1]["state"]) == (None, None)
    assert news.state is not None
    swarm.act(0, news)
    claim = _training_claim(swarm)
    assert claim.model == news.model
    later = await perform(context, trainer, claim, lambda _told: None)
    assert isinstance(later, t.Candidate)
    assert later.parent == news.model
    assert trainer.jobs[-1]["parent"] == str(tmp_path / "models" / news.model.hex())
    assert trainer.jobs[-1]["state"] == str(context.files[news.state[0]])
    del context.files[news.state[0]]
    alone = await perform(context, trainer, claim, lambda _told: None)
    assert isinstance(alone, t.Candidate)
    assert (trainer.jobs[-1]["state"], alone.parent) == (None, news.model)


class _Judging(FakeWorker):
    """A worker that finds the sibling better than new networks, or worse."""

    prefers_sibling = True

    async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        done = await super().perform(job, report)
        return {**done, "is_sibling": job["sibling"] is not None and self.prefers_sibling}


@pytest.mark.parametrize("prefers_sibling", [True, False])
async def test_the_siblings_model_competes_with_new_networks(
    tmp_path: Path, autojump_clock: MockClock, prefers_sibling: bool
) -> None:
    swarm = Swarm(4, SIBLINGS)
    context = OrderContext(swarm, tmp_path)
    context.files[swarm.play(0, games=40, configuration="hex8-3")] = tmp_path
    swarm.promote(1)
    sibling = swarm.ledger.configuration("hex8-2").model
    (weights,) = sibling.files.values()
    context.files[weights] = tmp_path / "weights"
    context.files[weights].write_text(repr(("weights", "first")))
    trainer = _Judging(random.Random(1), tmp_path, [])
    trainer.prefers_sibling = prefers_sibling
    claim = _training_claim(swarm, configuration="hex8-3")
    assert claim.model == sibling.digest
    news = await perform(context, trainer, claim, lambda _told: None)
    assert isinstance(news, t.Candidate)
    asked = trainer.jobs[-1]
    assert (asked["parent"], asked["sibling"]) == (None, str(tmp_path / "models" / sibling.digest.hex()))
    assert news.parent == (sibling.digest if prefers_sibling else t.UNIFORM)
    swarm.act(0, news)
    assert swarm.refusal() is None
    claim = _training_claim(swarm, configuration="hex8-3")
    await perform(context, trainer, claim, lambda _told: None)
    asked = trainer.jobs[-1]
    assert (asked["parent"], asked["sibling"]) == (str(tmp_path / "models" / news.model.hex()), None)


async def test_training_starts_from_scratch_where_nobody_has_the_siblings_model(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    swarm = Swarm(4, SIBLINGS)
    context = OrderContext(swarm, tmp_path)
    context.files[swarm.play(0, games=40, configuration="hex8-3")] = tmp_path
    swarm.promote(1)
    trainer = worker(tmp_path)
    news = await perform(context, trainer, _training_claim(swarm, configuration="hex8-3"), lambda _told: None)
    assert isinstance(news, t.Candidate)
    assert (trainer.jobs[-1]["parent"], trainer.jobs[-1]["sibling"], news.parent) == (None, None, t.UNIFORM)
    swarm.act(0, news)
    assert swarm.refusal() is None


async def test_training_starts_from_the_canonical_model_where_nobody_has_the_newest_weights(
    swarm: Swarm, context: OrderContext, tmp_path: Path, autojump_clock: MockClock
) -> None:
    """The trainer died after it had nominated; what it had is gone with it."""
    context.files[swarm.play(0, games=40)] = tmp_path
    trainer = worker(tmp_path)
    lost = await perform(context, trainer, _training_claim(swarm), lambda _told: None)
    assert isinstance(lost, t.Candidate)
    swarm.act(0, lost)
    for digest in lost.files.values():
        del context.files[digest]
    told: list[Mapping[str, Any]] = []
    claim = _training_claim(swarm)
    news = await perform(context, trainer, claim, told.append)
    assert isinstance(news, t.Candidate)
    assert (trainer.jobs[-1]["parent"], trainer.jobs[-1]["state"]) == (None, None)
    assert (claim.model, news.parent) == (lost.model, t.UNIFORM)
    assert told[:3] == [{"tries": number} for number in (1, 2, 3)]
    swarm.wait(1000)
    number = swarm.next_id(0)
    swarm.act(0, t.TrainClaim(number, "hex8-2", "c16b2"))
    swarm.act(0, replace(news, claim=number))
    assert swarm.refusal() is None


async def test_a_candidate_names_the_shards_that_it_was_trained_on(
    swarm: Swarm, context: OrderContext, tmp_path: Path
) -> None:
    claim = _training_claim(swarm, "c99b9")
    shards = [swarm.play(0, games=40) for _ in range(4)]
    for shard in shards:
        context.files[shard] = tmp_path
    candidate = await _trained(context, claim, _Trainer(skipped=(0, 2)))
    assert candidate.shards == (shards[1], shards[3])
    swarm.act(0, candidate)
    assert swarm.refusal() is None
    nominated = swarm.ledger.candidates()[0]
    assert (nominated.model.digest, nominated.shards) == (candidate.model, candidate.shards)


async def test_a_real_worker_skips_unusable_shards_and_the_candidate_does_not_name_them(tmp_path: Path) -> None:
    """One shard is damaged, one cannot be read; with none left the job fails with one line."""
    training = TrainingSettings(
        games=24, steps=1, batch=4, architecture="c4b1", first_networks=1, first_steps=1, measured_blocks=1
    )
    swarm = Swarm(4, replace(SETTINGS, training=training))
    context = OrderContext(swarm, tmp_path)
    number = _training_claim(swarm, "c4b1").id
    for _ in range(DISTANCE):
        swarm.order()  # the seed of the training is drawn
    claim = swarm.ledger.claim(context.me, number)
    assert claim is not None
    damaged, good, missing = (swarm.play(0, games=2) for _ in range(3))
    shard = play_shard(config("hex8-2"), None, model=bytes(32), seed=bytes(32), games=2, settings=SelfPlaySettings())
    context.files[good] = write_shard(tmp_path, shard).path
    context.files[missing] = tmp_path / "missing"
    context.files[damaged] = tmp_path / "damaged"
    context.files[damaged].write_bytes(context.files[good].read_bytes()[:-1])
    worker = WorkerProcess(tmp_path / "worker.log")
    try:
        candidate = await perform(context, worker, claim, lambda _told: None)
        assert isinstance(candidate, t.Candidate)
        assert candidate.shards == (good,)
        context.files[good] = context.files[damaged]
        with pytest.raises(WorkError, match="DataError: none of the 3 shards can be trained on: damaged: "):
            await perform(context, worker, claim, lambda _told: None)
    finally:
        await worker.aclose()
    swarm.act(0, candidate)
    assert swarm.refusal() is None


class _Trainer:
    """As the real one: the architecture is the parent's, if there is a parent; shards may be of no use."""

    def __init__(self, skipped: Collection[int] = ()) -> None:
        self._skipped = skipped

    async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        await trio.lowlevel.checkpoint()
        assert job["shards"]
        used = [place for place in range(len(job["shards"])) if place not in self._skipped]
        skipped = [f"shard {place}: damaged" for place in self._skipped]
        architecture = "c99b9" if job["parent"] is None else "c16b2"
        return {
            "files": {},
            "architecture": architecture,
            "losses": {},
            "measures": {"brier": 190_000},
            "state": None,
            "used": used,
            "skipped": skipped,
            "is_sibling": False,
        }

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


async def _trained(context: OrderContext, claim: Claim, trainer: _Trainer | None = None) -> t.Candidate:
    for digest in context.ledger.configuration("hex8-2").model.files.values():
        context.files[digest] = Path(__file__)
    candidate = await perform(context, trainer or _Trainer(), claim, lambda _told: None)
    assert isinstance(candidate, t.Candidate)
    return candidate


def _training_claim(swarm: Swarm, family: str = "c16b2", configuration: str = "hex8-2") -> Claim:
    number = swarm.next_id(0)
    swarm.act(0, t.TrainClaim(number, configuration, family))
    swarm.order()
    claim = swarm.ledger.claim(swarm.id(0), number)
    assert claim is not None
    return claim


async def test_a_full_disk_fails_the_job_and_not_the_node(
    swarm: Swarm, context: OrderContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_name: str) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(context, "folder", full)
    number = swarm.next_id(0)
    swarm.act(0, t.SelfplayClaim(number, "hex8-2", 8))
    claim = swarm.ledger.claim(context.me, number)
    assert claim is not None
    with pytest.raises(WorkError, match="No space left"):
        await perform(context, Breaking(), claim, lambda _told: None)


async def test_a_report_that_cannot_be_said_gives_the_claim_back(
    swarm: Swarm, tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    class Speechless(OrderContext):
        async def submit(self, *transactions: t.Transaction) -> None:
            if isinstance(transactions[0], t.Games):
                raise SubmitError("cannot be put into an event")
            await super().submit(*transactions)

    context = Speechless(swarm, tmp_path)
    nursery.start_soon(work_alone, context, worker(tmp_path))
    await trio.sleep(30)
    nursery.cancel_scope.cancel()
    assert {type(entry) for entry in context.said} == {t.SelfplayClaim, t.Release}


def test_reasons_are_what_a_transaction_may_hold() -> None:
    assert as_reason("a\nb\x9f\u2028c") == "a b  c"
    assert as_reason("é" * 300) == "é" * 200


async def test_certificates_are_written_once_the_disk_has_room_again(
    swarm: Swarm,
    context: OrderContext,
    tmp_path: Path,
    nursery: trio.Nursery,
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
) -> None:
    """The second one first: the first still lacks seals."""
    statements = [swarm.promote(1, name) for name in ("first", "second")]
    directory = tmp_path / "certificates"

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    nursery.start_soon(write_certificates, context, directory)
    with monkeypatch.context() as patch:
        patch.setattr("node.system.files.os.fsync", full)
        swarm.certify(statements[1], (0, 1, 2))
        context.stir()
        await trio.sleep(1)
        assert not list(directory.glob("*.json"))
    context.stir()
    await trio.sleep(1)
    assert [path.name[:11] for path in directory.iterdir()] == ["hex8-2-0002"]
    swarm.certify(statements[0], (0, 1, 2))
    context.stir()
    await trio.sleep(1)
    kept = {path: path.read_bytes() for path in directory.iterdir()}
    assert sorted(path.name[:11] for path in kept) == ["hex8-2-0001", "hex8-2-0002"]
    nursery.cancel_scope.cancel()
    damaged, replaced = sorted(kept)
    damaged.write_bytes(kept[damaged][:-9])
    replaced.unlink()
    replaced.mkdir()
    async with trio.open_nursery() as restarted:
        restarted.start_soon(write_certificates, context, directory)
        await trio.sleep(1)
        restarted.cancel_scope.cancel()
    assert {path: path.read_bytes() for path in directory.iterdir()} == kept


async def test_slots_that_failed_are_left_alone_for_one_two_and_four_minutes(autojump_clock: MockClock) -> None:
    """Other work is tried again after five seconds, and for longer pauses in the end."""
    backoff = Backoff(600, leaves_slots=True)
    slot: Subject = ("match", "hex8-2", bytes(32))
    games: Subject = ("selfplay", "hex8-2", None)
    for subject, pauses in ((slot, (60, 120, 240, 240)), (games, (5, 10, 20, 40))):
        for pause in pauses:
            backoff.record_failure(subject)
            await trio.sleep(pause - 1)
            assert subject in backoff.avoided()
            await trio.sleep(1)
            assert not backoff.avoided()
