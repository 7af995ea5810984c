"""The house of node/: its rooms on their floors, and the arrows between them.

An arrow from one floor to the next is a curve. One that goes further passes the floors between in the spaces beside
their rooms, as near to its straight way as there is space, next to others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from scripts.house_drawing.facts import House
from scripts.house_drawing.svg import Box, bend, card, card_height, number, text, thickness

WIDTH = 1200
MARGIN = 16
_GABLE = 64  # height of the roof
_WALL = 62  # from the wall to the rooms; arrows to other packages run down there
_GAP = 44  # between floors
_CABLE = 3.4  # from one passing arrow to the next
_PORT = 14.0  # the same where they meet a room, if there is space
_ROOM_WIDTHS = {1: 470.0, 2: 410.0, 3: 304.0, 4: 236.0}  # by how many are on a floor


@dataclass
class _Cable:
    """An arrow: where it starts, where it passes each floor between, where it ends."""

    source: str
    target: str
    count: int
    is_direct: bool  # nothing else leads from the one to the other
    passes: list[float] = field(default_factory=list)  # x, from the upper floor to the lower


class Floors:
    """The rooms of node/ with their places on the paper."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.boxes: dict[str, Box] = {}
        self.bands: list[tuple[float, float]] = []  # top and bottom of each floor
        self.floor = {name: place for place, floor in enumerate(house.floors) for name in floor}
        self._rooms = {room.name: room for room in house.package("node").rooms}
        self.bottom = self._lay_out(MARGIN + _GABLE + 34)

    def _lay_out(self, y: float) -> float:
        for floor in self.house.floors:
            width = _ROOM_WIDTHS[len(floor)]
            height = max(card_height(self._rooms[name], width) for name in floor)
            space = (WIDTH - 2 * (MARGIN + _WALL) - len(floor) * width) / (len(floor) + 1)
            for place, name in enumerate(floor):
                x = MARGIN + _WALL + space + place * (width + space)
                self.boxes[name] = Box(x, y, width, height)
            self.bands.append((y, y + height))
            y += height + _GAP
        return y - _GAP + 40

    def walls(self) -> Iterator[str]:
        """Yield what is behind all else: the outline, the name and the floors."""
        left, right, eaves, ground = MARGIN, WIDTH - MARGIN, MARGIN + _GABLE, number(self.bottom)
        outline = f"M{left} {ground}V{eaves}L{WIDTH // 2} {MARGIN}L{right} {eaves}V{ground}Z"
        yield f'<path class="wall" d="{outline}"/>'
        yield text("node", (WIDTH / 2, MARGIN + 52), "package middle", 23)
        yield text(self.house.package("node").says, (WIDTH / 2, MARGIN + 75), "says middle", 13)
        for top, bottom in self.bands:
            y, height = number(top - 9), number(bottom - top + 18)
            yield f'<rect class="floor" x="{left + 34}" y="{y}" width="{right - left - 68}" height="{height}" rx="8"/>'

    def rooms(self) -> Iterator[str]:
        """Yield the cards of the rooms."""
        for name, box in self.boxes.items():
            yield from card(self._rooms[name], box, f"node-{name}")

    def cables(self) -> Iterator[str]:
        """Yield the arrows between rooms; those that nothing else explains come last, on top."""
        cables = self._cables()
        self._route(cables)
        first = self._ports(cables, lambda cable: cable.source, self._first_stop)
        last = self._ports(cables, lambda cable: cable.target, self._last_stop)
        for cable in sorted(cables, key=lambda cable: cable.is_direct):
            yield self._draw(cable, first[id(cable)], last[id(cable)])

    def _cables(self) -> list[_Cable]:
        imports: dict[str, dict[str, int]] = {name: {} for name in self.boxes}
        for source, target in self.house.arrows():
            if source.startswith("node.") and target.startswith("node."):
                count = self.house.imports[source][target]
                imports[source.removeprefix("node.")][target.removeprefix("node.")] = count
        reached = {name: _reached(imports, name) for name in imports}
        return [
            _Cable(source, target, count, not any(target in reached[other] for other in targets if other != target))
            for source, targets in imports.items()
            for target, count in targets.items()
        ]

    def _route(self, cables: list[_Cable]) -> None:
        """Choose where each cable passes the floors between its ends."""
        for floor in range(1, len(self.bands) - 1):
            spaces = self._spaces(floor)
            taken: list[list[tuple[float, _Cable]]] = [[] for _ in spaces]
            passing = [cable for cable in cables if self.floor[cable.source] < floor < self.floor[cable.target]]
            for wish, cable in sorted(
                ((self._wish(cable, floor), cable) for cable in passing),
                key=lambda entry: (entry[0], entry[1].source, entry[1].target),
            ):
                free = [
                    place for place, (start, end) in enumerate(spaces) if (len(taken[place]) + 2) * _CABLE < end - start
                ]
                places = free or range(len(spaces))
                taken[min(places, key=lambda place: _distance(wish, spaces[place]))].append((wish, cable))
            for space, found in zip(spaces, taken, strict=True):
                self._spread(space, found)

    def _spaces(self, floor: int) -> list[tuple[float, float]]:
        """Return the left and right ends of the spaces beside the rooms of a floor."""
        boxes = [self.boxes[name] for name in self.house.floors[floor]]
        starts = [MARGIN + _WALL - 16.0, *(box.right for box in boxes)]
        ends = [*(box.x for box in boxes), WIDTH - MARGIN - _WALL + 16.0]
        return list(zip(starts, ends, strict=True))

    def _wish(self, cable: _Cable, floor: int) -> float:
        """Return the x of the straight way from where the cable came to its target, on this floor."""
        above = cable.passes[-1] if cable.passes else self.boxes[cable.source].middle
        so_far = self.floor[cable.source] + len(cable.passes)
        share = (floor - so_far) / (self.floor[cable.target] - so_far)
        return above + (self.boxes[cable.target].middle - above) * share

    def _spread(self, space: tuple[float, float], found: list[tuple[float, _Cable]]) -> None:
        """Give the cables in one space their places side by side, around what they wish."""
        if not found:
            return
        start, end = space
        half = (len(found) - 1) * _CABLE / 2
        centre = sum(wish for wish, _ in found) / len(found)
        first = min(max(centre - half, start + _CABLE), end - _CABLE - 2 * half)
        order = sorted(found, key=lambda entry: (entry[0], self.boxes[entry[1].target].middle, entry[1].source))
        for place, (_, cable) in enumerate(order):
            cable.passes.append(first + place * _CABLE)

    def _first_stop(self, cable: _Cable) -> float:
        return cable.passes[0] if cable.passes else self.boxes[cable.target].middle

    def _last_stop(self, cable: _Cable) -> float:
        return cable.passes[-1] if cable.passes else self.boxes[cable.source].middle

    def _ports(
        self, cables: list[_Cable], room: Callable[[_Cable], str], stop: Callable[[_Cable], float]
    ) -> dict[int, float]:
        """Return the x at which each cable meets the edge of its room, so that those beside each other cross least."""
        ports: dict[int, float] = {}
        for name, box in self.boxes.items():
            here = [cable for cable in cables if room(cable) == name]
            step = min(_PORT, (box.width - 90) / max(1, len(here) - 1))
            first = box.middle - step * (len(here) - 1) / 2
            for place, cable in enumerate(sorted(here, key=lambda cable: (stop(cable), cable.source, cable.target))):
                ports[id(cable)] = first + place * step
        return ports

    def _draw(self, cable: _Cable, first: float, last: float) -> str:
        x, y = first, self.boxes[cable.source].bottom
        path = f"M{number(x)} {number(y)}"
        for place, at in enumerate(cable.passes, self.floor[cable.source] + 1):
            top, bottom = self.bands[place]
            path += f"{bend((x, y), (at, top))}V{number(bottom)}"
            x, y = at, bottom
        path += bend((x, y), (last, self.boxes[cable.target].y - (5 if cable.is_direct else 0)))
        kind = "direct" if cable.is_direct else "also"
        ends = f"from-node-{cable.source} to-node-{cable.target}"
        return f'<path class="cable {kind} {ends}" stroke-width="{thickness(cable.count)}" d="{path}"/>'


def _reached(imports: dict[str, dict[str, int]], name: str) -> set[str]:
    reached: set[str] = set()
    waiting = [name]
    while waiting:
        for target in imports.get(waiting.pop(), {}):
            if target not in reached:
                reached.add(target)
                waiting.append(target)
    return reached


def _distance(x: float, space: tuple[float, float]) -> float:
    return max(space[0] - x, x - space[1], 0.0)
