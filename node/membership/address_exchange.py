"""Tells peers where members are, this one first, and asks them where those are that cannot be reached.

In a swarm whose members are where all expect them, each node tells each other one its own word once, and that is all.
A member that answers and does not ask may have forgotten where we are, as it has started again: it is told again.
"""

import math
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from http import HTTPStatus

import trio

from consensus.keys import MemberId
from node.gossip.messages import MessageError
from node.gossip.peers import Peer
from node.gossip.rhythm import Rhythm
from node.membership.address_messages import (
    ADDRESS_PATH,
    MAX_ADDRESSES_BYTES,
    AddressNews,
    decode_address_answer,
    decode_address_request,
)
from node.membership.whereabouts import Whereabouts
from node.transport import AskError, BadAnswer, Refused, Transport
from node.transport.router import Refusal, Route

TIMEOUT_S = 5.0  # for an answer
ASKED_FOR_LOST = 3  # reachable peers that are asked at a time where members are that cannot be reached
FIRST_SEARCH_S = 1.0  # from one such question to the next; the pause doubles while nobody else is lost
LONGEST_SEARCH_S = 60.0
RETRY_S = 5.0  # after no answer, or a refusal
OLD_VERSION_S = 600.0  # after a peer did not know the path

_LOOK_S = 1.0
_PAUSE_S = 0.2  # in which several changes become one message


class AddressExchange:
    """The asking and the answering side for one node. `peers` returns the other members of the epoch."""

    def __init__(
        self,
        *,
        whereabouts: Whereabouts,
        peers: Callable[[], Mapping[MemberId, Peer]],
        transport: Transport,
        chance: random.Random,
        rhythm: Rhythm | None = None,
    ) -> None:
        """Set up both sides; `rhythm` is that of gossip."""
        self._whereabouts = whereabouts
        self._peers = peers
        self._transport = transport
        self._random = chance
        self._rhythm = rhythm or Rhythm()
        self._busy: set[MemberId] = set()
        self._ask_at: dict[MemberId, float] = {}  # not before, by peer
        self._told_at: dict[MemberId, float] = {}  # last, by peer
        self._lost: Collection[MemberId] = ()  # at the last look
        self._search_at, self._search_pause_s = 0.0, FIRST_SEARCH_S

    def route(self) -> Route:
        """Return the route for `ADDRESS_PATH`."""
        return Route(handler=self._answer, max_bytes=MAX_ADDRESSES_BYTES, concurrency=1, rate=1.0, burst=20.0)

    async def run(self) -> None:
        """Tell and ask until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                seen = self._whereabouts.changes.count
                self._whereabouts.update_own()
                lost = self._lost_to_search_for()
                reachable = self._reachable()
                searching = self._random.sample(reachable, min(ASKED_FOR_LOST, len(reachable))) if lost else []
                for peer in reachable:
                    if peer in searching or self._has_news_for(peer):
                        self._busy.add(peer.id)
                        nursery.start_soon(self._ask, peer, lost if peer in searching else ())
                await trio.sleep(_PAUSE_S)
                with trio.move_on_after(_LOOK_S - _PAUSE_S):
                    await self._whereabouts.changes.wait_beyond(seen)

    def _has_news_for(self, peer: Peer) -> bool:
        if self._may_have_forgotten(peer):
            self._whereabouts.observe_forgotten(peer.id)
        news, change = self._whereabouts.news_for(peer.id)
        if not news:
            self._whereabouts.observe_told(peer.id, change)
        return bool(news)

    def _may_have_forgotten(self, peer: Peer) -> bool:
        """Return whether a peer was told long ago and has not asked us since, as if it did not know where we are."""
        in_touch_s = self._rhythm.in_touch_s(1 + len(self._peers()))
        told_at = self._told_at.get(peer.id, math.inf)  # who was not told yet has nothing to forget
        return max(told_at, peer.asked_us_at) < trio.current_time() - in_touch_s

    def _lost_to_search_for(self) -> Sequence[MemberId]:
        """Return the members that did not answer, whenever it is time to ask others for them."""
        now = trio.current_time()
        lost = [peer.id for peer in self._peers().values() if peer.error and not peer.is_reachable]
        if set(lost) - set(self._lost):
            self._search_at, self._search_pause_s = now, FIRST_SEARCH_S
        self._lost = lost
        if not lost or now < self._search_at or not self._reachable():
            return ()
        self._search_at = now + self._search_pause_s
        self._search_pause_s = min(LONGEST_SEARCH_S, 2 * self._search_pause_s)
        return lost

    def _reachable(self) -> list[Peer]:
        now = trio.current_time()
        return [
            peer
            for peer in self._peers().values()
            if peer.is_reachable and peer.id not in self._busy and now >= self._ask_at.get(peer.id, now)
        ]

    async def _ask(self, peer: Peer, wanted: Sequence[MemberId]) -> None:
        """Tell a peer what it was not told, and take in where the wanted members are."""
        news, change = self._whereabouts.news_for(peer.id)
        body = news.encode_request([member for member in wanted if member != peer.id])
        peer.bytes_sent += len(body)
        try:
            raw = await self._transport.ask(
                peer.id, ADDRESS_PATH, body, timeout_s=TIMEOUT_S, max_bytes=MAX_ADDRESSES_BYTES
            )
            peer.bytes_received += len(raw)
            self._whereabouts.observe_told(peer.id, change)
            self._told_at[peer.id] = trio.current_time()
            self._take_in(peer, decode_address_answer(raw))
        except (MessageError, BadAnswer) as error:
            peer.observe_misbehaviour(error, trio.current_time())
        except AskError as error:
            is_old = isinstance(error, Refused) and error.status == HTTPStatus.NOT_FOUND
            self._ask_at[peer.id] = trio.current_time() + (OLD_VERSION_S if is_old else RETRY_S)
        finally:
            self._busy.discard(peer.id)

    async def _answer(self, asking: MemberId, body: bytes) -> bytes:
        peer = self._peers().get(asking)
        if peer is None:
            raise Refusal(HTTPStatus.FORBIDDEN, "not a member of this epoch")
        if not peer.backoff.may_listen(trio.current_time()):
            raise Refusal(HTTPStatus.TOO_MANY_REQUESTS, f"not listening to you for now: {peer.error}")
        try:
            news, wanted = decode_address_request(body)
            peer.observe_place(trio.current_time())  # it can reach us, so perhaps we can reach it again
            self._take_in(peer, news)
        except MessageError as error:
            peer.observe_misbehaviour(error, trio.current_time())
            raise Refusal(HTTPStatus.BAD_REQUEST, str(error)) from None
        answer = self._whereabouts.answer(wanted).encode()
        peer.bytes_received += len(body)
        peer.bytes_sent += len(answer)
        await trio.lowlevel.checkpoint()
        return answer

    def _take_in(self, source: Peer, news: AddressNews) -> None:
        peers = self._peers()
        for member in self._whereabouts.observe_news(source.id, news):
            if member in peers:
                peers[member].observe_place(trio.current_time())
