"""Nodes hold what the ledger asks them to, also what a machine behind NAT has to bring, and take nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from hashlib import sha256

import pytest
import trio

from consensus.encoding import encode
from consensus.genesis import Genesis
from consensus.keys import MemberId, SigningKey
from consensus.ledger import Ledger
from consensus.ledger.records import transactions as t
from consensus.settings import SteeringSettings
from node.blobs import PIECE_BYTES
from node.blobs.custody import Custodian, due_now
from node.blobs.fetching import BlobFetcher
from node.blobs.incoming import IncomingBlobs
from node.blobs.memory import MemoryBlobs
from node.blobs.messages import BLOB_PATH, BlobMessageError
from node.blobs.push_messages import (
    KEEP_PATH,
    PIECE_PATH,
    KeepRequest,
    PushedPiece,
    decode_keep,
    decode_piece,
    decode_wanted,
)
from node.blobs.pushing import Pusher
from node.blobs.serving import blob_route
from node.store.memory import MemoryDisk, MemoryStore
from node.transport import Refused, Transport
from node.transport.memory import Network
from node.transport.router import Router
from tests.consensus.ledger.swarm import Swarm, digest_of, facts_of, settings

DATA = random.Random(1).randbytes(2 * PIECE_BYTES + 5)
SHARD = sha256(DATA).digest()
AUTHOR = 0
KEEP = KeepRequest(SHARD, len(DATA))


class Client:
    """A `LedgerClient` whose transactions are ordered at once."""

    def __init__(self, swarm: Swarm, number: int) -> None:
        self.swarm, self.number = swarm, number

    @property
    def me(self) -> MemberId:
        return self.swarm.id(self.number)

    @property
    def key(self) -> SigningKey:
        return self.swarm.keys[self.number]

    @property
    def genesis(self) -> Genesis:
        return self.swarm.genesis

    @property
    def ledger(self) -> Ledger:
        return self.swarm.ledger

    def next_id(self) -> int:
        return self.swarm.next_id(self.number)

    async def submit(self, *transactions: t.Transaction) -> None:
        await trio.lowlevel.checkpoint()
        self.swarm.act(self.number, *transactions)

    async def wait_until_ordered(self, number: int) -> None:
        await trio.lowlevel.checkpoint()

    @property
    def advances(self) -> int:
        return len(self.swarm.rounds)

    async def wait_for_advance(self, since: int) -> None:
        while self.advances <= since:
            await trio.sleep(0.5)


class Machines:
    """Five machines of members, with all that has to do with shards of others."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.swarm = Swarm(5, settings(steering=SteeringSettings(rules=1, custodians=2)))
        self.swarm.order(*((self.swarm.id(number), []) for number in range(5)))
        self.network = Network(1)
        self.blobs = [MemoryBlobs() for _ in range(5)]
        self.nursery = nursery
        self.clients = [Client(self.swarm, number) for number in range(5)]
        self.fetchers = [
            BlobFetcher(self.blobs[number], self.transport(number), self.others(number), random.Random(number))
            for number in range(5)
        ]

    def transport(self, number: int) -> Transport:
        return self.network.transport(self.swarm.id(number))

    def is_reached(self, number: int) -> bool:
        return self.swarm.id(number) not in self.network.hidden

    def others(self, number: int) -> list[MemberId]:
        return [self.swarm.id(other) for other in range(5) if other != number]

    async def begin(self) -> None:
        for number, client in enumerate(self.clients):
            blobs, fetcher = self.blobs[number], self.fetchers[number]
            incoming = IncomingBlobs(client.me, lambda: self.swarm.ledger, blobs, fetcher)
            routes = {
                BLOB_PATH: blob_route(blobs, MemoryStore(MemoryDisk())),
                KEEP_PATH: incoming.keep_route(),
                PIECE_PATH: incoming.piece_route(),
            }
            router = Router([self.swarm.id(other) for other in range(5)], routes)
            await self.nursery.start(self.network.serve, client.me, router)

    def work(self) -> None:
        for number, client in enumerate(self.clients):
            transport = self.transport(number)
            self.nursery.start_soon(Custodian(client, self.blobs[number], self.fetchers[number]).run)
            self.nursery.start_soon(Pusher(client, self.blobs[number], transport, partial(self.is_reached, number)).run)

    async def announce(self, data: bytes = DATA, size: int | None = None) -> bytes:
        """A shard of the first member."""
        swarm, claim = self.swarm, self.swarm.next_id(AUTHOR)
        swarm.act(AUTHOR, t.SelfplayClaim(claim, "hex8-2", 32))
        digest = await self.blobs[AUTHOR].add(data)
        news = t.Games(
            swarm.next_id(AUTHOR), claim=claim, configuration="hex8-2", shard=digest, root=digest_of("r"), games=32,
            model=swarm.ledger.configuration("hex8-2").model.digest, size=len(data) if size is None else size,
            plies=900, facts=facts_of(swarm.genesis.settings, 32, 900),
        )  # fmt: skip
        swarm.act(AUTHOR, news)
        return digest

    def asked(self, digest: bytes = SHARD) -> list[int]:
        shard = self.swarm.ledger.shard(digest)
        assert shard is not None
        members = self.swarm.ledger.custodians(shard)
        return [number for member in members for number in range(5) if self.swarm.id(number) == member]

    def standing(self, digest: bytes = SHARD) -> str:
        shard = self.swarm.ledger.shard(digest)
        assert shard is not None
        return shard.standing

    async def ask(self, source: int, target: int, path: str, body: bytes) -> bytes:
        transport = self.network.transport(self.swarm.id(source))
        return await transport.ask(self.swarm.id(target), path, body, timeout_s=5)

    async def bring(self, source: int, target: int, data: bytes, number: int = 0) -> bytes:
        piece = data[number * PIECE_BYTES : (number + 1) * PIECE_BYTES]
        return await self.ask(source, target, PIECE_PATH, PushedPiece(SHARD, number, piece).encode())


