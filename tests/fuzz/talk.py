"""What comes over connections: HTTP/1.1 at the port for peers, at the one for people, and as a peer's answer;
what a person's commands say in it; and the chain of records that a peer tells.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import cache, partial
from typing import Any

import cbor2
import h11
import trio
import trio.testing

from consensus.encoding import encode
from consensus.epoch import EpochError, SealedRecord, decode_record
from consensus.event import make_event
from consensus.keys import id_text
from consensus.ledger.records.changes import Change
from consensus.ledger.records.parsing import parse_transaction
from consensus.settings import SteeringSettings
from node.api.endpoint import TOKEN_HEADER
from node.gossip.messages import MAX_MESSAGE_BYTES, MessageError, decode_request
from node.gossip.peers import Peer
from node.play.models import HEURISTIC, FoundModel
from node.play.sessions import PlaySessions
from node.statesync.chain import RecordChain
from node.statesync.messages import (
    ChainAnswer,
    ChainRequest,
    decode_chain_answer,
    decode_chain_request,
)
from node.statesync.serving import CHAIN_PATH, chain_route
from node.store.memory import MemoryDisk, MemoryStore
from node.transport import MAX_ANSWER_BYTES, BadAnswer
from node.transport.client import _read_answer
from node.transport.http1 import Hangup, HttpConnection
from node.transport.router import Refusal, Route, Router
from node.transport.server import PeerServer
from node.web.control import Control
from node.web.play import PlayControl
from node.web.routes import Routes
from node.web.server import _Server
from node.work.worker import Report
from tests.consensus.ledger.swarm import Swarm, settings
from tests.fuzz.mutations import Mutator, to_json
from tests.node.fake_source import FakeSource
from tests.node.membership.test_governance import JOIN, Room

TOKEN = "f" * 64


class NoSuccess(Exception):  # noqa: N818 - a refusal
    """No request was answered with 200."""


def must(holds: bool, what: str) -> None:
    """AssertionError unless it holds."""
    if not holds:
        raise AssertionError(what)


def in_virtual_time(work: Callable[[], Awaitable[Any]]) -> Any:
    return trio.run(work, clock=trio.testing.MockClock(autojump_threshold=0))


def converse(serve: Callable[[Any], Awaitable[None]], data: bytes) -> bytes:
    """All that a server says to somebody who sends these bytes in pieces and then listens."""
    said = bytearray()

    async def run() -> None:
        client, server = trio.testing.memory_stream_pair()

        async def answer() -> None:
            try:
                await serve(server)
            except (Hangup, trio.TooSlowError, trio.BrokenResourceError):
                pass
            finally:
                await server.aclose()

        async def listen() -> None:
            async for part in client:
                said.extend(part)

        async def send() -> None:
            size = 1 + len(data) // 3
            try:
                for start in range(0, len(data), size):
                    await client.send_all(data[start : start + size])
                await client.send_eof()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass  # it has heard enough

        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer)
            nursery.start_soon(listen)
            nursery.start_soon(send)

    in_virtual_time(run)
    return bytes(said)


def methods(data: bytes) -> list[str]:
    """The methods of the requests, as far as they are well formed: an answer to HEAD has no body."""
    found: list[str] = []
    try:
        while data := data.lstrip(b"\r\n"):  # empty lines before a request do not count (RFC 9112, 2.2)
            reader = h11.Connection(h11.SERVER)
            reader.receive_data(data)
            reader.receive_data(b"")
            while not isinstance(event := reader.next_event(), h11.EndOfMessage):
                if not isinstance(event, h11.Request | h11.Data):
                    return found
                if isinstance(event, h11.Request):
                    found.append(event.method.decode())
            data = bytes(reader.trailing_data[0])
    except h11.ProtocolError:
        pass
    return found


_INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"  # all that is answered if the body that it asks for does not come
_REFUSAL = re.compile(rb"HTTP/1.1 (4\d\d|501) [^\r]*\r\n.*content-length: (\d+)\r\nconnection: close\r\n\r\n(.*)", re.S)


def without_refusal(said: bytes) -> bytes:
    """What a server said before the refusal of what is no request, with which it hung up, if it did."""
    begins = max(said.rfind(b"HTTP/1.1 4"), said.rfind(b"HTTP/1.1 501 "))
    refusal = _REFUSAL.fullmatch(said, begins) if begins >= 0 else None
    is_one = refusal is not None and len(refusal[3]) == int(refusal[2]) and b"this is not HTTP/1.1: " in refusal[3]
    return said[:begins] if is_one else said


def statuses(data: bytes, said: bytes) -> list[int]:
    """The statuses of the answers to `data`, which have to be HTTP; none may be a failure of the node itself."""
    found = []
    for method in methods(data):
        if not said:
            break
        reader = h11.Connection(h11.CLIENT)
        reader.send(h11.Request(method=method, target="/", headers=[("host", "x"), ("content-length", "0")]))
        reader.send(h11.EndOfMessage())
        reader.receive_data(said)
        while not isinstance(event := reader.next_event(), h11.EndOfMessage):
            must(event is not h11.NEED_DATA, "an answer that has no end")
            if isinstance(event, h11.Response):
                found.append(event.status_code)
        said = bytes(reader.trailing_data[0])
    must(not said, "more answers than questions")
    must(all(status != 500 for status in found), "a mistake in the node")
    return found


# The port for peers. Who speaks there is a member: TLS is not what is tried here.


@cache
def peer_server() -> PeerServer:
    async def sync(_member: bytes, body: bytes) -> bytes:
        try:
            return b"%d" % len(decode_request(body, 7).events)
        except MessageError as error:
            raise Refusal(400, str(error)) from None

    plenty: dict[str, Any] = {"rate": 1e9, "burst": 1e9}
    routes = {
        "/gossip/sync": Route(handler=sync, max_bytes=MAX_MESSAGE_BYTES, **plenty),
        CHAIN_PATH: Route(handler=chain_route(MemoryStore(MemoryDisk())).handler, max_bytes=64, **plenty),
    }
    return PeerServer(lambda: None, Router([bytes(32)], routes))  # type: ignore[arg-type, return-value]  # without TLS


def check_peer_port(data: bytes) -> None:
    found = statuses(
        data, converse(lambda stream: peer_server()._serve_member(HttpConnection(stream, h11.SERVER), bytes(32)), data)
    )
    if 200 not in found:
        raise NoSuccess(f"{found}")


def check_peer_answer(data: bytes) -> None:
    """As the asking side reads it."""

    async def read() -> None:
        stream, other = trio.testing.memory_stream_pair()
        connection = HttpConnection(stream, h11.CLIENT)
        await connection.send(h11.Request(method="POST", target="/", headers=[("host", "x")]), b"")
        await other.send_all(data)
        await other.send_eof()
        status, answer = await _read_answer(connection, 1000)
        must(100 <= status < 1000 and len(answer) <= 1000, "more than was asked for")
        connection.reuse()

    in_virtual_time(read)


# The port for people.


def check_local_port(data: bytes) -> None:
    room = Room(governed_swarm())
    server = _Server(Routes(source()), Control(room.actions, TOKEN, "127.0.0.1"))
    said = converse(lambda stream: server._converse(HttpConnection(stream, h11.SERVER)), data)
    found = statuses(data, without_refusal(said).removesuffix(_INTERIM))
    _check_submitted(room)
    if 200 not in found:
        raise NoSuccess(f"{found}")


class WishCheck:
    """The body of a command: a proposal where `path` says so, or a vote."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __call__(self, data: bytes) -> None:
        room = Room(governed_swarm())
        control = Control(room.actions, TOKEN, "127.0.0.1")
        headers = {"host": "127.0.0.1", TOKEN_HEADER: TOKEN, "content-type": "application/json"}
        answer = in_virtual_time(partial(control.answer, self._path, headers, data))
        said = json.loads(answer.body)
        _check_submitted(room)
        must(answer.status != 500, "a mistake in the node")
        if answer.status != 200:
            raise NoSuccess(str(said["error"]))


