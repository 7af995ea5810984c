"""The work context of a real node: what it fetches and keeps, and that whatever fails there fails one job only."""

import random
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from consensus.encoding import decode, encode
from consensus.event import make_event
from consensus.genesis import make_genesis
from consensus.ledger import Ledger
from consensus.ledger.records.transactions import Candidate, Release
from consensus.ordered import DecidedRound, OrderedEvent
from consensus.replica import RoundEffects
from consensus.roster import RosterMember
from consensus.settings import Settings
from node.blobs import PIECE_BYTES
from node.blobs.fetching import BlobFetcher
from node.blobs.files import FileBlobs
from node.blobs.messages import BLOB_PATH
from node.config.identity import Identity
from node.member.ledger_client import SubmitError
from node.member.member import Member
from node.member.verification import CachingVerifier
from node.report.effect_log import EffectLog
from node.store.memory import MemoryDisk, MemoryStore
from node.system.clock import SimulatedClock
from node.transport.memory import Network
from node.transport.router import Route, Router
from node.work.node_context import FETCH_S, NodeWorkContext
from node.work.worker import WorkError

ME, PEER = Identity(b"1" * 32), Identity(b"2" * 32)
DIGEST = sha256(b"games").digest()


@pytest.fixture
def network() -> Network:
    return Network(1)


@pytest.fixture
def work(network: Network, tmp_path: Path) -> NodeWorkContext:
    genesis = make_genesis("office", [RosterMember(ME.id, 1), RosterMember(PEER.id, 1)], Settings())
    member = Member(
        genesis=genesis,
        identity=ME,
        store=MemoryStore(MemoryDisk()),
        verifier=CachingVerifier(),
        clock=SimulatedClock(),
        chance=random.Random(1),
    )
    blobs = FileBlobs(tmp_path / "blobs")
    fetcher = BlobFetcher(blobs, network.transport(ME.id), [PEER.id], random.Random(2))
    return NodeWorkContext(member, ME, roles=(), blobs=blobs, fetcher=fetcher, directory=tmp_path)


async def test_a_size_that_is_a_lie_makes_us_fetch_nothing(
    work: NodeWorkContext, network: Network, nursery: trio.Nursery
) -> None:
    async def endless(_member: bytes, body: bytes) -> bytes:
        request: Any = decode(body, limit=999)
        return encode({"size": 1 << 48, "data": bytes(request["length"])})

    router = Router([ME.id], {BLOB_PATH: Route(handler=endless, max_bytes=999)})
    await nursery.start(network.serve, PEER.id, router)
    for size in (1 << 48, None):
        with pytest.raises(WorkError):
            await work.fetch(DIGEST, size)
    assert network.traffic.asked <= 1