@pytest.fixture
async def machines(nursery: trio.Nursery) -> Machines:
    made = Machines(nursery)
    await made.begin()
    return made


async def until(is_so: Callable[[], bool], limit_s: float = 120.0) -> None:
    with trio.fail_after(limit_s):
        while not is_so():
            await trio.sleep(0.5)


async def test_custodians_fetch_verify_and_say_so_together(machines: Machines, autojump_clock: object) -> None:
    digests = [await machines.announce(DATA + bytes([number])) for number in range(6)]
    machines.work()
    await until(lambda: all(machines.standing(digest) == "counted" for digest in digests), 30.0)
    for digest in digests:
        assert all(machines.blobs[number].size(digest) for number in machines.asked(digest))
        assert sum(blobs.size(digest) is not None for blobs in machines.blobs) == 3
    assert machines.swarm.ledger.accepted_counts()["held"] <= 8, "what came together is said together"
    assert not machines.swarm.ledger.refused_counts()


async def test_what_a_machine_behind_nat_played_is_brought_by_itself(
    machines: Machines, autojump_clock: object
) -> None:
    machines.network.hidden = [machines.swarm.id(AUTHOR)]
    await machines.announce()
    machines.work()
    await until(lambda: machines.standing() == "counted", 60.0)
    second = await machines.announce(DATA[1:])
    began = trio.current_time()
    await until(lambda: machines.standing(second) == "counted", 60.0)
    assert trio.current_time() - began < 20, "it does not wait any more for what never happens"


