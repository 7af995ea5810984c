"""The answers to GET requests by path: JSON, Prometheus text, certificates, proofs and the page."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import structlog
from prometheus_client import CONTENT_TYPE_LATEST

from node.api.errors import ErrorInfo
from node.api.health import HealthInfo, ReadinessInfo
from node.api.source import StatusSource
from node.play.viewing import RecordRequest
from node.text.harmless import harmless
from node.web.metrics import render_metrics
from node.web.page import open_view, render_page, render_play
from node.web.targets import Target, is_local_name, parse_target

_HERE = Path(__file__).parent
# The page loads nothing from elsewhere and has no inline code, so what a peer wrote into the ledger can never run.
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
_FILES = {
    "icon.svg": "image/svg+xml",
    "style.css": "text/css",
    "live.js": "text/javascript",
    "morph.js": "text/javascript",
    "play.css": "text/css",
    "game.js": "text/javascript",
    "playing.js": "text/javascript",
    "playing.css": "text/css",
    "game.css": "text/css",
    "sides.js": "text/javascript",
    "play.js": "text/javascript",
    "board.js": "text/javascript",
    "pieces.js": "text/javascript",
}
_LOCAL_NAMES = "localhost, 127.0.0.1, [::1]"
READ_METHODS = "GET, HEAD, OPTIONS"
"""What every path takes that can be read."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; its headers lack content-length, which the server adds."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    page: str | None = None
    """The path of the page whose changes come as the body; None if `body` is all."""
    record: RecordRequest | None = None
    """The recorded game that comes as the body; None if `body` is all."""


_FURTHER = (
    "/candidates/ID",
    "/promotions/ID",
    "/events",
    "/log",
    "/certificates/ID",
    "/matches/ID",
    "/games/ID",
    "/games/ID/SLOT",
    "/records/ID/NUMBER",
    "/faults/ID",
)


class _NotFound(Exception):  # noqa: N818 - an answer, not a failure
    """There is nothing at this path; the message goes out with status 404."""


class _BadRequest(Exception):  # noqa: N818 - an answer, not a failure
    """The query of the request is wrong; the message goes out with status 400."""


