"""Checkpoints of interrupted trainings that this node has: its own, and what members that end hand over to it.

What is in a checkpoint is not looked at here. Whoever goes on from it checks its form, and what comes of it has to win
a match as anything else. So one that lies costs whoever takes it an attempt at one training, and nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import trio

from consensus.keys import MemberId
from node.blobs import Blobs
from node.blobs.checkpoint_messages import (
    MAX_FIND_BYTES,
    MAX_OFFER_BYTES,
    CheckpointOffer,
    decode_find,
    decode_offer,
)
from node.blobs.messages import BlobMessageError
from node.transport.router import Refusal, Route

KEPT_S: Final = 3600.0
"""For which an offer is remembered. The blob is deleted as others that nothing needs (`node.blobs.garbage_collection`).
"""

OF_EACH: Final = 2
"""Offers of one member that are remembered, the newest."""


@dataclass(frozen=True)
class _Entry:
    offer: CheckpointOffer
    until: float


class HandedOver:
    """What was offered to this node, or by it. `takes` tells whether it trains, so that others' are of use to it."""

    def __init__(self, blobs: Blobs, takes: Callable[[], bool]) -> None:
        self._blobs, self._takes = blobs, takes
        self._entries: dict[tuple[MemberId, bytes], _Entry] = {}  # by who offers, and the subject

    def add(self, member: MemberId, offer: CheckpointOffer) -> None:
        """Remember what a member offers, and no longer what it offered of the same training before."""
        self._forget()
        self._entries.pop((member, offer.subject), None)
        self._entries[member, offer.subject] = _Entry(offer, trio.current_time() + KEPT_S)
        own = [key for key in self._entries if key[0] == member]
        for key in own[:-OF_EACH]:
            del self._entries[key]

    def best(self, subject: bytes) -> CheckpointOffer | None:
        """Return the offer of a training with the most steps whose blob is here; None if there is none."""
        self._forget()
        offers = [entry.offer for (_, each), entry in self._entries.items() if each == subject]
        here = [offer for offer in offers if self._blobs.size(offer.digest) == offer.size]
        return max(here, key=lambda offer: offer.steps, default=None)

    def expected(self, member: MemberId) -> dict[bytes, int]:
        """Return the digests and sizes of what a member offers: it may bring these blobs."""
        self._forget()
        return {
            entry.offer.digest: entry.offer.size for (source, _), entry in self._entries.items() if source == member
        }

    def offer_route(self) -> Route:
        """Return the route for `OFFER_PATH`."""
        return Route(handler=self._take, max_bytes=MAX_OFFER_BYTES, concurrency=1, rate=0.01, burst=4.0)

    def find_route(self) -> Route:
        """Return the route for `FIND_PATH`."""
        return Route(handler=self._answer, max_bytes=MAX_FIND_BYTES, concurrency=2, rate=0.2, burst=20.0)

    async def _take(self, member: MemberId, body: bytes) -> bytes:
        await trio.lowlevel.checkpoint()
        try:
            offer = decode_offer(body)
        except BlobMessageError as error:
            raise Refusal(HTTPStatus.BAD_REQUEST, str(error)) from None
        if not self._takes():
            raise Refusal(HTTPStatus.NOT_FOUND, "this node does not train")
        self.add(member, offer)
        return b""

    async def _answer(self, _member: MemberId, body: bytes) -> bytes:
        await trio.lowlevel.checkpoint()
        try:
            offer = self.best(decode_find(body))
        except BlobMessageError as error:
            raise Refusal(HTTPStatus.BAD_REQUEST, str(error)) from None
        if offer is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "there is no checkpoint of that training here")
        return offer.encode()

    def _forget(self) -> None:
        now = trio.current_time()
        for key in [key for key, entry in self._entries.items() if entry.until <= now]:
            del self._entries[key]
