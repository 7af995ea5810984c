"""Bringing blobs to members that are to hold them and could not fetch them, such as from a machine behind NAT.

Whoever reaches others and is reached by nobody can be asked for nothing. So it asks others to hold what it made, over
its own connections, and sends the pieces that lack. A member whose shard nobody fetched in time does so as well.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import structlog
import trio

from consensus.keys import MemberId, id_text
from consensus.ledger.steering.custody import Lack, keepers, lacks, offered
from node.blobs import PIECE_BYTES, BlobError, Blobs
from node.blobs.messages import BlobMessageError
from node.blobs.push_messages import (
    KEEP_PATH,
    MAX_KEEP_ANSWER_BYTES,
    MAX_PIECE_ANSWER_BYTES,
    PIECE_PATH,
    KeepRequest,
    PushedPiece,
    decode_wanted,
)
from node.member.ledger_client import LedgerClient
from node.transport import AskError, Transport

_LOOK_S = 2.0
_AUTHOR_WAITS_S = 10.0  # for others to fetch; mostly they do
_HOLDER_WAITS_S = 60.0  # for the author and those who fetch
_AGAIN_S = 5.0  # between two tries with one member
_AT_ONCE = 2  # members to which something is brought
_TIMEOUT_S = 20.0

_Delivery: TypeAlias = tuple[bytes, MemberId]
"""The digest of a blob, and a member that is to hold it."""

_log = structlog.get_logger(__name__)


class Pusher:
    """Brings what this node made, or holds for others, to members that are to hold it.

    `is_reached` tells whether others can ask this node for it.
    """

    def __init__(
        self, client: LedgerClient, blobs: Blobs, transport: Transport, is_reached: Callable[[], bool]
    ) -> None:
        self._client, self._blobs, self._transport = client, blobs, transport
        self._is_reached = is_reached
        self._limit = trio.CapacityLimiter(_AT_ONCE)
        self._next_try: dict[_Delivery, float] = {}
        self._under_way: set[_Delivery] = set()
        self._done: set[_Delivery] = set()

    async def run(self) -> None:
        """Bring what is to be brought until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                for delivery in self._due():
                    self._under_way.add(delivery)
                    nursery.start_soon(self._push, delivery)
                await trio.sleep(_LOOK_S)

    def _due(self) -> list[_Delivery]:
        """Return what is to be brought to whom now."""
        now = trio.current_time()
        wanted = dict(self._shards()) | dict(self._offers())
        self._done &= wanted.keys()
        for delivery in self._next_try.keys() - wanted.keys():
            del self._next_try[delivery]
        return [
            delivery
            for delivery, patience_s in wanted.items()
            if self._next_try.setdefault(delivery, now + patience_s) <= now
            and delivery not in self._under_way | self._done
            and self._blobs.size(delivery[0]) is not None
        ]

    def _shards(self) -> Iterator[tuple[_Delivery, float]]:
        """Yield the shards that lack holders, each with how long it is left to others to fetch it."""
        me, is_reached = self._client.me, self._is_reached()
        for entry in self._client.ledger.remember(lacks):
            if me == entry.shard.author:
                patience_s = _AUTHOR_WAITS_S if is_reached else 0.0
            elif me in entry.shard.holders:
                patience_s = _HOLDER_WAITS_S
            else:
                continue
            for member in self._asked(entry):
                yield (entry.shard.digest, member), patience_s

    def _asked(self, entry: Lack) -> tuple[MemberId, ...]:
        others = tuple(member for member in entry.asked if member != self._client.me)
        return others[: entry.lacking] if entry.shard.is_safe else others

    def _offers(self) -> Iterator[tuple[_Delivery, float]]:
        """Yield what else others need of this node, if they cannot ask for it."""
        ledger, me = self._client.ledger, self._client.me
        if self._is_reached() or not ledger.settings.steering.rules:
            return
        for digest in offered(ledger, me):
            for member in keepers(ledger, digest, me):
                yield (digest, member), 0.0

    async def _push(self, delivery: _Delivery) -> None:
        digest, member = delivery
        try:
            async with self._limit:
                pieces = await bring_blob(self._blobs, self._transport, digest, member)
            self._done.add(delivery)
            if pieces:
                _log.info("blob brought to another", blob=digest.hex(), member=id_text(member), pieces=pieces)
        except (AskError, BlobMessageError, BlobError) as error:
            _log.info("blob not brought yet", blob=digest.hex(), member=id_text(member), why=str(error))
        finally:
            self._next_try[delivery] = trio.current_time() + _AGAIN_S
            self._under_way.discard(delivery)


async def bring_blob(blobs: Blobs, transport: Transport, digest: bytes, member: MemberId) -> int:
    """Send a member the pieces of a blob that it lacks, and return how many these were.

    Raise AskError, BlobMessageError or BlobError.
    """
    if not await blobs.verify(digest):
        raise BlobError("it is not here any more")
    request = KeepRequest(digest, blobs.size(digest) or 0)
    answer = await transport.ask(
        member, KEEP_PATH, request.encode(), timeout_s=_TIMEOUT_S, max_bytes=MAX_KEEP_ANSWER_BYTES
    )
    wanted = decode_wanted(answer, request)
    for number in wanted:
        data = await blobs.read(digest, number * PIECE_BYTES, PIECE_BYTES)
        body = PushedPiece(digest, number, data).encode()
        await transport.ask(member, PIECE_PATH, body, timeout_s=_TIMEOUT_S, max_bytes=MAX_PIECE_ANSWER_BYTES)
    return len(wanted)
