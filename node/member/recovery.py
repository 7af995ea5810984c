"""Reads back, after a start, what the store holds: the replica at the beginning of its epoch, and the stored events."""

from collections.abc import Sequence

import trio

from consensus.epoch import EpochRecord, Opening
from consensus.epoch_events import ADDED_BY_REPLICA
from consensus.event import Event, EventError, TransactionTable
from consensus.genesis import Genesis
from consensus.keys import MemberId, SigningKey
from consensus.ledger import Ledger
from consensus.ledger.state.snapshot import SnapshotError
from consensus.replica import ClosedEpoch, Replica
from node.member.transaction_pool import transaction_ids
from node.member.verification import EventVerifier, Insert
from node.store import Store, StoreError

_READ_EVENTS = 1024  # at a time
_LARGE_BYTES = 1 << 18  # of a snapshot; one of this size would block the event loop for some tenths of a second

_REFETCH = "move it away and start again: the node fetches all events from its peers"


class Recovery:
    """Reads the stored events of the open epoch and of former ones. All methods raise StoreError."""

    def __init__(self, store: Store, verifier: EventVerifier, genesis: Genesis) -> None:
        self._store, self._verifier, self._genesis = store, verifier, genesis

    async def resume(self, key: SigningKey) -> tuple[Replica, ClosedEpoch | None]:
        """Return a replica at the beginning of the stored epoch, and what opened that."""
        opened = await self._store.read_opening()
        if opened is None:
            return Replica.found(self._genesis, key), None
        try:
            return Replica.resume(self._genesis, key, opened.record, opened.snapshot), opened
        except SnapshotError as error:
            raise StoreError(f"{self._store.place}: damaged ({error}); {_REFETCH}") from None

    async def begin(self, key: SigningKey, number: int) -> Replica | None:
        """Return a replica at the beginning of any epoch; None if its ledger is not stored."""
        if number == 0:
            return Replica.found(self._genesis, key)
        record, snapshot = await self._store.read_record(number), await self._store.read_snapshot(number)
        if record is None or snapshot is None:
            return None
        try:
            return await restore(self._genesis, key, record, snapshot)
        except SnapshotError as error:
            raise StoreError(f"{self._store.place}: damaged ({error}); {_REFETCH}") from None

    async def replay(self, opening: Opening, insert: Insert) -> int:
        """Hand the stored events of an epoch to `insert`, some at a time; return how many there are."""
        read, inserted = 0, 0

        async def read_next() -> Sequence[bytes]:
            nonlocal read
            raws = await self._store.read_events(opening.number, read, _READ_EVENTS)
            read += len(raws)
            return raws

        async def take(events: Sequence[Event]) -> None:
            nonlocal inserted
            await insert(events)
            inserted += len(events)

        try:
            return await self._verifier.verify_all(read_next, opening.digest, take)
        except EventError as error:
            place = self._store.place
            raise StoreError(f"{place}: damaged after its event {inserted} ({error}); {_REFETCH}") from None

    async def read_before(self, opening: Opening) -> tuple[Opening, list[Event]] | None:
        """Return the epoch before with all its events; None if it is not here, as in a node that has joined since."""
        before = await self._opening_before(opening.number)
        if before is None:
            return None
        events: list[Event] = []

        async def insert(some: Sequence[Event]) -> None:
            events.extend(some)

        await self.replay(before, insert)
        return (before, events) if events else None  # none if they were pruned, or jumped over

    async def read_closed(self, number: int, start: int, count: int) -> tuple[bytes, list[bytes]]:
        """Return the digest of a closed epoch, and up to `count` of its raw events from `start` on, in their order.

        Return b"" if the store does not have the epoch's events.
        """
        if number < 0 or not await self._store.read_events(number, 0, 1):
            return b"", []
        record = await self._store.read_record(number)
        digest = self._genesis.digest if record is None else record.digest
        return digest, await self._store.read_events(number, start, count)

    async def _opening_before(self, number: int) -> Opening | None:
        if number == 0:
            return None
        if number == 1:
            return Opening.of_genesis(self._genesis)
        records = await self._store.read_sealed_records(number - 1, 1)
        return Opening.of_record(records[0].record) if records else None


async def restore(genesis: Genesis, key: SigningKey, record: EpochRecord, snapshot: bytes) -> Replica:
    """Return a replica at the beginning of the epoch of a record that is to be believed. Raise SnapshotError."""
    if len(snapshot) < _LARGE_BYTES:
        return Replica.resume(genesis, key, record, snapshot)
    return await trio.to_thread.run_sync(Replica.resume, genesis, key, record, snapshot)


def transactions_without_effect(
    replica: Replica, member: MemberId, ledger: Ledger
) -> list[tuple[TransactionTable, ...]]:
    """Return the transactions in a member's events that `ledger` has not seen, as they were grouped.

    The events are those of the epochs that `replica` holds. What it says about their places does not count: it may have
    gone on from a wrong ledger.
    """
    groups: list[tuple[TransactionTable, ...]] = []
    returned: set[int] = set()
    for epoch in replica.held_epochs:
        for event in epoch.events_of(member):
            ids = {number for number in transaction_ids(event) if not ledger.has_used(member, number)} - returned
            returned |= ids
            said = (entry for entry in event.transactions if entry["type"] not in ADDED_BY_REPLICA)
            groups.append(tuple(entry for entry in said if entry["id"] in ids))
    return [group for group in groups if group]
