"""The picture of a soak as SVG text: promotions, ratings, memory and disk over time, with kills and the ballot.

The same records give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from scripts.house_drawing.svg import number, text
from scripts.soaking.checks import Json

_WIDTH = 900
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 104, 46, 44  # margins
_PANEL, _GAP = 132, 40  # height of a panel, and between two
_NAME_LINE = 14  # between the names at the ends of two lines
_MIB = 1 << 20
_TICKS = 4
_MINUTES = 12  # ticks of time at most

_SANS = 'system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","DejaVu Sans",sans-serif'
_LIGHT = {
    "paper": "#faf9f6", "ink": "#1f2328", "soft": "#57534e", "grid": "#e2ded5", "kill": "#b9b2a6", "ballot": "#8a3fa0",
}  # fmt: skip
_DARK = {
    "paper": "#14171c", "ink": "#eceff3", "soft": "#b8bec8", "grid": "#2b3038", "kill": "#5d646f", "ballot": "#c99be0",
}  # fmt: skip
_LIGHT_LINES = ("#1a6fb5", "#c2571a", "#2e8540", "#8a3fa0", "#8a7300", "#b0243c")
_DARK_LINES = ("#6aa8ec", "#e39b55", "#6cc08a", "#c99be0", "#d6c15a", "#ef8496")


class Point(NamedTuple):
    """A value at a time, with its standard error; None where there is no value, which breaks the line."""

    at_s: float
    value: float | None
    error: float = 0.0


class Line(NamedTuple):
    """A named line of a panel."""

    name: str
    points: Sequence[Point]


class Panel(NamedTuple):
    """Lines with one scale; in steps, if a value holds until the next one comes."""

    title: str
    lines: Sequence[Line]
    from_zero: bool = True
    in_steps: bool = False


class Mark(NamedTuple):
    """A moment that is marked in all panels."""

    at_s: float
    kind: str  # "kill" or "ballot"
    name: str


class _Scale(NamedTuple):
    """From times and values of a panel to places in the picture."""

    end_s: float
    top: float
    low: float = 0.0
    high: float = 1.0
    step: float = 1.0  # between two values with a line

    def x(self, at_s: float) -> float:
        return _LEFT + at_s / self.end_s * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return self.top + _PANEL - (value - self.low) / (self.high - self.low) * _PANEL


def panels_of(records: Sequence[Json]) -> list[Panel]:
    """Return the panels of a soak's records."""
    samples = [record for record in records if record["kind"] == "sample"]
    configurations = sorted({name for sample in samples for name in sample.get("configurations", {})})
    nodes = sorted({name for sample in samples for name in sample["nodes"]})

    def of_configurations(value: Callable[[Json, float], Point]) -> list[Line]:
        return [
            Line(name, [value(each["configurations"][name], each["at_s"]) for each in samples if _has(each, name)])
            for name in configurations
        ]

    def of_nodes(key: str) -> list[Line]:
        return [Line(name, [_size_point(each, name, key) for each in samples]) for name in nodes]

    return [
        Panel("promotions", of_configurations(lambda entry, at_s: Point(at_s, entry["promotions"])), in_steps=True),
        Panel("rating of the canonical model, ± standard error", of_configurations(_rating_point), from_zero=False),
        Panel("memory of the node, MiB", of_nodes("node_bytes")),
        Panel("memory of its workers, MiB", of_nodes("workers_bytes")),
        Panel("disk, MiB", of_nodes("data_bytes")),
    ]


def _has(sample: Json, configuration: str) -> bool:
    return configuration in sample.get("configurations", {})


def _rating_point(entry: Json, at_s: float) -> Point:
    rating = entry.get("rating")
    return Point(at_s, None) if rating is None else Point(at_s, rating["rating"], rating["error"])


def _size_point(sample: Json, name: str, key: str) -> Point:
    size = sample["nodes"].get(name, {}).get(key)
    return Point(sample["at_s"], None if size is None else size / _MIB)


def marks_of(records: Sequence[Json]) -> list[Mark]:
    """Return the kills and ballots of a soak's records."""
    marks = []
    for record in records:
        if record["kind"] == "kill":
            marks.append(Mark(record["at_s"], "kill", record["node"]))
        elif record["kind"] == "decided":
            marks.append(Mark(record["at_s"], "ballot", "ballot"))
    return marks


def draw_soak(records: Sequence[Json]) -> str:
    """Return the picture of a soak as an SVG document."""
    panels, marks = panels_of(records), marks_of(records)
    end_s = max([60.0, *(record["at_s"] for record in records)])
    height = _TOP + len(panels) * (_PANEL + _GAP) - _GAP + _BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        'role="img" aria-labelledby="name">',
        '<title id="name">A soak: promotions, ratings, memory and disk over time</title>',
        f"<style>{_style()}</style>",
        f'<rect class="paper" width="{_WIDTH}" height="{height}" rx="14"/>',
        *_draw_marks(marks, end_s, height - _BOTTOM),
    ]
    for place, panel in enumerate(panels):
        parts += _draw_panel(panel, end_s, _TOP + place * (_PANEL + _GAP))
    parts += _draw_time(end_s, height - _BOTTOM)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _style() -> str:
    return "".join(
        [
            f"text{{font-family:{_SANS}}}.middle{{text-anchor:middle}}.end{{text-anchor:end}}.title{{font-weight:600}}",
            ".line{fill:none;stroke-width:1.8;stroke-linejoin:round}.band{stroke:none;opacity:.17}",
            ".kill{stroke-dasharray:2 3}.mark{font-weight:600}",
            *_colours(_LIGHT, _LIGHT_LINES),
            "@media (prefers-color-scheme:dark){" + "".join(_colours(_DARK, _DARK_LINES)) + "}",
        ]
    )


