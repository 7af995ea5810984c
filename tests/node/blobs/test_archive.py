"""What the ledger counts goes into the archive once, and comes back when nobody else has it."""

from __future__ import annotations

import random
from hashlib import sha256

import httpx
import pytest
import trio

from consensus.certificate.envelope import make_certificate
from node.blobs import PIECE_BYTES, BlobError, MissingBlobError
from node.blobs.archive import UPLOAD_BYTES_PER_S, Archive
from node.blobs.archiving import Archiver, counted_blobs
from node.blobs.fetching import BlobFetcher
from node.blobs.memory import MemoryBlobs
from node.blobs.messages import BLOB_PATH
from node.blobs.needs import needed_blobs
from node.blobs.serving import blob_route
from node.store.memory import MemoryDisk, MemoryStore
from node.transport.memory import Network
from node.transport.router import Router
from tests.consensus.ledger import swarm as ledgers
from tests.node.blobs.s3_server import KEYS, S3Server

DATA = random.Random(1).randbytes(2 * PIECE_BYTES + 5)
BLOB = sha256(DATA).digest()
NAME = f"first/blobs/{BLOB.hex()}"


class Machine:
    """A member with an archive, and peers that have nothing."""

    def __init__(self, server: S3Server, swarm: ledgers.Swarm | None = None) -> None:
        self.blobs = MemoryBlobs()
        self.archive = Archive(server.bucket(), self.blobs)
        transport = Network(1).transport(b"me")
        peers = [b"peer" + bytes([number]) * 28 for number in range(3)]
        self.fetcher = BlobFetcher(self.blobs, transport, peers, random.Random(1), archive=self.archive)
        self.swarm = swarm or ledgers.Swarm()
        self.archiver = Archiver(self.archive, lambda: self.swarm.ledger, self.fetcher)

    async def restores(self, digest: bytes, limit: int = len(DATA)) -> bool:
        try:
            await self.fetcher.fetch(digest, max_bytes=limit)
        except MissingBlobError:
            return False
        return await self.blobs.verify(digest)


@pytest.fixture
def server() -> S3Server:
    return S3Server()


async def test_a_blob_is_written_and_comes_back_where_no_peer_has_it(server: S3Server, autojump_clock: object) -> None:
    first = Machine(server)
    await first.blobs.add(DATA)
    assert await first.archive.upload(BLOB) == len(DATA)
    assert server.objects == {NAME: DATA}
    fresh = Machine(server)
    assert await fresh.restores(BLOB)
    assert await fresh.blobs.read(BLOB, 0, len(DATA)) == DATA
    assert fresh.archive.restored_bytes == len(DATA)


async def test_what_came_back_is_served_as_any_other_blob(
    server: S3Server, nursery: trio.Nursery, autojump_clock: object
) -> None:
    server.objects[NAME] = DATA
    fresh, network = Machine(server), Network(1)
    assert await fresh.restores(BLOB)
    keeper, asker = b"k" * 32, b"a" * 32
    router = Router([asker], {BLOB_PATH: blob_route(fresh.blobs, MemoryStore(MemoryDisk()))})
    await nursery.start(network.serve, keeper, router)
    mine = MemoryBlobs()
    await BlobFetcher(mine, network.transport(asker), [keeper], random.Random(2)).fetch(BLOB, max_bytes=len(DATA))
    assert await mine.verify(BLOB)


async def test_an_upload_is_no_faster_than_it_may_be(server: S3Server, autojump_clock: object) -> None:
    machine = Machine(server)
    await machine.blobs.add(DATA)
    began_at = trio.current_time()
    await machine.archive.upload(BLOB)
    assert trio.current_time() - began_at == pytest.approx(len(DATA) / UPLOAD_BYTES_PER_S)


async def test_nothing_that_is_damaged_here_is_written(server: S3Server, autojump_clock: object) -> None:
    machine = Machine(server)
    await machine.blobs.add(DATA)
    machine.blobs._whole[BLOB] = DATA[:-1] + b"?"
    with pytest.raises(BlobError, match="is not here"):
        await machine.archive.upload(BLOB)
    assert not server.objects


