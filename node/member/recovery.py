"""After a start: from what the store holds back to the replica as it was, and what is to be put forward again."""

from collections.abc import Sequence

import trio

from consensus.epoch import EpochRecord, Opening
from consensus.event import Event, EventError, TransactionTable
from consensus.genesis import Genesis
from consensus.keys import MemberId, SigningKey
from consensus.ledger import Ledger
from consensus.ledger.state.snapshot import SnapshotError
from consensus.open_epoch import REPEATED
from consensus.replica import ClosedEpoch, Replica
from node.member.verification import EventVerifier, Take
from node.store import Store, StoreError

_AT_A_TIME = 1024  # events
_LARGE = 1 << 18  # bytes of a snapshot; one of this size holds up all else for some tenths of a second

_REFETCH = "move it away and start again: the node fetches all events from its peers"


class Recovery:
    """Reads the stored events of the open epoch and of the one before. All raise StoreError."""

    def __init__(self, store: Store, verifier: EventVerifier, genesis: Genesis) -> None:
        self._store, self._verifier, self._genesis = store, verifier, genesis

    async def resume(self, key: SigningKey) -> tuple[Replica, ClosedEpoch | None]:
        """A replica at the beginning of the stored epoch, and what opened that."""
        opened = await self._store.opened()
        if opened is None:
            return Replica.found(self._genesis, key), None
        try:
            return Replica.resume(self._genesis, key, opened.record, opened.snapshot), opened
        except SnapshotError as error:
            raise StoreError(f"{self._store.place}: damaged ({error}); {_REFETCH}") from None

    async def begin(self, key: SigningKey, number: int) -> Replica | None:
        """A replica at the beginning of an epoch, also of a former one; None if its ledger is not kept."""
        if number == 0:
            return Replica.found(self._genesis, key)
        record, snapshot = await self._store.record(number), await self._store.snapshot(number)
        if record is None or snapshot is None:
            return None
        try:
            return await restore(self._genesis, key, record, snapshot)
        except SnapshotError as error:
            raise StoreError(f"{self._store.place}: damaged ({error}); {_REFETCH}") from None

    async def replay(self, opening: Opening, take: Take) -> int:
        """Hands the stored events of an epoch to `take`, some at a time; returns how many are kept."""
        position = 0
        while raws := await self._store.read_epoch(opening.number, position, _AT_A_TIME):
            try:
                position += await self._verifier.open(raws, opening.digest, lambda _: False, take)
            except EventError as error:
                place = self._store.place
                raise StoreError(f"{place}: damaged after its event {position} ({error}); {_REFETCH}") from None
        return position

    async def read_before(self, opening: Opening) -> tuple[Opening, list[Event]] | None:
        """The epoch before with all its events; None if it is not here, as in a node that has joined since."""
        before = await self._before(opening.number)
        if before is None:
            return None
        events: list[Event] = []

        async def take(some: Sequence[Event]) -> None:
            events.extend(some)

        await self.replay(before, take)
        return (before, events) if events else None  # none if they were pruned, or jumped over

    async def _before(self, number: int) -> Opening | None:
        if number == 0:
            return None
        if number == 1:
            return Opening.of_genesis(self._genesis)
        records = await self._store.records(number - 1, 1)
        return Opening.of_record(records[0].record) if records else None


async def restore(genesis: Genesis, key: SigningKey, record: EpochRecord, snapshot: bytes) -> Replica:
    """A replica at the beginning of the epoch of a record that is to be believed. Raises SnapshotError."""
    if len(snapshot) < _LARGE:
        return Replica.resume(genesis, key, record, snapshot)
    return await trio.to_thread.run_sync(Replica.resume, genesis, key, record, snapshot)


def ids_of(event: Event) -> tuple[int, ...]:
    """The ids of an event's transactions, without those that the replica says by itself and that take none."""
    return tuple(entry["id"] for entry in event.transactions if entry["type"] not in REPEATED)


def unplaced(replica: Replica, member: MemberId, ledger: Ledger) -> list[tuple[TransactionTable, ...]]:
    """Of a member's transactions in the epochs that `replica` holds those that had no effect on `ledger`, as grouped.

    What the replica itself says about their places does not count: it may have gone on from a wrong ledger.
    """
    groups: list[tuple[TransactionTable, ...]] = []
    taken: set[int] = set()
    for epoch in replica.held:
        for event in epoch.events_of(member):
            ids = [number for number in ids_of(event) if not ledger.has_used(member, number) and number not in taken]
            taken.update(ids)
            said = (entry for entry in event.transactions if entry["type"] not in REPEATED)
            groups.append(tuple(entry for entry in said if entry["id"] in ids))
    return [group for group in groups if group]
