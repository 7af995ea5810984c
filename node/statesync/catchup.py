"""The asking side: when a node jumps to another epoch, and all that has to be verified before it does.

The node polls whether it is stranded. If so, it asks its peers for records (`RecordChain`). The newest sealed one may
lead to a later epoch; or it contradicts a record in the store, which then is wrong. In both cases the node fetches the
ledger that the record names, and enters its epoch.
"""

import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Protocol

import structlog
import trio

from consensus.epoch import EpochError, EpochRecord, SealedRecord
from consensus.genesis import Genesis
from consensus.ledger.state.snapshot import SIZE_LIMIT, SnapshotError
from node.blobs import BlobError, Blobs
from node.blobs.fetching import BlobFetcher
from node.gossip.messages import MessageError
from node.gossip.peers import Peer
from node.member.record_comparison import PeerRecords
from node.statesync.chain import RecordChain
from node.store import Store
from node.transport import AskError, BadAnswer, Refused, Transport

_POLL_S = 2.0  # between two looks whether the node is stranded
_RETRY_S = 5.0  # after an attempt that led nowhere
_PEERS_ASKED = 3  # at a time, for the chain
_BUSY_PAUSE_S = 0.5  # before a busy peer is asked again
_BUSY_RETRIES = 10  # how often a busy peer is asked

_log = structlog.get_logger(__name__)


class CatchUpTarget(Protocol):
    """What catching up needs of the node: its part in the swarm, which can go on in another epoch."""

    async def observe_peer_records(self, said: PeerRecords) -> None:
        """Take in what opened the epochs in which peers say they are. Raise StoreError."""
        ...

    def observe_refutation(self, own: EpochRecord, sealed: SealedRecord) -> None:
        """Take in that a record of its own is not the sealed one; it is to leave that epoch as soon as it can."""
        ...

    def observe_roster(self, record: EpochRecord) -> bool:
        """Take in a record of a later epoch; return whether this node is a member in it."""
        ...

    async def enter(self, record: EpochRecord, snapshot: bytes, corrected: Sequence[SealedRecord] = ()) -> None:
        """Leave the present epoch for that of `record`, durably, with the ledger in `snapshot`; its digest is checked.

        The records in `corrected`, of which `record` is the last, replace those in the store (`Store.replace_records`).
        Raise SnapshotError if `snapshot` is not a ledger, StoreError.
        """
        ...


class CatchUp:
    """Brings a node to the newest sealed epoch, whenever no peer serves its own any more.

    `peers` returns whom to ask. `entered` is awaited after every jump: the node may be among other members now.
    """

    def __init__(
        self,
        *,
        genesis: Genesis,
        store: Store,
        target: CatchUpTarget,
        peers: Callable[[], Iterable[Peer]],
        transport: Transport,
        blobs: Blobs,
        fetcher: BlobFetcher,
        chance: random.Random,
        entered: Callable[[], Awaitable[None]],
    ) -> None:
        self._genesis, self._store, self._target = genesis, store, target
        self._peers, self._transport = peers, transport
        self._blobs, self._fetcher, self._random = blobs, fetcher, chance
        self._entered = entered

    async def run(self, is_stranded: Callable[[], bool]) -> None:
        """Jump whenever the node is stranded, until cancelled: peers answer, and none of them serves our epoch.

        Raise StoreError.
        """
        while True:
            await trio.sleep(_POLL_S)
            if is_stranded() and not await self.jump():
                await trio.sleep(_RETRY_S)

    async def jump(self) -> bool:
        """Fetch what is needed to enter the newest sealed epoch, and enter it; return False if that led nowhere.

        What was verified before an interruption is not fetched again. Raise StoreError.
        """
        chain = RecordChain(self._genesis, self._store)
        await chain.load()
        await self._fetch_records(chain)
        if not chain.corrected:
            await self._target.observe_peer_records(chain.said)
        record = chain.newest
        if record is None or not await self._leads_elsewhere(chain, record) or not self._is_member(chain, record):
            return False
        if chain.refuted is not None:
            self._target.observe_refutation(chain.refuted, chain.corrected[0])
        try:
            await self._enter(chain, record)
        except (BlobError, SnapshotError) as error:
            _log.warning("cannot catch up", epoch=record.number, reason=str(error))
            return False
        return True

    async def _enter(self, chain: RecordChain, record: EpochRecord) -> None:
        """Fetch the ledger that the record names, and enter its epoch. Raise BlobError, SnapshotError, StoreError."""
        await self._fetcher.fetch(record.snapshot, max_bytes=SIZE_LIMIT)
        snapshot = await self._blobs.read(record.snapshot, 0, self._blobs.size(record.snapshot) or 0)
        _log.info("catching up", epoch=self._store.epoch, to=record.number, ledger=len(snapshot))
        await self._target.enter(record, snapshot, chain.corrected)
        await self._entered()
        await self._blobs.remove(record.snapshot)  # the store has it

    def _is_member(self, chain: RecordChain, record: EpochRecord) -> bool:
        """Return whether we are in the epoch of `record`, the newest sealed one, or in a later one that peers name.

        The later one may lack our own seal: then we follow the events that lead to it.
        """
        later = [said for said in chain.said.values() if said is not None and said.number > record.number]
        return any(self._target.observe_roster(one) for one in (*later, record))

    async def _leads_elsewhere(self, chain: RecordChain, record: EpochRecord) -> bool:
        """Return whether the epoch of `record`, the newest sealed one, is neither ours nor one that leads to ours."""
        if record.number > self._store.epoch:
            return True
        if not chain.corrected:
            return False
        if record.number < self._store.epoch:
            after = await self._store.read_record(record.number + 1)
            return after is None or after.previous != record.digest
        ours = await self._store.read_record(record.number)
        return ours is None or ours.digest != record.digest

    async def _fetch_records(self, chain: RecordChain) -> None:
        """Ask all peers in turn, several at a time, until none of them has more records."""
        peers = sorted(self._peers(), key=lambda peer: peer.id)
        self._random.shuffle(peers)
        waiting = deque(peer for peer in peers if peer.backoff.may_listen(trio.current_time()))
        async with trio.open_nursery() as nursery:
            for _ in range(_PEERS_ASKED):
                nursery.start_soon(self._ask_in_turn, chain, waiting)

    async def _ask_in_turn(self, chain: RecordChain, waiting: deque[Peer]) -> None:
        while waiting:
            peer = waiting.popleft()
            if await self._ask(chain, peer):
                waiting.append(peer)

    async def _ask(self, chain: RecordChain, peer: Peer) -> bool:
        """Ask a peer once; return whether it had new records, so that it may have more."""
        try:
            for _ in range(_BUSY_RETRIES):
                try:
                    found = await chain.fetch(peer, self._transport)
                    peer.backoff.ask_by(trio.current_time())  # it admits us, and may have events
                    return found
                except Refused as refused:
                    if refused.status != HTTPStatus.TOO_MANY_REQUESTS:
                        raise
                await trio.sleep(_BUSY_PAUSE_S)
        except (MessageError, EpochError, BadAnswer) as error:
            peer.observe_misbehaviour(error, trio.current_time())
        except AskError as error:
            peer.observe_failure(error, trio.current_time(), self._random)
        return False
