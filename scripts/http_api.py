"""Writes docs/http-api.md from the types in node/api and the metrics in node/web, and tells whether it still fits."""

from __future__ import annotations

import argparse
import ast
import inspect
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from node.api import play, requests, status
from node.api.drains import DrainInfo
from node.api.errors import ErrorInfo
from node.api.health import HealthInfo, ReadinessInfo
from node.api.matches import MatchInfo
from node.api.nominations import NominationInfo
from node.api.proposals import ProposalInfo
from node.api.records import RecordInfo, RecordThoughtInfo
from node.api.source import StatusSource
from node.web.metrics import render_metrics

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "http-api.md"

_HEAD = """\
# The HTTP API of a node

<!-- Written by scripts/http_api from node/api and node/web. Do not edit: change the types, and run it again. -->

Every node serves people and programs on its own machine: by default on loopback, at the port for peers plus 1000
(`--http HOST:PORT` chooses another address). The file `http.json` in the node's data folder has the URL; the commands
of `ringrift-node` find it there. Reading needs no password. On a loopback address a node answers only requests whose
host header is a loopback name, so that a web page elsewhere cannot read it under a name of its own. A proxy before it
has to send one as host header; it may serve the node under a path of its own (with a slash at the end), as all links
are relative. Forwarded headers are not looked at.

"""
_AFTER_PATHS = """\
Paths that answer `GET` also answer `HEAD`, and every path answers `OPTIONS` with the methods that it takes. HTTP/1.0
will do, without a host header too. [page.md](page.md) says what the pages show, and what `/events` sends.

## Errors

"""
_STATUSES = (
    (400, "the request is malformed, or is not addressed to a name of this node"),
    (
        403,
        "a `POST` without the token, or from a web page; below `/play` and `/records`, and for `/events`, "
        "from a page of another site",
    ),
    (404, "there is no such path, candidate, certificate, proof, member, proposal, model, file or game"),
    (405, "the path takes another method"),
    (409, "the swarm, this node's place in it, or the rules of the game do not allow that now"),
    (413, "the body of a `POST` is too large"),
    (415, "the body of a `POST` is not `application/json`, in UTF-8"),
    (431, "the request has too long a head"),
    (500, "a mistake in the program, which is in its log"),
    (
        503,
        "the node is not ready (`/ready` says why), has too much to put forward, or many pages open; try again later",
    ),
)
_METRICS = """\
## `GET /metrics`

The figures of `/status` in the Prometheus text format. Counters end with `_total`. What is not known is left out.

"""


@dataclass(frozen=True)
class _Path:
    """Something that can be asked for: with which body, and what is answered."""

    method: str
    path: str
    answers: type | str  # a shape, or a media type
    text: str
    is_list: bool = False
    body: type | None = None

    @property
    def heading(self) -> str:
        return f"{self.method} {self.path}"


def _told(method: str, text: str, path: str | None = None) -> _Path:
    """Return the path at which an answer of `StatusSource` is served."""
    answer = get_type_hints(getattr(StatusSource, method))["return"]
    is_list = get_origin(answer) is list
    return _Path("GET", path or f"/{method}", get_args(answer)[0] if is_list else answer, text, is_list)