class PlayCheck:
    """The body of a request of somebody who plays, first of all of whoever begins a game, and then about that game."""

    def __call__(self, data: bytes) -> None:
        in_virtual_time(partial(self._check, data))

    async def _check(self, data: bytes) -> None:
        control = PlayControl(PlaySessions(_Echo(), _no_model), tokens=(TOKEN,), host="127.0.0.1")
        headers = {"host": "127.0.0.1", TOKEN_HEADER: TOKEN, "content-type": "application/json"}
        begun = await control.answer("/play", headers, play_samples()[0])
        game = json.loads(begun.body)["game"]
        statuses = set()
        for path in control.paths:
            answer = await control.answer(path, headers, data.replace(GAME, game.encode()))
            statuses.add(answer.status)
            must(answer.status not in (500, 503), f"a mistake in the node: {answer.body!r}")
        if 200 not in statuses:
            raise NoSuccess(f"{statuses}")


class _Echo:
    """A process that plays nothing, and insists on requests that can be sent to one."""

    async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        sent = cbor2.loads(cbor2.dumps(dict(job)))
        must(sent == job, "a request arrives as another")
        return {"moves": [], "body": json.dumps(sent["head"]).encode() if "head" in sent else b"{}"}

    async def aclose(self) -> None:
        pass


