"""Ordinary clients, probes and proxies are served, in whichever way they ask; who is kept out stays out."""

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from node.api.endpoint import read_token
from node.config.address import Address
from node.web.server import serve_local
from node.web.targets import Target, is_json, is_local_name, parse_target
from tests.node.fake_source import FakeSource
from tests.node.web.test_control import FakeActions

BALLOT = b'{"proposal": "ab", "approve": true}'
HOST = b"host: 127.0.0.1\r\n"


class Node:
    def __init__(self, port: int, token: str, actions: FakeActions) -> None:
        self.port, self.token, self.actions = port, token, actions

    async def say(self, data: bytes) -> bytes:
        """All that the node answers until it hangs up."""
        heard = b""
        async with await trio.open_tcp_stream("127.0.0.1", self.port) as stream:
            await stream.send_all(data)
            with trio.fail_after(5), suppress(trio.BrokenResourceError):
                while part := await stream.receive_some():
                    heard += part
        return heard

    async def status(self, start: bytes, headers: bytes = HOST, body: bytes = b"") -> int:
        answer = await self.say(start + b"\r\nconnection: close\r\n" + headers + b"\r\n" + body)
        return int(answer.split()[1])

    async def vote(self, headers: bytes, path: bytes = b"/vote", version: bytes = b"1.1") -> int:
        token, length = self.token.encode(), len(BALLOT)
        given = b"X-RingRift-Token: %b\r\nContent-Length: %d\r\n%b" % (token, length, headers)
        return await self.status(b"POST %b HTTP/%b" % (path, version), given, BALLOT)


@pytest.fixture
async def node(source: FakeSource, tmp_path: Path) -> AsyncIterator[Node]:
    actions = FakeActions(source)
    async with trio.open_nursery() as nursery:
        url = await nursery.start(serve_local, source, Address("127.0.0.1", 0), tmp_path, actions)
        yield Node(int(url.rpartition(":")[2]), read_token(tmp_path), actions)
        nursery.cancel_scope.cancel()


async def test_a_probe_of_http_1_0_without_host(node: Node) -> None:
    for probe in (b"GET /health HTTP/1.0\r\n\r\n", b"GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"):
        answer = await node.say(probe)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b'{"alive":true}')
    assert (await node.say(b"HEAD /ready HTTP/1.0\r\n\r\n")).endswith(b"\r\n\r\n")
    assert await node.vote(b"Content-Type: application/json\r\n", version=b"1.0") == 200


async def test_who_reads_to_the_end_does_not_wait_for_it(node: Node) -> None:
    """The node says that nothing more comes before it waits for the other end to close; so it did not, for a second."""
    with trio.fail_after(0.8):
        assert await node.status(b"GET /health HTTP/1.1") == 200


@pytest.mark.parametrize(
    ("start", "status"),
    [
        (b"GET /health/ HTTP/1.1", 200),
        (b"GET //health HTTP/1.1", 200),
        (b"GET /%68ealth?at=%20&x HTTP/1.1", 200),
        (b"GET http://127.0.0.1:80/health HTTP/1.1", 200),
        (b"GET HTTP://LocalHost HTTP/1.1", 200),
        (b"GET http://evil.example/health HTTP/1.1", 400),
        (b"GET http://127.0.0.1%2eevil.example/health HTTP/1.1", 400),
        (b"GET /health#part HTTP/1.1", 200),
        (b"\r\n\r\nGET /health HTTP/1.1", 200),
        (b"\nGET /health HTTP/1.1", 200),
        (b"HEAD /health HTTP/1.1", 200),
        (b"OPTIONS * HTTP/1.1", 200),
        (b"OPTIONS /vote HTTP/1.1", 200),
        (b"GET /vote HTTP/1.1", 405),
        (b"PUT /vote/ HTTP/1.1", 405),
        (b"DELETE /status HTTP/1.1", 405),
        (b"GET /nothing HTTP/1.1", 404),
    ],
)
async def test_paths_and_methods(node: Node, start: bytes, status: int) -> None:
    assert await node.status(start) == status