def _colours(colours: Mapping[str, str], lines: Sequence[str]) -> Iterator[str]:
    yield ".paper{{fill:{paper}}}text{{fill:{soft}}}.title{{fill:{ink}}}.grid{{stroke:{grid}}}".format(**colours)
    yield ".kill{{stroke:{kill}}}.ballot{{stroke:{ballot}}}.mark{{fill:{ballot}}}".format(**colours)
    for place, colour in enumerate(lines):
        yield f".line.c{place}{{stroke:{colour}}}.band.c{place},text.c{place}{{fill:{colour}}}"


def _draw_marks(marks: Sequence[Mark], end_s: float, bottom: float) -> Iterator[str]:
    scale = _Scale(end_s, 0.0)
    yield text("killed:", (_LEFT - 8, 18), "end", 11)
    for mark in marks:
        x = number(scale.x(mark.at_s))
        yield f'<line class="{mark.kind}" x1="{x}" x2="{x}" y1="24" y2="{number(bottom)}"/>'
        kind = "middle" if mark.kind == "kill" else "middle mark"
        height = 18 if mark.kind == "kill" else 34
        yield text(mark.name, (scale.x(mark.at_s), height), kind, 11)


def _draw_panel(panel: Panel, end_s: float, top: float) -> Iterator[str]:
    scale = _scale_of(panel, end_s, top)
    yield text(panel.title, (_LEFT, top - 8), "title", 13)
    for place in range(round((scale.high - scale.low) / scale.step) + 1):
        value = scale.low + place * scale.step
        y = number(scale.y(value))
        yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>'
        yield text(f"{value:,.0f}", (_LEFT - 8, scale.y(value) + 4), "end", 11.5)
    for place, line in enumerate(panel.lines):
        kind = f"c{place % len(_LIGHT_LINES)}"
        for stretch in _stretches(line.points):
            yield from _draw_stretch(stretch, scale, kind, in_steps=panel.in_steps)
    yield from _draw_names(panel, scale)


def _scale_of(panel: Panel, end_s: float, top: float) -> _Scale:
    points = [point for line in panel.lines for point in line.points if point.value is not None]
    low = min((point.value - point.error for point in points if point.value is not None), default=0.0)
    high = max((point.value + point.error for point in points if point.value is not None), default=1.0)
    low = 0.0 if panel.from_zero else low
    step = tick_step(high - low, _TICKS)
    first = math.floor(low / step)
    last = max(math.ceil(high / step), first + 1)
    return _Scale(end_s, top, low=first * step, high=last * step, step=step)


def tick_step(extent: float, count: int) -> float:
    """Return the least of 1, 2, 5, 10, 20, ... that divides an extent into at most `count` and a half steps."""
    step = 1.0
    for factor in (2, 2.5, 2) * 12:
        if extent / step <= count + 0.5:
            break
        step *= factor
    return step


def _stretches(points: Sequence[Point]) -> Iterator[list[Point]]:
    """Yield the parts of a line between its gaps."""
    stretch: list[Point] = []
    for point in points:
        if point.value is not None:
            stretch.append(point)
        elif stretch:
            yield stretch
            stretch = []
    if stretch:
        yield stretch


def _draw_stretch(stretch: Sequence[Point], scale: _Scale, kind: str, *, in_steps: bool) -> Iterator[str]:
    places = [(scale.x(point.at_s), scale.y(point.value or 0.0)) for point in stretch]
    if any(point.error for point in stretch):
        upper = [(scale.x(point.at_s), scale.y((point.value or 0.0) + point.error)) for point in stretch]
        lower = [(scale.x(point.at_s), scale.y((point.value or 0.0) - point.error)) for point in stretch]
        yield f'<polygon class="band {kind}" points="{_path(upper + lower[::-1])}"/>'
    if in_steps:
        places = [place for before, after in pairwise(places) for place in (before, (after[0], before[1]))] + places[
            -1:
        ]
    yield f'<polyline class="line {kind}" points="{_path(places)}"/>'


def _path(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{number(x)},{number(y)}" for x, y in places)


def _draw_names(panel: Panel, scale: _Scale) -> Iterator[str]:
    """Yield the names of the lines beside their ends, moved apart where they would overlap."""
    ends = []
    for place, line in enumerate(panel.lines):
        values = [point.value for point in line.points if point.value is not None]
        if values:
            ends.append((scale.y(values[-1]) + 4, place, line.name))
    below = -math.inf
    for wanted, place, name in sorted(ends):
        below = max(wanted, below + _NAME_LINE)
        yield text(name, (_WIDTH - _RIGHT + 8, below), f"c{place % len(_LIGHT_LINES)}", 12)


def _draw_time(end_s: float, bottom: float) -> Iterator[str]:
    scale, minutes = _Scale(end_s, 0.0), end_s / 60
    step = tick_step(minutes, _MINUTES)
    for place in range(int(minutes / step) + 1):
        x = scale.x(place * step * 60)
        yield text(f"{place * step:.0f}", (x, bottom + 18), "middle", 11.5)
    yield text("minutes", ((_LEFT + _WIDTH - _RIGHT) / 2, bottom + 36), "middle", 11.5)