@pytest.mark.parametrize("damage", [DATA[:-1] + b"?", DATA[:-1], DATA + b"?", b"", DATA[:PIECE_BYTES]])
async def test_what_is_damaged_there_is_not_taken_and_is_written_again(
    server: S3Server, damage: bytes, autojump_clock: object
) -> None:
    server.objects[NAME] = damage
    machine = Machine(server)
    assert not await machine.restores(BLOB, limit=2 * len(DATA))
    assert machine.blobs.size(BLOB) is None
    assert await machine.archive.size(BLOB) is None
    await machine.blobs.add(DATA)
    await machine.archive.upload(BLOB)
    assert await machine.archive.size(BLOB) == len(DATA)
    assert server.objects == {NAME: DATA}


async def test_more_than_is_wanted_is_not_read(server: S3Server, autojump_clock: object) -> None:
    server.objects[NAME] = DATA
    assert not await Machine(server).restores(BLOB, limit=len(DATA) - 1)
    assert len(server.requests) <= 2


async def test_reading_back_goes_on_where_it_was(server: S3Server, autojump_clock: object) -> None:
    server.objects[NAME] = DATA
    machine = Machine(server)
    await machine.blobs.add_piece(BLOB, 0, DATA[:PIECE_BYTES])
    assert await machine.restores(BLOB)
    assert len(server.requests) == 3  # for its size, and for two pieces


async def test_wrong_pieces_of_peers_do_no_harm(server: S3Server, autojump_clock: object) -> None:
    server.objects[NAME] = DATA
    machine = Machine(server)
    await machine.blobs.add_piece(BLOB, 1, bytes(PIECE_BYTES))
    assert await machine.restores(BLOB)


async def test_an_answer_that_breaks_off_is_asked_for_again(server: S3Server, autojump_clock: object) -> None:
    server.objects[NAME] = DATA
    machine = Machine(server)
    server.faults = [httpx.RemoteProtocolError("x"), (503, "SlowDown")]
    assert not await machine.restores(BLOB)
    assert "broke off" in machine.archive.error
    server.faults = []
    assert await machine.archive.size(BLOB) == len(DATA)
    assert not machine.archive.error
    read = machine.archive._bucket.read
    cut = [0]

    async def flaky(name: str, offset: int, length: int) -> tuple[bytes, int] | None:
        if length > 1 and cut[0] < 2:
            cut[0] += 1
            server.faults = [httpx.RemoteProtocolError("x")]
        return await read(name, offset, length)

    machine.archive._bucket.read = flaky  # type: ignore[method-assign]
    assert await machine.restores(BLOB)


async def test_an_archive_without_the_blob_is_as_none(server: S3Server, autojump_clock: object) -> None:
    with pytest.raises(MissingBlobError, match="neither 3 peers nor the archive could give it"):
        await Machine(server).fetcher.fetch(BLOB, max_bytes=1)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[bytes, bytes]:
    """Return, by digest, what the made-up blobs of a test's ledger have in them."""
    known: dict[bytes, bytes] = {}

    def digest_of(*parts: object) -> bytes:
        content = repr(parts).encode()
        known[sha256(content).digest()] = content
        return sha256(content).digest()

    monkeypatch.setattr(ledgers, "digest_of", digest_of)
    return known


@pytest.fixture
def swarm(made: dict[bytes, bytes]) -> ledgers.Swarm:
    """Return a swarm with shards, and with a promotion and its certificate."""
    swarm = ledgers.Swarm()
    swarm.certify(swarm.promote(0), (0, 1, 2))
    for _ in range(3):
        swarm.play(0)
    assert swarm.ledger.promotions()[0].certified
    return swarm


async def fill(machine: Machine, made: dict[bytes, bytes], without: bytes = b"") -> set[bytes]:
    """Give a machine all blobs that the ledger counts, and return their digests."""
    counted = set(counted_blobs(machine.swarm.ledger))
    for digest in counted - {without}:
        assert await machine.blobs.add(made[digest]) == digest
    return counted


def certificate_of(swarm: ledgers.Swarm) -> tuple[str, bytes | None]:
    promotion = swarm.ledger.promotions()[0]
    return f"first/certificates/{promotion.digest.hex()}.json", make_certificate(promotion, swarm.ledger)


