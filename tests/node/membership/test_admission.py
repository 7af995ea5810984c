"""A server that runs while members come, go and move: real sockets, real TLS."""

import random
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import trio

from consensus.roster import Roster, RosterMember, make_roster
from consensus.settings import Settings
from node.blobs.fetching import BlobFetcher
from node.blobs.memory import MemoryBlobs
from node.config.address import parse_address
from node.config.identity import Identity
from node.config.swarm_file import SwarmConfig, parse_config
from node.config.template import Listing, render_swarm
from node.membership.address_book import AddressBook
from node.membership.admission import Admission
from node.membership.whereabouts import Whereabouts
from node.transport import Refused, Unreachable
from node.transport.client import HttpTransport
from node.transport.router import Route, Router
from node.transport.server import PeerServer
from node.transport.tls import Credentials

Ids = list[Identity]


@dataclass
class Station:
    """The server of one node, and the roster that it goes by."""

    identity: Identity
    roster: Roster
    admission: Admission
    transport: HttpTransport
    fetcher: BlobFetcher
    port: int = 0
    seen: frozenset[bytes] = frozenset()

    async def turn(self, *members: RosterMember) -> None:
        self.seen |= frozenset(self.roster.ids)
        self.roster = make_roster(members)
        await self.admission.admit_roster()

    async def ask(self, other: "Station") -> bytes:
        return await self.transport.ask(other.identity.id, "/echo", b"?", timeout_s=5)

    async def ask_why(self, other: "Station") -> bytes:
        return await self.transport.ask(other.identity.id, "/why", b"?", timeout_s=5)


def config_of(identities: Ids, ports: list[int]) -> SwarmConfig:
    listings = [
        Listing(f"node{port}", identity.text, parse_address(f"127.0.0.1:{port}"), 1)
        for identity, port in zip(identities, ports, strict=True)
    ]
    return parse_config(Path("swarm.toml"), render_swarm("test", listings, Settings()))


class Town:
    """Stations that all begin with the roster of one swarm.toml."""

    def __init__(self, nursery: trio.Nursery, config: SwarmConfig) -> None:
        self.nursery, self.config = nursery, config

    async def build(self, identity: Identity, guides: dict[bytes, str] | None = None) -> Station:
        async def echo(member: bytes, body: bytes) -> bytes:
            return member + b"%d" % station.port

        roster = self.config.genesis.roster
        directory = AddressBook(
            self.config, lambda: station.roster, guides, lambda: station.seen - frozenset(station.roster.ids)
        )
        credentials = Credentials(identity, roster.ids)
        routes = {
            "/echo": Route(handler=echo, max_bytes=9),
            "/why": Route(handler=echo, max_bytes=9, for_former_members=True),
        }
        router = Router(roster.ids, routes)
        whereabouts = Whereabouts(
            key=identity.key,
            genesis=self.config.genesis.digest,
            address_book=directory,
            own=lambda: [f"127.0.0.1:{station.port}"],
            time_ns=lambda: 1,
            chance=random.Random(1),
            remembered={},
        )
        transport = HttpTransport(credentials, whereabouts)
        fetcher = BlobFetcher(MemoryBlobs(), transport, [], random.Random(1))
        admission = Admission(
            me=identity.id,
            whereabouts=whereabouts,
            credentials=credentials,
            router=router,
            transport=transport,
            fetcher=fetcher,
        )
        station = Station(identity, roster, admission, transport, fetcher)
        server = PeerServer(credentials.server, router)
        station.port = await self.nursery.start(partial(server.serve, "127.0.0.1", 0))
        return station

    def listed(self, station: Station, weight: int = 1) -> RosterMember:
        return RosterMember(station.identity.id, weight, None, f"127.0.0.1:{station.port}")


@pytest.fixture
async def town(nursery: trio.Nursery, identities: Ids) -> Town:
    return Town(nursery, config_of(identities[:2], [7401, 7402]))


def seen(asking: Station, answering: Station) -> bytes:
    return asking.identity.id + b"%d" % answering.port


async def close(*stations: Station) -> None:
    for station in stations:
        await station.transport.aclose()


