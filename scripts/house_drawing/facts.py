"""What is drawn: packages with their rooms, the floors of node/, and the arrows between rooms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Room:
    """A folder of modules: its name, what it says of itself, its number of lines, and the rooms in it."""

    name: str
    says: str
    lines: int
    rooms: tuple[Room, ...]

    @classmethod
    def from_table(cls, table: dict[str, Any]) -> Room:
        """Return the room of a table as `dataclasses.asdict` makes it."""
        return cls(**{**table, "rooms": tuple(cls.from_table(room) for room in table["rooms"])})


@dataclass(frozen=True)
class House:
    """What is drawn: packages with their rooms, the floors of node/ from the top, arrows by their two ends."""

    packages: tuple[Room, ...]
    floors: tuple[tuple[str, ...], ...]
    imports: dict[str, dict[str, int]]

    @classmethod
    def from_table(cls, table: dict[str, Any]) -> House:
        """Return the house of a table as `dataclasses.asdict` makes it."""
        packages = tuple(Room.from_table(package) for package in table["packages"])
        return cls(packages, tuple(tuple(floor) for floor in table["floors"]), table["imports"])

    def package(self, name: str) -> Room:
        """Return the package of this name."""
        return next(package for package in self.packages if package.name == name)

    def all_rooms(self) -> Iterator[tuple[str, Room]]:
        """Yield the packages and all that is in them, with dotted names."""

        def walk(room: Room, name: str) -> Iterator[tuple[str, Room]]:
            yield name, room
            for inner in room.rooms:
                yield from walk(inner, f"{name}.{inner.name}")

        for package in self.packages:
            yield from walk(package, package.name)

    def arrows(self) -> Iterator[tuple[str, str]]:
        """Yield both ends of every arrow."""
        for source, targets in self.imports.items():
            for target in targets:
                yield source, target
