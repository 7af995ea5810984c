"""Legal moves a second time: sections C to J of RULES.md written down plainly, on coordinates and as texts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from engine.boards import Cell, board
from engine.config import Config
from engine.position import cap_of, read_position
from engine.rules import state as record

HEX_TIES = ((1, 0), (1, -1), (0, -1))
SQUARE_TIES = ((1, 0), (0, 1), (1, 1), (1, -1))


@dataclass(frozen=True)
class View:
    """What decides about the legal moves of player `me`."""

    config: Config
    phase: str
    me: int
    hand: int
    stacks: Mapping[Cell, tuple[int, ...]]  # rings from the bottom up
    markers: Mapping[Cell, int]
    collapsed: Iterable[Cell]
    active: Cell | None
    owed: bool
    recovered: bool
    swap: bool


def view_of(config: Config, row: np.ndarray) -> View:
    """The mover's view in a record row."""
    shape, seen = board(config.board), read_position(config, row)
    active = int(row[record.ACTIVE])
    return View(
        config=config,
        phase=seen.phase,
        me=seen.player,
        hand=seen.hand[seen.player - 1],
        stacks={shape.cells[cell]: rings for cell, rings in seen.stacks.items()},
        markers={shape.cells[cell]: owner for cell, owner in seen.markers.items()},
        collapsed=[shape.cells[cell] for cell in seen.collapsed],
        active=shape.cells[active] if active >= 0 else None,
        owed=bool(row[record.OWED]),
        recovered=bool(row[record.RECOVERED]),
        swap=bool(row[record.SWAP]),
    )


def legal_set(config: Config, row: np.ndarray) -> set[str]:
    """The strings of all legal moves of a running game."""
    return Oracle(view_of(config, row)).moves()


def cell_list(cells: Iterable[Cell]) -> str:
    return ";".join(f"{x},{y}" for x, y in sorted(cells))


def claim_text(region: Iterable[Cell]) -> str:
    listed = cell_list(region)
    return f"TR {listed.split(';')[0]} {listed.count(';') + 1} {hashlib.sha256(listed.encode()).hexdigest()[:8]}"