async def test_a_member_joins_while_the_servers_run(town: Town, identities: Ids) -> None:
    a, b, new = [await town.build(identity) for identity in identities[:3]]
    before = [town.listed(a), town.listed(b)]
    await a.turn(*before)
    await b.turn(*before)
    await new.turn(*before)
    assert await a.ask(b) == seen(a, b)
    with pytest.raises(Unreachable, match=r"connection (closed|lost)|alert"):
        await new.ask(a)
    with pytest.raises(Unreachable, match="no address of this member is known"):
        await a.ask(new)
    after = [*before, town.listed(new)]
    for station in (a, b, new):
        await station.turn(*after)
    assert await new.ask(a) == seen(new, a)
    assert await a.ask(new) == seen(a, new)
    assert await a.ask(b) == seen(a, b)
    await close(a, b, new)


async def test_a_removed_member_is_turned_away_and_may_ask_why(town: Town, identities: Ids) -> None:
    a, b, gone = [await town.build(identity) for identity in identities[:3]]
    everybody = [town.listed(station) for station in (a, b, gone)]
    for station in (a, b, gone):
        await station.turn(*everybody)
    assert await gone.ask(a) == seen(gone, a)
    await a.turn(town.listed(a), town.listed(b))
    with pytest.raises(Refused, match="403: not a member"):
        await gone.ask(a)  # on the connection that it has
    await gone.transport.aclose()  # which ends it
    await gone.turn(*everybody)
    await a.turn(town.listed(a, 2), town.listed(b, 2))  # an epoch later
    with pytest.raises(Refused, match="403: not a member"):
        await gone.ask(a)  # on a new one
    assert await gone.ask_why(a) == seen(gone, a)
    assert await a.ask(gone) == seen(a, gone)  # its place is remembered: one day it may be the only one to ask
    assert await b.ask(a) == seen(b, a)
    await close(a, b, gone)


async def test_an_address_changes(town: Town, identities: Ids) -> None:
    a, b = [await town.build(identity) for identity in identities[:2]]
    moved = await town.build(identities[1])  # the same member on another port
    await a.turn(town.listed(a), town.listed(b))
    assert await a.ask(b) == seen(a, b)
    await b.turn(town.listed(b))  # where it was, nobody is answered any more
    await a.turn(town.listed(a), town.listed(moved))
    await moved.turn(town.listed(a), town.listed(moved))
    assert await a.ask(b) == seen(a, moved)
    await close(a, b, moved)


async def test_addresses_change_while_somebody_is_asked(town: Town, identities: Ids) -> None:
    a, b, c = [await town.build(identity) for identity in identities[:3]]
    await a.turn(town.listed(a), town.listed(b))
    await c.turn(town.listed(a), town.listed(c))
    assert await a.ask(b) == seen(a, b)
    async with trio.open_nursery() as nursery:
        await a.turn(town.listed(a), town.listed(c), town.listed(b))
        nursery.start_soon(a.ask, c)  # for the first time, while the connection to b is closed
        await a.turn(town.listed(a), town.listed(c))
    assert await a.ask(c) == seen(a, c)
    await close(a, b, c)


def test_whose_word_on_an_address_counts(identities: Ids) -> None:
    a, b, c, d, _ = (identity.id for identity in identities)
    config = config_of(identities[:2], [7401, 7402])
    roster = make_roster(
        [RosterMember(a, 1), RosterMember(b, 1, None, "beta.example:7"), RosterMember(c, 1, None, "no address")]
    )
    directory = AddressBook(config, lambda: roster, {a: "127.0.0.1:9001", b: "127.0.0.1:9002", d: "127.0.0.1:9004"})
    assert directory.address(b) == "beta.example:7"  # the members agreed on it
    assert directory.address(a) == "127.0.0.1:9001"  # a person says so
    assert AddressBook(config, lambda: roster).address(a) == "127.0.0.1:7401"
    assert directory.address(c) == ""
    assert directory.named(b) == ["beta.example:7", "127.0.0.1:9002", "127.0.0.1:7402"]  # all of them are tried
    assert (directory.address(d), directory.sponsors) == ("127.0.0.1:9004", (a, b, d))
    assert directory.name(a) == "node7401"
    assert [member.id for member in directory.members()] == [a, b, c]
    assert directory.name(c) == identities[2].text[:8]


async def test_blobs_are_fetched_from_members_only(town: Town, identities: Ids) -> None:
    a, b = [await town.build(identity) for identity in identities[:2]]
    await a.turn(town.listed(a), town.listed(b))
    assert a.fetcher._in_order(()) == [b.identity.id]
    await a.turn(town.listed(a))
    assert a.fetcher._in_order(()) == []
