"""Members with fixed keys, and servers of theirs on loopback."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import pytest
import structlog
import trio

from node.config.identity import Identity
from node.transport.client import HttpTransport
from node.transport.router import Route, Router
from node.transport.server import Limits, PeerServer
from node.transport.tls import Credentials
from tests.node.fake_source import FakeSource
from tests.node.places import GivenPlaces


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """Resets logging: a test that ran the command leaves it set up for a stderr that is closed by now."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def identities() -> list[Identity]:
    """Four members, then a stranger, in no particular order."""
    return [Identity(bytes([number]) * 32) for number in range(5)]


@pytest.fixture(scope="session")
def members(identities: list[Identity]) -> list[bytes]:
    return [identity.id for identity in identities[:4]]


@dataclass
class Loopback:
    """Starts servers for members, and makes transports that know all of them."""

    nursery: trio.Nursery
    members: list[bytes]
    addresses: dict[bytes, str]
    transports: list[HttpTransport]

    async def serve(self, identity: Identity, routes: Mapping[str, Route], limits: Limits | None = None) -> int:
        server = PeerServer(Credentials(identity, self.members).server, Router(self.members, routes), limits)
        port: int = await self.nursery.start(partial(server.serve, "127.0.0.1", 0))
        self.addresses[identity.id] = f"127.0.0.1:{port}"
        return port

    def transport(self, identity: Identity) -> HttpTransport:
        transport = HttpTransport(Credentials(identity, self.members), GivenPlaces(self.addresses))
        self.transports.append(transport)
        return transport


@pytest.fixture
async def loopback(members: list[bytes], nursery: trio.Nursery) -> AsyncIterator[Loopback]:
    loopback = Loopback(nursery, members, {}, [])
    yield loopback
    for transport in loopback.transports:
        await transport.aclose()


Echo = Callable[[bytes, bytes], Awaitable[bytes]]


@pytest.fixture
def echo() -> Echo:
    async def handler(member: bytes, body: bytes) -> bytes:
        return member + body

    return handler


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()