class Oracle:
    """The legal moves in a view, and the questions that the rules ask on the way to them."""

    def __init__(self, view: View) -> None:
        shape = board(view.config.board)
        self.config, self.phase, self.me, self.hand = view.config, view.phase, view.me, view.hand
        self.cells, self.steps, self.adjacent = set(shape.cells), shape.directions, shape.adjacent
        self.axes = HEX_TIES if shape.axes == 3 else SQUARE_TIES
        self.stacks, self.markers, self.collapsed = view.stacks, view.markers, set(view.collapsed)
        self.active, self.owed, self.recovered, self.swap = view.active, view.owed, view.recovered, view.swap
        self.own = sorted(cell for cell, rings in self.stacks.items() if rings[-1] == self.me)
        self.payers = sorted(cell for cell, rings in self.stacks.items() if self.me in rings[:-1])

    def moves(self) -> set[str]:
        match self.phase:
            case "ring_placement":
                return self.placement()
            case "movement":
                return self.movement()
            case "capture":
                assert self.active is not None
                return {*self.captures("OC", self.active), "SC"}
            case "chain_capture":
                assert self.active is not None
                return set(self.captures("CC", self.active))
            case "line_processing":
                return self.eliminations("EL", self.own) if self.owed else set(self.lines()) or {"NL"}
            case "territory_processing":
                return self.territory()
        return self.eliminations("FE", self.own)

    def eliminations(self, kind: str, cells: list[Cell]) -> set[str]:
        return {f"{kind} {cell_list([cell])}" for cell in cells}

    def ray(self, start: Cell, step: Cell) -> Iterator[tuple[int, Cell]]:
        """Distance and cell, up to the edge or the first collapsed cell."""
        distance, at = 1, (start[0] + step[0], start[1] + step[1])
        while at in self.cells and at not in self.collapsed:
            yield distance, at
            distance, at = distance + 1, (at[0] + step[0], at[1] + step[1])

    def landings(self, start: Cell, height: int) -> Iterator[Cell]:
        for step in self.steps:
            for distance, at in self.ray(start, step):
                if at in self.stacks:
                    break
                if distance >= height:
                    yield at

    def jumps(self, start: Cell, height: int, cap: int) -> Iterator[tuple[Cell, Cell]]:
        for step in self.steps:
            target = None
            for distance, at in self.ray(start, step):
                if at in self.stacks:
                    if target is not None or cap_of(self.stacks[at]) > cap:
                        break
                    target = at
                elif target is not None and distance >= height:
                    yield target, at

    def can_act(self, start: Cell, height: int, cap: int) -> bool:
        return any(True for _ in self.landings(start, height)) or any(True for _ in self.jumps(start, height, cap))

    def captures(self, kind: str, start: Cell) -> Iterator[str]:
        rings = self.stacks[start]
        for target, landing in self.jumps(start, len(rings), cap_of(rings)):
            yield f"{kind} {cell_list([start])} {cell_list([target])} {cell_list([landing])}"

    def may_recover(self) -> bool:
        return not self.own and self.me in self.markers.values() and bool(self.payers)

    def stack_can_act(self) -> bool:
        return any(self.can_act(cell, len(self.stacks[cell]), cap_of(self.stacks[cell])) for cell in self.own)

    def has_real_action(self) -> bool:
        return self.stack_can_act() or any(count == 1 for _, count in self.placements())

    def placement(self) -> set[str]:
        found = {f"PR {cell_list([cell])} {count}" for cell, count in self.placements()}
        if self.hand and (self.stack_can_act() or self.may_recover()):
            found.add("SP")
        found = found or {"NP"}
        return found | {"SW"} if self.swap and self.me == 2 else found

    def placements(self) -> Iterator[tuple[Cell, int]]:
        for cell in self.cells - self.collapsed - self.markers.keys():
            rings = self.stacks.get(cell, ())
            for count in range(1, min(self.hand, 1 if rings else 3) + 1):
                cap = cap_of((*rings, *[self.me] * count))
                if self.can_act(cell, len(rings) + count, cap):
                    yield cell, count

    def movement(self) -> set[str]:
        if self.may_recover():
            return {*(set(self.line_slides()) or set(self.other_slides())), "SR"}
        found = set()
        for cell in self.own if self.active is None else [self.active]:
            found |= {f"MV {cell_list([cell])} {cell_list([to])}" for to in self.landings(cell, len(self.stacks[cell]))}
            found |= set(self.captures("OC", cell))
        return found or {"NM"}

    def run(self, through: Cell, axis: Cell, markers: set[Cell]) -> list[Cell]:
        """The run of cells of the set through a cell, in order along the axis."""
        found = [through]
        for sign in (1, -1):
            at = (through[0] + sign * axis[0], through[1] + sign * axis[1])
            while at in markers:
                found.append(at)
                at = (at[0] + sign * axis[0], at[1] + sign * axis[1])
        return sorted(found)

    def slides(self) -> Iterator[tuple[Cell, Cell]]:
        for start in (cell for cell, owner in self.markers.items() if owner == self.me):
            for x, y in self.steps:
                to = (start[0] + x, start[1] + y)
                if to in self.cells and to not in self.collapsed and to not in self.markers:
                    yield start, to

    def line_slides(self) -> Iterator[str]:
        needed = self.config.line_length
        for start, to in self.slides():
            if to in self.stacks:
                continue
            left = {cell for cell, owner in self.markers.items() if owner == self.me} - {start}
            longest = max((self.run(to, axis, left) for axis in self.axes), key=len)  # the first of equals
            head = f"RS {cell_list([start])} {cell_list([to])}"
            if len(longest) >= needed:
                yield from (f"{head} L1 {cell_list([payer])}" for payer in self.payers)
            if len(longest) > needed:
                parts = (longest[place : place + needed] for place in range(len(longest) - needed + 1))
                yield from (f"{head} L2 {cell_list(part)}" for part in parts if to in part)

    def other_slides(self) -> Iterator[str]:
        for start, to in self.slides():
            kind = "S" if to in self.stacks else "F"
            for payer in self.payers:
                yield f"RS {cell_list([start])} {cell_list([to])} {kind} {cell_list([payer])}"

    def lines(self) -> Iterator[str]:
        own = {cell for cell, owner in self.markers.items() if owner == self.me}
        needed = self.config.line_length
        runs = {tuple(self.run(cell, axis, own)) for cell in own for axis in self.axes}
        for run in runs:
            if len(run) == needed:
                yield f"PL {cell_list(run)}"
            elif len(run) > needed:
                yield f"CL {cell_list(run)} ALL"
                for place in range(len(run) - needed + 1):
                    yield f"CL {cell_list(run)} {cell_list(run[place : place + needed])}"

    def territory(self) -> set[str]:
        if self.owed:
            return self.eliminations("ER", self.payers) if self.recovered else self.eliminations("ET", self.own)
        found = set()
        for region in self.regions():
            found.add(claim_text(region))
        return {*found, "ST"} if found else {"NT"}

    def regions(self) -> Iterator[frozenset[Cell]]:
        present = {ring for rings in self.stacks.values() for ring in rings}
        paying = set(self.payers if self.recovered else self.own)
        for colour in {None, *self.markers.values()}:
            barred = self.collapsed | {cell for cell, owner in self.markers.items() if owner == colour}
            for region in self.components(self.cells - barred):
                inside = {rings[-1] for cell, rings in self.stacks.items() if cell in region}
                cut_off = len(inside) == 1 and len(present) >= 2 if colour is None else len(inside) < len(present)
                if cut_off and paying - region:
                    yield region

    def components(self, cells: set[Cell]) -> Iterator[frozenset[Cell]]:
        left = set(cells)
        while left:
            found, edge = set(), [left.pop()]
            while edge:
                x, y = edge.pop()
                found.add((x, y))
                near = {(x + dx, y + dy) for dx, dy in self.adjacent} & left
                left -= near
                edge += near
            yield frozenset(found)
