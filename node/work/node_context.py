"""A node's real `Desk`: its member's voice in the order, its blobs, its folders."""

from pathlib import Path
from typing import Protocol

import trio

from consensus.event import EventError
from consensus.genesis import Genesis
from consensus.keys import MemberId, SigningKey
from consensus.ledger import Ledger
from consensus.ledger.records.transactions import Transaction
from consensus.replica import RoundEffects
from node.blobs import BlobError, Blobs
from node.blobs.exchange import BlobFetcher
from node.config.identity import Identity
from node.member.member import Member
from node.member.recovery import ids_of
from node.member.transaction_pool import BacklogError
from node.report.effect_log import EffectLog
from node.system.change_counter import ChangeCounter
from node.work.context import CurrentWork
from node.work.worker import WorkError

LARGEST_BLOB = 256 * 1024 * 1024
"""Bytes that any blob may have, whatever size its author announces."""

FETCH_S = 120.0
"""A peer that trickles must not hold up all other work; the pieces that came are kept for the next try."""


class BlobFiles(Blobs, Protocol):
    """Blobs that are files, too: workers read them by path."""

    def path(self, digest: bytes) -> Path:
        """Where the whole blob is, or would be."""
        ...

    async def add_file(self, source: Path) -> bytes:
        """Stores a copy of the file and returns its digest."""
        ...


class NodeWorkContext:
    """See `Desk`. `run` must be running for `moved` and `ordered` to return."""

    def __init__(
        self,
        member: Member,
        identity: Identity,
        roles: tuple[str, ...],
        blobs: BlobFiles,
        fetcher: BlobFetcher,
        directory: Path,
        effects: EffectLog,
    ) -> None:
        self.roles = roles
        self.work: CurrentWork | None = None
        self._member = member
        self._identity = identity
        self._blobs = blobs
        self._fetcher = fetcher
        self._directory = directory
        self.effects = effects
        self._rounds = member.subscribe()
        self._moves = ChangeCounter()
        self._ordered: set[int] = set()
        self._last_id = -1

    async def run(self) -> None:
        """Follow the order."""
        async for decided in self._rounds:
            self._follow(decided)

    def _follow(self, decided: RoundEffects) -> None:
        self.effects.add(decided.effects)
        for place in decided.round.events:
            if place.event.creator == self.me:
                self._ordered.update(ids_of(place.event))
        self._moves.increment()

    @property
    def key(self) -> SigningKey:
        """See `Desk.key`."""
        return self._identity.key

    @property
    def me(self) -> MemberId:
        """See `Desk.me`."""
        return self._identity.id

    @property
    def genesis(self) -> Genesis:
        """See `Desk.genesis`."""
        return self._member.genesis

    @property
    def ledger(self) -> Ledger:
        """See `Desk.ledger`."""
        return self._member.replica.ledger

    def next_id(self) -> int:
        """See `Desk.next_id`: one more than any in an own event, so that a restart repeats none."""
        self._last_id = max(self._last_id, self._member.last_id()) + 1
        return self._last_id

    async def submit(self, *transactions: Transaction) -> None:
        """See `Desk.submit`."""
        await trio.lowlevel.checkpoint()
        try:
            self._member.submit([transaction.as_table() for transaction in transactions])
        except (EventError, BacklogError) as error:
            raise WorkError(f"cannot be put into an event: {error}") from None

    async def ordered(self, number: int) -> None:
        """See `Desk.ordered`; of epochs that were jumped over, only the ledger tells."""
        while number not in self._ordered and not self.ledger.has_used(self.me, number):
            await self._moves.wait()

    @property
    def moves(self) -> int:
        """See `WorkContext.moves`."""
        return self._moves.count

    async def moved(self, since: int) -> None:
        """See `Desk.moved`."""
        await self._moves.wait_beyond(since)

    async def fetch(self, digest: bytes, size: int | None) -> Path:
        """See `Desk.fetch`."""
        if size is not None and size > LARGEST_BLOB:
            raise WorkError(f"blob {digest.hex()}: {size} bytes, more than the {LARGEST_BLOB} that are fetched")
        try:
            with trio.fail_after(FETCH_S):
                await self._fetcher.fetch(digest, limit=LARGEST_BLOB if size is None else size)
        except BlobError as error:
            raise WorkError(str(error)) from None
        except trio.TooSlowError:
            raise WorkError(f"blob {digest.hex()}: not here within {FETCH_S:g} s") from None
        return self._blobs.path(digest)

    async def keep(self, path: Path) -> tuple[bytes, int]:
        """See `Desk.keep`."""
        try:
            digest = await self._blobs.add_file(path)
            path.unlink()
        except (BlobError, OSError) as error:
            raise WorkError(str(error)) from None
        size = self._blobs.size(digest)
        assert size is not None
        return digest, size

    def folder(self, name: str) -> Path:
        """See `Desk.folder`."""
        folder = self._directory / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def show(self, work: CurrentWork | None) -> None:
        """See `Desk.show`."""
        self.work = work
