"""Who answers where members ask this node: this process, another one with its key, or somebody else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

import pytest
import trio

from node.config.identity import Identity
from node.transport.client import find_second_instance
from node.transport.router import Router
from node.transport.server import PeerServer
from node.transport.tls import Credentials

Ids = list[Identity]


@asynccontextmanager
async def serving(credentials: Credentials) -> AsyncIterator[str]:
    async with trio.open_nursery() as nursery:
        server = PeerServer(credentials.server, Router([], {}))
        port = await nursery.start(server.serve, "127.0.0.1", 0)
        yield f"127.0.0.1:{port}"
        nursery.cancel_scope.cancel()


async def test_only_another_process_with_our_key_is_found(identities: Ids, members: list[bytes]) -> None:
    me, other = identities[0], identities[1]
    ours = Credentials(me, members)
    find = partial(find_second_instance, ours, me.id, timeout_s=5)
    async with serving(Credentials(me, members)) as address:
        assert await find(address)
        assert await find(address.replace("127.0.0.1", "localhost"))
    assert not await find(address)  # nobody any more
    async with serving(ours) as address:
        assert not await find(address)  # this process
    async with serving(Credentials(other, members)) as address:
        assert not await find(address)


async def test_a_certificate_that_was_renewed_is_still_ours(
    identities: Ids, members: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    me = identities[0]
    ours = Credentials(me, members)
    async with serving(ours) as address:
        monkeypatch.setattr("node.transport.tls._RENEW_AFTER", timedelta(0))
        assert ours.renew()
        assert not await find_second_instance(ours, me.id, address, timeout_s=5)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", None], ids=["hangs up", "no TLS", "stalls"])
async def test_what_does_not_shake_hands_is_nobody(identities: Ids, members: list[bytes], said: bytes | None) -> None:
    me = identities[0]

    async def answer(stream: trio.SocketStream) -> None:
        if said is None:
            await trio.sleep_forever()
        else:
            await stream.send_all(said)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, answer, 0, host="127.0.0.1"))
        address = f"127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        assert not await find_second_instance(Credentials(me, members), me.id, address, timeout_s=0.3)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("address", ["no-such-host.invalid:7400", "[::1]:1", "127.0.0.1:1"])
async def test_an_address_that_leads_nowhere_is_nobody(identities: Ids, members: list[bytes], address: str) -> None:
    me = identities[0]
    assert not await find_second_instance(Credentials(me, members), me.id, address, timeout_s=1)