async def test_options_name_the_methods_and_let_no_page_elsewhere_use_them(node: Node) -> None:
    for path, methods in ((b"/status", b"GET, HEAD, OPTIONS"), (b"/propose", b"POST, OPTIONS")):
        asked = b"OPTIONS %b HTTP/1.1\r\nconnection: close\r\norigin: http://evil.example\r\n%b\r\n" % (path, HOST)
        answer = (await node.say(asked)).lower()
        assert b"allow: " + methods.lower() in answer
        assert b"access-control" not in answer


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        (b"application/json; charset=utf-8", 200),
        (b'Application/JSON;Charset="UTF-8"', 200),
        (b"application/json;", 200),
        (b"application/json; odata=minimal", 200),
        (b"application/json; charset=UTF_8", 200),
        (b"application/json; charset='utf-8'", 200),
        (b"application/json; charset=US-ASCII", 200),
        (b"application/json; charset=latin-1", 415),
        (b"application/json; charset=utf-16", 415),
        (b"text/plain; x=application/json", 415),
        (b"application/x-www-form-urlencoded", 415),
        (b"", 415),
    ],
)
async def test_types_of_a_body(node: Node, content_type: bytes, status: int) -> None:
    assert await node.vote(HOST + b"Content-Type: " + content_type + b"\r\n") == status
    assert len(node.actions.votes) == (status == 200)


async def test_a_vote_at_a_path_with_a_slash_and_a_query(node: Node) -> None:
    assert await node.vote(HOST + b"content-type: application/json\r\n", path=b"/vote/?from=curl") == 200


async def test_empty_lines_between_requests_do_not_count(node: Node) -> None:
    """Old clients send one after the body of a POST."""
    asked = b"GET /health HTTP/1.1\r\n" + HOST
    answer = await node.say(asked + b"\r\n\r\n\r\n" + asked + b"connection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 2


async def test_who_waits_to_be_asked_for_the_body_is_asked(node: Node) -> None:
    head = b"POST /vote HTTP/1.1\r\n%bexpect: 100-continue\r\nx-ringrift-token: %b\r\n" % (HOST, node.token.encode())
    async with await trio.open_tcp_stream("127.0.0.1", node.port) as stream:
        await stream.send_all(head + b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(BALLOT))
        with trio.fail_after(5):
            assert await stream.receive_some() == b"HTTP/1.1 100 Continue\r\n\r\n"
            await stream.send_all(BALLOT)
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_requests_on_one_connection_and_an_upgrade_that_is_not_taken(node: Node) -> None:
    once = b"GET /health HTTP/1.1\r\n" + HOST
    last = once + b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMA\r\n\r\n"
    answer = await node.say(once + b"\r\n" + once + b"accept-encoding: br, identity;q=0\r\n\r\n" + last)
    assert answer.count(b"HTTP/1.1 200 OK") == 3


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /health\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n", 400),
        (b"GET /" + b"x" * 100_000, 431),
        (b"POST /vote HTTP/1.1\r\n" + HOST + b"content-length: 200000\r\n\r\n" + bytes(200_000), 413),
    ],
)
async def test_what_is_not_understood_is_answered_in_one_line(node: Node, data: bytes, status: int) -> None:
    head, _, body = (await node.say(data)).partition(b"\r\n\r\n")
    assert int(head.split()[1]) == status
    assert "\n" not in json.loads(body)["error"]


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("localhost", True), ("LOCALHOST.:8400", True), ("127.0.0.1:8400", True), ("127.8.8.8", True), ("127.1", True),
        ("[::1]", True), ("[0:0:0:0:0:0:0:1]:80", True), ("[::ffff:127.0.0.1]", True), ("10.0.0.7:1", True),
        ("evil.example", False), ("localhost.evil.example", False), ("127.0.0.1.evil.example", False), ("", False),
        ("127.0.0.1@evil.example", False), ("evil.example:80@localhost", False), ("0.0.0.0", False), ("[::]", False),
        ("::1", False), ("[::1", False), ("127.0.0.1 evil.example", False), ("[::2]", False), ("localhost/x", False),
    ],
)  # fmt: skip
def test_whose_names_are_local(host: str, *, is_local: bool) -> None:
    assert is_local_name(host, "10.0.0.7") is is_local


def test_targets() -> None:
    assert parse_target("/a//b/?c=/d?e", "h") == Target("h", "/a//b", "c=/d?e")
    assert parse_target("*") == Target("", "/*", "")
    assert parse_target("https://H:1?x") == Target("H:1", "/", "x")
    assert parse_target("//h/%2f%41") == Target("", "/h//A", "")


def test_a_type_in_several_lines_is_no_type() -> None:
    assert not is_json("application/json\r\nx: y; charset=latin-1")
    assert not is_json("json")