async def _no_model(configuration: str) -> FoundModel:
    return HEURISTIC


def _check_submitted(room: Room) -> None:
    """What governance puts forward can be part of an event, and the ledger understands it."""
    for transaction in room.submitted:
        table = transaction.as_table()
        parse_transaction(table)
        make_event(room.swarm.keys[0], epoch=bytes(32), seq=0, self_parent=None, time=0, transactions=(table,))


@cache
def governed_swarm() -> Any:
    """A swarm of four with two models that were promoted, and an open proposal."""
    made = Swarm(4, settings(steering=SteeringSettings(rules=1)))
    made.promote(0)
    made.promote(1, "second")
    made.propose(1, Change("weight", made.id(3), weight=0))
    return made


@cache
def source() -> FakeSource:
    return FakeSource()


def wish_samples() -> list[bytes]:
    """One for every change, as the commands write them."""
    member = {"member": id_text(governed_swarm().id(2)), "reason": "why not"}
    return [to_json(wish) for wish in (
        JOIN, {"change": "leave", **member}, {"change": "weight", "weight": 2, **member},
        {"change": "key", "key": JOIN["member"], "address": "[::1]:7400", **member},
        {"change": "address", "address": "x.example:7400", **member}, {"change": "leave", **member, "reason": "\ud800"},
        {"change": "set", "setting": "match.p1", "value": "0.6", "configuration": "hex8-2", "reason": "so"},
        {"change": "add", "configuration": "hex8-3", "reason": "so"},
        {"change": "pause", "work": "rate", "reason": "so"},
    )]  # fmt: skip


def nomination_samples() -> list[bytes]:
    """Of the first model of two, with and without the configuration."""
    model = governed_swarm().ledger.promotions()[0].model.digest.hex()
    wishes = [{"model": text, "configuration": name} for text in (model, model[:8]) for name in ("hex8-2", None)]
    return [to_json(wish) for wish in (*wishes, {"model": model}, {"model": "\udfff"})]


def import_samples() -> list[bytes]:
    """Of models that each file of the made-up disk belongs to, and of some that it does not."""
    files = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("config.json", "weights.safetensors")}
    wish = {"folder": "/models/x", "files": files, "architecture": "c16b2", "configuration": "hex8-2"}
    return [
        to_json(sample)
        for sample in (
            wish,
            {**wish, "configuration": None},
            {**wish, "architecture": "c32b4"},
            {**wish, "files": {"x": "00" * 32}},
            {**wish, "folder": "\udfff"},
        )
    ]


def vote_samples() -> list[bytes]:
    (proposal,) = governed_swarm().ledger.proposals()
    name = proposal.id.hex()
    return [to_json({"proposal": text, "approve": yes}) for text in (name, name[:6], "\udfff") for yes in (True, False)]


GAME = b"g" * 32


