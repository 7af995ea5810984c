"""What a node keeps on disk: the chain of epoch records, and the events of each epoch in order of arrival.

The current epoch is the newest one with a ledger snapshot; 0, that of the genesis, begins without one. The chain
of records may reach beyond it: a node that was away fetches records first, then the snapshot of the last.

`node.store.sqlite` is the store of a real node. `node.store.memory` is its twin, which forgets in a crash what was not
synced. `node.store.contents` has what both encode and check alike.
"""

from collections.abc import Sequence
from typing import Protocol

from consensus.epoch import EpochRecord, SealedRecord
from consensus.event import Event
from consensus.outcome import ClosedEpoch

FILE_NAME = "events.sqlite"
"""Of the store of a real node, in the folder of its data."""


class StoreError(Exception):
    """A store that cannot be used or written; the message is one line with the remedy.

    After a failed write nobody knows what the disk holds: the node has to stop and read it again.
    """


class Store(Protocol):
    """Events, records and snapshots. What makes one thing durable also does so for all that was written before.

    Durable is what survives a power loss. All methods raise StoreError.
    """

    @property
    def place(self) -> str:
        """Where it is, for messages to people."""
        ...

    @property
    def epoch(self) -> int:
        """The number of the current epoch."""
        ...

    @property
    def newest_record(self) -> int:
        """The number of the last record of the chain; 0 if there is none."""
        ...

    # Events.

    async def append(self, events: Sequence[Event]) -> None:
        """Write received events of the current epoch. A power loss may take the last of them: peers have them."""
        ...

    async def append_own(self, event: Event) -> None:
        """Write an own event of the current epoch; return when it is durable.

        Only then may the event be shown to anybody: one that is forgotten after it was sent would be
        followed by another with the same sequence number, and that is an equivocation.
        """
        ...

    async def read_events(self, epoch: int, start: int, count: int) -> list[bytes]:
        """Return up to `count` raw events of an epoch from position `start` on; fewer only at the end.

        There are none of an epoch that was pruned, or jumped over.
        """
        ...

    async def newest_own(self) -> int:
        """Return the highest sequence number of those events of the current epoch that `append_own` wrote; -1 if none.

        Own events beyond it have come from peers.
        """
        ...

    # The current epoch.

    async def begin_epoch(self, closed: ClosedEpoch) -> None:
        """Make the epoch that `closed` opens the current one; return when this is durable.

        The record before it must be in the chain. Only then may an own event of that epoch be shown: without its
        record the node would start again in the old one. To begin the current epoch again changes nothing. It is an
        error if the chain has another record for the epoch.
        """
        ...

    async def read_opening(self) -> ClosedEpoch | None:
        """Return what opened the current epoch, as `begin_epoch` got it; None in the first one."""
        ...

    async def read_snapshot(self, epoch: int) -> bytes | None:
        """Return the ledger snapshot with which an epoch began, if it is here."""
        ...

    # The chain of records.

    async def append_records(self, chain: Sequence[SealedRecord]) -> None:
        """Write verified records that follow the chain, or are in it. A power loss may take the last of them.

        It is an error if one does not follow, or the chain has another record for its epoch.
        """
        ...

    async def write_seals(self, sealed: SealedRecord) -> None:
        """Add the seals to a record of the chain; the first ones stay. A power loss may take them.

        It is an error if the chain does not have this record.
        """
        ...

    async def replace_records(self, chain: Sequence[SealedRecord], closed: ClosedEpoch) -> None:
        """Make the epoch of `closed`, the last of `chain`, the current one, and forget what contradicts that.

        `chain` are verified records, none left out, that replace those here; the last one may have no seals yet.
        Snapshots and events of the epochs that had another record are forgotten, and so are all epochs after the last
        of `chain`. All of this happens or nothing; return when it is durable. It is an error if `chain` does not begin
        at a record of the chain, or just after the last one.
        """
        ...

    async def read_record(self, epoch: int) -> EpochRecord | None:
        """Return the record that opened an epoch, sealed or not; None if the chain does not have it."""
        ...

    async def read_sealed_records(self, first: int, count: int) -> list[SealedRecord]:
        """Return up to `count` records from that of epoch `first` on, none left out, as far as they are sealed."""
        ...

    async def prune(self, keep: int) -> None:
        """Forget events and snapshots of all but the newest `keep` (1 or more) epochs; records stay for ever."""
        ...

    async def aclose(self) -> None:
        """Write what is outstanding. The store must not be used afterwards."""
        ...
