"""The answering side of a sync: takes in what a peer brings, and returns what it lacks."""

from http import HTTPStatus

import trio

from consensus.event import EventError
from consensus.keys import MemberId
from consensus.replica import Replica
from consensus.sync import count_beyond, seqs_of
from node.gossip.messages import (
    MAX_MESSAGE_BYTES,
    MessageError,
    SyncAnswer,
    SyncRequest,
    decode_request,
    missing_events,
)
from node.gossip.peer_table import PeerTable
from node.gossip.peers import Peer
from node.gossip.shown import shown_tips, tips_for
from node.member.member import Member
from node.transport.router import Refusal, Route


class SyncServer:
    """Answers peers, for one `Member`."""

    def __init__(self, member: Member, table: PeerTable) -> None:
        self._member = member
        self._table = table

    @property
    def _replica(self) -> Replica:
        return self._member.replica

    def route(self) -> Route:
        """Return the route for `SYNC_PATH`."""
        return Route(handler=self._answer, max_bytes=MAX_MESSAGE_BYTES, concurrency=2, rate=30.0, burst=60.0)

    async def _answer(self, asking: MemberId, body: bytes) -> bytes:
        peer = self._peer(asking)
        try:
            request = decode_request(body, self._table.max_members)
            if request.epoch != self._replica.epoch_digest:
                return self._answer_from_closed_epoch(peer, request)
            if not peer.may_send(len(request.events), trio.current_time()):
                raise Refusal(HTTPStatus.TOO_MANY_REQUESTS, "too many events; send them later")
            await self._member.verifier.verify(
                request.events, request.epoch, self._member.has_event, self._member.insert
            )
        except (MessageError, EventError) as error:
            peer.observe_misbehaviour(error, trio.current_time())
            raise Refusal(HTTPStatus.BAD_REQUEST, str(error)) from None
        peer.observe_request(trio.current_time())
        self._table.observe_tips(peer, request.tips, request.epoch, ahead=request.closed)
        await self._member.prepare_exchange()
        peer.bytes_received += len(body)
        return self._lacking(peer, request)

    def _peer(self, asking: MemberId) -> Peer:
        """Return the peer that asks. Raise Refusal if it is not listened to."""
        self._table.observe_epoch()
        peer = self._table.peers.get(asking)
        if peer is None:
            raise Refusal(HTTPStatus.FORBIDDEN, "not a member of this epoch")
        if not peer.backoff.may_listen(trio.current_time()):
            raise Refusal(HTTPStatus.TOO_MANY_REQUESTS, f"not listening to you for now: {peer.error}")
        return peer

    def _answer_from_closed_epoch(self, peer: Peer, request: SyncRequest) -> bytes:
        """Answer a peer that has not closed an epoch which is closed here: with what it lacks, it can."""
        answer = self._lacking(peer, request)
        peer.observe_request(trio.current_time())
        return answer

    def _lacking(self, peer: Peer, request: SyncRequest) -> bytes:
        """Return the answer from the epoch that the request names. Raise Refusal if it is not served."""
        served = self._replica.find_epoch(request.epoch)
        if served is None:
            raise Refusal(HTTPStatus.CONFLICT, f"not in that epoch; here it is epoch {self._replica.epoch_number}")
        raws = missing_events(served, request.tips, request.want, hidden=self._member.hidden())
        tips = shown_tips(self._member, served)
        lacks = count_beyond(seqs_of(tips), seqs_of(request.tips))
        is_closed = request.epoch != self._replica.epoch_digest
        if not self._replica.wanted():  # an answer cannot tell what is wanted, so the peer would not bring it
            tips = tips_for(self._member, peer.id, request.tips, served)
        answer = SyncAnswer(tips, raws, more=lacks > len(raws), closed=is_closed).encode()
        peer.bytes_sent += len(answer)
        return answer
