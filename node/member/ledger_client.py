"""How the other parts of a node read the ledger and speak in the order: the ledger, own transactions, and waiting."""

from typing import Protocol

import trio

from consensus.event import EventError
from consensus.genesis import Genesis
from consensus.keys import MemberId, SigningKey
from consensus.ledger import Ledger
from consensus.ledger.records.transactions import Transaction
from consensus.replica import RoundEffects
from node.config.identity import Identity
from node.member.member import Member
from node.member.transaction_pool import BacklogError, transaction_ids
from node.system.change_counter import ChangeCounter


class SubmitError(Exception):
    """Transactions were not put forward; one line says why."""


class Submitter(Protocol):
    """One node's voice in the order."""

    @property
    def me(self) -> MemberId:
        """This node's member id."""
        ...

    @property
    def ledger(self) -> Ledger:
        """The ledger as of the last decided round."""
        ...

    def next_id(self) -> int:
        """Return a transaction id that this member has never used."""
        ...

    async def submit(self, *transactions: Transaction) -> None:
        """Put transactions into one own event and keep at it until they are ordered; return at once.

        Raise `SubmitError` if no event can hold them, or too much waits already.
        """
        ...


class LedgerClient(Submitter, Protocol):
    """A `Submitter` that can also wait for the order."""

    @property
    def key(self) -> SigningKey:
        """The identity; seals are signed with it."""
        ...

    @property
    def genesis(self) -> Genesis:
        """What founded the swarm."""
        ...

    async def wait_until_ordered(self, number: int) -> None:
        """Wait until the own transaction with this id has its place in the order, whatever became of it."""
        ...

    @property
    def advances(self) -> int:
        """How many rounds the ledger has advanced since the start."""
        ...

    async def wait_for_advance(self, since: int) -> None:
        """Wait until `advances` is more than `since`, which the caller read before it looked at the ledger.

        A caller that looks, awaits something else and only then waits must not miss what happened in between:
        in a swarm that has come to rest there may be no further round to wake it.
        """
        ...


class MemberLedgerClient:
    """The `LedgerClient` of a member. `run` must be running for its waits to return."""

    def __init__(self, member: Member, identity: Identity) -> None:
        self._member = member
        self._identity = identity
        self._rounds = member.subscribe()
        self._advances = ChangeCounter()
        self._ordered: set[int] = set()
        self._last_id = -1

    async def run(self) -> None:
        """Observe every decided round."""
        async for decided in self._rounds:
            self._observe(decided)

    def _observe(self, decided: RoundEffects) -> None:
        for place in decided.round.events:
            if place.event.creator == self.me:
                self._ordered.update(transaction_ids(place.event))
        self._advances.increment()

    @property
    def key(self) -> SigningKey:
        """See `LedgerClient.key`."""
        return self._identity.key

    @property
    def me(self) -> MemberId:
        """See `Submitter.me`."""
        return self._identity.id

    @property
    def genesis(self) -> Genesis:
        """See `LedgerClient.genesis`."""
        return self._member.genesis

    @property
    def ledger(self) -> Ledger:
        """See `Submitter.ledger`."""
        return self._member.replica.ledger

    def next_id(self) -> int:
        """See `Submitter.next_id`: one more than any in an own event, so that a restart repeats none."""
        self._last_id = max(self._last_id, self._member.last_id()) + 1
        return self._last_id

    async def submit(self, *transactions: Transaction) -> None:
        """See `Submitter.submit`."""
        await trio.lowlevel.checkpoint()
        try:
            self._member.submit([transaction.as_table() for transaction in transactions])
        except (EventError, BacklogError) as error:
            raise SubmitError(f"cannot be put into an event: {error}") from None

    async def wait_until_ordered(self, number: int) -> None:
        """See `LedgerClient.wait_until_ordered`; of epochs that were jumped over, only the ledger tells."""
        while number not in self._ordered and not self.ledger.has_used(self.me, number):
            await self._advances.wait()

    @property
    def advances(self) -> int:
        """See `LedgerClient.advances`."""
        return self._advances.count

    async def wait_for_advance(self, since: int) -> None:
        """See `LedgerClient.wait_for_advance`."""
        await self._advances.wait_beyond(since)
