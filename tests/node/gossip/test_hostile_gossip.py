"""What no correct node says is refused or dropped, on sockets and in memory, and harms nobody."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from consensus.encoding import encode
from consensus.event import Event, make_event
from consensus.genesis import Genesis, make_genesis
from consensus.roster import RosterMember
from consensus.settings import Settings
from consensus.sync import Tip
from node.config.identity import Identity
from node.gossip.gossip import Gossip
from node.gossip.messages import MAX_EVENTS, MAX_MESSAGE_BYTES, SYNC_PATH, SyncAnswer, SyncRequest
from node.gossip.rhythm import Rhythm
from node.member.member import Member
from node.member.timing import CreationTiming
from node.member.verification import ParallelVerifier
from node.simulation.invariants import AgreementCheck
from node.simulation.swarm import SimulatedSwarm
from node.store.sqlite import SqliteStore
from node.system.clock import SystemClock
from node.transport import AskError, Refused, Transport
from node.transport.client import HttpTransport
from node.transport.memory import Conditions
from node.transport.router import Route, Router
from node.transport.server import PeerServer
from node.transport.tls import Credentials
from tests.node.places import GivenPlaces

TIMING, RHYTHM = CreationTiming(busy_s=0.05, heartbeat_s=5.0, grace_s=0.2), Rhythm(busy_s=0.03)


def note(number: int) -> dict[str, Any]:
    return {"type": "note", "id": number}


Ask = Callable[[bytes], Awaitable[bytes]]


class Battlefield:
    """Four honest members and one who says whatever a test wants."""

    def __init__(self) -> None:
        self.identities = [Identity(bytes([number + 1]) * 32) for number in range(5)]
        self.hostile = self.identities[4]
        listed = [RosterMember(identity.id, 1) for identity in self.identities]
        self.genesis: Genesis = make_genesis("battlefield", listed, Settings())
        self.members: list[Member] = []
        self.gossips: list[Gossip] = []
        self.asking: Transport
        self.transports: list[HttpTransport] = []
        self.stores: list[SqliteStore] = []
        self.verifiers: list[ParallelVerifier] = []

    async def close(self) -> None:
        for transport in self.transports:
            await transport.aclose()
        for verifier in self.verifiers:
            await verifier.aclose()
        for store in self.stores:
            await store.aclose()

    async def ask(self, body: bytes, seconds: float = 5) -> bytes:
        """Ask the first member as the hostile one."""
        return await self.asking.ask(self.identities[0].id, SYNC_PATH, body, timeout_s=seconds)

    def request(self, **fields: Any) -> bytes:
        good: dict[str, Any] = {"epoch": self.genesis.digest, "tips": [], "want": [], "events": [], "closed": False}
        return encode(good | fields)

    def event(self, identity: Identity | None = None, **fields: Any) -> Event:
        good: dict[str, Any] = {"epoch": self.genesis.digest, "seq": 0, "self_parent": None, "time": 1}
        return make_event((identity or self.hostile).key, **(good | fields))

    async def assert_unharmed(self) -> None:
        """Check that the honest ones go on, and the first of them with the others."""
        for member in self.members:
            member.submit([note(random.randrange(2**60))])
        with trio.fail_after(20):
            while any(member.status().pending for member in self.members):
                await trio.sleep(0.05)


async def start_on_sockets(field: Battlefield, answers: Route, nursery: trio.Nursery, tmp_path: Path) -> None:
    roster = [identity.id for identity in field.identities]
    addresses: dict[bytes, str] = {}
    for identity in field.identities[:4]:
        directory = tmp_path / identity.text
        directory.mkdir()
        store = SqliteStore(directory, genesis=field.genesis.digest, member=identity.id)
        verifier = ParallelVerifier()
        member = Member(
            genesis=field.genesis,
            identity=identity,
            store=store,
            verifier=verifier,
            clock=SystemClock(),
            chance=random.Random(1),
            timing=TIMING,
        )
        credentials = Credentials(identity, roster)
        transport = HttpTransport(credentials, GivenPlaces(addresses))
        field.transports.append(transport)
        field.stores.append(store)
        field.verifiers.append(verifier)
        gossip = Gossip(member, transport, random.Random(2), RHYTHM)
        server = PeerServer(credentials.server, Router(roster, {SYNC_PATH: gossip.route()}))
        port = await nursery.start(partial(server.serve, "127.0.0.1", 0))
        addresses[identity.id] = f"127.0.0.1:{port}"
        await nursery.start(member.run)
        field.members.append(member)
        field.gossips.append(gossip)
    credentials = Credentials(field.hostile, roster)
    server = PeerServer(credentials.server, Router(roster, {SYNC_PATH: answers}))
    port = await nursery.start(partial(server.serve, "127.0.0.1", 0))
    addresses[field.hostile.id] = f"127.0.0.1:{port}"
    field.transports.append(HttpTransport(credentials, GivenPlaces(addresses)))
    field.asking = field.transports[-1]
    for gossip in field.gossips:
        nursery.start_soon(gossip.run)


async def start_in_memory(field: Battlefield, answers: Route, nursery: trio.Nursery) -> None:
    swarm = SimulatedSwarm(
        5,
        3,
        timing=TIMING,
        rhythm=RHYTHM,
        observe=AgreementCheck().observe,
        conditions=Conditions(delay_s=0.001, jitter_s=0.001),
    )
    field.identities = [node.identity for node in swarm.nodes]
    field.hostile, field.genesis = field.identities[4], swarm.genesis
    swarm.nodes.pop()
    await nursery.start(swarm.run)
    router = Router(field.genesis.roster.weights, {SYNC_PATH: answers})
    await nursery.start(swarm.network.serve, field.hostile.id, router)
    field.members = [node.member for node in swarm.nodes if node.member is not None]
    field.gossips = [node.gossip for node in swarm.nodes if node.gossip is not None]
    field.asking = swarm.network.transport(field.hostile.id)


async def hang_up(member: bytes, body: bytes) -> bytes:
    await trio.sleep_forever()
    return b""


Start = Callable[..., Awaitable[None]]


@pytest.fixture
def field() -> Battlefield:
    return Battlefield()


@pytest.fixture(params=["sockets", "memory"])
async def start(
    request: pytest.FixtureRequest, field: Battlefield, nursery: trio.Nursery, tmp_path: Path
) -> AsyncIterator[Start]:
    async def started(answer: Callable[[bytes, bytes], Awaitable[bytes]] = hang_up) -> None:
        route = Route(handler=answer, max_bytes=MAX_MESSAGE_BYTES, concurrency=99, rate=1e6, burst=1e6, timeout_s=60)
        if request.param == "sockets":
            await start_on_sockets(field, route, nursery, tmp_path)
        else:
            await start_in_memory(field, route, nursery)

    yield started
    nursery.cancel_scope.cancel()
    with trio.CancelScope(shield=True):
        await field.close()


def bad_signature(field: Battlefield) -> bytes:
    event = field.event()
    return encode([event.header, bytes(64), event.payload])


def hostile_bodies(field: Battlefield) -> dict[str, bytes]:
    stranger = Identity(b"s" * 32)
    chain = [field.event()]
    chain.append(field.event(seq=1, self_parent=chain[0].hash, time=2))
    unsigned = encode([chain[0].header, b"", chain[0].payload])
    forged = encode([chain[0].header, stranger.key.sign(chain[0].header), chain[0].payload])
    return {
        "nothing": b"",
        "garbage": b"\xff\x00garbage" * 100,
        "truncated": field.request(events=[chain[0].raw])[:-3],
        "trailing": field.request() + b"\0",
        "not canonical": b"\xbf" + field.request()[1:] + b"\xff",
        "deep": b"\x81" * 100_000,
        "promises": b"\x9b" + b"\xff" * 8,
        "a field too many": field.request(extra=1),
        "many tips": field.request(tips=[[field.hostile.id, 1, bytes(32)]] * 1000),
        "many wishes": field.request(want=[bytes(32)] * 10_000),
        "many events": field.request(events=[b"x"] * (MAX_EVENTS + 1)),
        "large event": field.request(events=[bytes(300_000)]),
        "no event": field.request(events=[b"nonsense"]),
        "truncated event": field.request(events=[chain[0].raw[:-1]]),
        "payload of another": field.request(events=[encode([chain[0].header, chain[0].signature, encode([note(1)])])]),
        "unsigned event": field.request(events=[unsigned]),
        "bad signature": field.request(events=[chain[0].raw, bad_signature(field)]),
        "bad signature, known hash": field.request(events=[bad_signature(field)]),
        "another epoch's event": field.request(events=[field.event(epoch=bytes(32)).raw]),
        "signed by another": field.request(events=[forged]),
    }


BODIES = list(hostile_bodies(Battlefield()))


async def test_hostile_requests_are_refused_and_harm_nobody(field: Battlefield, start: Start) -> None:
    await start()
    await field.assert_unharmed()
    gossip = field.gossips[0]
    peer = gossip.peers[field.hostile.id]
    known = len(field.members[0].replica.dag)
    await field.ask(field.request())
    for name, body in hostile_bodies(field).items():
        peer.backoff.listen_at = -1.0  # as if time had passed
        with pytest.raises(Refused) as refused:
            await field.ask(body)
        assert refused.value.status in (400, 413), name
        assert peer.state() == "backoff", name
    assert all(event.creator != field.hostile.id for event in field.members[0].replica.dag.events)
    await field.assert_unharmed()
    assert len(field.members[0].replica.dag) > known


async def test_who_misbehaves_is_not_listened_to_for_a_while(field: Battlefield, start: Start) -> None:
    await start()
    good = field.request()
    await field.ask(good)
    with pytest.raises(Refused, match="400"):
        await field.ask(b"garbage")
    with pytest.raises(Refused, match=r"429.*not listening to you"):
        await field.ask(good)
    field.gossips[0].peers[field.hostile.id].backoff.listen_at = trio.current_time()
    await field.ask(good)


async def test_events_of_strangers_and_impossible_events_are_dropped(field: Battlefield, start: Start) -> None:
    await start()
    stranger = Identity(b"s" * 32)
    first = field.event()
    honest = field.identities[1]
    events = [
        field.event(stranger),
        first,
        field.event(seq=5, self_parent=first.hash, time=2),  # a seq left out
        field.event(seq=1, self_parent=first.hash, time=1),  # time does not grow
        field.event(seq=1, self_parent=first.hash, time=2, other_parents=(bytes(32),)),  # waits for ever
    ]
    await field.ask(field.request(events=[event.raw for event in events]))
    replica = field.members[0].replica
    assert [event.hash in replica.dag for event in events] == [False, True, False, False, False]
    await field.assert_unharmed()
    assert honest.id not in [field.genesis.members[index].id for index in replica.hashgraph.forkers()]


async def test_deep_orphan_chains_are_bounded(field: Battlefield, start: Start) -> None:
    await start()
    parent, seq = bytes(32), 0
    for _ in range(3):
        events = []
        for _ in range(MAX_EVENTS):
            seq += 1
            event = field.event(seq=seq, self_parent=parent, time=seq)
            events.append(event)
            parent = event.hash
        await field.ask(field.request(events=[event.raw for event in events]), seconds=30)
    assert len(field.members[0].replica._open.orphans) <= 256
    await field.assert_unharmed()


async def test_a_flood_of_events_is_cut_off(field: Battlefield, start: Start) -> None:
    await start()
    raw = field.event().raw
    await field.ask(field.request(events=[raw]))
    answers: list[object] = []
    for _ in range(8):
        try:
            answers.append(await field.ask(field.request(events=[raw] * MAX_EVENTS), seconds=30))
        except Refused as refused:
            answers.append(refused.status)
    assert 429 in answers
    await field.assert_unharmed()


async def test_tips_that_are_lies_are_harmless(field: Battlefield, start: Start) -> None:
    async def lie(member: bytes, body: bytes) -> bytes:
        tips = [Tip(identity.id, 2**62, bytes(32)) for identity in field.identities]
        return SyncAnswer(tips, [], True, False).encode()

    await start(lie)
    lies = [[identity.id, 10**15, bytes([7]) * 32] for identity in field.identities]
    await field.ask(field.request(tips=lies, want=[bytes([number]) * 32 for number in range(200)]))
    await field.assert_unharmed()
    asked = field.gossips[0].peers[field.hostile.id].bytes_sent
    await trio.sleep(2)
    assert field.gossips[0].peers[field.hostile.id].bytes_sent - asked < 60_000
    assert all(gossip.is_caught_up() for gossip in field.gossips)


ANSWERS: dict[str, Callable[[Battlefield], bytes]] = {
    "nothing": lambda field: b"",
    "garbage": lambda field: b"\xff" * 100,
    "a request": lambda field: field.request(),
    "not canonical": lambda field: b"\xbf" + SyncAnswer([], [], False, False).encode()[1:] + b"\xff",
    "bad signature": lambda field: SyncAnswer([], [bad_signature(field)], False, False).encode(),
    "no event": lambda field: SyncAnswer([], [b"nonsense"], False, False).encode(),
    "too large": lambda field: bytes(MAX_MESSAGE_BYTES + 1),
}


@pytest.mark.parametrize("kind", ANSWERS)
async def test_hostile_answers_are_dropped_and_harm_nobody(field: Battlefield, start: Start, kind: str) -> None:
    asked = 0

    async def answer(member: bytes, body: bytes) -> bytes:
        nonlocal asked
        asked += 1
        return ANSWERS[kind](field)

    await start(answer)
    await field.assert_unharmed()
    with trio.fail_after(20):
        while field.gossips[0].peers[field.hostile.id].error == "":
            await trio.sleep(0.05)
    await field.assert_unharmed()
    assert asked <= 4 * 4
    assert field.gossips[0].peers[field.hostile.id].error


async def test_a_peer_that_never_answers_delays_nobody(field: Battlefield, start: Start) -> None:
    await start(hang_up)
    await field.assert_unharmed()
    begun = trio.current_time()
    for _ in range(3):
        await field.assert_unharmed()
    assert trio.current_time() - begun < 30
    with pytest.raises(AskError):
        await field.asking.ask(field.identities[0].id, "/elsewhere", b"", timeout_s=5)


async def test_requests_of_another_swarm_are_refused_without_blame(field: Battlefield, start: Start) -> None:
    await start()
    with pytest.raises(Refused, match="409"):
        await field.ask(field.request(epoch=bytes(32)))
    await field.ask(field.request())


def test_the_request_is_what_the_contract_says() -> None:
    field = Battlefield()
    assert SyncRequest(field.genesis.digest, [], [], []).encode() == field.request()
    assert len(BODIES) == 20