@dataclass(frozen=True)
class Routes:
    """Answers GET requests from a `StatusSource`.

    With `only_local`, only requests addressed to a loopback name are answered, so that a web page elsewhere cannot
    point a name of its own at this node (DNS rebinding). It is off where a person chose to bind another address. One
    that names no host, as HTTP/1.0 allows, is not from a browser. `play_token` goes into the page `/play`.
    """

    source: StatusSource
    only_local: bool = True
    play_token: str = ""
    _plain: Mapping[str, Callable[[], Answer]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_plain", _plain_routes(self.source, self.play_token))

    def answer(self, method: str, target: str, host: str) -> Answer:
        """Answer one request; never raise. `target` is its path and query, `host` its Host header."""
        asked = parse_target(target, host)
        if self.only_local and asked.host and not is_local_name(asked.host):
            remedy = "a proxy before it has to send one of them as Host"
            return error_answer(400, f"this node answers requests for {_LOCAL_NAMES} only; {remedy}")
        if method == "OPTIONS":
            return options_answer(READ_METHODS)
        if method not in ("GET", "HEAD"):
            return error_answer(405, "this path takes GET only; nothing can be changed there", allow=READ_METHODS)
        try:
            return self._find(asked)
        except _NotFound as error:
            return error_answer(404, str(error))
        except _BadRequest as error:
            return error_answer(400, str(error))
        except Exception as error:
            _log.error("request failed", target=target, exc_info=error)
            return error_answer(500, "the node failed to answer this; its log says why")

    def has(self, target: str) -> bool:
        """Return whether the path of a request can be read."""
        return parse_target(target).path in self._plain

    def _find(self, asked: Target) -> Answer:
        path = asked.path
        if path in self._plain:
            return self._plain[path]()
        view = open_view(self.source, path)
        if view is not None:
            return _content("text/html; charset=utf-8", view.html().encode())
        if path == "/events":
            return self._events(asked.query)
        if path == "/log":
            return self._log_after(asked.query)
        if path.startswith("/certificates/"):
            return self._certificate(path.removeprefix("/certificates/"))
        if path.startswith("/matches/"):
            return self._match(path.removeprefix("/matches/"))
        if path.startswith("/games/"):
            return self._games(path.removeprefix("/games/"))
        if path.startswith("/records/"):
            return self._record(path.removeprefix("/records/"))
        if path.startswith("/faults/"):
            return self._fault(path.removeprefix("/faults/"))
        raise _NotFound(f"there is no {path}; try one of {', '.join((*self._plain, *_FURTHER))}")

    def _certificate(self, name: str) -> Answer:
        envelope = self.source.certificate(name) if re.fullmatch("[0-9a-f]{64}", name) else None
        if envelope is None:
            raise _NotFound("no complete certificate has this id; /certificates lists them")
        disposition = f'inline; filename="{name[:16]}.certificate.json"'
        return _content("application/json", envelope, {"content-disposition": disposition})

    def _match(self, name: str) -> Answer:
        match = self.source.match(name) if re.fullmatch("[0-9a-f]{64}", name) else None
        if match is None:
            raise _NotFound("no candidate that is kept has this id; /work lists the newest")
        return json_answer(match)

    def _games(self, name: str) -> Answer:
        parts = re.fullmatch("([0-9a-f]{64})/([0-9]{1,6})", name)
        games = None if parts is None else self.source.games(parts[1], int(parts[2]))
        if parts is None or games is None:
            raise _NotFound("this node does not keep games of this candidate and slot; /matches/ID says which it keeps")
        disposition = f'attachment; filename="{parts[1][:10]}.slot{parts[2]}.match"'
        return _content("application/octet-stream", games, {"content-disposition": disposition})

    def _record(self, name: str) -> Answer:
        parts = re.fullmatch("([0-9a-f]{64})/([0-9]{1,6})(?:/([0-9]{1,6}))?", name)
        file = None if parts is None else self.source.record(parts[1])
        if parts is None or file is None:
            raise _NotFound("this node keeps no games with this digest; /records lists the newest that it keeps")
        moves = None if parts[3] is None else int(parts[3])
        asked = RecordRequest(file, self.source.record_path(parts[1]), int(parts[2]), moves)
        return replace(encoded_answer(b""), record=asked)

    def _fault(self, name: str) -> Answer:
        proof = self.source.fault(name) if re.fullmatch("[0-9a-f]{64}", name) else None
        if proof is None:
            raise _NotFound("no proof of a wrong result has this id here; /faults lists them")
        disposition = f'attachment; filename="{name[:16]}.fault"'
        return _content("application/cbor", proof, {"content-disposition": disposition})

    def _events(self, query: str) -> Answer:
        page = parse_qs(query).get("of", ["/"])[-1]
        if open_view(self.source, page) is None:
            raise _NotFound(f"there is no page {page} that changes; / is one")
        headers = {**_HEADERS, "content-type": "text/event-stream", "x-accel-buffering": "no"}  # a proxy is not to wait
        return Answer(200, headers, b"", page=page)

    def _log_after(self, query: str) -> Answer:
        after = parse_qs(query, keep_blank_values=True).get("after", ["0"])[-1]
        if not re.fullmatch("[0-9]{1,18}", after):
            raise _BadRequest("after must be the number of the last entry you have, such as /log?after=120")
        return json_answer(self.source.log(int(after)))


def _plain_routes(source: StatusSource, play_token: str) -> dict[str, Callable[[], Answer]]:
    routes: dict[str, Callable[[], Answer]] = {
        "/": lambda: _content("text/html; charset=utf-8", render_page(source).encode()),
        "/play": lambda: _content("text/html; charset=utf-8", render_play(source, play_token).encode()),
        "/games": lambda: _content("text/html; charset=utf-8", render_page(source, "/games").encode()),
        "/dag": lambda: _content("text/html; charset=utf-8", render_page(source, "/dag").encode()),
        "/health": lambda: json_answer(HealthInfo(alive=True)),
        "/ready": lambda: _ready(source),
        "/status": lambda: json_answer(source.status()),
        "/members": lambda: json_answer(source.members()),
        "/work": lambda: json_answer(source.work()),
        "/steering": lambda: json_answer(source.steering()),
        "/models": lambda: json_answer(source.models()),
        "/ratings": lambda: json_answer(source.ratings()),
        "/graph": lambda: json_answer(source.graph()),
        "/history": lambda: json_answer(source.history()),
        "/playing": lambda: json_answer(source.playing()),
        "/records": lambda: json_answer(source.records()),
        "/proposals": lambda: json_answer(source.proposals()),
        "/faults": lambda: json_answer(source.faults()),
        "/certificates": lambda: json_answer(source.certificates()),
        "/metrics": lambda: _content(CONTENT_TYPE_LATEST, render_metrics(source.status())),
    }
    for name, media_type in _FILES.items():
        routes[f"/{name}"] = partial(_content, f"{media_type}; charset=utf-8", (_HERE / name).read_bytes())
    return routes


def _ready(source: StatusSource) -> Answer:
    status = source.status()
    readiness = ReadinessInfo(ready=status["ready"], reason=status["ready_reason"])
    return json_answer(readiness, 200 if status["ready"] else 503)


def options_answer(methods: str) -> Answer:
    """Make the answer to OPTIONS: the methods, and nothing that would let a web page elsewhere use them."""
    return Answer(200, {**_HEADERS, "allow": methods}, b"")


def json_answer(value: Any, status: int = 200) -> Answer:
    """Make an answer in JSON, in ASCII: so what peers wrote does nothing to a terminal that shows it as it comes."""
    return encoded_answer(json.dumps(value, separators=(",", ":")).encode("ascii"), status)


def encoded_answer(body: bytes, status: int = 200) -> Answer:
    """Make an answer of what is JSON in ASCII already."""
    return Answer(status, {**_HEADERS, "content-type": "application/json"}, body)


def _content(media_type: str, body: bytes, more: Mapping[str, str] | None = None) -> Answer:
    return Answer(200, {**_HEADERS, "content-type": media_type, **(more or {})}, body)


def error_answer(status: int, reason: str, **headers: str) -> Answer:
    """Make an answer that says in one line what is wrong; it may repeat what a person typed, or what a peer wrote."""
    answer = json_answer(ErrorInfo(error=harmless(reason)), status)
    return Answer(status, {**answer.headers, **headers}, answer.body)