async def test_a_custodian_that_lost_its_disk_fetches_again_what_others_rely_on_it_for(
    machines: Machines, autojump_clock: object
) -> None:
    await machines.announce()
    machines.work()
    await until(lambda: machines.standing() == "counted", 30.0)
    custodian = machines.asked()[0]
    await machines.blobs[custodian].remove(SHARD)
    await until(lambda: machines.blobs[custodian].size(SHARD) is not None, 900.0)
    assert machines.swarm.ledger.accepted_counts()["held"] == 2, "it has said so before"


async def test_what_all_lost_is_held_again_soon_after_one_has_it_back(
    machines: Machines, autojump_clock: object
) -> None:
    """Such as from an archive: holders that could not fetch it do not wait for their next look in ten minutes."""
    await machines.announce()
    machines.work()
    await until(lambda: machines.standing() == "counted", 30.0)
    await trio.sleep(300)
    holders = machines.asked()
    for blobs in machines.blobs:
        if blobs.size(SHARD) is not None:
            await blobs.remove(SHARD)
    await trio.sleep(320)  # the holders have looked
    await machines.blobs[AUTHOR].add(DATA)
    await until(lambda: all(machines.blobs[number].size(SHARD) is not None for number in holders), 200.0)


async def test_what_nobody_can_get_is_said_by_nobody(machines: Machines, autojump_clock: object) -> None:
    await machines.announce()
    await machines.blobs[AUTHOR].remove(SHARD)
    machines.work()
    await trio.sleep(60)
    assert machines.standing() == "unsafe"
    assert "held" not in machines.swarm.ledger.accepted_counts()


async def test_only_what_is_to_be_held_is_taken_and_only_from_who_may_have_it(machines: Machines) -> None:
    await machines.announce()
    custodian, other = machines.asked()[0], next(n for n in range(1, 5) if n not in machines.asked())
    keep, odd = KEEP.encode(), KeepRequest(SHARD, len(DATA) - 1).encode()
    for source, target, path, body, status in (
        (AUTHOR, other, KEEP_PATH, keep, 404),  # it is not to hold it
        (AUTHOR, custodian, KEEP_PATH, KeepRequest(digest_of("?"), 5).encode(), 404),
        (other, custodian, KEEP_PATH, keep, 403),  # it cannot have it
        (AUTHOR, custodian, KEEP_PATH, odd, 400),  # it has another size
        (AUTHOR, custodian, PIECE_PATH, PushedPiece(SHARD, 0, DATA[:PIECE_BYTES]).encode(), 409),  # not asked first
        (AUTHOR, custodian, KEEP_PATH, keep, 0),
        (other, custodian, PIECE_PATH, PushedPiece(SHARD, 0, DATA[:PIECE_BYTES]).encode(), 409),
        (AUTHOR, custodian, PIECE_PATH, PushedPiece(SHARD, 3, b"").encode(), 400),  # no such piece
        (AUTHOR, custodian, PIECE_PATH, PushedPiece(SHARD, 2, DATA[:6]).encode(), 400),  # of another length
        (AUTHOR, custodian, PIECE_PATH, PushedPiece(SHARD, 0, DATA[:5]).encode(), 400),
        (AUTHOR, custodian, PIECE_PATH, b"", 400),
        (AUTHOR, custodian, KEEP_PATH, b"", 400),
    ):
        with pytest.raises(Refused) if status else nullcontext() as refused:
            await machines.ask(source, target, path, body)
        assert refused is None or refused.value.status == status, (path, status)
        assert not await machines.blobs[target].pieces(SHARD)
    stranger = machines.network.transport(digest_of("stranger"))
    with pytest.raises(Refused, match="403"):
        await stranger.ask(machines.swarm.id(custodian), KEEP_PATH, keep, timeout_s=5)