async def test_a_peer_that_trickles_holds_up_nothing_for_ever(
    work: NodeWorkContext, network: Network, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async def trickle(_member: bytes, body: bytes) -> bytes:
        request: Any = decode(body, limit=999)
        await trio.sleep(15)
        return encode({"size": 100 * PIECE_BYTES, "data": bytes(request["length"])})

    route = Route(handler=trickle, max_bytes=999, timeout_s=19)
    await nursery.start(network.serve, PEER.id, Router([ME.id], {BLOB_PATH: route}))
    with pytest.raises(WorkError, match="not here within 120 s"):
        await work.fetch(DIGEST, 100 * PIECE_BYTES)
    assert trio.current_time() == pytest.approx(FETCH_S)


async def test_a_dead_peer_is_not_waited_for_with_every_blob(
    work: NodeWorkContext, network: Network, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It neither answers nor refuses, like a machine that is switched off."""

    async def nothing(*_: object, **__: object) -> bytes:
        await trio.sleep_forever()
        return b""

    monkeypatch.setattr(network, "ask", nothing)
    for number in range(50):
        with pytest.raises(WorkError):
            await work.fetch(sha256(bytes([number])).digest(), 100)
    assert trio.current_time() < 25


async def test_a_result_that_cannot_be_kept_fails_the_job(
    work: NodeWorkContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(WorkError, match="No such file"):
        await work.keep(tmp_path / "nothing")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "games").write_bytes(b"games")
    with monkeypatch.context() as patch:
        patch.setattr("node.blobs.files.os.fsync", full)
        with pytest.raises(WorkError, match="No space"):
            await work.keep(tmp_path / "games")
    assert await work.keep(tmp_path / "games") == (DIGEST, 5)


async def test_a_report_that_no_event_can_hold_fails_the_job(work: NodeWorkContext) -> None:
    """Losses of a training that diverged, say."""
    losses = {"policy": 10**25}
    report = Candidate(
        0,
        claim=None,
        configuration="hex8-2",
        model=DIGEST,
        files={},
        architecture="c16b2",
        parent=None,
        incumbent=DIGEST,
        shards=(),
        losses=losses,
        measures={},
        state=None,
    )
    with pytest.raises(SubmitError, match=r"cannot be put into an event: .* 64 bits"):
        await work.submit(report)


async def test_ids_and_numbers_of_effects_go_on_after_a_restart(tmp_path: Path, autojump_clock: MockClock) -> None:
    genesis = make_genesis("alone", [RosterMember(ME.id, 1)], Settings())
    disk, blobs, told = MemoryDisk(), FileBlobs(tmp_path), []
    for life in range(3):
        member = Member(
            genesis=genesis,
            identity=ME,
            store=MemoryStore(disk),
            verifier=CachingVerifier(),
            clock=SimulatedClock(),
            chance=random.Random(life),
        )
        effects = EffectLog({ME.id: "me"}.__getitem__)
        fetcher = BlobFetcher(blobs, Network(1).transport(ME.id), [], random.Random(2))
        work = NodeWorkContext(member, ME, roles=(), blobs=blobs, fetcher=fetcher, directory=tmp_path)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work.run)
            nursery.start_soon(effects.run, member.subscribe())
            await nursery.start(member.run)
            for _ in range(2):
                number = work.next_id()
                await work.submit(Release(number, 99, "to be refused"))
                await work.wait_until_ordered(number)
            nursery.cancel_scope.cancel()
        told.append([(entry["number"], entry["fields"]["id"]) for entry in effects.after(0)])
    assert [number for _, number in told[2]] == list(range(6))
    assert [number for number, _ in told[2]] == sorted({number for number, _ in told[2]})
    assert told[:2] == [told[2][:2], told[2][:4]]
    assert member.replica.ledger.refused_counts() == {"claim not live": 6}


async def test_what_was_ordered_in_an_epoch_that_was_jumped_over_is_not_waited_for(
    work: NodeWorkContext, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """Its event is in no round that this node was told of, and it is not put forward again: the ledger knows it."""
    nothing = RoundEffects(DecidedRound(9, (), ()), (), bytes(32))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(work.wait_until_ordered, 7)
        await trio.sleep(1)
        monkeypatch.setattr(Ledger, "has_used", lambda _, member, number: (member, number) == (ME.id, 7))
        work._observe(nothing)  # the first round after the jump
        await trio.sleep(1)
        assert not nursery.child_tasks
        nursery.cancel_scope.cancel()


async def test_what_the_replica_says_by_itself_is_not_taken_for_a_transaction_of_ours(work: NodeWorkContext) -> None:
    """The id of `open` is a number of an epoch, and that of `evidence` the number of an event."""
    said = [{"type": "open", "id": 3}, {"type": "evidence", "id": 4}, {"type": "profile", "id": 5}]
    event = make_event(
        ME.key, epoch=bytes(32), seq=0, self_parent=None, time=1, transactions=tuple(said)
    )  # fmt: skip
    decided = DecidedRound(1, (), (OrderedEvent(event, 1, 1, 0),))
    work._observe(RoundEffects(decided, (), bytes(32)))
    with trio.fail_after(1):
        await work.wait_until_ordered(5)
    for number in (3, 4):
        with trio.move_on_after(0.01) as scope:
            await work.wait_until_ordered(number)
        assert scope.cancelled_caught
