"""What is deleted when nobody needs it, and what never is."""

import json
import random
from hashlib import sha256
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from consensus.ledger.records import transactions as t
from node.blobs.fetching import BlobFetcher
from node.blobs.files import FileBlobs
from node.blobs.garbage_collection import GRACE_S, LOOK_S, GarbageCollector
from node.blobs.needs import needed_blobs, needed_models
from node.transport.memory import Network
from tests.consensus.ledger.rules.test_lineage import lineage, nominate
from tests.consensus.ledger.swarm import Swarm


class Yard:
    """A node's blobs and models beside the ledger of a swarm."""

    def __init__(self, swarm: Swarm, directory: Path) -> None:
        self.blobs = FileBlobs(directory / "blobs")
        self.models = directory / "models"
        self.models.mkdir()
        self.fetcher = BlobFetcher(self.blobs, Network(1).transport(b"me"), [], random.Random(1))
        self.collector = GarbageCollector(lambda: swarm.ledger, self.blobs, self.fetcher, self.models)
        self.rests = True

    def run(self, nursery: trio.Nursery) -> None:
        nursery.start_soon(self.collector.run, lambda: self.rests)


@pytest.fixture
def swarm() -> Swarm:
    return Swarm()


@pytest.fixture
def yard(swarm: Swarm, tmp_path: Path, autojump_clock: MockClock) -> Yard:
    autojump_clock.autojump_threshold = 0.02  # seconds for threads that use the disk
    return Yard(swarm, tmp_path)


def test_what_a_ledger_needs(swarm: Swarm) -> None:
    shard = swarm.play(0)
    assert needed_blobs(swarm.ledger) == {shard}
    candidate = swarm.nominate(1)
    candidacy = swarm.ledger.candidate(candidate)
    assert candidacy is not None
    files = set(candidacy.model.files.values())
    assert files
    assert needed_blobs(swarm.ledger) == {shard, *files}
    assert needed_models(swarm.ledger) == {candidacy.model.digest, t.UNIFORM}
    swarm.play_slot(2, candidate, 0)
    candidacy = swarm.ledger.candidate(candidate)
    assert candidacy is not None
    result = candidacy.slots[0].result
    assert result is not None
    assert needed_blobs(swarm.ledger) == {shard, *files, result.blob}


def test_games_and_files_of_a_promotion_stay(swarm: Swarm) -> None:
    statement = swarm.promote(0)
    promotion = swarm.ledger.promotion(statement)
    assert promotion is not None
    assert not swarm.ledger.candidates()
    needed = needed_blobs(swarm.ledger)
    assert set(promotion.model.files.values()) < needed
    games = [slot["games"]["sha256"] for slot in json.loads(promotion.statement)["predicate"]["results"]["slots"]]
    assert len(games) > 1
    assert {bytes.fromhex(name) for name in games} < needed
    assert promotion.model.digest in needed_models(swarm.ledger)


def test_the_newest_weights_of_a_lineage_stay_with_their_state_until_the_next(swarm: Swarm) -> None:
    first = nominate(swarm, 0, size=10)[1]
    candidate = swarm.ledger.candidates()[0]
    state = lineage(swarm).state
    assert state is not None
    while swarm.ledger.candidates():
        done = sum(slot.result is not None for slot in swarm.ledger.candidates()[0].slots)
        swarm.play_slot(1 + done % 2, candidate.id, done, score=0)
    assert swarm.ledger.closed_candidates()
    weights = set(candidate.model.files.values())
    assert {*weights, state.digest} <= needed_blobs(swarm.ledger)
    assert first in needed_models(swarm.ledger)
    nominate(swarm, 0)
    assert not {*weights, state.digest} & needed_blobs(swarm.ledger)
    assert first not in needed_models(swarm.ledger)


def test_of_shards_twice_the_window_stays(swarm: Swarm) -> None:
    window = swarm.genesis.settings.training.window
    shards = [swarm.play(0) for _ in range(2 * window // 32 + 3)]
    assert needed_blobs(swarm.ledger) == set(shards[3:])


async def test_after_a_grace_time_what_nobody_needs_goes(
    swarm: Swarm, yard: Yard, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    waste = await yard.blobs.add(b"waste")
    scrap = sha256(b"of a blob that nobody has any more").digest()
    await yard.blobs.add_piece(scrap, 0, b"piece")
    (yard.models / waste.hex()).mkdir()
    (yard.models / waste.hex() / "weights").write_bytes(b"waste")
    (yard.models / t.UNIFORM.hex()).mkdir()
    yard.rests = False
    yard.run(nursery)
    await trio.sleep(2 * GRACE_S)
    assert await yard.blobs.digests() == {waste, scrap}
    yard.rests = True
    await trio.sleep(GRACE_S - 1)
    assert await yard.blobs.digests() == {waste, scrap}
    fresh = await yard.blobs.add(b"fresh")
    await trio.sleep(2 * LOOK_S)
    assert await yard.blobs.digests() == {fresh}
    assert [path.name for path in yard.models.iterdir()] == [t.UNIFORM.hex()]
    await trio.sleep(GRACE_S + LOOK_S)
    assert await yard.blobs.digests() == frozenset()


async def test_what_is_needed_or_being_fetched_stays(
    swarm: Swarm, yard: Yard, autojump_clock: MockClock, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard, other = b"a shard", b"a ledger of a later epoch"
    monkeypatch.setattr("node.blobs.garbage_collection.needed_blobs", lambda _: frozenset([sha256(shard).digest()]))
    kept = {await yard.blobs.add(shard), sha256(other).digest()}
    await yard.blobs.add_piece(sha256(other).digest(), 0, other)
    yard.fetcher._done[sha256(other).digest()] = trio.Event()
    yard.run(nursery)
    await trio.sleep(3 * GRACE_S)
    assert await yard.blobs.digests() == kept


async def test_what_was_needed_meanwhile_has_its_grace_again(
    swarm: Swarm, yard: Yard, autojump_clock: MockClock, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed: set[bytes] = set()
    monkeypatch.setattr("node.blobs.garbage_collection.needed_blobs", lambda _: frozenset(needed))
    blob = await yard.blobs.add(b"now and then")
    yard.run(nursery)
    for _ in range(5):
        await trio.sleep(GRACE_S * 0.6)
        needed.add(blob)
        await trio.sleep(LOOK_S)
        needed.clear()
    assert await yard.blobs.digests() == {blob}
