"""Playing over HTTP: who may, what is answered, and that it is as docs/http-api.md says."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio

from node.api.endpoint import TOKEN_HEADER, read_token, read_url
from node.config.address import Address
from node.play.sessions import PlaySessions
from node.web.server import serve_local
from tests.docs.test_http_api import misfits
from tests.node.fake_source import FakeSource
from tests.node.play.games import InProcess, heuristic
from tests.node.web.test_control import FakeActions

BEGIN = {"configuration": "hex8-2", "persons": [1], "strength": "16", "seed": "s"}


@pytest.fixture
async def data(kernels: None, source: FakeSource, tmp_path: Path) -> AsyncIterator[Path]:
    """The data folder of a node at which people play."""
    games = PlaySessions(InProcess(), heuristic)
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_local, source, Address("127.0.0.1", 0), tmp_path, FakeActions(source), games)
        yield tmp_path
        nursery.cancel_scope.cancel()


async def ask(data: Path, method: str, path: str, body: object = None, **headers: str) -> tuple[int, bytes, bytes]:
    """Return the status, the head and the body of an answer."""
    url = read_url(data)
    assert url is not None
    host = url.removeprefix("http://")
    sent = b"" if body is None else json.dumps(body).encode()
    given = {"host": host, "content-type": "application/json", "content-length": str(len(sent))}
    given |= {TOKEN_HEADER: read_token(data)} if method == "POST" else {}
    given |= {name.replace("_", "-"): value.replace("HOST", host) for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items() if value)
    async with await trio.open_tcp_stream("127.0.0.1", int(host.rpartition(":")[2])) as stream:
        await stream.send_all(f"{method} {path} HTTP/1.1\r\nconnection: close\r\n{lines}\r\n".encode() + sent)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += await stream.receive_some()
        head, _, rest = answer.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        while len(rest) < length:
            rest += await stream.receive_some()
    return int(head.split()[1]), head, rest


async def post(data: Path, path: str, body: object, **headers: str) -> tuple[int, Any]:
    status, _, answer = await ask(data, "POST", path, body, **headers)
    return status, json.loads(answer)


async def test_a_person_plays_over_http_as_the_page_of_the_docs_says(data: Path) -> None:
    status, info = await post(data, "/play", BEGIN)
    assert status == 200
    assert list(misfits(info, "[PlayInfo](#playinfo)", "")) == []
    game = {"game": info["game"]}
    for path, request, shape in (
        ("/play/move", {**game, "move": "PR 0,0 2"}, "PlayInfo"),
        ("/play/move", {**game, "move": "MV 0,0 2,0"}, "PlayInfo"),
        ("/play/answer", game, "PlayInfo"),
        ("/play/think", game, "PlayThoughtInfo"),
        ("/play/look", {**game, "number": 2}, "PlayInfo"),
        ("/play/undo", game, "PlayInfo"),
        ("/play/save", game, "PlayRecordInfo"),
        ("/play/end", game, "PlayEndInfo"),
    ):
        status, answer = await post(data, path, request)
        assert status == 200, answer
        assert list(misfits(answer, f"[{shape}](#{shape.lower()})", path)) == []
    assert answer == {"games": 0}
    status, answer = await post(data, "/play/move", {**game, "move": "NL"})
    assert (status, answer["error"][:25]) == (404, "there is no such game her")


@pytest.mark.parametrize(
    ("headers", "status", "complaint"),
    [
        ({"x_ringrift_token": ""}, 403, "the token is missing"),
        ({"x_ringrift_token": "0" * 64}, 403, "the token is missing"),
        ({"host": "evil.example"}, 400, "its own address only"),
        ({"origin": "http://evil.example"}, 403, "its own page only"),
        ({"origin": "null"}, 403, "its own page only"),
        ({"origin": "http://127.0.0.1:1"}, 403, "its own page only"),
        ({"sec_fetch_site": "cross-site"}, 403, "its own page only"),
        ({"sec_fetch_site": "same-site"}, 403, "its own page only"),
        ({"content_type": "text/plain"}, 415, "application/json"),
    ],
)
async def test_pages_of_others_cannot_play(data: Path, headers: dict[str, str], status: int, complaint: str) -> None:
    answer = await post(data, "/play", BEGIN, **headers)
    assert answer[0] == status
    assert complaint in answer[1]["error"]


async def test_the_token_of_the_page_plays_and_does_nothing_else(data: Path) -> None:
    status, head, page = await ask(data, "GET", "/play")
    assert status == 200
    assert b"default-src 'none'" in head
    token = page.partition(b'name="ringrift-token" content="')[2][:64].decode()
    assert token != read_token(data)
    own = {"x_ringrift_token": token, "origin": "http://HOST"}
    assert (await post(data, "/play", BEGIN, **own))[0] == 200
    assert (await post(data, "/play", BEGIN, **own, sec_fetch_site="same-origin"))[0] == 200
    assert (await post(data, "/vote", {"proposal": "ab", "approve": True}, x_ringrift_token=token))[0] == 403
    assert b"unsafe" not in head
    assert b"style=" not in page
    assert b"onclick" not in page
    assert page.count(b"<script") == page.count(b'<script type="module" src="play.js">') == 1


@pytest.mark.parametrize(
    ("path", "request_body", "status", "complaint"),
    [
        ("/play", [], 400, "the body must be a JSON object"),
        ("/play", {}, 400, "persons must be a list"),
        ("/play", {**BEGIN, "persons": [True]}, 400, "persons must be a list"),
        ("/play", {**BEGIN, "configuration": 2}, 400, "configuration is missing, or is not a text"),
        ("/play", {**BEGIN, "strength": "5"}, 400, "there is no strength 5"),
        ("/play/look", {"game": "0", "number": "1"}, 400, "must be a whole number"),
        ("/play/undo", {}, 400, "game is missing"),
        ("/play/undo", {"game": "0"}, 404, "there is no such game"),
        ("/play/nothing", {}, 404, "there is nothing to do at /play/nothing"),
    ],
)
async def test_bad_requests_have_one_reason(
    data: Path, path: str, request_body: object, status: int, complaint: str
) -> None:
    answer = await post(data, path, request_body)
    assert answer[0] == status
    assert complaint in answer[1]["error"]


async def test_the_paths_say_which_methods_they_take(data: Path) -> None:
    assert b"allow: GET, HEAD, OPTIONS, POST" in (await ask(data, "OPTIONS", "/play"))[1]
    assert b"allow: POST, OPTIONS" in (await ask(data, "OPTIONS", "/play/move"))[1]
    assert (await ask(data, "GET", "/play/move"))[0] == 405
    for name in ("play.css", "play.js", "board.js", "pieces.js"):
        status, head, body = await ask(data, "GET", f"/{name}")
        assert status == 200
        assert b"javascript" in head or b"text/css" in head
        assert b"http://" not in body.replace(b"http://www.w3.org/2000/svg", b"")