def play_samples() -> list[bytes]:
    game = {"game": GAME.decode()}
    begin = {"configuration": "hex8-2", "persons": [1], "strength": "16"}
    return [
        to_json(sample)
        for sample in (
            begin,
            {**begin, "configuration": "square19-4", "persons": [], "seed": "s", "instead_of": GAME.decode()},
            game,
            {**game, "move": "PR 0,0 2"},
            {**game, "move": "\udfff"},
            {**game, "number": 3},
        )
    ]


# Requests, well formed and not.

_LINES = (
    "content-length: 5", "content-length: 0", "content-length: -1", "content-length: " + "9" * 30,
    "content-length: " + "9" * 5000, "content-length: 0x10", "content-length: 5, 5", "transfer-encoding: chunked",
    "transfer-encoding: gzip, chunked", "transfer-encoding: identity", "expect: 100-continue", "connection: close",
    "connection: upgrade", "upgrade: h2c", "host: 127.0.0.1", "host: evil.example", "host: [::1]:99999", "host:",
    "traceparent: 00-" + "0af7" * 8 + "-00f067aa0ba902b7-01", "traceparent: \xff\xfe", "traceparent: " + "0" * 9000,
    "origin: http://evil.example", "sec-fetch-site: cross-site", f"{TOKEN_HEADER}: {TOKEN}",
    f"{TOKEN_HEADER}: \xff\xfe",
    "content-type: application/json", "content-type: text/plain", " folded", "x" * 70_000, "a: " + "b" * 20_000,
    ": x", "a: \x00", "cookie: " + "; ".join("c=1" for _ in range(500)),
)  # fmt: skip
_TARGETS = (
    "/",
    "/status",
    "/log?after=" + "9" * 5000,
    "/log?after=-1",
    "/certificates/" + "0" * 64,
    "/certificates/%00",
    "*",
    "http://127.0.0.1/status",
    "//",
    "/%ff%fe",
    "/propose",
    "/vote",
    CHAIN_PATH,
    "/gossip/sync",
    "/" + "a" * 60_000,
    "/\xff",
)
_METHODS = ("GET", "POST", "HEAD", "PUT", "CONNECT", "OPTIONS", "PRI", "", "get", "G\x00T")
_CHUNKS = (b"5\r\nhello\r\n0\r\n\r\n", b"ffffffffffffffff\r\n", b"5;" + b"x" * 70_000, b"-1\r\n\r\n")
_VERSIONS = ("HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/1.9", "http/1.1", "")


def request(method: str, target: str, body: bytes = b"", *lines: str) -> bytes:
    size = [f"content-length: {len(body)}"] if body else []
    head = (f"{method} {target} HTTP/1.1", "host: 127.0.0.1", *lines, *size)
    return "\r\n".join((*head, "", "")).encode("latin-1") + body


def response(status: int, body: bytes) -> bytes:
    return f"HTTP/1.1 {status} \r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def forge_http(mutator: Mutator) -> bytes:
    """One to three messages one after the other, with a changed start, changed headers or a changed body."""
    chance = mutator.chance
    made = b"".join(_forge_message(mutator) for _ in range(chance.choice((1, 1, 1, 2, 3))))
    return Mutator(f"{chance.random()}", [made]).bytes_input() if chance.random() < 0.3 else made


def _forge_message(mutator: Mutator) -> bytes:
    chance = mutator.chance
    head, _, body = chance.choice(mutator.samples).partition(b"\r\n\r\n")
    start, *lines = head.decode("latin-1").split("\r\n")
    if chance.random() < 0.3 and not start.startswith("HTTP/"):
        start = " ".join(chance.choice(words) for words in (_METHODS, _TARGETS, _VERSIONS))
    for _ in range(chance.choice((0, 0, 1, 2, 4))):
        at = chance.randint(0, len(lines))
        lines[at : at + chance.randint(0, 1)] = [chance.choice(_LINES)]
    if body and chance.random() < 0.5:
        body = mutator.structure(body)
        lines = [line for line in lines if not line.startswith("content-length")]
        lines.append(f"content-length: {len(body)}")
    elif chance.random() < 0.2:
        lines.append("transfer-encoding: chunked")
        body = chance.choice(_CHUNKS)
    return "\r\n".join((start, *lines, "", "")).encode("latin-1") + body


