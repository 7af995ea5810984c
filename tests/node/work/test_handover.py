"""Interrupted trainings go on at other members: who ends brings the checkpoint to some, who goes on finds it there."""

import random
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import pytest
import trio
from trio.testing import MockClock

from consensus.keys import MemberId
from consensus.ledger.records import transactions as t
from node.blobs import PIECE_BYTES
from node.blobs.checkpoint_messages import (
    FIND_PATH,
    MAX_CHECKPOINT_BYTES,
    OFFER_PATH,
    CheckpointOffer,
    decode_find,
    decode_offer,
    encode_find,
)
from node.blobs.fetching import BlobFetcher
from node.blobs.handed_over import KEPT_S, HandedOver
from node.blobs.incoming import IncomingBlobs
from node.blobs.memory import MemoryBlobs
from node.blobs.messages import BLOB_PATH, BlobMessageError
from node.blobs.push_messages import KEEP_PATH, PIECE_PATH, KeepRequest, PushedPiece
from node.blobs.serving import blob_route
from node.store.memory import MemoryDisk, MemoryStore
from node.transport import Refused
from node.transport.memory import Network
from node.transport.router import Router
from node.work.handover import HAND_OVER_S, HOLDERS, Handover
from tests.consensus.ledger.swarm import Swarm
from tests.node.blobs.test_custody import Client

CHECKPOINT = bytes(range(256)) * 5000  # three pieces
SUBJECT = b"s" * 32
OFFER = CheckpointOffer(
    subject=SUBJECT, plan=b"plan", digest=sha256(CHECKPOINT).digest(), size=len(CHECKPOINT), steps=70
)