PATHS = (
    _Path("GET", "/health", HealthInfo, "whether the process serves"),
    _Path("GET", "/ready", ReadinessInfo, "whether the node is level with the swarm"),
    _told("status", "how the node and its swarm are doing"),
    _told("members", "the members"),
    _told("work", "who works on what; candidates, results in doubt and wrong ones"),
    _told("steering", "what the swarm needs most, and every number that this follows from"),
    _told("models", "the models that are or were canonical"),
    _told("ratings", "how strong they are"),
    _told("graph", "the newest events of the open epoch, and how they are connected"),
    _told("history", "what was delivered when, by configuration and by member"),
    _Path("GET", "/matches/<candidate>", MatchInfo, "the match of a candidate, slot by slot"),
    _told("playing", "the games that this node's workers play now: a move of one in each slot"),
    _told("records", "the newest files of games that this node keeps"),
    _Path("GET", "/records/<digest>/<number>", RecordInfo, "a game of a file, position by position"),
    _Path(
        "GET",
        "/records/<digest>/<number>/<moves>",
        RecordThoughtInfo,
        "what the canonical model thinks of a position of a game",
    ),
    _Path("GET", "/games/<candidate>/<slot>", "application/octet-stream", "the games of a slot, byte for byte"),
    _told("certificates", "the certificates of promotions"),
    _Path("GET", "/certificates/<id>", "application/json", "a complete certificate, byte for byte"),
    _told("faults", "the results that were proven wrong"),
    _Path("GET", "/faults/<result>", "application/cbor", "the proof of a wrong result, byte for byte"),
    _told("proposals", "the proposals to change the roster"),
    _told("log", "what the order brought", "/log"),
    _Path("GET", "/metrics", "text/plain", "the figures of `/status` for Prometheus"),
    _Path("GET", "/", "text/html", "the page for people"),
    _Path("GET", "/dag", "text/html", "the page of the newest events"),
    _Path("GET", "/games", "text/html", "the page of the newest games"),
    _Path("GET", "/games/<digest>", "text/html", "the page of a file of games: each drawn, step by step"),
    _Path("GET", "/candidates/<id>", "text/html", "the page of a candidate: its match, and why it was promoted or not"),
    _Path("GET", "/promotions/<id>", "text/html", "the page of a certificate: how to check and keep it"),
    _Path("GET", "/events?of=<page>", "text/event-stream", "what changes on a page, for its script"),
    _Path("GET", "/play", "text/html", "the page for playing against the canonical models"),
    _Path("GET", "/icon.svg", "image/svg+xml", "part of the pages"),
    _Path("GET", "/style.css", "text/css", "part of the pages"),
    _Path("GET", "/live.js", "text/javascript", "part of the pages"),
    _Path("GET", "/morph.js", "text/javascript", "part of the pages"),
    _Path("GET", "/play.css", "text/css", "part of the page `/play`"),
    _Path("GET", "/play.js", "text/javascript", "part of the page `/play`"),
    _Path("GET", "/board.js", "text/javascript", "part of the pages with a board"),
    _Path("GET", "/pieces.js", "text/javascript", "part of the pages with a board"),
    _Path("GET", "/sides.js", "text/javascript", "part of the pages with a board"),
    _Path("GET", "/game.js", "text/javascript", "part of the page of a file of games"),
    _Path("GET", "/game.css", "text/css", "part of the page of a file of games"),
    _Path("GET", "/playing.js", "text/javascript", "part of the page `/games`"),
    _Path("GET", "/playing.css", "text/css", "part of the page `/games`"),
    _Path("POST", "/propose", ProposalInfo, "propose a change of the roster", body=requests.ProposeRequest),
    _Path("POST", "/vote", ProposalInfo, "vote on a proposal", body=requests.VoteRequest),
    _Path("POST", "/nominate", NominationInfo, "nominate an earlier model again", body=requests.NominateRequest),
    _Path("POST", "/import", NominationInfo, "nominate a model from elsewhere", body=requests.ImportRequest),
    _Path("POST", "/drain", DrainInfo, "end the work of this node, and then the node", body=requests.DrainRequest),
    _Path("POST", "/play", play.PlayInfo, "begin a game against a model", body=play.PlayRequest),
    _Path("POST", "/play/move", play.PlayInfo, "play a move", body=play.PlayMoveRequest),
    _Path("POST", "/play/answer", play.PlayInfo, "let the model play a move", body=play.PlayGameRequest),
    _Path("POST", "/play/undo", play.PlayInfo, "take back a person's last move", body=play.PlayGameRequest),
    _Path("POST", "/play/look", play.PlayInfo, "show a position of a game", body=play.PlayLookRequest),
    _Path("POST", "/play/think", play.PlayThoughtInfo, "show what the model thinks", body=play.PlayGameRequest),
    _Path("POST", "/play/save", play.PlayRecordInfo, "save a game", body=play.PlayGameRequest),
    _Path("POST", "/play/end", play.PlayEndInfo, "end a game", body=play.PlayGameRequest),
)


def page() -> str:
    """Return the page."""
    return _HEAD + "\n".join(_Writer().lines()) + "\n\n" + _METRICS + "\n".join(_metrics()) + "\n"


class _Writer:
    """Describes each path, and each shape where it first occurs."""

    def __init__(self) -> None:
        self._described: set[type] = set()

    def lines(self) -> Iterator[str]:
        """Yield the lines from the table of paths to the last shape."""
        yield from _paragraphs(status)
        yield from ("", "## Paths", "", "| path | answers | |", "|---|---|---|")
        for path in PATHS:
            yield f"| `{path.heading}` | {_answer(path)} | {path.text} |"
        yield from ("", *_AFTER_PATHS.splitlines())
        yield from _shape(ErrorInfo)
        yield from ("", "| status | when |", "|---|---|")
        yield from (f"| {code} | {text} |" for code, text in _STATUSES)
        for path in PATHS:
            if path.body is None and not isinstance(path.answers, str):
                yield from self._describe(path.answers, f"## `{path.heading}`")
        yield from ("", "## Requests that make a node act", "", *_paragraphs(requests))
        for path in PATHS:
            if path.body is not None:
                yield from self._describe(path.body, f"## `{path.heading}`")
                if not isinstance(path.answers, str) and path.answers not in self._described:
                    yield from self._describe(path.answers, f"### {path.answers.__name__}")

    def _describe(self, shape: type, heading: str) -> Iterator[str]:
        self._described.add(shape)
        yield from ("", heading, "")
        if heading.startswith("## "):
            yield f'<a id="{shape.__name__.lower()}"></a>'
        yield from _shape(shape)
        for inner in _inner_shapes(shape):
            if inner not in self._described:
                yield from self._describe(inner, f"### {inner.__name__}")


