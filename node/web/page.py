"""The pages: at `/` everything a node tells, rendered from the same answers as the JSON; at `/play` the games."""

import re
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from engine.config import CONFIGS
from node.api.log import LogEntry
from node.api.members import MemberInfo
from node.api.models import ModelInfo
from node.api.proposals import ProposalInfo
from node.api.ratings import RatingInfo
from node.api.source import StatusSource
from node.api.status import Status
from node.play.strengths import STRENGTHS
from node.text import formatting
from node.text.effects import predicate
from node.text.harmless import harmless
from node.web import charts
from node.web.graph_picture import graph_picture, lane_names

_FILTERS = (
    *("age", "ago", "clock", "count", "hourly", "losses", "measures", "moment", "needed", "offer"),
    "offer_in_short",
    *("plural", "share", "short"),
)
_FRAME = ("title", "heading", "content", "scripts")  # blocks that are no parts of a page
_MOST_RATINGS = 100
_MOST_CERTIFICATES = 20  # the newest
_LOG_LINES = 12
_LOG_SEARCHED = 400  # effects among which these lines are found; most effects are bookkeeping


class View:
    """A page as of now: its template, and what that shows."""

    def __init__(self, template: str, values: dict[str, Any]) -> None:
        self._template, self._values = _template(template), values

    def html(self) -> str:
        """Return the page as HTML. Everything that comes from peers is escaped, and harmless to read."""
        return self._template.render(self._values)

    def parts(self) -> Iterator[tuple[str, str]]:
        """Yield the parts of the page that change, each with its id, as HTML: the same as in `html`."""
        context = self._template.new_context(self._values)
        for name, block in context.blocks.items():
            if name not in _FRAME:
                yield name, "".join(block[0](context))


def open_view(source: StatusSource, path: str) -> View | None:
    """Return the page at a path, or None if there is none."""
    if path == "/":
        common = _common(source, path)
        return View("home.html", {**common, **_home(source, common["status"])})
    if path == "/dag":
        graph = source.graph()
        return View(
            "dag.html",
            {**_common(source, path), "graph": graph, "names": lane_names(graph), "picture": graph_picture(graph)},
        )
    if path == "/games":
        common = _common(source, path)
        return View("games.html", {**common, "playing": source.playing(), "records": source.records()})
    room, _, name = path.removeprefix("/").partition("/")
    values = _NAMED[room](source, name) if room in _NAMED and re.fullmatch("[0-9a-f]{64}", name) else None
    return None if values is None else View(f"{room[:-1]}.html", {**_common(source, path), **values})


def render_page(source: StatusSource, path: str = "/") -> str:
    """Return a page that there is, as HTML."""
    view = open_view(source, path)
    assert view is not None
    return view.html()


def _common(source: StatusSource, path: str) -> dict[str, Any]:
    """Return what is on every page; `up` leads from there to `/`."""
    status = source.status()
    return {
        "path": path,
        "up": "../" * (path.count("/") - 1),
        "status": status,
        "node": status["node"],
        "swarm": status["swarm"],
        "order": status["consensus"],
        "counts": status["counts"],
    }


def _candidate(source: StatusSource, name: str) -> dict[str, Any] | None:
    """Return what is on the page of a candidate, or None if the ledger does not keep it."""
    match = source.match(name)
    if match is None:
        return None
    promoted = {model["candidate"]: model["certificate"] for model in source.models()}.get(name)
    certificate = next((entry for entry in source.certificates() if entry["id"] == promoted), None)
    return {"match": match, "candidate": match["candidate"], "certificate": certificate}


def _promotion(source: StatusSource, name: str) -> dict[str, Any] | None:
    """Return what is on the page of a certificate, or None if there is none with this id."""
    certificate = next((entry for entry in source.certificates() if entry["id"] == name), None)
    if certificate is None:
        return None
    candidates = {(model["configuration"], model["since_round"]): model["candidate"] for model in source.models()}
    return {
        "certificate": certificate,
        "candidate": candidates.get((certificate["configuration"], certificate["round"])),
    }


