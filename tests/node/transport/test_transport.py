"""What both transports promise: the real one on loopback and the one in memory, under the same tests."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import pytest
import trio

from node.config.identity import Identity
from node.transport import AskError, BadAnswer, Refused, Transport, Unreachable
from node.transport.memory import Conditions, Network
from node.transport.router import Refusal, Route, Router
from node.transport.server import Limits
from tests.node.conftest import Loopback

Handler = Callable[[bytes, bytes], Awaitable[bytes]]
Ids = list[Identity]


class Wires(Protocol):
    async def serve(self, identity: Identity, routes: Mapping[str, Route]) -> object: ...
    def transport(self, identity: Identity) -> Transport: ...


class MemoryWires:
    def __init__(self, members: list[bytes], nursery: trio.Nursery) -> None:
        self.network = Network(1, Conditions(delay_s=0.001, jitter_s=0.001))
        self.members, self.nursery = members, nursery

    async def serve(self, identity: Identity, routes: Mapping[str, Route]) -> None:
        await self.nursery.start(self.network.serve, identity.id, Router(self.members, routes))

    def transport(self, identity: Identity) -> Transport:
        return self.network.transport(identity.id)


@pytest.fixture(params=["http", "memory"])
def wires(request: pytest.FixtureRequest, loopback: Loopback, members: list[bytes], nursery: trio.Nursery) -> Wires:
    return loopback if request.param == "http" else MemoryWires(members, nursery)


async def test_the_handler_learns_who_asks(wires: Wires, identities: Ids, echo: Handler) -> None:
    a, b, c, *_ = identities
    await wires.serve(a, {"/echo": Route(handler=echo, max_bytes=100)})
    for asking in (b, c):
        for _ in range(3):
            answer = await wires.transport(asking).ask(a.id, "/echo", b"hello", timeout_s=5)
            assert answer == asking.id + b"hello"


async def test_empty_bodies_and_empty_answers_travel(wires: Wires, identities: Ids) -> None:
    async def nothing(member: bytes, body: bytes) -> bytes:
        assert body == b""
        return b""

    a, b, *_ = identities
    await wires.serve(a, {"/nothing": Route(handler=nothing, max_bytes=0)})
    assert await wires.transport(b).ask(a.id, "/nothing", b"", timeout_s=5) == b""


async def test_large_bodies_travel_up_to_the_limits_and_no_further(wires: Wires, identities: Ids) -> None:
    async def same(member: bytes, body: bytes) -> bytes:
        return body

    a, b, *_ = identities
    await wires.serve(a, {"/same": Route(handler=same, max_bytes=3_000_000)})
    transport = wires.transport(b)
    body = bytes(range(250)) * 12_000
    assert await transport.ask(a.id, "/same", body, timeout_s=5) == body
    with pytest.raises(Refused, match="413"):
        await transport.ask(a.id, "/same", body + b"x", timeout_s=5)
    with pytest.raises(BadAnswer, match="larger than 2999999"):
        await transport.ask(a.id, "/same", body, timeout_s=5, max_bytes=2_999_999)
    assert await transport.ask(a.id, "/same", b"still here", timeout_s=5) == b"still here"


async def test_refusals_reach_the_asker(wires: Wires, identities: Ids, echo: Handler) -> None:
    async def refuse(member: bytes, body: bytes) -> bytes:
        raise Refusal(409, "another epoch")

    a, b, *_ = identities
    await wires.serve(a, {"/echo": Route(handler=echo, max_bytes=5), "/refuse": Route(handler=refuse, max_bytes=5)})
    for path, status, reason in (("/refuse", 409, "another epoch"), ("/none", 404, "no such path")):
        with pytest.raises(Refused, match=reason) as refused:
            await wires.transport(b).ask(a.id, path, b"", timeout_s=5)
        assert refused.value.status == status


async def test_one_member_may_not_take_everything(wires: Wires, identities: Ids) -> None:
    release = trio.Event()

    async def wait(member: bytes, body: bytes) -> bytes:
        await release.wait()
        return b"done"

    a, b, c, *_ = identities
    await wires.serve(a, {"/wait": Route(handler=wait, max_bytes=5, concurrency=2)})
    results: list[object] = []

    async def ask(asking: Identity) -> None:
        try:
            results.append(await wires.transport(asking).ask(a.id, "/wait", b"", timeout_s=5))
        except AskError as error:
            results.append(error)

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(ask, b)
        while len(results) < 2:
            await trio.sleep(0.01)
        assert all(isinstance(result, Refused) and result.status == 429 for result in results)
        nursery.start_soon(ask, c)
        await trio.sleep(0.1)
        release.set()
    assert results[2:] == [b"done"] * 3


async def test_one_member_may_not_ask_for_ever(wires: Wires, identities: Ids, echo: Handler) -> None:
    a, b, c, *_ = identities
    await wires.serve(a, {"/echo": Route(handler=echo, max_bytes=5, rate=0.1, burst=3)})
    for _ in range(3):
        await wires.transport(b).ask(a.id, "/echo", b"", timeout_s=5)
    with pytest.raises(Refused, match="429"):
        await wires.transport(b).ask(a.id, "/echo", b"", timeout_s=5)
    await wires.transport(c).ask(a.id, "/echo", b"", timeout_s=5)


async def test_a_slow_handler_is_cut_off(wires: Wires, identities: Ids) -> None:
    async def dawdle(member: bytes, body: bytes) -> bytes:
        await trio.sleep_forever()
        return b""

    a, b, *_ = identities
    await wires.serve(a, {"/dawdle": Route(handler=dawdle, max_bytes=5, timeout_s=0.05)})
    with pytest.raises(Refused, match="503"):
        await wires.transport(b).ask(a.id, "/dawdle", b"", timeout_s=5)


async def test_a_deadline_ends_the_question_and_the_next_one_works(wires: Wires, identities: Ids) -> None:
    slow = True

    async def perhaps(member: bytes, body: bytes) -> bytes:
        if slow:
            await trio.sleep(0.5)
        return b"now"

    a, b, *_ = identities
    await wires.serve(a, {"/perhaps": Route(handler=perhaps, max_bytes=5, concurrency=50)})
    transport = wires.transport(b)
    for _ in range(8):
        with pytest.raises(Unreachable, match=r"no answer within 0\.03 s"):
            await transport.ask(a.id, "/perhaps", b"", timeout_s=0.03)
    slow = False
    assert await transport.ask(a.id, "/perhaps", b"", timeout_s=5) == b"now"


async def test_a_cancelled_question_harms_no_other(wires: Wires, identities: Ids) -> None:
    async def sleep(member: bytes, body: bytes) -> bytes:
        await trio.sleep(0.1)
        return body

    a, b, *_ = identities
    await wires.serve(a, {"/sleep": Route(handler=sleep, max_bytes=5, concurrency=9)})
    transport = wires.transport(b)
    answers = []

    async def ask() -> None:
        answers.append(await transport.ask(a.id, "/sleep", b"x", timeout_s=5))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        for _ in range(4):
            with trio.move_on_after(0.01):
                await transport.ask(a.id, "/sleep", b"", timeout_s=5)
        nursery.start_soon(ask)
    assert answers == [b"x", b"x"]


async def test_a_node_that_is_off_is_unreachable(wires: Wires, identities: Ids) -> None:
    a, b, *_ = identities
    if isinstance(wires, Loopback):
        wires.addresses[a.id] = "127.0.0.1:1"
    with pytest.raises(Unreachable):
        await wires.transport(b).ask(a.id, "/echo", b"", timeout_s=5)


@pytest.mark.parametrize("host", ["two..dots", "x" * 64])
async def test_a_name_that_is_no_host_s_is_unreachable(loopback: Loopback, identities: Ids, host: str) -> None:
    a, b, *_ = identities
    loopback.addresses[a.id] = f"{host}:7400"
    with pytest.raises(Unreachable):
        await loopback.transport(b).ask(a.id, "/echo", b"", timeout_s=5)


async def test_a_handler_that_fails_is_an_answer_and_no_crash(
    loopback: Loopback, identities: Ids, echo: Handler
) -> None:
    async def fail(member: bytes, body: bytes) -> bytes:
        raise RuntimeError("a mistake of ours")

    a, b, *_ = identities
    await loopback.serve(a, {"/fail": Route(handler=fail, max_bytes=5), "/echo": Route(handler=echo, max_bytes=5)})
    with pytest.raises(Refused, match="500"):
        await loopback.transport(b).ask(a.id, "/fail", b"", timeout_s=5)
    assert await loopback.transport(b).ask(a.id, "/echo", b"", timeout_s=5) == b.id


async def test_a_server_stops_at_once_with_questions_open(
    identities: Ids, members: list[bytes], loopback: Loopback
) -> None:
    async def dawdle(member: bytes, body: bytes) -> bytes:
        await trio.sleep_forever()
        return b""

    a, b, *_ = identities
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            outer, loopback.nursery = loopback.nursery, nursery
            await loopback.serve(a, {"/dawdle": Route(handler=dawdle, max_bytes=5)}, Limits())

            async def ask() -> None:
                with pytest.raises(Unreachable):
                    await loopback.transport(b).ask(a.id, "/dawdle", b"", timeout_s=60)

            outer.start_soon(ask)
            await trio.sleep(0.1)
            nursery.cancel_scope.cancel()