class Trainers:
    """Six members, of which all but the last one train."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.swarm = Swarm(6)
        self.network = Network(1)
        self.nursery = nursery
        self.members = [self.swarm.id(number) for number in range(6)]
        self.blobs = [MemoryBlobs() for _ in range(6)]
        self.held = [HandedOver(self.blobs[number], self.trains(number)) for number in range(6)]
        self.sides = [
            Handover(
                Client(self.swarm, number),
                self.held[number],
                self.blobs[number],
                self.network.transport(self.members[number]),
            )
            for number in range(6)
        ]
        for number in range(6):
            roles = ("selfplay", "train") if number < 5 else ("selfplay",)
            self.swarm.act(
                number,
                t.Profile(
                    self.swarm.next_id(number), roles=roles, device="cpu", software=bytes(32), rates={}, cost=0, life=0
                ),
            )

    def trains(self, number: int) -> Callable[[], bool]:
        return lambda: number < 5

    async def begin(self) -> None:
        for number, member in enumerate(self.members):
            blobs, held = self.blobs[number], self.held[number]
            fetcher = BlobFetcher(blobs, self.network.transport(member), self.members, random.Random(number))
            incoming = IncomingBlobs(member, lambda: self.swarm.ledger, blobs, fetcher, held.expected)
            routes = {
                BLOB_PATH: blob_route(blobs, MemoryStore(MemoryDisk())),
                KEEP_PATH: incoming.keep_route(),
                PIECE_PATH: incoming.piece_route(),
                OFFER_PATH: held.offer_route(),
                FIND_PATH: held.find_route(),
            }
            await self.nursery.start(self.network.serve, member, Router(self.members, routes))

    def holders(self, digest: bytes = OFFER.digest) -> list[int]:
        return [number for number in range(6) if self.blobs[number].size(digest) is not None]

    async def ask(self, source: int, target: int, path: str, body: bytes) -> bytes:
        transport = self.network.transport(self.members[source])
        return await transport.ask(self.members[target], path, body, timeout_s=5)


@pytest.fixture
async def trainers(nursery: trio.Nursery) -> Trainers:
    made = Trainers(nursery)
    await made.begin()
    return made


@pytest.mark.parametrize("is_hidden", [False, True])
async def test_who_ends_brings_its_checkpoint_to_two_and_whoever_goes_on_finds_it(
    trainers: Trainers, autojump_clock: MockClock, is_hidden: bool
) -> None:
    """Also from a machine that nobody can reach, which is gone afterwards."""
    if is_hidden:
        trainers.network.hidden = {trainers.members[0]}
    await trainers.blobs[0].add(CHECKPOINT)
    assert await trainers.sides[0].hand_over(OFFER) == HOLDERS
    trainers.network.hidden = {trainers.members[0]}
    assert len(trainers.holders()) == 1 + HOLDERS
    assert 5 not in trainers.holders()
    for number in range(1, 5):
        assert await trainers.sides[number].find(SUBJECT) == OFFER
        assert await trainers.sides[number].find(SUBJECT) is None, "a training is taken over once"
        assert await trainers.sides[number].find(b"o" * 32) is None


async def test_the_checkpoint_with_the_most_steps_is_found_until_its_time_is_over(
    trainers: Trainers, autojump_clock: MockClock
) -> None:
    later = b"later"
    further = replace(OFFER, digest=sha256(later).digest(), size=len(later), steps=90)
    await trainers.blobs[0].add(CHECKPOINT)
    await trainers.blobs[1].add(later)
    await trainers.sides[0].hand_over(OFFER)
    await trainers.sides[1].hand_over(further)
    assert await trainers.sides[4].find(SUBJECT) == further
    await trio.sleep(KEPT_S + 1)
    assert await trainers.sides[3].find(SUBJECT) is None


async def test_where_nobody_answers_a_node_ends_in_time(trainers: Trainers, autojump_clock: MockClock) -> None:
    trainers.network.hidden = trainers.members[1:]
    await trainers.blobs[0].add(CHECKPOINT)
    began = trio.current_time()
    assert await trainers.sides[0].hand_over(OFFER) == 0
    assert trio.current_time() - began <= HAND_OVER_S
    assert await trainers.sides[0].hand_over(replace(OFFER, size=MAX_CHECKPOINT_BYTES + 1)) == 0


async def test_nothing_is_taken_that_was_not_offered_or_is_of_no_use(
    trainers: Trainers, autojump_clock: MockClock
) -> None:
    keep = KeepRequest(OFFER.digest, OFFER.size).encode()
    for path, body, status in [
        (KEEP_PATH, keep, 404),
        (OFFER_PATH, b"nonsense", 400),
        (FIND_PATH, b"nonsense", 400),
        (FIND_PATH, encode_find(SUBJECT), 404),
    ]:
        with pytest.raises(Refused) as refused:
            await trainers.ask(0, 1, path, body)
        assert refused.value.status == status
    with pytest.raises(Refused, match="does not train"):
        await trainers.ask(0, 5, OFFER_PATH, OFFER.encode())
    await trainers.ask(0, 1, OFFER_PATH, OFFER.encode())
    with pytest.raises(Refused, match="there is no checkpoint"):
        await trainers.ask(3, 1, FIND_PATH, encode_find(SUBJECT))
    with pytest.raises(Refused):
        await trainers.ask(2, 1, KEEP_PATH, keep)
    with pytest.raises(Refused, match="its size is another"):
        await trainers.ask(0, 1, KEEP_PATH, KeepRequest(OFFER.digest, OFFER.size + 1).encode())
    assert await trainers.ask(0, 1, KEEP_PATH, keep)


async def test_what_a_member_offers_is_bounded(trainers: Trainers, autojump_clock: MockClock) -> None:
    member: MemberId = trainers.members[0]
    held = trainers.held[1]
    for number in range(5):
        held.add(member, replace(OFFER, subject=bytes([number]) * 32, digest=bytes([number]) * 32))
    assert sorted(held.expected(member)) == [bytes([3]) * 32, bytes([4]) * 32]
    held.add(member, replace(OFFER, subject=bytes([4]) * 32))
    assert sorted(held.expected(member)) == sorted([bytes([3]) * 32, OFFER.digest])
    for number in range(5):
        offer = replace(OFFER, subject=bytes([number]) * 32).encode()
        if number < 4:
            await trainers.ask(0, 2, OFFER_PATH, offer)
        else:
            with pytest.raises(Refused, match="too many requests"):
                await trainers.ask(0, 2, OFFER_PATH, offer)


async def test_who_brings_something_else_than_it_offered_is_not_believed(
    trainers: Trainers, autojump_clock: MockClock
) -> None:
    keep, piece = KeepRequest(OFFER.digest, 5).encode(), PushedPiece(OFFER.digest, 0, b"other").encode()
    await trainers.ask(0, 1, OFFER_PATH, replace(OFFER, size=5).encode())
    await trainers.ask(0, 1, KEEP_PATH, keep)
    with pytest.raises(Refused, match="the pieces do not make the blob"):
        await trainers.ask(0, 1, PIECE_PATH, piece)
    assert trainers.held[1].best(SUBJECT) is None
    with pytest.raises(Refused, match="it is not taken from this member"):
        await trainers.ask(0, 1, KEEP_PATH, keep)


def test_messages_survive_their_bytes_and_nothing_else_is_one() -> None:
    assert decode_offer(OFFER.encode()) == OFFER
    assert decode_find(encode_find(SUBJECT)) == SUBJECT
    for wrong in (
        replace(OFFER, subject=b"short"),
        replace(OFFER, size=MAX_CHECKPOINT_BYTES + 1),
        replace(OFFER, size=True),
        replace(OFFER, steps=2**60),
        replace(OFFER, plan=bytes(70_000)),
    ):
        with pytest.raises(BlobMessageError):
            decode_offer(wrong.encode())
    with pytest.raises(BlobMessageError):
        decode_find(encode_find(b"short"))
    assert OFFER.size > 2 * PIECE_BYTES
