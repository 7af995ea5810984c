"""Whether members reach a node: what they say that connect back, and what becomes of it."""

import random
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
import trio
from trio.testing import MockClock

from consensus.encoding import encode
from node.gossip.messages import MessageError
from node.gossip.peers import Peer
from node.membership.dial_back import AGAIN_S, ASKED, UNREACHED_AGAIN_S, DialBack, decode_tried
from node.transport import AskError, Refused
from node.transport.router import Refusal, Router

ME, OTHERS = bytes(32), [bytes([number]) * 32 for number in range(1, 6)]


class Room:
    """A node with five peers that answer as they are told."""

    def __init__(self) -> None:
        self.own = ("10.0.0.5:7400",)
        self.found: Mapping[str, str] = {"10.0.0.5:7400": ""}
        self.raw: bytes | None = None
        self.error: AskError | None = None
        self.asked_at: list[float] = []
        self.peers = {member: Peer(member) for member in OTHERS}
        for peer in self.peers.values():
            peer.is_reachable = True
        whereabouts: Any = SimpleNamespace(
            own_addresses=lambda: self.own,
            address_book=SimpleNamespace(name=lambda member: f"node{member[0]}"),
        )
        transport: Any = SimpleNamespace(ask=self.ask)
        self.node = DialBack(
            whereabouts=whereabouts,
            peers=lambda: self.peers,
            transport=transport,
            try_places=self.try_places,
            chance=random.Random(1),
        )

    async def ask(self, _peer: bytes, _path: str, body: bytes, **_limits: object) -> bytes:
        assert body == b""
        self.asked_at.append(trio.current_time())
        if self.error is not None:
            raise self.error
        return encode([[*entry] for entry in self.found.items()]) if self.raw is None else self.raw

    async def try_places(self, _member: bytes) -> Mapping[str, str]:
        await trio.sleep(1)
        return self.found

    async def after(self, seconds: float) -> int:
        """Let time pass; return how many questions were asked meanwhile."""
        before = len(self.asked_at)
        await trio.sleep(seconds)
        return len(self.asked_at) - before


@pytest.fixture
async def room(nursery: trio.Nursery) -> Any:
    room = Room()
    nursery.start_soon(room.node.run)
    yield room
    nursery.cancel_scope.cancel()


async def test_who_is_reached_asks_three_now_and_then(room: Room, autojump_clock: MockClock) -> None:
    assert await room.after(20) == ASKED
    assert room.node.unreached() == ""
    assert {tried.found["10.0.0.5:7400"] for tried in room.node.tried()} == {""}
    assert await room.after(AGAIN_S - 30) == 0
    assert await room.after(40) == ASKED


async def test_who_is_not_reached_says_so_once_with_the_cause_and_asks_again_soon(
    room: Room, autojump_clock: MockClock
) -> None:
    room.found = {"10.0.0.5:7400": "Connection refused", "host.example:7400": "no answer within 3 s"}
    with structlog.testing.capture_logs() as log:
        await room.after(20 + 3 * UNREACHED_AGAIN_S)
    assert len(room.asked_at) >= 3 * ASKED
    assert [line["event"] for line in log] == ["no member reaches this node"]
    reason = room.node.unreached()
    assert log[0]["reason"]
    assert "tried 10.0.0.5:7400 (in a private network; Connection refused), node" in reason
    assert "tried host.example:7400 (no answer within 3 s)" in reason
    assert reason.endswith("or ringrift-node propose address")
    room.found = {"10.0.0.5:7400": "Connection refused", "host.example:7400": ""}
    with structlog.testing.capture_logs() as log:
        await room.after(UNREACHED_AGAIN_S + 5)
    assert [line["event"] for line in log] == ["members reach this node again"]
    assert room.node.unreached() == ""


async def test_another_address_is_tried_soon(room: Room, autojump_clock: MockClock) -> None:
    await room.after(20)
    room.own = ("10.0.0.6:7400",)
    assert await room.after(20) == ASKED


@pytest.mark.parametrize("error", [Refused(404, "there is no such path"), Refused(429, "ask less often")])
async def test_who_does_not_answer_says_nothing(room: Room, autojump_clock: MockClock, error: AskError) -> None:
    room.found = {"10.0.0.5:7400": "Connection refused"}
    await room.after(20)
    told = room.node.unreached()
    room.error = error
    await room.after(UNREACHED_AGAIN_S + 5)
    assert room.node.unreached() == told != ""


async def test_nobody_is_asked_while_nobody_is_reachable(room: Room, autojump_clock: MockClock) -> None:
    for peer in room.peers.values():
        peer.is_reachable = False
    assert await room.after(300) == 0


async def test_what_no_correct_node_says_is_counted_against_it(room: Room, autojump_clock: MockClock) -> None:
    room.raw = encode([["10.0.0.5:7400", "x" * 201]])
    await room.after(20)
    assert sum("not told with the reason" in peer.error for peer in room.peers.values()) == ASKED
    assert room.node.tried() == []


async def test_the_answer_is_what_was_tried_and_a_flood_costs_three_tries(
    room: Room, autojump_clock: MockClock
) -> None:
    router = Router(OTHERS, {"/back": room.node.route()})
    room.found = {"10.0.0.5:7400": "y" * 900}
    assert decode_tried(await router.answer(OTHERS[0], "/back", b"")) == {"10.0.0.5:7400": "y" * 200}
    for _ in range(2):
        await router.answer(OTHERS[0], "/back", b"")
    for _ in range(10):
        with pytest.raises(Refusal, match="too many requests"):
            await router.answer(OTHERS[0], "/back", b"")
    with pytest.raises(Refusal, match="larger than 0 bytes"):
        await router.answer(OTHERS[1], "/back", b"10.0.0.9:22")
    del room.peers[OTHERS[1]]
    with pytest.raises(Refusal, match="not a member of this epoch"):
        await router.answer(OTHERS[1], "/back", b"")


@pytest.mark.parametrize("value", [{}, [["a"]], [["a", 1]], [["a", "b"]] * 9, ["ab"], [["a" * 256, ""]]])
def test_what_is_not_an_answer(value: Any) -> None:
    with pytest.raises(MessageError):
        decode_tried(encode(value))


def test_what_is_told_moves_no_cursor() -> None:
    assert decode_tried(encode([["host:7400", "\x1b[2J"]])) == {"host:7400": "\\x1b[2J"}
