"""Handing an interrupted training over: its checkpoint goes to members that train, and who goes on with it asks them.

The digest of what is trained orders the members (as that of a blob orders its custodians), so whoever ends and whoever
goes on look for each other among the same few.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

import structlog
import trio

from consensus.keys import MemberId, id_text
from node.blobs import BlobError, Blobs
from node.blobs.checkpoint_messages import (
    FIND_PATH,
    MAX_CHECKPOINT_BYTES,
    MAX_OFFER_BYTES,
    MAX_PLAN_BYTES,
    OFFER_PATH,
    CheckpointOffer,
    decode_offer,
    encode_find,
)
from node.blobs.handed_over import HandedOver
from node.blobs.messages import BlobMessageError
from node.blobs.pushing import bring_blob
from node.member.ledger_client import LedgerClient
from node.transport import AskError, Refused, Transport

HOLDERS: Final = 2
"""Members that get a checkpoint."""

ASKED: Final = 4
"""Members that are asked for one: some of those that got it may be away."""

OFFER_TIMEOUT_S: Final = 2.0
FIND_TIMEOUT_S: Final = 3.0
HAND_OVER_S: Final = 4.0
"""For all of it: a node that is told to end has no more time."""

MAX_ANSWER_BYTES: Final = 64
"""Of an answer to an offer, which is empty."""

_PAUSE_S = 0.5  # after which a member goes on taking pieces that it got too fast
_REMEMBERED = 1024

_log = structlog.get_logger(__name__)


class Handover:
    """The side of one node that asks others. `held` is what it has itself."""

    def __init__(self, client: LedgerClient, held: HandedOver, blobs: Blobs, transport: Transport) -> None:
        self._client, self._held = client, held
        self._blobs, self._transport = blobs, transport
        self._found: dict[bytes, None] = {}  # subjects that were found

    async def hand_over(self, offer: CheckpointOffer) -> int:
        """Bring a checkpoint, whose blob is here, to members that train; return how many hold it within HAND_OVER_S."""
        self._held.add(self._client.me, offer)
        if offer.size > MAX_CHECKPOINT_BYTES or len(offer.plan) > MAX_PLAN_BYTES:
            return 0
        holders: list[MemberId] = []
        with trio.move_on_after(HAND_OVER_S):
            async with trio.open_nursery() as nursery:
                for member in list(self._trainers(offer.subject))[:HOLDERS]:
                    nursery.start_soon(self._bring, offer, member, holders)
        return len(holders)

    async def find(self, subject: bytes) -> CheckpointOffer | None:
        """Return the offer with the most steps that this node has, or the first members in the order; None if none.

        A training is taken over once: if nothing came of that, it begins anew.
        """
        if subject in self._found:
            return None
        own = self._held.best(subject)
        found = [] if own is None else [own]
        async with trio.open_nursery() as nursery:
            for member in list(self._trainers(subject))[:ASKED]:
                nursery.start_soon(self._ask, member, subject, found)
        best = max(found, key=lambda offer: offer.steps, default=None)
        if best is not None:
            self._found[subject] = None
            while len(self._found) > _REMEMBERED:
                del self._found[next(iter(self._found))]
        return best

    def _trainers(self, subject: bytes) -> Iterator[MemberId]:
        """Yield the other members that train and are there, in the order of a subject."""
        ledger = self._client.ledger
        there, profiles = ledger.present_members() - {self._client.me}, ledger.profiles()
        for member in ledger.custody_order(subject):
            if member in there and member in profiles and "train" in profiles[member].roles:
                yield member

    async def _bring(self, offer: CheckpointOffer, member: MemberId, holders: list[MemberId]) -> None:
        try:
            await self._transport.ask(
                member, OFFER_PATH, offer.encode(), timeout_s=OFFER_TIMEOUT_S, max_bytes=MAX_ANSWER_BYTES
            )
            await self._bring_patiently(offer.digest, member)
        except (AskError, BlobMessageError, BlobError) as error:
            _log.info("checkpoint not handed over", member=id_text(member), why=str(error))
            return
        holders.append(member)
        _log.info("checkpoint handed over", member=id_text(member), steps=offer.steps, bytes=offer.size)

    async def _bring_patiently(self, digest: bytes, member: MemberId) -> None:
        while True:
            try:
                await bring_blob(self._blobs, self._transport, digest, member)
                return
            except Refused as refused:
                if refused.status != HTTPStatus.TOO_MANY_REQUESTS:
                    raise
            await trio.sleep(_PAUSE_S)

    async def _ask(self, member: MemberId, subject: bytes, found: list[CheckpointOffer]) -> None:
        try:
            raw = await self._transport.ask(
                member, FIND_PATH, encode_find(subject), timeout_s=FIND_TIMEOUT_S, max_bytes=MAX_OFFER_BYTES
            )
            offer = decode_offer(raw)
        except (AskError, BlobMessageError):  # mostly it has none
            return
        if offer.subject == subject:
            found.append(offer)
