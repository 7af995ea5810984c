"""The packages below node/: a panel each, with their rooms, the arrows between these, and a legend."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scripts.house_drawing.facts import House, Room
from scripts.house_drawing.svg import Box, card, card_height, number, text, thickness

_COLUMNS = 0.42  # share of the first of two columns
_ARROW = 30  # between a room and what it imports
_SPACE = 14  # around rooms, and between those side by side
_WIDTHS = {"consensus": 540.0, "training": 212.0, "engine": 376.0}
_BETWEEN = 20  # packages
_LEGEND = (
    ("cable direct", ("imports",)),
    ("cable also", ("imports, and gets to it", "through others, too")),
    ("pipe consensus", ("imports another package",)),
    ("", ("The thicker, the more modules.",)),
)


@dataclass(frozen=True)
class _Panel:
    """A package, or a room in it, with its rooms in layers: arrows point down, or to the right if `across`."""

    house: House
    room: Room
    path: str  # dotted name
    across: bool = False

    def height(self, width: float) -> float:
        """Return the height at this width."""
        boxes = self._boxes(Box(0, 0, width, 0))
        return max((box.bottom + _SPACE for box, _ in boxes.values()), default=self._head(width))

    def draw(self, box: Box, kind: str = "") -> Iterator[str]:
        """Yield the elements."""
        yield from card(self.room, box, self.path.replace(".", "-"), kind)
        boxes, imports = self._boxes(box), self._imports()
        for name, (inner, panel) in boxes.items():
            yield from panel.draw(inner)
            for target, count in sorted(imports.get(name, {}).items()):
                yield _arrow(inner, boxes[target][0], count)

    def _imports(self) -> dict[str, dict[str, int]]:
        """Return the arrows between the rooms here, by their names."""
        start = f"{self.path}."
        return {
            source.removeprefix(start): {target.removeprefix(start): count for target, count in targets.items()}
            for source, targets in self.house.imports.items()
            if source.startswith(start) and "." not in source.removeprefix(start)
        }

    def _layers(self) -> list[list[Room]]:
        """Return the rooms by the longest way of arrows that leads to them; what is left of a circle comes last."""
        imports, waiting = self._imports(), list(self.room.rooms)
        layers: list[list[Room]] = []
        while waiting:
            targets = {target for room in waiting for target in imports.get(room.name, {})}
            layers.append([room for room in waiting if room.name not in targets] or waiting)
            waiting = [room for room in waiting if room not in layers[-1]]
        return layers

    def _head(self, width: float) -> float:
        return card_height(self.room, width) + 4

    def _boxes(self, outer: Box) -> dict[str, tuple[Box, _Panel]]:
        inside = Box(outer.x + _SPACE, outer.y + self._head(outer.width), outer.width - 2 * _SPACE, 0)
        layers = [[_Panel(self.house, room, f"{self.path}.{room.name}") for room in layer] for layer in self._layers()]
        return dict(self._columns(layers, inside) if self.across else self._rows(layers, inside))

    def _rows(self, layers: list[list[_Panel]], inside: Box) -> Iterator[tuple[str, tuple[Box, _Panel]]]:
        y = inside.y
        for layer in layers:
            width = (inside.width - _SPACE * (len(layer) - 1)) / len(layer)
            height = max(panel.height(width) for panel in layer)
            for place, panel in enumerate(layer):
                yield panel.room.name, (Box(inside.x + place * (width + _SPACE), y, width, height), panel)
            y += height + _ARROW - 4

    def _columns(self, layers: list[list[_Panel]], inside: Box) -> Iterator[tuple[str, tuple[Box, _Panel]]]:
        free, x = inside.width - _ARROW * (len(layers) - 1), inside.x
        for place, layer in enumerate(layers):
            share = 1 / len(layers) if len(layers) != 2 else 1 - _COLUMNS if place else _COLUMNS
            y = inside.y
            for panel in layer:
                box = Box(x, y, free * share, panel.height(free * share))
                yield panel.room.name, (box, panel)
                y = box.bottom + _SPACE
            x += free * share + _ARROW


def _arrow(source: Box, target: Box, count: int) -> str:
    """Return an arrow between two rooms of a package: to the right, down, or down past those between."""
    kind = "direct"
    if target.x >= source.right:
        y = max(source.y, target.y) + 24
        path = f"M{number(source.right)} {number(y)}H{number(target.x - 5)}"
    elif target.y - source.bottom < 2 * _ARROW:
        x = (max(source.x, target.x) + min(source.right, target.right)) / 2
        path = f"M{number(x)} {number(source.bottom)}V{number(target.y - 5)}"
    else:
        kind, start, end = "also", source.y + source.height / 2, target.y + target.height / 2
        path = f"M{number(source.right)} {number(start)}h4q4 0 4 4V{number(end - 4)}q0 4 -4 4h-4"
    return f'<path class="cable {kind}" stroke-width="{thickness(count)}" d="{path}"/>'


@dataclass(frozen=True)
class Foundation:
    """The panels side by side, with their tops at `y`."""

    boxes: dict[str, Box]
    parts: tuple[str, ...]

    @property
    def bottom(self) -> float:
        """The lowest edge of a panel."""
        return max(box.bottom for box in self.boxes.values())


def lay_foundation(house: House, x: float, y: float) -> Foundation:
    """Return the packages below node/, drawn, with the legend below the one that leaves room for it."""
    boxes: dict[str, Box] = {}
    parts: list[str] = []
    for name, width in _WIDTHS.items():
        panel = _Panel(house, house.package(name), name, across=name == "consensus")
        boxes[name] = Box(x, y, width, panel.height(width))
        parts += panel.draw(boxes[name], f"panel {name}")
        x += width + _BETWEEN
    parts += _legend(boxes["training"].x, boxes["training"].bottom + 34)
    return Foundation(boxes, tuple(parts))


def _legend(x: float, y: float) -> Iterator[str]:
    for kind, lines in _LEGEND:
        if kind:
            yield f'<path class="{kind}" stroke-width="2.4" d="M{number(x)} {number(y - 4)}H{number(x + 30)}"/>'
        for words in lines:
            yield text(words, (x + (42 if kind else 0), y), "says", 12)
            y += 15
        y += 8
