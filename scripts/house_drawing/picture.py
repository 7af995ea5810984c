"""The picture of the house as SVG text: node/ with its floors, the other packages below, and who imports whom.

The same facts give the same bytes. Who opens the file by itself can rest the pointer on a room of node/ to see its
imports alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from html import escape
from typing import NamedTuple

from scripts.house_drawing.facts import House
from scripts.house_drawing.floors import MARGIN, WIDTH, Floors
from scripts.house_drawing.panels import Foundation, lay_foundation
from scripts.house_drawing.style import MARKERS, style
from scripts.house_drawing.svg import number, thickness

_TURN = 6  # radius of the corners of a pipe


class _Pipe(NamedTuple):
    """The way from the rooms of node/ to a package: out of a room, along its floor to the wall, and down."""

    package: str
    wall: float  # x at which it runs down
    tap: float  # from a room's left end, or from its right end if negative
    lane: float  # below the rooms of a floor


_PIPES = (
    _Pipe("consensus", 30, 20, 12),
    _Pipe("training", WIDTH - 44, -34, 17),
    _Pipe("engine", WIDTH - 30, -20, 12),
)


def draw(house: House) -> str:
    """Return the picture as an SVG document."""
    floors = Floors(house)
    foundation = lay_foundation(house, MARGIN, floors.bottom + 44)
    facts = escape(json.dumps(asdict(house), sort_keys=True, separators=(",", ":")), quote=False)
    height = number(foundation.bottom + MARGIN)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'role="img" aria-labelledby="name">',
        '<title id="name">The packages and rooms of RingRift Swarm, and who imports whom</title>',
        f"<metadata>{facts}</metadata>",
        f"<style>{style(house)}</style>",
        MARKERS,
        f'<rect class="paper" width="{WIDTH}" height="{height}" rx="14"/>',
        *floors.walls(),
        *(part for pipe in _PIPES for part in _draw_pipe(floors, foundation, pipe)),
        *floors.cables(),
        *floors.rooms(),
        *foundation.parts,
        _between(foundation),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _draw_pipe(floors: Floors, foundation: Foundation, pipe: _Pipe) -> Iterator[str]:
    first: float | None = None
    for name, box in floors.boxes.items():
        count = floors.house.imports.get(f"node.{name}", {}).get(pipe.package)
        if count is None:
            continue
        x = box.x + pipe.tap if pipe.tap > 0 else box.right + pipe.tap
        lane = floors.bands[floors.floor[name]][1] + pipe.lane
        first = lane + _TURN if first is None else first
        before = pipe.wall + _TURN if pipe.wall < x else pipe.wall - _TURN
        path = f"M{number(x)} {number(box.bottom)}V{number(lane)}H{number(before)}"
        path += f"Q{number(pipe.wall)} {number(lane)} {number(pipe.wall)} {number(lane + _TURN)}"
        yield f'<path class="pipe {pipe.package} from-node-{name}" stroke-width="{thickness(count)}" d="{path}"/>'
        yield f'<circle class="tap {pipe.package}" cx="{number(x)}" cy="{number(box.bottom)}" r="4"/>'
    if first is not None:
        yield _end(pipe.package, f"M{number(pipe.wall)} {number(first)}{_way_down(pipe, foundation)}")


def _way_down(pipe: _Pipe, foundation: Foundation) -> str:
    """Return the path data from the wall to the package: straight down, or along the ground if it is not below."""
    box = foundation.boxes[pipe.package]
    if box.x <= pipe.wall <= box.right:
        return f"V{number(box.y - 5)}"
    ground, x = box.y - 18, box.middle
    side = _TURN if pipe.wall > x else -_TURN
    return (
        f"V{number(ground - _TURN)}Q{number(pipe.wall)} {number(ground)} {number(pipe.wall - side)} {number(ground)}"
        f"H{number(x + side)}Q{number(x)} {number(ground)} {number(x)} {number(ground + _TURN)}V{number(box.y - 5)}"
    )


def _between(foundation: Foundation) -> str:
    """Return the one arrow between packages below node/."""
    training, engine = foundation.boxes["training"], foundation.boxes["engine"]
    return _end("engine", f"M{number(training.right)} {number(training.y + 30)}H{number(engine.x - 5)}")


def _end(package: str, path: str) -> str:
    return f'<path class="riser {package} ends-{package}" d="{path}"/>'
