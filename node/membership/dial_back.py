"""Whether members reach this node: it asks some of them to connect back, and connects back to those that ask.

Who cannot be reached takes part all the same, as it asks the others; but nobody fetches its files, and it hears later
of events. Whoever connects back goes only to where the asking member says that it is itself, or was agreed to be,
within that member's budget of tries (`node.membership.whereabouts`), and tells it what happened. So nobody is led to
another host, and a question costs a few connections.
"""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import structlog
import trio

from consensus.encoding import EncodingError, decode, encode
from consensus.keys import MemberId
from consensus.roster import ADDRESS_LIMIT
from node.config.address import is_private, parse_address
from node.gossip.messages import MessageError
from node.gossip.peers import Peer
from node.membership.whereabouts import Whereabouts
from node.text.harmless import harmless
from node.transport import AskError, BadAnswer, Transport
from node.transport.router import Refusal, Route

DIAL_BACK_PATH = "/gossip/dial-back"
ASKED = 3  # members at a time
CONNECT_S = 3.0  # for a connection back
TIMEOUT_S = 10.0  # for an answer
AGAIN_S = 600.0  # from one question to the next
UNREACHED_AGAIN_S = 60.0  # the same while nobody reaches this node

_LOOK_S = 1.0
_SETTLE_S = 5.0  # from new own addresses to the first question: members have to hear of them
_MAX_TRIED = 8  # addresses in an answer
_MAX_REASON = 200
MAX_ANSWER_BYTES = _MAX_TRIED * (ADDRESS_LIMIT + 4 * _MAX_REASON + 16)
_REMEDY = (
    "this node takes part, but others cannot fetch its files; open that port to the members, or tell where they reach "
    "this machine: --listen and `address` in swarm.toml, or ringrift-node propose address"
)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Tried:
    """What a member said that connected back: each address with why that failed, "" where it did not."""

    member: MemberId
    at: float  # of trio's clock
    found: Mapping[str, str]


class DialBack:
    """The asking and the answering side for one node. `peers` returns the other members of the epoch."""

    def __init__(
        self,
        *,
        whereabouts: Whereabouts,
        peers: Callable[[], Mapping[MemberId, Peer]],
        transport: Transport,
        try_places: Callable[[MemberId], Awaitable[Mapping[str, str]]],
        chance: random.Random,
    ) -> None:
        """Set up both sides; `try_places` connects to a member, such as `HttpTransport.try_places`."""
        self._whereabouts, self._peers, self._transport = whereabouts, peers, transport
        self._try_places, self._random = try_places, chance
        self._tried: list[Tried] = []
        self._own: Sequence[str] = ()  # addresses, at the last look
        self._ask_at = math.inf

    def route(self) -> Route:
        """Return the route for `DIAL_BACK_PATH`."""
        return Route(handler=self._answer, max_bytes=0, concurrency=1, rate=0.05, burst=3.0)

    def tried(self) -> Sequence[Tried]:
        """Return what those said that connected back last."""
        return self._tried

    def unreached(self) -> str:
        """Return why nobody who tried reached this node, and the remedy; "" if somebody did, or nobody tried.

        `Gossip.is_asked` goes by requests that came; this goes by what members say, and knows the cause.
        """
        found = [tried for tried in self._tried if tried.found]
        if not found or any("" in tried.found.values() for tried in found):
            return ""
        name = self._whereabouts.address_book.name
        texts = [
            f"{name(tried.member)} tried {address} ({_private(address)}{reason})"
            for tried in found
            for address, reason in tried.found.items()
        ]
        return f"{', '.join(texts)}; {_REMEDY}"

    async def run(self) -> None:
        """Ask until cancelled, and log what has changed."""
        while True:
            await trio.sleep(_LOOK_S)
            if self._own != (own := self._whereabouts.own_addresses()):
                self._own, self._ask_at = own, trio.current_time() + _SETTLE_S
            reachable = [peer for peer in self._peers().values() if peer.is_reachable]
            if reachable and trio.current_time() >= self._ask_at:
                await self._ask_some(self._random.sample(reachable, min(ASKED, len(reachable))))
                pause_s = AGAIN_S if self._tried and not self.unreached() else UNREACHED_AGAIN_S
                self._ask_at = trio.current_time() + pause_s

    async def _ask_some(self, peers: Sequence[Peer]) -> None:
        """Ask these; what they say replaces what others said before, unless none of them has tried."""
        tried: list[Tried] = []
        async with trio.open_nursery() as nursery:
            for peer in peers:
                nursery.start_soon(self._ask, peer, tried)
        if not any(one.found for one in tried):
            return
        before = self.unreached()
        self._tried = tried
        if (reason := self.unreached()) and not before:
            _log.warning("no member reaches this node", reason=reason)
        elif before and not reason:
            _log.info("members reach this node again")

    async def _ask(self, peer: Peer, tried: list[Tried]) -> None:
        try:
            raw = await self._transport.ask(
                peer.id, DIAL_BACK_PATH, b"", timeout_s=TIMEOUT_S, max_bytes=MAX_ANSWER_BYTES
            )
            peer.bytes_received += len(raw)
            tried.append(Tried(peer.id, trio.current_time(), decode_tried(raw)))
        except (MessageError, BadAnswer) as error:
            peer.observe_misbehaviour(error, trio.current_time())
        except AskError:
            pass  # an older version, or asked too often: the next one may answer

    async def _answer(self, asking: MemberId, _body: bytes) -> bytes:
        if asking not in self._peers():
            raise Refusal(HTTPStatus.FORBIDDEN, "not a member of this epoch")
        found = await self._try_places(asking)
        return encode([[address, reason[:_MAX_REASON]] for address, reason in list(found.items())[:_MAX_TRIED]])


def decode_tried(data: bytes) -> dict[str, str]:
    """Return what is told of each address: CBOR [[address, reason]]. Raise MessageError."""
    try:
        value = decode(data, limit=MAX_ANSWER_BYTES, items=1 + 3 * _MAX_TRIED)
    except EncodingError as error:
        raise MessageError(str(error)) from None
    if not isinstance(value, list) or len(value) > _MAX_TRIED:
        raise MessageError(f"not an array of at most {_MAX_TRIED} addresses")
    tried: dict[str, str] = {}
    for entry in value:
        match entry:
            case [str(address), str(reason)] if len(address) <= ADDRESS_LIMIT and len(reason) <= _MAX_REASON:
                tried[harmless(address)] = harmless(reason)
            case _:
                raise MessageError("an address is not told with the reason why it was not reached")
    return tried


def _private(address: str) -> str:
    """Return the words for an address of a private network, which may be the cause."""
    try:
        host = parse_address(address).host
    except ValueError:
        return ""
    return "in a private network; " if is_private(host) else ""