def peer_requests(bodies: list[bytes]) -> list[bytes]:
    chain = [request("POST", CHAIN_PATH, ChainRequest(number).encode()) for number in (1, 2**40)]
    return [*(request("POST", "/gossip/sync", body) for body in bodies[:12]), *chain]


def local_requests() -> list[bytes]:
    paths = ("/", "/health", "/ready", "/status", "/members", "/proposals", "/metrics", "/log?after=3", "/live.js")
    acting = (f"{TOKEN_HEADER}: {TOKEN}", "content-type: application/json")
    return [
        *(request(method, path) for path in paths for method in ("GET", "HEAD")),
        *(request("POST", "/propose", body, *acting) for body in wish_samples()),
        *(request("POST", "/vote", body, *acting) for body in vote_samples()),
    ]


def peer_answers() -> list[bytes]:
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    return [response(200, b"x" * 1000), response(200, b""), response(403, b"not a member"), response(204, b""), chunked]


# The chain of records.


class ChainCheck:
    """A teacher's answer, as a new node takes it. All but one of the members are honest: it believes the true chain."""

    def __init__(self, swarm: Any, true: list[SealedRecord]) -> None:
        self._genesis, self._true = swarm.genesis, {link.record.digest for link in true}

    def __call__(self, data: bytes) -> None:
        try:
            request = decode_chain_request(data)
        except MessageError:
            answer = decode_chain_answer(data)
            must(answer.encode() == data, "an answer that reads back differently")
            in_virtual_time(partial(self._learn, data))
        else:
            must(request.encode() == data, "a request that reads back differently")
            in_virtual_time(partial(chain_route(MemoryStore(MemoryDisk())).handler, bytes(32), data))

    async def _learn(self, data: bytes) -> None:
        class Teacher:
            async def ask(
                self, _peer: bytes, _path: str, _body: bytes, *, timeout_s: float, max_bytes: int = MAX_ANSWER_BYTES
            ) -> bytes:
                await trio.lowlevel.checkpoint()
                if len(data) > max_bytes:
                    raise BadAnswer("too large")
                return data

        store = MemoryStore(MemoryDisk())
        chain = RecordChain(self._genesis, store)
        try:
            await chain.fetch(Peer(bytes(32)), Teacher())
        finally:
            kept = await store.read_sealed_records(1, 99)
            must({link.record.digest for link in kept} <= self._true, "what was never sealed was believed")
            must(chain.newest is None or chain.newest.digest == kept[-1].record.digest, "more than was kept")


def chain_samples(true: list[SealedRecord]) -> list[bytes]:
    return [
        ChainRequest(1).encode(), ChainRequest(2**63 - 1).encode(), ChainAnswer(true[-1].record, true).encode(),
        ChainAnswer(true[1].record, true[:1]).encode(), ChainAnswer(None, []).encode(),
    ]  # fmt: skip


def forge_chain(true: list[SealedRecord], liar: Any, mutator: Mutator) -> bytes:
    """Records changed by a member that seals anything, among the seals that the others gave to the true ones."""
    chance, links = mutator.chance, list(true)
    if chance.random() < 0.3:
        return mutator.bytes_input()
    raws = []
    for link in links:
        raw = mutator.structure(link.record.raw) if chance.random() < 0.5 else link.record.raw
        seals = [list(seal) for seal in link.seals]
        try:
            record = decode_record(raw)
            seals = [[one, record.seal(liar) if one == liar.id else seal] for one, seal in seals]
        except EpochError:
            pass
        if chance.random() < 0.3:
            seals = mutator.value(seals)
        try:
            raws.append(encode([raw, seals]))
        except (ValueError, TypeError):
            raws.append(link.raw)
    if chance.random() < 0.2:
        chance.shuffle(raws)
    opened = chance.choice((None, *(link.record.raw for link in links), mutator.structure(links[-1].record.raw)))
    return encode({"opened": opened, "records": raws[: chance.randint(0, 3)]})
