"""Gossip: who is asked when, and the sync in which both sides tell and get what they lack."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
import trio

from consensus.event import EventError
from consensus.keys import MemberId, id_text
from consensus.replica import Replica
from consensus.sync import Tip, seqs_of
from node.gossip.messages import (
    MAX_EVENTS,
    MAX_EVENTS_SIZE,
    MAX_MESSAGE,
    MessageError,
    SyncAnswer,
    SyncRequest,
    decode_answer,
    decode_request,
)
from node.gossip.peers import Peer, State
from node.member.member import Member
from node.transport import AskError, BadAnswer, Refused, Transport
from node.transport.router import Refusal, Route

SYNC_PATH = "/gossip/sync"
_MANY = 8  # events, for each member
_ELSEWHERE = 409  # HTTP status: not in that epoch
_OVERDUE = 5.0  # seconds for which all events may be here that closed the epoch elsewhere
_NO_MEMBER = 403

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Rhythm:
    """How often peers are asked. Times in seconds."""

    busy: float = 0.1  # from one question to the next, whoever is asked
    idle: float = 1.5  # the same, if nobody needs anything
    calm: float = 2.0  # after nobody waits for rounds any more; then heartbeats are fetched, not brought
    deadline: float = 10.0  # for an answer
    exchanges: int = 16  # in a row with one peer
    recent: float = 10.0  # a peer heard so long ago, and `idle` longer for each member, is not out of touch


@dataclass(frozen=True)
class PeerStatus:
    """A peer's state for people, as of now."""

    id: MemberId
    state: State
    contacted_s: float | None  # seconds since it last said something correct
    lag: int  # events that we have and it lacks
    lead: int  # events that it says to have and we lack
    sent: int  # bytes
    received: int
    error: str


