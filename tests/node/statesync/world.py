"""Machines that have records, seals, stores and blobs, on one network, and one that learns from them."""

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import trio

from consensus.epoch import EpochRecord, SealedRecord
from consensus.ledger.state.snapshot import SnapshotError
from consensus.outcome import ClosedEpoch
from node.blobs import PIECE_BYTES
from node.blobs.fetching import BlobFetcher
from node.blobs.memory import MemoryBlobs
from node.blobs.messages import BLOB_PATH
from node.blobs.serving import blob_route
from node.config.identity import Identity
from node.gossip.peers import Peer
from node.statesync.catchup import CatchUp
from node.statesync.serving import CHAIN_PATH, chain_route
from node.store.memory import MemoryDisk, MemoryStore
from node.transport import Handler
from node.transport.memory import Network
from node.transport.router import Router
from tests.node.statesync.chains import Link, genesis_of, links

ME, *TEACHERS = (Identity(bytes([number]) * 32) for number in range(60, 65))
ALL = [ME, *TEACHERS]
GENESIS = genesis_of(ALL)
LINKS = links(ALL, 150, PIECE_BYTES + 1000)  # the records need several questions, a snapshot several pieces
HEAD = 149
"""Number of the newest sealed record while the teachers are in epoch 150, whose record has no seals yet."""


class Text:
    """A target whose ledger is text: it records what it was told to enter."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.entered: list[int] = []
        self.jumps: list[list[int]] = []  # what it had entered whenever catching up said so
        self.without: set[int] = set()  # epochs in which it has no place
        self.said: Mapping[bytes, EpochRecord | None] = {}
        self.mistakes: list[tuple[EpochRecord, EpochRecord]] = []

    async def observe_peer_records(self, said: Mapping[bytes, EpochRecord | None]) -> None:
        self.said = dict(said)

    def observe_refutation(self, own: EpochRecord, sealed: SealedRecord) -> None:
        self.mistakes.append((own, sealed.record))

    def observe_roster(self, record: EpochRecord) -> bool:
        return record.number not in self.without

    async def enter(self, record: EpochRecord, snapshot: bytes, corrected: Sequence[SealedRecord] = ()) -> None:
        if hashlib.sha256(snapshot).digest() != record.snapshot:
            raise SnapshotError("not the snapshot of the record")
        closed = ClosedEpoch(record, snapshot, ())
        await (self._store.replace_records(corrected, closed) if corrected else self._store.begin_epoch(closed))
        self.entered.append(record.number)

    async def observe_jump(self) -> None:
        self.jumps.append(list(self.entered))


async def fill(store: MemoryStore, links: Sequence[Link], *, sealed: bool = False) -> None:
    """Takes the store through these epochs; the last record has no seals unless it is `sealed`."""
    for link in links:
        await store.begin_epoch(link.closed)
        if sealed or link is not links[-1]:
            await store.write_seals(link.sealed)


Lie = Callable[[Handler], Handler]


@dataclass
class World:
    """The teachers' machines and ours, on one network."""

    nursery: trio.Nursery
    network: Network
    disk: MemoryDisk = field(default_factory=MemoryDisk)
    blobs: MemoryBlobs = field(default_factory=MemoryBlobs)
    peers: dict[bytes, Peer] = field(default_factory=dict)
    asked: list[tuple[bytes, str]] = field(default_factory=list)

    async def teach(
        self,
        teacher: Identity,
        *,
        lies: Mapping[str, Lie] | None = None,
        known: Sequence[Link] = LINKS,
        sealed: bool = False,
    ) -> None:
        store = MemoryStore(MemoryDisk())
        await fill(store, known, sealed=sealed)
        routes = {}
        for path, route in {CHAIN_PATH: chain_route(store), BLOB_PATH: blob_route(MemoryBlobs(), store)}.items():
            lie = (lies or {}).get(path)
            handler = lie(route.handler) if lie else route.handler
            routes[path] = replace(route, handler=self._noted(teacher.id, path, handler))
        await self.nursery.start(self.network.serve, teacher.id, Router([ME.id], routes))
        self.peers[teacher.id] = Peer(teacher.id)

    def _noted(self, teacher: bytes, path: str, handler: Handler) -> Handler:
        async def answer(asking: bytes, body: bytes) -> bytes:
            self.asked.append((teacher, path))
            return await handler(asking, body)

        return answer

    def pupil(self, seed: int = 0) -> tuple[CatchUp, Text]:
        """What our machine puts together when it starts."""
        store, chance = MemoryStore(self.disk), random.Random(seed)
        target = Text(store)
        transport = self.network.transport(ME.id)
        fetcher = BlobFetcher(self.blobs, transport, self.peers, chance)
        catchup = CatchUp(
            genesis=GENESIS,
            store=store,
            target=target,
            peers=self.peers.values,
            transport=transport,
            blobs=self.blobs,
            fetcher=fetcher,
            chance=chance,
            entered=target.observe_jump,
        )
        return catchup, target

    async def assert_arrived(self, number: int = HEAD) -> None:
        store = MemoryStore(self.disk)
        link = LINKS[number - 1]
        assert await store.read_opening() == ClosedEpoch(link.record, link.snapshot, ())
        chain = await store.read_sealed_records(1, 999)
        assert chain == [one.sealed for one in LINKS[: len(chain)]]
        assert len(chain) >= number