def _game(source: StatusSource, name: str) -> dict[str, Any] | None:
    """Return what is on the page of a file of games, or None if this node keeps none with this digest."""
    record = source.record(name)
    return None if record is None else {"record": record}


_NAMED = {"candidates": _candidate, "promotions": _promotion, "games": _game}
"""What makes the pages below these folders."""


def _home(source: StatusSource, status: Status) -> dict[str, Any]:
    members, models, ratings, history = source.members(), source.models(), source.ratings(), source.history()
    certificates = source.certificates()
    return {
        "curves": _curves(models, ratings),
        "ratings": ratings[:_MOST_RATINGS],
        "more_ratings": max(0, len(ratings) - _MOST_RATINGS),
        "history": history,
        "played": bool(history["members"]),
        "by_configuration": charts.share_chart(history, "configuration", sorted(history["configurations"].items())),
        "by_member": charts.share_chart(
            history, "member", [(entry["name"], entry["amounts"]) for entry in history["members"]]
        ),
        "conduct": [(entry, text) for entry in status["conduct"] if (text := formatting.conduct(entry))],
        "members": members,
        "voteless": partial(_voteless, members),
        "offers": any(formatting.offer_in_short(member) for member in members),
        "work": source.work(),
        "steering": source.steering(),
        "measures": {model["model"]: model["measures"] for model in models},
        "proposals": source.proposals(),
        "certificates": certificates[: -_MOST_CERTIFICATES - 1 : -1],
        "older_certificates": max(0, len(certificates) - _MOST_CERTIFICATES),
        "log": _news(source.latest(_LOG_SEARCHED)),
    }


def _voteless(members: list[MemberInfo], proposal: ProposalInfo) -> list[str]:
    """Return the names of the members with weight that have not voted on a proposal."""
    voted = {vote["member"] for vote in proposal["votes"]}
    return [entry["name"] for entry in members if entry["weight"] and entry["id"] not in voted]


def _curves(models: list[ModelInfo], ratings: list[RatingInfo]) -> list[tuple[str, Markup]]:
    """Return the chart of each configuration with a promotion."""
    promoted = sorted({model["configuration"] for model in models if model["candidate"] is not None})
    return [
        (
            name,
            charts.rating_chart(
                name,
                [entry for entry in ratings if entry["configuration"] == name],
                [model for model in models if model["configuration"] == name],
                "",
            ),
        )
        for name in promoted
    ]


def render_play(source: StatusSource, token: str) -> str:
    """Return the page `/play` as HTML, with the token by which it acts."""
    status = source.status()
    return _template("play.html").render(
        path="/play",
        up="",
        node=status["node"]["name"],
        swarm=status["swarm"]["name"],
        token=token,
        configurations=list(CONFIGS),
        strengths=list(STRENGTHS),
    )


@cache
def _template(name: str) -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.globals["bar_of_test"] = charts.bar_of_test
    environment.globals["table"] = environment.get_template("table.html").module.table  # type: ignore[attr-defined]
    environment.filters["bytes"] = formatting.bytes_in_words
    environment.filters.update({each: getattr(formatting, each) for each in _FILTERS})
    return environment.get_template(name)


def _shown(value: Any) -> Any:
    """Return what the page shows for a value of the template, before it is escaped."""
    return harmless(value) if type(value) is str else value


def _news(entries: list[LogEntry]) -> list[dict[str, str | int]]:
    """Return the newest entries that say something to people, newest first."""
    worded = ((entry, predicate(entry)) for entry in reversed(entries))
    news: list[dict[str, str | int]] = [
        {"number": entry["number"], "time": entry["time"], "round": entry["round"], "name": entry["name"], "text": text}
        for entry, text in worded
        if text is not None
    ]
    return news[:_LOG_LINES]
