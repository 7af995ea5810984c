"""A member that may be at several addresses: the first that leads to it is used, and a false one costs little."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import pytest
import trio

from consensus.keys import MemberId
from node.config.identity import Identity
from node.transport import Candidate, Unreachable
from node.transport.client import HttpTransport
from node.transport.router import Route
from node.transport.tls import Credentials
from tests.node.conftest import Loopback
from tests.node.places import GivenPlaces

Ids = list[Identity]
Handler = Callable[[bytes, bytes], Awaitable[bytes]]


class SeveralPlaces(GivenPlaces):
    def __init__(self, *addresses: str) -> None:
        super().__init__({})
        self.addresses = addresses
        self.reached: list[str] = []
        self.refused: set[str] = set()  # addresses that may not be tried now
        self.said: list[Candidate] = []

    def candidates(self, peer: MemberId) -> Sequence[Candidate]:
        return [*map(Candidate, self.addresses), *self.said]

    def may_try(self, candidate: Candidate) -> bool:
        return candidate.address not in self.refused

    def observe_reached(self, peer: MemberId, address: str) -> None:
        self.reached.append(address)


async def silent(nursery: trio.Nursery) -> str:
    """Return the address of a host that takes connections and says nothing."""
    listeners = await nursery.start(partial(trio.serve_tcp, lambda _: trio.sleep_forever(), 0, host="127.0.0.1"))
    return f"127.0.0.1:{listeners[0].socket.getsockname()[1]}"


async def test_the_second_address_is_tried_while_the_first_is_silent(
    loopback: Loopback, identities: Ids, members: list[bytes], nursery: trio.Nursery, echo: Handler
) -> None:
    a, b, c, *_ = identities
    route = {"/echo": Route(handler=echo, max_bytes=9)}
    right, other = [f"127.0.0.1:{await loopback.serve(identity, route)}" for identity in (a, c)]
    places = SeveralPlaces(await silent(nursery), "127.0.0.1:1", other, right)
    transport = HttpTransport(Credentials(b, members), places)
    with trio.fail_after(3):
        assert await transport.ask(a.id, "/echo", b"?", timeout_s=3) == b.id + b"?"
    assert places.reached == [right]
    places.addresses = (right,)
    await transport.close_stale()
    assert await transport.ask(a.id, "/echo", b"?", timeout_s=3) == b.id + b"?"  # on the same connection
    await transport.aclose()
    nursery.cancel_scope.cancel()


async def test_what_may_not_be_tried_now_is_not_tried(
    loopback: Loopback, identities: Ids, members: list[bytes], echo: Handler
) -> None:
    a, b, *_ = identities
    right = f"127.0.0.1:{await loopback.serve(a, {'/echo': Route(handler=echo, max_bytes=9)})}"
    places = SeveralPlaces("127.0.0.1:1", right)
    transport = HttpTransport(Credentials(b, members), places)
    places.refused.add(right)
    with pytest.raises(Unreachable, match=rf"127\.0\.0\.1:1, {right}: .*refused"):
        await transport.ask(a.id, "/echo", b"?", timeout_s=3)
    places.refused.add("127.0.0.1:1")
    with pytest.raises(Unreachable, match="too often"):
        await transport.ask(a.id, "/echo", b"?", timeout_s=3)
    places.refused.clear()
    assert await transport.ask(a.id, "/echo", b"?", timeout_s=3) == b.id + b"?"
    await transport.aclose()


async def test_nothing_is_left_open_if_the_time_is_over_first(
    identities: Ids, members: list[bytes], nursery: trio.Nursery
) -> None:
    a, b, *_ = identities
    places = SeveralPlaces(await silent(nursery), await silent(nursery))
    transport = HttpTransport(Credentials(b, members), places)
    with trio.fail_after(3), pytest.raises(Unreachable, match="no answer within"):
        await transport.ask(a.id, "/echo", b"?", timeout_s=0.5)
    nursery.cancel_scope.cancel()


async def test_a_connection_back_says_of_each_place_why_it_leads_nowhere(
    loopback: Loopback, identities: Ids, members: list[bytes], nursery: trio.Nursery
) -> None:
    a, b, c, *_ = identities
    right, other = [f"127.0.0.1:{await loopback.serve(identity, {})}" for identity in (a, c)]
    stalled = await silent(nursery)
    places = SeveralPlaces("127.0.0.1:1", stalled, other, right, "127.0.0.1:2")
    places.refused = {"127.0.0.1:2"}
    transport = HttpTransport(Credentials(b, members), places)
    assert await transport.try_places(a.id, timeout_s=0.5) == {
        "127.0.0.1:1": "Connection refused",
        stalled: "no answer within 0.5 s",
        other: "a node with another key answers there",
        right: "",
    }
    nursery.cancel_scope.cancel()


async def test_a_connection_back_goes_nowhere_on_the_word_of_others(identities: Ids, members: list[bytes]) -> None:
    a, b, c, *_ = identities
    places = SeveralPlaces()
    places.said = [Candidate("127.0.0.1:1", a.id), Candidate("127.0.0.1:2", c.id)]
    transport = HttpTransport(Credentials(b, members), places)
    assert await transport.try_places(a.id, timeout_s=0.5) == {"127.0.0.1:1": "Connection refused"}
