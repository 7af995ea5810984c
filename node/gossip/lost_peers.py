"""Brings peers that are several epochs behind, and cannot ask, what closed the epochs in which they are."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus

import trio

from consensus.event import decode_event
from consensus.keys import MemberId
from consensus.sync import TIPS_PER_MEMBER, Tip
from node.gossip.messages import MAX_EVENTS, MAX_EVENTS_BYTES, SyncAnswer, SyncRequest
from node.gossip.peers import Peer
from node.member.member import Member
from node.transport import Refused

PATIENCE_S = 20.0  # in which a peer that can ask has caught up by itself, with the sealed records

_SOON_S = 1.0  # after which a peer is helped further
_READ_EVENTS = 100  # at a time: a thousand large ones take 256 MB


@dataclass
class _Lost:
    """A peer that does not know our epoch, nor the one before."""

    since: float  # of trio's clock
    number: int  # the epoch in which it may be
    position: int = 0  # in the events of that epoch, from which on they were not brought yet
    _tips: dict[bytes, Tip] = field(default_factory=dict)  # by hash, of what was brought of that epoch

    def turn_to(self, number: int) -> None:
        """Begin with the first event of another epoch, or of the same one."""
        self.number, self.position = number, 0
        self._tips.clear()

    def observe_brought(self, epoch: bytes, raws: Iterable[bytes]) -> None:
        """Take in that the next events were brought."""
        for event in (decode_event(raw, epoch) for raw in raws):
            self.position += 1
            self._tips[event.hash] = Tip(event.creator, event.seq, event.hash)
            if event.self_parent is not None:
                self._tips.pop(event.self_parent, None)

    def tips(self) -> list[Tip]:
        """Return the newest tips of each member in what was brought."""
        by_creator: dict[MemberId, list[Tip]] = defaultdict(list)
        for tip in self._tips.values():
            by_creator[tip.creator].append(tip)
        return [tip for tips in by_creator.values() for tip in tips[-TIPS_PER_MEMBER:]]


class LostPeers:
    """Finds the epoch of each lost peer, from the newest on, and brings it that epoch's events from the store.

    The peer closes the epoch by itself, then the next one, until it is in one that is held in memory. So it believes
    nobody, as if it had never been away.
    """

    def __init__(self, member: Member, ask: Callable[[Peer, SyncRequest], Awaitable[SyncAnswer]]) -> None:
        self._member, self._ask = member, ask
        self._lost: dict[MemberId, _Lost] = {}

    def observe_found(self, peer: MemberId) -> None:
        """Take in that a peer is in our epoch, or in the one before."""
        self._lost.pop(peer, None)

    async def help(self, peer: Peer, requests: int) -> None:
        """Send a lost peer up to so many requests, once it has been lost for a while. Raise MessageError, AskError."""
        now, newest = trio.current_time(), self._member.replica.epoch_number - 2
        lost = self._lost.setdefault(peer.id, _Lost(now, newest))
        if now < lost.since + PATIENCE_S or self._member.hidden():
            return
        for _ in range(requests):
            if not 0 <= lost.number <= newest:
                lost.turn_to(newest)
            epoch, raws = await self._read(lost)
            if not epoch:
                lost.number = -1  # older ones are not here either: begin again next time
                return
            tips = [] if raws else lost.tips()  # it may need what was attached last, which no event of others needs
            try:
                answer = await self._ask(peer, SyncRequest(epoch, tips, [], raws, closed=True))
            except Refused as refused:
                if refused.status not in (HTTPStatus.CONFLICT, HTTPStatus.FORBIDDEN):
                    raise
                lost.turn_to(lost.number - 1)
                continue
            peer.backoff.ask_by(trio.current_time() + _SOON_S)
            lost.observe_brought(epoch, raws)
            if answer.closed:
                lost.turn_to(lost.number + 1)
                if lost.number > newest:
                    return  # it is in the epoch before ours
            elif not raws:
                lost.since = now  # all was brought, and something of it was not taken
                lost.turn_to(lost.number)
                return

    async def _read(self, lost: _Lost) -> tuple[bytes, list[bytes]]:
        """Return the digest of an epoch and as many of its next events as a message holds; b"" if it is not here."""
        raws: list[bytes] = []
        size = 0
        while True:
            epoch, further = await self._member.read_closed(lost.number, lost.position + len(raws), _READ_EVENTS)
            for raw in further:
                size += len(raw)
                if raws and (size > MAX_EVENTS_BYTES or len(raws) == MAX_EVENTS):
                    return epoch, raws
                raws.append(raw)
            if len(further) < _READ_EVENTS:
                return epoch, raws
