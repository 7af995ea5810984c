"""After a start: from what the store holds back to the replica as it was, and what is to be put forward again."""

from collections.abc import Sequence

from consensus.epoch import EpochError, Opening, decode_record
from consensus.event import Event, EventError, Transaction
from consensus.genesis import Genesis
from consensus.keys import SigningKey
from consensus.ledger.snapshot import SnapshotError
from consensus.ledger.transactions import Open
from consensus.replica import Replica
from node.opening import Opener
from node.store import Store, StoreError

_AT_A_TIME = 256  # events

_REFETCH = "move it away and start again: the node fetches all events from its peers"


class Recovery:
    """Reads the stored events of the open epoch and of the one before. All raise StoreError."""

    def __init__(self, store: Store, opener: Opener, genesis: Genesis) -> None:
        self._store, self._opener, self._genesis = store, opener, genesis

    async def resume(self, key: SigningKey) -> Replica:
        """A replica at the beginning of the stored epoch."""
        opened = await self._store.opening()
        if opened is None:
            return Replica(self._genesis, key)
        try:
            return Replica.resume(self._genesis, key, opened.record, opened.snapshot)
        except SnapshotError as error:
            raise StoreError(f"{self._store.place}: damaged ({error}); {_REFETCH}") from None

    async def read(self, position: int, opening: Opening) -> list[Event]:
        """The next stored events of an epoch; none at the end, or if they are not kept."""
        raws = await self._store.read_epoch(opening.number, position, _AT_A_TIME)
        try:
            return await self._opener.open(raws, opening.digest, lambda _: False)
        except EventError as error:
            place = self._store.place
            raise StoreError(f"{place}: damaged after its event {position} ({error}); {_REFETCH}") from None

    async def read_before(self, opening: Opening) -> tuple[Opening, list[Event]] | None:
        """The epoch before with all its events; None if it is not here, as in a node that has joined since."""
        before = await self._before(opening.number)
        if before is None:
            return None
        events: list[Event] = []
        while more := await self.read(len(events), before):
            events += more
        return before, events

    async def _before(self, number: int) -> Opening | None:
        if number == 0:
            return None
        if number == 1:
            return Opening.of_genesis(self._genesis)
        links = await self._store.records(number - 1, 1)
        if not links or links[0].number != number - 1:
            return None
        try:
            return Opening.of_record(decode_record(links[0].record))
        except EpochError as error:
            raise StoreError(f"{self._store.place}: damaged ({error}); {_REFETCH}") from None


def ids_of(event: Event) -> tuple[int, ...]:
    """The ids of an event's transactions, without that which opens the epoch."""
    return tuple(entry["id"] for entry in event.transactions if entry["type"] != Open.TYPE)


def cut_off(replica: Replica, own: Sequence[Event], since: set[int]) -> list[tuple[Transaction, ...]]:
    """What has to be put forward again of the `own` events of the epoch before, as it was grouped in events.

    That is what had no place in the order when the epoch closed, and was in no own event `since` (ids).
    """
    groups: list[tuple[Transaction, ...]] = []
    for event in sorted(own, key=lambda event: event.seq):
        open_ids = {number for number in ids_of(event) if not replica.ledger.has_used(event.creator, number)}
        group = tuple(
            entry for entry in event.transactions
            if entry["type"] != Open.TYPE and entry["id"] in open_ids - since
        )
        if group:
            groups.append(group)
    return groups
