"""After a start: from what the store holds back to the replica as it was, and what is to be put forward again."""

from collections.abc import Sequence

from consensus.epoch import Opening
from consensus.event import Event, EventError, Transaction
from consensus.genesis import Genesis
from consensus.keys import SigningKey
from consensus.ledger.snapshot import SnapshotError
from consensus.ledger.transactions import Open
from consensus.outcome import Closed
from consensus.replica import Replica
from node.opening import Opener
from node.store import Store, StoreError

_AT_A_TIME = 256  # events

_REFETCH = "move it away and start again: the node fetches all events from its peers"


class Recovery:
    """Reads the stored events of one epoch, and what opened it."""

    def __init__(self, store: Store, opener: Opener, genesis: Genesis) -> None:
        self._store, self._opener, self._genesis = store, opener, genesis

    async def resume(self, key: SigningKey) -> tuple[Replica, Closed | None]:
        """A replica at the beginning of the stored epoch, and what opened it. Raises StoreError."""
        opened = await self._store.opened()
        if opened is None:
            return Replica(self._genesis, key), None
        try:
            return Replica.resume(self._genesis, key, opened.record, opened.snapshot), opened
        except SnapshotError as error:
            raise StoreError(f"{self._store.place}: damaged ({error}); {_REFETCH}") from None

    async def read(self, position: int, epoch: bytes) -> list[Event]:
        """The next stored events of the open epoch; none at the end. Raises StoreError."""
        return await self._reopened(await self._store.read(position, _AT_A_TIME), epoch, position)

    async def serve_closed(self, replica: Replica, opened: Closed) -> None:
        """Lets the replica serve the epoch before: peers may still need it to close it themselves."""
        before = await self._opening_before(opened)
        if before is None:
            return
        events: list[Event] = []
        while raws := await self._store.read_closed(len(events), _AT_A_TIME):
            events += await self._reopened(raws, before.digest, len(events))
        replica.serve(before, events)

    async def _opening_before(self, opened: Closed) -> Opening | None:
        """What opened the epoch before; None if it is not here, as in a node that has joined since."""
        number = opened.record.number - 1
        if number == 0:
            return Opening.of_genesis(self._genesis)
        records = await self._store.records(number, 1)
        if not records or records[0].record.digest != opened.record.previous:
            return None
        return Opening.of_record(records[0].record)

    async def _reopened(self, raws: Sequence[bytes], epoch: bytes, position: int) -> list[Event]:
        try:
            return await self._opener.open(raws, epoch, lambda _: False)
        except EventError as error:
            place = self._store.place
            raise StoreError(f"{place}: damaged after its event {position} ({error}); {_REFETCH}") from None


def ids_of(event: Event) -> tuple[int, ...]:
    """The ids of an event's transactions, without that which opens the epoch."""
    return tuple(entry["id"] for entry in event.transactions if entry["type"] != Open.TYPE)


def not_taken_up(opened: Closed, taken: set[int]) -> list[tuple[Transaction, ...]]:
    """Of the transactions that a close cut off, in their groups, those whose ids no own event has taken up since."""
    groups = [tuple(entry for entry in group if entry["id"] not in taken) for group in opened.unreceived]
    return [group for group in groups if group]
