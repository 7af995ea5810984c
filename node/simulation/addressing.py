"""Addresses of simulated machines: where each one is, what a node knows of that, and requests that need it."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import trio

from consensus.genesis import Genesis
from consensus.keys import MemberId
from consensus.roster import Roster
from node.config.address import parse_address
from node.config.swarm_file import SwarmConfig, SwarmMember
from node.membership.address_book import AddressBook
from node.transport import MAX_ANSWER_BYTES, Places, Refused, Transport, Unreachable

_REFUSED_S = 0.01  # until a machine that is no longer at an address has refused the connection


class Addressing:
    """The present address ("host:port") of every key, and those at the founding, which swarm.toml lists."""

    def __init__(self, genesis: Genesis) -> None:
        self._genesis = genesis
        self.addresses: dict[MemberId, str] = {}
        self._founding: tuple[SwarmMember, ...] = ()

    def record_founding(self) -> None:
        """Keep the present addresses as those of swarm.toml."""
        self._founding = tuple(
            SwarmMember(
                id=member, name=f"m{number}", address=parse_address(address), weight=1, anchor=None, line=number
            )
            for number, (member, address) in enumerate(self.addresses.items())
        )

    def founding_address(self, member: MemberId) -> str:
        """Return where swarm.toml has a member; "" if it does not list it."""
        return next((str(listed.address) for listed in self._founding if listed.id == member), "")

    def address_book(
        self,
        roster: Callable[[], Roster],
        bootstrap: Mapping[MemberId, str] | None,
        former: Callable[[], frozenset[MemberId]],
        named: Mapping[MemberId, str],
    ) -> AddressBook:
        """Return the address book of a node that knows the roster and swarm.toml, or `bootstrap` instead of that.

        It also knows the addresses in `named`.
        """
        listed = self._founding if bootstrap is None else ()
        config = SwarmConfig(
            path=Path("swarm.toml"), genesis=self._genesis, members=listed, http=None, roles=None, keep_epochs=None
        )
        return AddressBook(config, roster, {**(bootstrap or {}), **named}, former)

    def transport(self, inner: Transport, places: Places) -> "SimulatedTransport":
        """Return the transport of a node that knows these places, around one that reaches every key."""
        return SimulatedTransport(inner, places, self.addresses)


class SimulatedTransport:
    """`Transport` that reaches a peer only if its present address is among the places that are tried."""

    def __init__(self, inner: Transport, places: Places, present: Mapping[MemberId, str]) -> None:
        self._inner, self._places, self._present = inner, places, present

    async def close_stale(self) -> None:
        """See `AddressedTransport.close_stale`."""
        await trio.lowlevel.checkpoint()

    async def ask(
        self, peer: bytes, path: str, body: bytes, *, timeout_s: float, max_bytes: int = MAX_ANSWER_BYTES
    ) -> bytes:
        """See `Transport.ask`."""
        present, candidates = self._present.get(peer), self._places.candidates(peer)
        tried = (candidate.address for candidate in candidates if self._places.may_try(candidate))
        if present is None or present not in tried:
            await trio.sleep(_REFUSED_S)
            raise Unreachable("connection refused" if candidates else "its address is not known")
        try:
            answer = await self._inner.ask(peer, path, body, timeout_s=timeout_s, max_bytes=max_bytes)
        except Refused:
            self._places.observe_reached(peer, present)
            raise
        self._places.observe_reached(peer, present)
        return answer


class NoCredentials:
    """`PeerCredentials` without TLS, which is not simulated: the network in memory knows who asks."""

    def set_members(self, members: Iterable[MemberId]) -> None:
        """See `PeerCredentials.set_members`."""
