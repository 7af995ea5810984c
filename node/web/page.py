"""The page at /: everything a node tells, rendered on the server from the same answers as the JSON."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from node import words
from node.web.source import StatusSource

_LOG_LINES = 12


def render_page(source: StatusSource) -> str:
    """Return the page as HTML. Everything that comes from peers is escaped."""
    return _template().render(
        status=source.status(),
        members=source.members(),
        work=source.work(),
        certificates=source.certificates(),
        log=source.latest(_LOG_LINES)[::-1],
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("age", "ago", "clock", "count", "moment", "plural", "share", "short"):
        environment.filters[name] = getattr(words, name)
    environment.filters["fields"] = _fields
    return environment.get_template("page.html")


def _fields(fields: dict[str, str | int | bool | None]) -> str:
    return "  ".join(f"{key} {words.short(str(value))}" for key, value in fields.items())