async def test_all_that_the_ledger_counts_is_archived_once(
    server: S3Server, swarm: ledgers.Swarm, made: dict[bytes, bytes], autojump_clock: object
) -> None:
    machine = Machine(server, swarm)
    counted = await fill(machine, made)
    assert len(counted) > 5
    assert counted <= needed_blobs(swarm.ledger)
    await machine.archiver.archive_all()
    blobs = {f"first/blobs/{digest.hex()}": made[digest] for digest in counted}
    assert server.objects == blobs | dict([certificate_of(swarm)])
    assert (machine.archiver.archived, machine.archiver.waiting) == (len(counted), 0)
    assert machine.archiver.archived_bytes == sum(map(len, blobs.values()))
    requests = len(server.requests)
    await machine.archiver.archive_all()
    assert len(server.requests) == requests
    again = Machine(server, swarm)  # after a restart, or another member with the same archive
    await again.archiver.archive_all()
    assert sorted(server.written()) == sorted(server.objects)
    assert again.archiver.archived == len(counted)
    swarm.play(1)
    await fill(again, made)
    await again.archiver.archive_all()
    assert sorted(server.written()) == sorted(server.objects)
    assert again.archiver.archived == len(counted) + 1


async def test_an_archive_that_fails_is_tried_again_later_and_goes_on(
    server: S3Server, swarm: ledgers.Swarm, made: dict[bytes, bytes], nursery: trio.Nursery, autojump_clock: object
) -> None:
    machine = Machine(server, swarm)
    counted = await fill(machine, made)
    server.faults = [*[(500, "InternalError")] * 3, *[(403, "AccessDenied")] * 2]
    nursery.start_soon(machine.archiver.run)
    await trio.sleep(100)
    assert machine.archive.error
    assert KEYS.key_id not in machine.archive.error
    assert machine.archiver.waiting == len(counted) + 1
    await trio.sleep(4000)
    assert not machine.archive.error
    assert machine.archiver.archived == len(counted)


async def test_one_blob_that_nobody_has_keeps_no_other_waiting(
    server: S3Server, swarm: ledgers.Swarm, made: dict[bytes, bytes], nursery: trio.Nursery, autojump_clock: object
) -> None:
    machine = Machine(server, swarm)
    absent = next(counted_blobs(swarm.ledger))
    counted = await fill(machine, made, without=absent)
    nursery.start_soon(machine.archiver.run)
    await trio.sleep(200)
    assert (machine.archiver.archived, machine.archiver.waiting) == (len(counted) - 1, 1)
    await machine.blobs.add(made[absent])
    await trio.sleep(700)
    assert (machine.archiver.archived, machine.archiver.waiting) == (len(counted), 0)


async def test_a_fresh_member_alone_reads_back_all_that_counted(
    server: S3Server, swarm: ledgers.Swarm, made: dict[bytes, bytes], autojump_clock: object
) -> None:
    """Every other node is gone; what is left is the ledger and the archive."""
    first = Machine(server, swarm)
    counted = await fill(first, made)
    await first.archiver.archive_all()
    fresh = Machine(server, swarm)
    for digest in counted:
        assert await fresh.restores(digest)
        assert await fresh.blobs.read(digest, 0, len(DATA)) == made[digest]
    assert fresh.archive.restored_bytes == sum(len(made[digest]) for digest in counted)


async def test_what_every_holder_lost_is_brought_back_when_a_member_asks_for_it(
    server: S3Server, swarm: ledgers.Swarm, made: dict[bytes, bytes], nursery: trio.Nursery, autojump_clock: object
) -> None:
    """The member with the archive need not hold it itself; what the ledger does not count is not brought."""
    first = Machine(server, swarm)
    counted = await fill(first, made)
    await first.archiver.archive_all()
    server.objects[NAME] = DATA
    fresh, network = Machine(server, swarm), Network(1)
    nursery.start_soon(fresh.archiver.run)
    keeper, asker = b"k" * 32, b"a" * 32
    route = blob_route(fresh.blobs, MemoryStore(MemoryDisk()), fresh.archiver.observe_missed)
    await nursery.start(network.serve, keeper, Router([asker], {BLOB_PATH: route}))
    await trio.sleep(60)  # it knows by now what is in the archive
    mine = MemoryBlobs()
    fetcher = BlobFetcher(mine, network.transport(asker), [keeper], random.Random(2))
    for digest in (*counted, BLOB):
        with pytest.raises(MissingBlobError):
            await fetcher.fetch(digest, max_bytes=len(DATA))
    await trio.sleep(20)
    for digest in counted:
        await fetcher.fetch(digest, max_bytes=len(DATA))
        assert await mine.verify(digest)
    with pytest.raises(MissingBlobError):
        await fetcher.fetch(BLOB, max_bytes=len(DATA))