async def test_pieces_that_lie_are_dropped_and_their_sender_brings_it_no_more(machines: Machines) -> None:
    await machines.announce()
    first, second = machines.asked()
    machines.swarm.act(first, t.Held(machines.swarm.next_id(first), (SHARD,)))  # a lie
    lie = DATA[::-1]
    assert decode_wanted(await machines.ask(first, second, KEEP_PATH, KEEP.encode()), KEEP) == [0, 1, 2]
    await machines.bring(first, second, lie, 0)
    with pytest.raises(Refused, match="409"):
        await machines.bring(AUTHOR, second, DATA, 1)
    await machines.bring(first, second, lie, 1)
    with pytest.raises(Refused, match="400"):
        await machines.bring(first, second, lie, 2)
    assert (machines.blobs[second].size(SHARD), await machines.blobs[second].pieces(SHARD)) == (None, frozenset())
    with pytest.raises(Refused, match="403"):
        await machines.ask(first, second, KEEP_PATH, KEEP.encode())
    await machines.ask(AUTHOR, second, KEEP_PATH, KEEP.encode())
    for number in range(3):
        await machines.bring(AUTHOR, second, DATA, number)
    assert await machines.blobs[second].verify(SHARD)
    assert decode_wanted(await machines.ask(AUTHOR, second, KEEP_PATH, KEEP.encode()), KEEP) == []


async def test_a_shard_that_is_fetched_just_now_is_not_brought(machines: Machines) -> None:
    await machines.announce()
    custodian = machines.asked()[0]
    async with machines.fetchers[custodian].alone(SHARD):
        with pytest.raises(Refused, match="409"):
            await machines.ask(AUTHOR, custodian, KEEP_PATH, KEEP.encode())
    await machines.ask(AUTHOR, custodian, KEEP_PATH, KEEP.encode())


async def test_an_author_fills_no_disk(machines: Machines) -> None:
    for number in range(5):
        await machines.announce(bytes([number]), size=100 * 1024 * 1024)
    await machines.announce(b"large", size=300 * 1024 * 1024)
    chosen = [due_now(machines.swarm.ledger, machines.swarm.id(number), {}, 0.0) for number in range(5)]
    assert max(map(len, chosen)) == 2
    assert all(shard.size * len(shards) <= 256 * 1024 * 1024 for shards in chosen for shard in shards)


async def test_where_others_come_first_a_node_waits_for_each(machines: Machines, autojump_clock: object) -> None:
    await machines.announce()
    first, second = machines.asked()
    for number in (first, second):
        machines.swarm.act(number, t.Held(machines.swarm.next_id(number), (SHARD,)))
    while len(machines.asked()) < 4:  # everybody may hold what was counted long ago
        machines.swarm.order(*((machines.swarm.id(number), []) for number in range(5)), step=5 * 10**9)
    for _ in range(30):  # one of the two says nothing any more
        machines.swarm.order(*((machines.swarm.id(number), []) for number in range(5) if number != first))
    rest = [number for number in machines.asked() if number != second]
    assert len(rest) == 2
    seen: dict[int, dict[bytes, float]] = {number: {} for number in rest}

    def due_at(now: float) -> list[bool]:
        return [bool(due_now(machines.swarm.ledger, machines.swarm.id(n), seen[n], now)) for n in rest]

    assert [due_at(now) for now in (0.0, 119.0, 120.0)] == [[True, False], [True, False], [True, True]]


@pytest.mark.parametrize(
    "message",
    [b"", encode([]), encode({"digest": bytes(31)}), encode({"digest": bytes(32), "more": 1}), encode({"wanted": 1})],
)
def test_malformed_messages_are_refused(message: bytes) -> None:
    for decode in (decode_keep, decode_piece, lambda data: decode_wanted(data, KEEP)):
        with pytest.raises(BlobMessageError):
            decode(message)


@pytest.mark.parametrize("wanted", [[0, 0], [3], [-1], [True], ["0"], [0, 1, 2, 3]])
def test_only_pieces_that_there_are_can_be_wanted(wanted: list[object]) -> None:
    with pytest.raises(BlobMessageError):
        decode_wanted(encode({"wanted": wanted}), KEEP)  # type: ignore[dict-item]
