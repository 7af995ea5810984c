"""The asking side of a sync: exchanges with one peer, until neither side has anything for the other."""

import math
import random
from http import HTTPStatus

import trio

from consensus.epoch_events import EpochEvents
from consensus.event import EventError
from consensus.replica import Replica
from node.gossip.lost_peers import LostPeers
from node.gossip.messages import (
    MAX_MESSAGE_BYTES,
    SYNC_PATH,
    MessageError,
    SyncAnswer,
    SyncRequest,
    decode_answer,
    missing_events,
)
from node.gossip.peer_table import PeerTable
from node.gossip.peers import Peer
from node.gossip.rhythm import Rhythm
from node.gossip.selection import PeerSelection
from node.gossip.shown import shown_tips, tips_for
from node.member.member import Member
from node.system.supervision import describe
from node.transport import AskError, BadAnswer, Refused, Transport

_ELSEWHERE = {HTTPStatus.CONFLICT, HTTPStatus.FORBIDDEN}  # a peer that is not in our epoch, or does not know us


class SyncClient:
    """Asks peers, for one `Member`."""

    def __init__(
        self,
        *,
        member: Member,
        table: PeerTable,
        selection: PeerSelection,
        transport: Transport,
        rhythm: Rhythm,
        chance: random.Random,
    ) -> None:
        self._member = member
        self._table = table
        self._selection = selection
        self._transport = transport
        self._rhythm = rhythm
        self._random = chance
        self._lost = LostPeers(member, self._ask)

    @property
    def _replica(self) -> Replica:
        return self._member.replica

    async def contact(self, peer: Peer) -> None:
        """Exchange events with a peer, which was marked as busy; take in how it behaved."""
        peer.asked_at = trio.current_time()
        try:
            for number in range(self._rhythm.exchanges):
                if not await self._exchange(peer, is_first=number == 0):
                    break
            peer.observe_success()
            self._lost.observe_found(peer.id)
            self._selection.observe_settled(peer)
        except (MessageError, EventError, BadAnswer) as error:
            peer.observe_misbehaviour(error, trio.current_time())
        except AskError as error:
            peer.observe_failure(error, trio.current_time(), self._random)
            if isinstance(error, Refused) and error.status in _ELSEWHERE:
                peer.is_elsewhere = True
                await self._help_to_close(peer)
        except Exception as error:  # a fault of ours that this peer brings out: let the others have their turn first
            peer.backoff.observe_misbehaviour(trio.current_time())
            peer.error = describe(error)
            raise
        finally:
            peer.is_busy = False

    async def _exchange(self, peer: Peer, *, is_first: bool) -> bool:
        """Do one sync, the first of this contact or another. Return whether one more would help."""
        await self._member.prepare_exchange()
        self._table.observe_epoch()
        epoch = self._replica.epoch_digest
        brought = self._events_for(peer, is_up_to_date=not is_first)
        lacking = self._selection.count_lacking(peer) if brought else math.inf
        tips = tips_for(self._member, peer.id, peer.tips)
        answer = await self._ask(peer, SyncRequest(epoch, tips, self._replica.wanted(), brought))
        taken = await self._member.verifier.verify(answer.events, epoch, self._member.has_event, self._member.insert)
        self._table.observe_tips(peer, answer.tips, epoch, ahead=answer.closed)
        if self._replica.epoch_digest != epoch:
            return True  # the peer helped us to close it: now for the next epoch
        may_fetch_more = answer.more and taken > 0
        may_bring_more = not answer.closed and self._selection.should_bring_more(peer, has_brought=bool(brought))
        return may_fetch_more or (may_bring_more and self._selection.count_lacking(peer) < lacking)

    def _events_for(self, peer: Peer, *, is_up_to_date: bool) -> list[bytes]:
        """Return the events to bring to a peer. None before it has told what it has, and none if it needs none."""
        if peer.has_spoken and not peer.is_ahead and self._selection.should_bring(peer, is_up_to_date=is_up_to_date):
            return missing_events(self._replica, peer.tips, hidden=self._member.hidden())
        return []

    async def _ask(self, peer: Peer, request: SyncRequest) -> SyncAnswer:
        body = request.encode()
        peer.bytes_sent += len(body)
        raw = await self._transport.ask(
            peer.id, SYNC_PATH, body, timeout_s=self._rhythm.timeout_s, max_bytes=MAX_MESSAGE_BYTES
        )
        peer.bytes_received += len(raw)
        return decode_answer(raw, self._table.max_members)

    async def _help_to_close(self, peer: Peer) -> None:
        """Bring what closed the epoch in which a peer may still be, if it cannot reach us to fetch it."""
        try:
            if not await self._help_to_close_last(peer):
                await self._lost.help(peer, self._rhythm.exchanges)
        except (MessageError, AskError):
            pass  # it is away

    async def _help_to_close_last(self, peer: Peer) -> bool:
        """Bring what closed the epoch before ours; return whether the peer knows that epoch. Raise as `_ask` does."""
        closed = self._closed_epoch()
        if closed is None:
            return False
        brought: list[bytes] = []
        for _ in range(self._rhythm.exchanges):
            request = SyncRequest(closed.opening.digest, shown_tips(self._member, closed), [], brought, closed=True)
            try:
                answer = await self._ask(peer, request)
            except Refused as refused:
                if brought or refused.status not in _ELSEWHERE:
                    raise
                return False
            brought = missing_events(closed, answer.tips, hidden=self._member.hidden())
            if not brought:
                break
        self._lost.observe_found(peer.id)
        return True

    def _closed_epoch(self) -> EpochEvents | None:
        """Return the epoch before this one, None if it is not served any more."""
        record = self._replica.ledger.record
        return None if record is None else self._replica.find_epoch(record.previous)