class Gossip:
    """Asks peers and answers them, for one `Member`."""

    def __init__(
        self, member: Member, transport: Transport, chance: random.Random, rhythm: Rhythm | None = None
    ) -> None:
        self.peers: dict[MemberId, Peer] = {}
        self._member = member
        self._transport = transport
        self._random = chance
        self._rhythm = rhythm or Rhythm()
        self._epoch = b""  # for which the peers were set up
        self._overdue_at = math.inf  # when the epoch should have been closed here at the latest
        self._sizes = 0, 0  # of the rosters of the epoch before and of this one
        self._follow()
        self._idled_at = -math.inf
        self._busy_at = -math.inf  # when somebody last waited for rounds

    @property
    def _replica(self) -> Replica:
        return self._member.replica

    def _follow(self) -> None:
        """Keeps in step with the epoch: its members are the peers, and what they have begins anew."""
        epoch, roster = self._replica.epoch, self._replica.roster
        if self._epoch != epoch:
            self._epoch, self._overdue_at = epoch, trio.current_time() + _OVERDUE
            self._sizes = self._sizes[1], len(roster)
            others = [member for member in roster.ids if member != self._member.id]
            self.peers = {member: self.peers.get(member) or Peer(member) for member in others}
            for peer in self.peers.values():
                peer.follow(epoch)

    # Asking.

    async def run(self) -> None:
        """Asks until cancelled. Each peer is asked in a task of its own: one that stalls delays no other."""
        async with trio.open_nursery() as nursery:
            while True:
                peer = self._choose()
                if peer is not None:
                    peer.busy = True
                    nursery.start_soon(self._contact, peer)
                await trio.sleep(self._rhythm.busy * (0.8 + 0.4 * self._random.random()))
                if not self._needy():
                    with trio.move_on_at(self._idled_at + self._rhythm.idle):
                        await self._member.dag_changes.wait()

    def _choose(self) -> Peer | None:
        """A peer that lacks something or has what we lack; now and then whoever was not asked longest."""
        self._follow()
        needy = self._needy()
        if needy:
            return self._random.choice(needy)
        now = trio.current_time()
        if now < self._idled_at + self._rhythm.idle:
            return None
        self._idled_at = now
        return min(self._askable(), key=lambda peer: (peer.asked_at, self._random.random()), default=None)

    def _askable(self) -> list[Peer]:
        now = trio.current_time()
        return [peer for peer in self.peers.values() if not peer.busy and peer.next_at <= now]

    def _needy(self) -> list[Peer]:
        ours, enough = seqs_of(self._replica.tips()), self._enough()
        wanting = len(self._replica.wanted()) > 0
        return [
            peer
            for peer in self._askable()
            if not peer.epoch
            or ((wanting or peer.lacks(ours) >= enough or peer.leads(ours)) and peer.settled != self._state(peer))
        ]

    def _enough(self) -> int:
        """How many events a peer has to lack to be told.

        What it lacks is known only from when it last spoke: by now it may have them from others. So heartbeats,
        for which nobody waits, are fetched by who asks next; brought are only what is new while somebody
        waits, and more heartbeats than members make between two questions to the same peer.
        """
        now = trio.current_time()
        if self._member.outstanding():
            self._busy_at = now
        return 1 if now < self._busy_at + self._rhythm.calm else _MANY * len(self._replica.roster)

    def _state(self, peer: Peer) -> object:
        """If this has not changed since the last contact, another one would be in vain."""
        return self._replica.epoch, len(self._replica.dag), self._replica.wanted(), peer.seqs

    async def _contact(self, peer: Peer) -> None:
        peer.asked_at = trio.current_time()
        try:
            for _ in range(self._rhythm.exchanges):
                if not await self._exchange(peer):
                    break
            peer.answered()
            peer.settled = self._state(peer)
        except (MessageError, EventError, BadAnswer) as error:
            peer.misbehaved(str(error), trio.current_time())
            _log.warning("a peer misbehaves", peer=id_text(peer.id), reason=str(error))
        except AskError as error:
            peer.failed(str(error), trio.current_time(), self._random)
            if isinstance(error, Refused) and error.status in (_ELSEWHERE, _NO_MEMBER):
                peer.elsewhere = True
                await self._help_on(peer)
        finally:
            peer.busy = False

    async def _help_on(self, peer: Peer) -> None:
        """Brings what closed the epoch before to a peer that may still be in it, and cannot reach us to fetch it."""
        record = self._replica.ledger.record
        closed = None if record is None else self._replica.served(record.previous)
        if closed is None:
            return
        told: list[bytes] = []
        try:
            for _ in range(self._rhythm.exchanges):
                request = SyncRequest(closed.opening.digest, closed.tips(), [], told, closed=True)
                raw = await self._transport.ask(
                    peer.id, SYNC_PATH, request.encode(), seconds=self._rhythm.deadline, limit=MAX_MESSAGE
                )
                tips = decode_answer(raw, max(self._sizes)).tips
                told = [event.raw for event in closed.missing(tips, MAX_EVENTS, (), MAX_EVENTS_SIZE)]
                if not told:
                    break
        except (MessageError, AskError):
            return  # it is in another epoch altogether, or away

    async def _exchange(self, peer: Peer) -> bool:
        """One sync; returns whether another one would help."""
        self._follow()
        told: list[bytes] = []
        epoch, first = self._replica.epoch, not peer.epoch
        if not first and not peer.ahead and peer.lacks(seqs_of(self._replica.tips())) >= self._enough():
            lacking = self._replica.missing(peer.tips, MAX_EVENTS, (), MAX_EVENTS_SIZE)
            told = [event.raw for event in lacking]
        request = SyncRequest(epoch, self._replica.tips(), self._replica.wanted(), told)
        body = request.encode()
        peer.sent += len(body)
        raw = await self._transport.ask(peer.id, SYNC_PATH, body, seconds=self._rhythm.deadline, limit=MAX_MESSAGE)
        peer.received += len(raw)
        answer = decode_answer(raw, max(self._sizes))
        opened = await self._member.verifier.open(answer.events, epoch, self._member.knows, self._member.take)
        self._heard(peer, answer.tips, epoch, ahead=answer.closed)
        if self._replica.epoch != epoch:
            return True  # it helped us to close: now for the next epoch
        still_lacking = peer.lacks(seqs_of(self._replica.tips())) >= self._enough()
        progress = first or bool(told) or opened > 0
        return (answer.more and opened > 0) or (still_lacking and not answer.closed and progress)

    # Answering.

    def route(self) -> Route:
        """For the reception, under `SYNC_PATH`."""
        return Route(self._answer, limit=MAX_MESSAGE, concurrency=2, rate=30.0, burst=60.0)

    async def _answer(self, asking: MemberId, body: bytes) -> bytes:
        self._follow()
        peer = self.peers.get(asking)
        if peer is None:
            raise Refusal(_NO_MEMBER, "no member of this epoch")
        if trio.current_time() < peer.trusted_at:
            raise Refusal(429, f"not listening to you for now: {peer.error}")
        try:
            request = decode_request(body, max(self._sizes))
            if request.epoch != self._replica.epoch:
                return self._answer_about_closed(peer, request)
            if not peer.may_tell(len(request.events), trio.current_time()):
                raise Refusal(429, "too many events; send them later")
            await self._member.verifier.open(request.events, request.epoch, self._member.knows, self._member.take)
        except (MessageError, EventError) as error:
            peer.misbehaved(str(error), trio.current_time())
            _log.warning("a peer misbehaves", peer=id_text(peer.id), reason=str(error))
            raise Refusal(400, str(error)) from None
        peer.asked_us(trio.current_time())
        self._heard(peer, request.tips, request.epoch, ahead=request.closed)
        peer.received += len(body)
        answer = self._lacking(request)
        peer.sent += len(answer)
        return answer

    def _answer_about_closed(self, peer: Peer, request: SyncRequest) -> bytes:
        """To a peer that has not closed the epoch which we have: with what is missing, it can."""
        answer = self._lacking(request)
        peer.asked_us(trio.current_time())
        peer.sent += len(answer)
        return answer

    def _lacking(self, request: SyncRequest) -> bytes:
        """The answer, from the epoch that the request names. Refusal 409 if it is not served."""
        served = self._replica.served(request.epoch)
        if served is None:
            raise Refusal(_ELSEWHERE, f"not in that epoch; here it is epoch {self._replica.number}")
        lacking = served.missing(request.tips, MAX_EVENTS, request.want, MAX_EVENTS_SIZE)
        tips, theirs = served.tips(), seqs_of(request.tips)
        lacks = sum(max(0, seq - theirs.get(member, -1)) for member, seq in seqs_of(tips).items())
        raws, closed = [event.raw for event in lacking], request.epoch != self._replica.epoch
        return SyncAnswer(tips, raws, lacks > len(lacking), closed).encode()

    def _heard(self, peer: Peer, tips: Sequence[Tip], epoch: bytes, *, ahead: bool = False) -> None:
        """Takes note of what a peer has, unless the epoch that it spoke of is over here meanwhile."""
        self._follow()
        if epoch == self._replica.epoch:
            peer.heard(tips, trio.current_time(), epoch, ahead=ahead)
            self._member.hear(peer.id, tips, ahead=ahead)

    # For others.

    def caught_up(self) -> bool:
        """Whether we lack nothing of what a quorum of members, we among them, lately said to have."""
        ours = seqs_of(self._replica.tips())
        level = [peer.id for peer in self._recent() if not peer.ahead and not peer.leads(ours)]
        return self._replica.roster.supermajority([self._member.id, *level])

    def stranded(self) -> bool:
        """Whether we may be in the wrong epoch. What is true, sealed records tell; so one peer's word will do.

        Either a peer answers that it does not know our epoch, and those that lately did cannot go on in it; or one has
        closed it, all that it has of it has been here for a while, and it did not close here.
        """
        recent, ours, now = self._recent(), seqs_of(self._replica.tips()), trio.current_time()
        if not any(peer.ahead and not peer.leads(ours) for peer in recent):
            self._overdue_at = now + _OVERDUE
        with_us = [self._member.id, *(peer.id for peer in recent)]
        away = any(peer.elsewhere for peer in self.peers.values())
        return now >= self._overdue_at or (away and not self._replica.roster.supermajority(with_us))

    def _recent(self) -> list[Peer]:
        """The peers that spoke lately of our epoch."""
        since = trio.current_time() - self._rhythm.recent - self._rhythm.idle * len(self._replica.roster)
        return [
            peer
            for peer in self.peers.values()
            if peer.epoch and peer.contacted_at is not None and peer.contacted_at > since
        ]

    def statuses(self) -> list[PeerStatus]:
        """All peers, in roster order."""
        now = trio.current_time()
        ours = seqs_of(self._replica.tips())
        return [
            PeerStatus(
                id=peer.id,
                state=peer.state(),
                contacted_s=None if peer.contacted_at is None else now - peer.contacted_at,
                lag=peer.lacks(ours),
                lead=peer.leads(ours),
                sent=peer.sent,
                received=peer.received,
                error=peer.error,
            )
            for peer in self.peers.values()
        ]
