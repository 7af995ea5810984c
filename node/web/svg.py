"""Elements of SVG as text: names and values are escaped, and what others wrote is harmless to read."""

from collections.abc import Iterable

from markupsafe import Markup, escape

from node.text.harmless import harmless

Attribute = str | int | float | None


def element(name: str, attributes: dict[str, Attribute], *contents: str | Markup) -> Markup:
    """Return an element; attributes that are None are left out, and numbers get one decimal at most."""
    given = "".join(f' {key}="{_value(value)}"' for key, value in attributes.items() if value is not None)
    inner = "".join(str(each if isinstance(each, Markup) else escape(harmless(each))) for each in contents)
    return Markup(f"<{name}{given}>{inner}</{name}>")


def lines(parts: Iterable[Markup]) -> Markup:
    """Return several elements, each in a line of its own: a page that follows a node is compared by lines."""
    return Markup("\n" + "\n".join(parts) + "\n")


def points(places: Iterable[tuple[float, float]]) -> str:
    """Return places as the attribute `points` of a line or an area."""
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in places)


def _value(value: Attribute) -> str:
    return str(escape(harmless(value))) if isinstance(value, str) else _number(value or 0)


def _number(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
