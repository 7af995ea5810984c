"""docs/http-api.md is as the types say, and a node answers as the page says."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from node.api.status import Status
from node.config.address import Address
from node.play.sessions import PlaySessions
from node.web.control import Control
from node.web.play import PlayControl
from node.web.routes import Routes
from node.web.server import serve_local
from scripts import http_api
from tests.node.fake_source import FakeSource

PAGE = http_api.PAGE.read_text()
_KINDS: dict[str, Any] = {"text": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}


def test_the_page_is_as_the_types_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert http_api.main(["--check"]) == 0, capsys.readouterr().err


def test_the_page_has_every_path() -> None:
    nobody: Any = SimpleNamespace(propose=None, import_model=None)
    control = Control(nobody, "", "")
    play = PlayControl(PlaySessions(nobody, nobody), tokens=(), host="")
    served = {f"GET {path}" for path in Routes(FakeSource())._plain}
    served |= {f"POST {path}" for path in (*control._paths, *play.paths)}
    by_name = {
        *("GET /candidates/<id>", "GET /promotions/<id>", "GET /events?of=<page>", "GET /log"),
        *(
            "GET /matches/<candidate>",
            "GET /games/<candidate>/<slot>",
            "GET /games/<digest>",
            "GET /records/<digest>/<number>",
            "GET /records/<digest>/<number>/<moves>",
            "GET /certificates/<id>",
            "GET /faults/<result>",
        ),
    }
    assert {path.heading for path in http_api.PATHS} == served | by_name


def _shapes() -> dict[str, dict[str, str]]:
    """Return the fields with their types of every shape that the page describes."""
    shapes: dict[str, dict[str, str]] = {}
    for section in re.split(r"^##+ ", PAGE, flags=re.MULTILINE):
        named = re.search(r'<a id="(\w+)">', section)
        name = named[1] if named else section.split("\n", 1)[0].lower()
        shapes[name] = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", section, re.MULTILINE))
    return shapes


SHAPES = _shapes()


def misfits(value: Any, kind: str, where: str) -> Iterator[str]:
    """Yield where a value is not what the page says."""
    if kind.startswith("list of "):
        for place, entry in enumerate(value):
            yield from misfits(entry, kind.removeprefix("list of "), f"{where}[{place}]")
    elif value is not None and (inner := re.match(r"object \(of (.*)\)", kind)):
        for name, entry in value.items():
            yield from misfits(entry, inner[1], f"{where}.{name}")
    elif not any(_is(value, each) for each in re.split(", | or ", kind)):
        yield f"{where}: {value!r} is not {kind}"
    elif isinstance(value, dict):
        shape = SHAPES[re.findall(r"#(\w+)\)", kind)[0]]
        if value.keys() != shape.keys():
            yield f"{where}: the fields are {sorted(value)}"
        for name in value.keys() & shape.keys():
            yield from misfits(value[name], shape[name], f"{where}.{name}")


def _is(value: Any, kind: str) -> bool:
    if kind.startswith('"'):
        return bool(value == kind.strip('"'))
    if kind.startswith("["):
        return isinstance(value, dict)
    return isinstance(value, _KINDS.get(kind, ())) and (kind == "boolean" or not isinstance(value, bool))


async def _get(url: str, path: str) -> Any:
    host, port = url.removeprefix("http://").split(":")
    async with await trio.open_tcp_stream(host, int(port)) as stream:
        await stream.send_all(f"GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode())
        answer = b"".join([part async for part in stream])
    return json.loads(answer.partition(b"\r\n\r\n")[2])


async def test_a_node_answers_as_the_page_says(tmp_path: Path) -> None:
    table = re.findall(r"^\| `GET (/\w+)` \| (?:a )?((?:list of )?\[.*?\)) \|", PAGE, re.MULTILINE)
    assert len(table) == 16
    async with trio.open_nursery() as nursery:
        url = await nursery.start(serve_local, FakeSource(), Address("127.0.0.1", 0), tmp_path)
        for path, kind in table:
            value = await _get(url, path)
            assert value, path
            assert list(misfits(value, kind, path)) == []
        nursery.cancel_scope.cancel()


def test_what_does_not_fit_is_noticed() -> None:
    status = http_api.example(Status)
    assert list(misfits(status, "[Status](#status)", "")) == []
    status["swarm"]["members"] = "four"
    del status["node"]["id"]
    status["peers"][0]["state"] = "asleep"
    assert len(list(misfits(status, "[Status](#status)", ""))) == 3
