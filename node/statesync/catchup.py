"""The asking side: when a node jumps to a later epoch, and all that has to be verified before it does."""

import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
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

_LOOK = 2.0  # seconds between two looks whether we are stranded
_RETRY = 5.0  # seconds after an attempt that led nowhere
_TEACHERS = 3  # asked at a time for the chain
_BUSY = 429
_PAUSE = 0.5  # seconds before a busy teacher is asked again
_PATIENCE = 10  # times that a busy teacher is asked again

_log = structlog.get_logger(__name__)


class CatchUpTarget(Protocol):
    """What catching up needs of the node: its part in the swarm, which can go on in another epoch."""

    async def observe_peer_records(self, said: PeerRecords) -> None:
        """Take in what opened the epochs in which peers say they are. Raises StoreError."""
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
        Raises SnapshotError if `snapshot` is not a ledger, StoreError.
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

    async def run(self, stranded: Callable[[], bool]) -> None:
        """Until cancelled. `stranded` says whether peers answer, and none of them serves our epoch.

        Raises StoreError.
        """
        while True:
            await trio.sleep(_LOOK)
            if stranded() and not await self.jump():
                await trio.sleep(_RETRY)

    async def jump(self) -> bool:
        """Fetches what is needed to enter the newest sealed epoch, and enters it; False if that led nowhere.

        Whatever was verified when it is interrupted is not fetched again. Raises StoreError.
        """
        chain = RecordChain(self._genesis, self._store)
        await chain.load()
        await self._learn(chain)
        record = chain.newest
        if not chain.corrected:
            await self._target.observe_peer_records(chain.said)
        if record is None or not await self._leads_on(chain, record) or not self._has_place(chain, record):
            return False
        if chain.wrong is not None:
            self._target.observe_refutation(chain.wrong, chain.corrected[0])
        try:
            await self._fetcher.fetch(record.snapshot, max_bytes=SIZE_LIMIT)
            snapshot = await self._blobs.read(record.snapshot, 0, self._blobs.size(record.snapshot) or 0)
            _log.info("catches up", epoch=self._store.epoch, to=record.number, ledger=len(snapshot))
            await self._target.enter(record, snapshot, chain.corrected)
            await self._entered()
            if chain.wrong is not None:
                await self._blobs.remove(chain.wrong.snapshot)
        except (BlobError, SnapshotError) as error:
            _log.warning("cannot catch up", epoch=record.number, reason=str(error))
            return False
        return True

    def _has_place(self, chain: RecordChain, record: EpochRecord) -> bool:
        """Whether we are in the epoch of `record`, the newest sealed one, or of a later one that peers speak of.

        That one may lack our own seal: then we follow the events that lead to it.
        """
        later = [said for said in chain.said.values() if said is not None and said.number > record.number]
        return any(self._target.observe_roster(one) for one in (*later, record))

    async def _leads_on(self, chain: RecordChain, record: EpochRecord) -> bool:
        """Whether the epoch of `record`, the newest, is another one than ours, and none that ours follows."""
        if record.number > self._store.epoch:
            return True
        if not chain.corrected:
            return False
        if record.number < self._store.epoch:
            after = await self._store.read_record(record.number + 1)
            return after is None or after.previous != record.digest
        ours = await self._store.read_record(record.number)
        return ours is None or ours.digest != record.digest

    async def _learn(self, chain: RecordChain) -> None:
        """Asks all peers, several at a time and turn by turn, until none of them tells more."""
        peers = sorted(self._peers(), key=lambda peer: peer.id)
        self._random.shuffle(peers)
        waiting = deque(peer for peer in peers if peer.backoff.may_listen(trio.current_time()))
        async with trio.open_nursery() as nursery:
            for _ in range(_TEACHERS):
                nursery.start_soon(self._attend, chain, waiting)

    async def _attend(self, chain: RecordChain, waiting: deque[Peer]) -> None:
        while waiting:
            peer = waiting.popleft()
            if await self._hear(chain, peer):
                waiting.append(peer)

    async def _hear(self, chain: RecordChain, peer: Peer) -> bool:
        """Lets a peer tell once; whether it told something new, so that it may know more."""
        try:
            for _ in range(_PATIENCE):
                try:
                    told = await chain.learn(peer, self._transport)
                    peer.backoff.ask_by(trio.current_time())  # it admits us, and may have events
                    return told
                except Refused as refused:
                    if refused.status != _BUSY:
                        raise
                await trio.sleep(_PAUSE)
        except (MessageError, EpochError, BadAnswer) as error:
            peer.observe_misbehaviour(error, trio.current_time())
        except AskError as error:
            peer.observe_failure(error, trio.current_time(), self._random)
        return False
