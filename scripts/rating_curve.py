"""Draw how the ratings of a reference run rise from promotion to promotion, as an SVG picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

_WIDTH, _HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 120, 24, 48  # margins
_GRID = 200  # rating points between two lines
_COLOURS = ("#1a6fb5", "#c2571a", "#2e8540", "#8a3fa0", "#7a6a00", "#b0243c")
_STYLE = "text { font: 13px sans-serif; fill: #333 } .grid { stroke: #ddd } .axis { stroke: #888 }"


class Point(NamedTuple):
    """The rating of the model of one promotion, with its standard error."""

    number: int
    rating: float
    error: float


class Scale(NamedTuple):
    """From promotions and ratings to places in the picture."""

    last: int
    low: float
    high: float

    def x(self, number: float) -> float:
        """Return the place of a promotion, whose number may be 1 to `last`."""
        return _LEFT + (number - 1) / max(1, self.last - 1) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, rating: float) -> float:
        """Return the place of a rating."""
        return _HEIGHT - _BOTTOM - (rating - self.low) / (self.high - self.low) * (_HEIGHT - _TOP - _BOTTOM)


def points_of(table: Mapping[str, Any], configuration: str) -> list[Point]:
    """Return the rated models of a configuration in the order of their promotions.

    Args:
        table: the JSON of a tournament; its models lie in folders such as "hex8-2-4".
        configuration: such as "hex8-2".
    """
    points = []
    for entry in table["ratings"]:
        _, found, number = entry["player"].rpartition(f"/{configuration}-")
        if found:
            points.append(Point(int(number), entry["rating"], entry["error"]))
    return sorted(points)


def draw_curve(ratings: Mapping[str, Mapping[str, Any]]) -> str:
    """Return an SVG picture with a line for each configuration, and bars of one standard error to either side."""
    curves = {name: points_of(table, name) for name, table in sorted(ratings.items())}
    every = [point for points in curves.values() for point in points]
    low = math.floor(min([1500.0, *(point.rating - point.error for point in every)]) / _GRID) * _GRID
    high = math.ceil(max([1500.0 + _GRID, *(point.rating + point.error for point in every)]) / _GRID) * _GRID
    scale = Scale(max([2, *(point.number for point in every)]), low, high)
    parts = _draw_axes(scale)
    ends: list[float] = []
    for place, (name, points) in enumerate(curves.items()):
        parts += _draw_line(scale, name, points, _COLOURS[place % len(_COLOURS)], ends)
    body = "\n".join(parts)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">'
    title = "<title>Ratings by promotion; the heuristic has 1500</title>"
    return f"{head}\n{title}\n<style>{_STYLE}</style>\n{body}\n</svg>\n"


def _draw_axes(scale: Scale) -> list[str]:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    parts = [f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>']
    for rating in range(int(scale.low), int(scale.high) + 1, _GRID):
        y = scale.y(rating)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{rating}</text>')
    y = scale.y(1500)
    parts.append(f'<line class="axis" stroke-dasharray="5 4" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
    parts.append(f'<text x="{_LEFT + 6}" y="{y - 6:.1f}">heuristic</text>')
    step = max(1, scale.last // 10)
    for number in range(1, scale.last + 1, step):
        parts.append(f'<text x="{scale.x(number):.1f}" y="{bottom + 18}" text-anchor="middle">{number}</text>')
    parts.append(f'<text x="{(_LEFT + right) / 2}" y="{_HEIGHT - 8}" text-anchor="middle">promotion</text>')
    return parts


def _draw_line(scale: Scale, name: str, points: Sequence[Point], colour: str, ends: list[float]) -> list[str]:
    """Return a configuration's line; `ends` has the heights of the names so far, which must not overlap."""
    if not points:
        return []
    places = " ".join(f"{scale.x(point.number):.1f},{scale.y(point.rating):.1f}" for point in points)
    parts = [f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{places}"/>']
    for point in points:
        x, y = scale.x(point.number), scale.y(point.rating)
        top, bottom = scale.y(point.rating + point.error), scale.y(point.rating - point.error)
        parts.append(f'<line stroke="{colour}" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"/>')
        parts.append(f'<circle fill="{colour}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>')
    y = scale.y(points[-1].rating) + 4
    while any(abs(y - other) < 16 for other in ends):
        y += 4
    ends.append(y)
    x = scale.x(points[-1].number) + 9
    parts.append(f'<text x="{x:.1f}" y="{y:.1f}" style="fill: {colour}">{name}</text>')
    return parts
