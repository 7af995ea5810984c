"""Where simulated machines are, and who knows it: addresses that move, and doors that open to new members."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import trio

from consensus.genesis import Genesis
from consensus.keys import MemberId
from consensus.roster import Roster
from node.config.address import split_address
from node.config.swarm_file import SwarmConfig, SwarmMember
from node.membership.address_book import AddressBook
from node.transport import MAX_ANSWER_BYTES, Transport, Unreachable

_REFUSED_S = 0.01  # until a machine that listens elsewhere by now has refused the connection


class Addressing:
    """The present address of every key."""

    def __init__(self, genesis: Genesis) -> None:
        self._genesis = genesis
        self.homes: dict[MemberId, str] = {}
        self._founding: tuple[SwarmMember, ...] = ()

    def found(self) -> None:
        """What is known by now is what the swarm.toml says."""
        self._founding = tuple(
            SwarmMember(member, f"m{number}", split_address(home), 1, None, number)
            for number, (member, home) in enumerate(self.homes.items())
        )

    def address_book(self, roster: Callable[[], Roster], guides: Mapping[MemberId, str] | None) -> AddressBook:
        """What a node knows of addresses: swarm.toml and the roster, or what it was told instead of swarm.toml."""
        listed = self._founding if guides is None else ()
        config = SwarmConfig(Path("swarm.toml"), self._genesis, listed, None, None, None)
        return AddressBook(config, roster, guides)

    def transport(self, inner: Transport) -> "AddressedTransport":
        """A node's asking side."""
        return AddressedTransport(inner, self.homes)


class AddressedTransport:
    """`Transport` to where members were said to be: it finds those who are there."""

    def __init__(self, inner: Transport, homes: Mapping[MemberId, str]) -> None:
        self._inner, self._homes = inner, homes
        self._addresses: Mapping[MemberId, str] = {}

    async def set_addresses(self, addresses: Mapping[MemberId, str]) -> None:
        """See `AddressableTransport.set_addresses`."""
        self._addresses = addresses
        await trio.lowlevel.checkpoint()

    async def ask(
        self, peer: bytes, path: str, body: bytes, *, timeout_s: float, max_bytes: int = MAX_ANSWER_BYTES
    ) -> bytes:
        """See `Transport.ask`."""
        address = self._addresses.get(peer)
        if address is None or address != self._homes.get(peer):
            await trio.sleep(_REFUSED_S)
            raise Unreachable("no address of it is known" if address is None else "connection refused")
        return await self._inner.ask(peer, path, body, timeout_s=timeout_s, max_bytes=max_bytes)


class NoCredentials:
    """Stands in for TLS, which is not simulated: the network in memory knows who asks."""

    def set_members(self, members: Iterable[MemberId]) -> None:
        """See `PeerCredentials.set_members`."""
