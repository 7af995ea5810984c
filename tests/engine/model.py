"""The whole rules a second time: sections B to K of RULES.md written down plainly, on coordinates and texts.

Slow, and nothing is shared with the rules under test but the boards. Legal moves: `tests.engine.oracle`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from engine.boards import Cell, board
from engine.config import Config
from engine.position import cap_of
from tests.engine.oracle import Oracle, View, claim_text

PASSIVE = {"NP", "NM", "NL", "NT", "SP", "SC", "SR", "ST"}
NAMES = {"P": "ring_placement", "M": "movement", "C": "capture", "H": "chain_capture"}
NAMES |= {"L": "line_processing", "T": "territory_processing", "F": "forced_elimination"}


def cell_of(word: str) -> Cell:
    x, y = word.split(",")
    return int(x), int(y)


def cells_of(word: str) -> list[Cell]:
    return [cell_of(each) for each in word.split(";")]


class Model:
    """One game, from the first position or from a canonical text."""

    def __init__(self, config: Config, swap: bool = False) -> None:
        self.config, self.swap = config, swap
        self.seats = range(1, config.players + 1)
        self.me, self.phase, self.winner, self.ending = 1, "P", 0, ""
        self.hand, self.eliminated = dict.fromkeys(self.seats, config.rings), dict.fromkeys(self.seats, 0)
        self.stacks: dict[Cell, list[int]] = {}
        self.markers: dict[Cell, int] = {}
        self.collapsed: dict[Cell, int] = {}
        self.active: Cell | None = None
        self.owed = self.recovered = self.acted = False
        self.leader = self.streak = self.streak_owner = 0
        self.mask: set[int] = set()

    def read(self, text: str) -> Model:
        """Stand at the position of a text, as if nothing had happened before."""
        for line in text.split("\n")[1:]:
            match line.split(" "):
                case ["t", player, phase, *_]:
                    self.me = int(player)
                    self.phase = next(letter for letter, name in NAMES.items() if name == phase)
                case ["p", seat, hand, eliminated, _]:
                    self.hand[int(seat)], self.eliminated[int(seat)] = int(hand), int(eliminated)
                case ["s", cell, rings]:
                    self.stacks[cell_of(cell)] = [int(ring) for ring in rings]
                case ["m", cell, owner]:
                    self.markers[cell_of(cell)] = int(owner)
                case ["c", cell, owner]:
                    self.collapsed[cell_of(cell)] = int(owner)
        return self

    def text(self) -> str:
        lines = [f"b {self.config.board} {self.config.players}"]
        if self.winner:
            lines.append(f"t 0 game_over completed {self.winner}")
        else:
            lines.append(f"t {self.me} {NAMES[self.phase]} active -")
        owners = list(self.collapsed.values())
        lines += [f"p {seat} {self.hand[seat]} {self.eliminated[seat]} {owners.count(seat)}" for seat in self.seats]
        for sign, things in (("s", self.stacks), ("m", self.markers), ("c", self.collapsed)):
            for (x, y), value in sorted(things.items()):
                lines.append(f"{sign} {x},{y} {''.join(map(str, value)) if isinstance(value, list) else value}")
        return "\n".join(lines)

    def hidden(self) -> tuple[int, ...]:
        """Round leader, mask, streak owner and streak, as the state record has them."""
        return self.leader, sum(1 << seat for seat in self.mask), self.streak_owner, min(self.streak, 3)

    def see(self, player: int) -> Oracle:
        view = View(
            config=self.config,
            phase=NAMES[self.phase],
            me=player,
            hand=self.hand[player],
            stacks={cell: tuple(rings) for cell, rings in self.stacks.items()},
            markers=self.markers,
            collapsed=self.collapsed,
            active=self.active,
            owed=self.owed,
            recovered=self.recovered,
            swap=self.swap,
        )
        return Oracle(view)

    def legal(self) -> set[str]:
        return self.see(self.me).moves()

    # What a move does (sections C to G, J).

    def eliminate(self, cell: Cell, place: int) -> None:
        """Remove a ring of a stack (its place counted from the bottom, -1 the top) to the mover's credit."""
        del self.stacks[cell][place]
        if not self.stacks[cell]:
            del self.stacks[cell]
        self.eliminated[self.me] += 1

    def eliminate_cap(self, cell: Cell) -> None:
        for _ in range(cap_of(tuple(self.stacks[cell]))):
            self.eliminate(cell, -1)

    def pay(self, cell: Cell) -> None:
        """The bottommost own ring of a stack."""
        self.eliminate(cell, self.stacks[cell].index(self.me))

    def collapse(self, cells: Iterable[Cell]) -> None:
        for cell in cells:
            self.markers.pop(cell, None)
            self.collapsed[cell] = self.me

    def between(self, start: Cell, end: Cell) -> Iterator[Cell]:
        far = max(abs(end[0] - start[0]), abs(end[1] - start[1]))
        step = (end[0] - start[0]) // far, (end[1] - start[1]) // far
        yield from ((start[0] + n * step[0], start[1] + n * step[1]) for n in range(1, far))

    def pass_over(self, start: Cell, end: Cell) -> None:
        for cell in self.between(start, end):
            if self.markers.get(cell) == self.me:
                self.collapse([cell])
            elif cell in self.markers:
                self.markers[cell] = self.me

    def land(self, start: Cell, end: Cell) -> None:
        self.stacks[end] = self.stacks.pop(start)
        self.markers[start] = self.me
        if self.markers.pop(end, 0):
            self.eliminate(end, -1)

    def capture(self, start: Cell, target: Cell, end: Cell) -> None:
        self.pass_over(start, target)
        self.pass_over(target, end)
        self.stacks[start].insert(0, self.stacks[target].pop())
        if not self.stacks[target]:
            del self.stacks[target]
        self.land(start, end)

    def may_capture_from(self, cell: Cell) -> bool:
        owned = cell in self.stacks and self.stacks[cell][-1] == self.me
        return owned and any(True for _ in self.see(self.me).captures("OC", cell))

    def slide(self, start: Cell, end: Cell, kind: str, rest: str) -> None:
        del self.markers[start]
        if kind == "S":
            self.eliminate(end, -1)
        else:
            self.markers[end] = self.me
        if kind == "L2":
            self.collapse(cells_of(rest))
            return
        self.pay(cell_of(rest))
        if kind == "L1":
            seer = self.see(self.me)
            own = {cell for cell, owner in self.markers.items() if owner == self.me}
            longest = max((seer.run(end, axis, own) for axis in seer.axes), key=len)  # the first of equals
            self.collapse(longest)

    def claim(self, text: str) -> None:
        region = next(found for found in self.see(self.me).regions() if claim_text(found) == text)
        border = {near for cell in region for near in self.beside(cell) if near in self.markers and near not in region}
        if self.config.board != "hexagonal":
            edge = list(border)
            while edge:
                x, y = edge.pop()
                near = {(x + dx, y + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)}
                near = {cell for cell in near if cell in self.markers} - region - border
                border |= near
                edge += near
        for cell in region & self.stacks.keys():
            while cell in self.stacks:
                self.eliminate(cell, -1)
        self.collapse(region | border)

    def beside(self, cell: Cell) -> set[Cell]:
        return {(cell[0] + dx, cell[1] + dy) for dx, dy in board(self.config.board).adjacent}

    # Turn and phases (section B).

    def play(self, text: str) -> None:
        """Play a legal move."""
        kind, *words = text.split(" ")
        self.last = self.me
        self.acted |= kind not in PASSIVE
        if self.phase == "P" and self.me == 2:
            self.swap = False
        self.after(kind, words, text)

    def go(self, phase: str, active: Cell | None = None) -> None:
        self.phase, self.active = phase, active

    def after(self, kind: str, words: list[str], text: str) -> None:
        match kind:
            case "PR":
                cell, count = cell_of(words[0]), int(words[1])
                self.stacks.setdefault(cell, []).extend([self.me] * count)
                self.hand[self.me] -= count
                self.go("M", cell)
            case "SP" | "NP":
                self.go("M")
            case "MV":
                start, end = map(cell_of, words)
                self.pass_over(start, end)
                self.land(start, end)
                self.go("C", end) if self.may_capture_from(end) else self.go("L")
            case "OC" | "CC":
                start, target, end = map(cell_of, words)
                self.capture(start, target, end)
                self.go("H", end) if self.may_capture_from(end) else self.go("L")
            case "SC" | "NM" | "SR":
                self.go("L")
            case "RS":
                self.slide(cell_of(words[0]), cell_of(words[1]), words[2], words[3])
                self.recovered = True
                self.go("L")
            case "PL" | "CL" | "EL" | "NL":
                self.after_line(kind, words)
            case "TR" | "ET" | "ER" | "ST" | "NT":
                self.after_territory(kind, words, text)
            case "FE":
                self.eliminate_cap(cell_of(words[0]))
                self.end_turn()

    def after_line(self, kind: str, words: list[str]) -> None:
        seer = self.see(self.me)
        idle = not self.acted and bool(seer.own)
        if kind == "EL":
            self.eliminate(cell_of(words[0]), -1)
            self.owed = False
        elif kind == "NL":
            self.go("F" if idle and not any(True for _ in seer.regions()) else "T")
        else:
            part = kind == "CL" and words[1] != "ALL"
            self.collapse(cells_of(words[1] if part else words[0]))
            self.owed = not part and bool(seer.own)
            if not self.owed and not any(True for _ in self.see(self.me).lines()):
                self.go("T")

    def after_territory(self, kind: str, words: list[str], text: str) -> None:
        if kind == "TR":
            self.claim(text)
            self.owed = True
        elif kind in ("ET", "ER"):
            (self.eliminate_cap if kind == "ET" else self.pay)(cell_of(words[0]))
            self.owed = False
            if not any(True for _ in self.see(self.me).regions()):
                self.end_turn()
        elif not self.acted and self.see(self.me).own:
            self.go("F")
        else:
            self.end_turn()

    # The end of a turn and of the game (section H).

    def rings(self, player: int) -> int:
        return self.hand[player] + sum(rings.count(player) for rings in self.stacks.values())

    def won(self, player: int, ending: str) -> None:
        self.winner, self.ending = player, ending

    def end_turn(self) -> None:
        self.test_victory()
        if self.winner:
            return
        order = [(self.me + n - 1) % self.config.players + 1 for n in range(1, self.config.players + 1)]
        self.me = next(seat for seat in order if self.rings(seat))
        self.go("P")
        self.acted = self.recovered = False
        self.start_turn()

    def test_victory(self) -> None:
        territory = {seat: list(self.collapsed.values()).count(seat) for seat in self.seats}
        controllers = {rings[-1] for rings in self.stacks.values()}
        holders = {seat for seat in self.seats if self.rings(seat)}
        for seat in self.seats:
            if self.eliminated[seat] >= self.config.ring_threshold:
                return self.won(seat, "ring")
        for seat in self.seats:
            if territory[seat] >= self.config.territory_minimum and 2 * territory[seat] > len(self.collapsed):
                return self.won(seat, "territory")
        if len(controllers) == 1 and holders == controllers:
            return self.won(controllers.pop(), "lps_early")
        if self.stacks or any(count == 1 for seat in self.seats for _, count in self.see(seat).placements()):
            return None
        markers = {seat: list(self.markers.values()).count(seat) for seat in self.seats}
        rings = {seat: self.eliminated[seat] + self.hand[seat] for seat in self.seats}
        for ending, counts in (("territory", territory), ("rings", rings), ("markers", markers)):
            first, second = sorted(counts.values(), reverse=True)[:2]
            if first > second:
                return self.won(max(counts, key=counts.__getitem__), f"stale_{ending}")
        return self.won(self.last, "stale_last")

    def start_turn(self) -> None:
        among = {seat for seat in self.seats if self.rings(seat)}
        if self.leader not in among:
            self.leader, self.mask = self.me, set()
            if self.streak_owner not in among:
                self.streak_owner = self.streak = 0
        elif self.me == self.leader:
            able = self.mask & among
            alone = next(iter(able)) if len(able) == 1 else 0
            self.streak = self.streak + 1 if alone == self.streak_owner != 0 else int(alone > 0)
            self.streak_owner, self.mask = alone, set()
        if self.see(self.me).has_real_action():
            self.mask.add(self.me)
        others = [seat for seat in among - {self.me} if self.see(seat).has_real_action()]
        if self.streak >= 3 and self.streak_owner == self.me and self.me in self.mask and not others:
            self.won(self.me, "lps_rounds")