def _answer(path: _Path) -> str:
    if isinstance(path.answers, str):
        return path.answers
    name = f"[{path.answers.__name__}](#{path.answers.__name__.lower()})"
    return f"a list of {name}" if path.is_list else name


def _paragraphs(module: ModuleType) -> Iterator[str]:
    """Yield what a module says after its first sentence."""
    _, _, rest = inspect.cleandoc(module.__doc__ or "").partition("\n\n")
    yield rest.replace("`node.api.endpoint`", "`http.token`")


def _shape(shape: type) -> Iterator[str]:
    """Yield the description of a shape, and the table of its fields."""
    yield from (inspect.cleandoc(shape.__doc__ or ""), "", "| field | type | meaning |", "|---|---|---|")
    meanings = _meanings(shape.__module__)[shape.__name__]
    for name, kind in get_type_hints(shape, include_extras=True).items():
        yield f"| `{name}` | {type_text(kind)} | {meanings[name]} |"


def _inner_shapes(kind: Any) -> Iterator[type]:
    """Yield the shapes of which a shape consists, in order."""
    inner = get_type_hints(kind).values() if is_typeddict(kind) else get_args(kind)
    for each in inner:
        if is_typeddict(each):
            yield each
        else:
            yield from _inner_shapes(each)


def type_text(kind: Any) -> str:
    """Return how the page writes a type."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is NotRequired:
        return f"{type_text(arguments[0])}, optional"
    if origin in (Union, types.UnionType):
        return _either(type_text(each) for each in arguments)
    if origin is Literal:
        return _either(f'"{each}"' for each in arguments)
    if origin is list:
        return f"list of {type_text(arguments[0])}"
    if origin is dict:
        return f"object (of {type_text(arguments[1])})"
    if is_typeddict(kind):
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    return {str: "text", int: "integer", float: "number", bool: "boolean", types.NoneType: "null"}[kind]


def _either(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


@cache
def _meanings(module: str) -> Mapping[str, Mapping[str, str]]:
    """Return the text under each field of each class of a module."""
    tree = ast.parse(Path(sys.modules[module].__file__ or "").read_text())
    return {node.name: dict(_fields(node)) for node in tree.body if isinstance(node, ast.ClassDef)}


def _fields(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, text in zip(node.body, node.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            assert isinstance(text.value, ast.Constant)
            yield field.target.id, " ".join(str(text.value.value).split())


def example(kind: Any) -> Any:
    """Return a value of a type in which nothing is missing."""
    origin, arguments = get_origin(kind), get_args(kind)
    if is_typeddict(kind):
        return {name: example(each) for name, each in get_type_hints(kind).items()}
    if origin in (Union, types.UnionType):
        return example(arguments[0])
    if origin is Literal:
        return arguments[0]
    if origin is list:
        return [example(arguments[0])]
    if origin is dict:
        return {"": example(arguments[1])}
    return kind()


def _metrics() -> Iterator[str]:
    families = text_string_to_metric_families(render_metrics(example(status.Status)).decode())
    yield from ("| metric | kind | labels | meaning |", "|---|---|---|---|")
    for family in families:
        yield f"| `{_metric_name(family)}` | {_metric_kind(family)} | {_labels(family)} | {family.documentation} |"


def _metric_name(family: Metric) -> str:
    return family.name if family.type == "histogram" else family.samples[0].name


def _metric_kind(family: Metric) -> str:
    return family.type if family.type in ("counter", "histogram") else "gauge"


def _labels(family: Metric) -> str:
    return ", ".join(f"`{name}`" for name in family.samples[0].labels if name != "le")


def main(argv: list[str] | None = None) -> int:
    """Write the page, or check it; return the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/http_api", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="exit with 1 and one line if the page no longer fits")
    options = parser.parse_args(argv)
    if not options.check:
        PAGE.write_text(page())
    elif not PAGE.exists() or PAGE.read_text() != page():
        print(
            f"{PAGE.relative_to(ROOT)} no longer fits node/api; write it again with scripts/http_api", file=sys.stderr
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
