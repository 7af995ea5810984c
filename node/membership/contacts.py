"""Whom a node asks for later epochs when the members that it goes by are gone: anybody it ever heard of."""

import math
from collections.abc import Callable

import structlog
import trio

from consensus.keys import MemberId
from node.gossip.gossip import Gossip
from node.gossip.peers import Peer
from node.membership.whereabouts import Whereabouts

_SHOWN = 8  # peers that a message names
_LOOK_S = 5.0
_LOG_EVERY_S = 60.0

_log = structlog.get_logger(__name__)


class Contacts:
    """All who may know later epochs; sealed records tell the truth, whoever passes them on.

    Near ones are the members of our epoch and whom a person named. Others are founders, former members, and all whose
    place is remembered.
    """

    def __init__(
        self, *, me: MemberId, whereabouts: Whereabouts, gossip: Gossip, is_outside: Callable[[], bool]
    ) -> None:
        self._me, self._gossip, self._whereabouts, self._is_outside = me, gossip, whereabouts, is_outside
        self._book = whereabouts.address_book
        self._strangers: dict[MemberId, Peer] = {}  # peers that are not in our epoch

    def is_lost(self) -> bool:
        """Return whether this node may be in the wrong epoch, or alone in it while there are others to ask."""
        return self._needs_near() or (self._gossip.is_cut_off() and bool(self._others()))

    def peers(self) -> list[Peer]:
        """Return whom to ask for later epochs now."""
        return [*(self._near() if self._needs_near() else ()), *self._others()]

    def tried(self) -> str:
        """Return who gave no useful answer, and why, in one line."""
        peers = {peer.id: peer for peer in (*self._near(), *self._strangers.values())}.values()
        failed = [f"{self._book.name(peer.id)} ({peer.error})" for peer in peers if peer.error]
        more = f", and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
        return ", ".join(failed[:_SHOWN]) + more if failed else "nobody yet"

    def _needs_near(self) -> bool:
        return self._is_outside() or self._gossip.is_stranded()

    def _near(self) -> list[Peer]:
        named = [self._stranger(member) for member in self._book.sponsors if member not in self._gossip.peers]
        return [*named, *self._gossip.peers.values()]

    def _others(self) -> list[Peer]:
        """Return the others that may be asked now: each pauses for as long as it did not answer."""
        heard_of = {*self._book.sponsors, *self._book.founders, *self._book.former, *self._whereabouts.remembered()}
        if self._needs_near():
            heard_of -= set(self._book.sponsors)
        others = [self._stranger(member) for member in sorted(heard_of - self._gossip.peers.keys() - {self._me})]
        return [peer for peer in others if peer.backoff.may_ask(trio.current_time())]

    def _stranger(self, member: MemberId) -> Peer:
        return self._strangers.setdefault(member, Peer(member))


async def log_while_cut_off(contacts: Contacts, is_cut_off: Callable[[], bool]) -> None:
    """Log every minute whom this node tried, for as long as it reaches too few members to decide anything."""
    since = math.inf
    while True:
        await trio.sleep(_LOOK_S)
        if not is_cut_off():
            since = math.inf
            continue
        since = min(since, trio.current_time())
        if trio.current_time() >= since + _LOG_EVERY_S:
            since = trio.current_time()
            _log.warning(
                "members of more than 2/3 of the weight are needed and were not reached; if one has moved, say where "
                "with --peer ID@HOST:PORT",
                tried=contacts.tried(),
            )
