"""Draws docs/pictures/house.svg from the imports and the import contracts, and tells whether it still fits.

The picture holds the facts that it was drawn from, so that a check can compare them with the code of today. Numbers
may drift by a third before a picture is out of date: it changes with the structure, not with every edit.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path

from scripts.house_drawing.facts import House, Room
from scripts.house_drawing.picture import draw

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "docs" / "pictures" / "house.svg"
PACKAGES = ("node", "consensus", "training", "engine")
_ROUNDED = 100  # lines
_REMEDY = "draw it again with scripts/house"


@dataclass(frozen=True)
class _Module:
    """A source file: its dotted name, and the folders that it lies in."""

    name: str
    home: tuple[str, ...]
    path: Path


def read_house(root: Path = ROOT) -> House:
    """Return the packages below `root` with their rooms, the floors of node/, and who imports whom."""
    floors = _floors(tomllib.loads((root / "pyproject.toml").read_text()))
    packages = tuple(_room(root / name) for name in PACKAGES)
    return House(packages=packages, floors=floors, imports=_imports(root))


def _floors(project: dict[str, object]) -> tuple[tuple[str, ...], ...]:
    tool = project["tool"]
    assert isinstance(tool, dict)
    contracts = tool["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract.get("containers") == ["node"])
    return tuple(tuple(name.strip() for name in re.split(r"[|:]", layer)) for layer in layers)


def _room(folder: Path) -> Room:
    """Return a folder of modules as a room, with the rooms in it."""
    inside = [_room(path) for path in sorted(folder.iterdir()) if (path / "__init__.py").exists()]
    says = _first_sentence(folder / "__init__.py")
    return Room(name=folder.name, says=says, lines=_lines(folder.rglob("*.py")), rooms=tuple(inside))


def _first_sentence(path: Path) -> str:
    words = " ".join((ast.get_docstring(ast.parse(path.read_text())) or "").split())
    match = re.match(r"(.+?\.)(?= [A-Z]|$)", words)
    return match[1] if match else words


def _lines(paths: Iterator[Path] | list[Path]) -> int:
    return round(sum(len(path.read_text().splitlines()) for path in paths) / _ROUNDED) * _ROUNDED


def _imports(root: Path) -> dict[str, dict[str, int]]:
    """Return how many pairs of modules lie behind each arrow, by the rooms at its two ends."""
    modules = {module.name: module for name in PACKAGES for module in _modules(root, name)}
    arrows: Counter[tuple[str, str]] = Counter()
    for module in modules.values():
        for name in sorted(_imported(module.path, modules) - {module.name}):
            arrow = _arrow(module.home, modules[name].home)
            if arrow is not None:
                arrows[arrow] += 1
    imports: dict[str, dict[str, int]] = {}
    for (source, target), count in sorted(arrows.items()):
        imports.setdefault(source, {})[target] = count
    return imports


def _modules(root: Path, package: str) -> Iterator[_Module]:
    for path in sorted((root / package).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield _Module(name, parts[:-1], path)


def _imported(path: Path, modules: dict[str, _Module]) -> set[str]:
    """Return the modules of ours that a file imports, wherever in it; of a package, the submodule that is named."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            deeper = {f"{node.module}.{alias.name}" for alias in node.names}
            names.update(deeper & modules.keys() or {node.module})
    return names & modules.keys()


def _arrow(source: tuple[str, ...], target: tuple[str, ...]) -> tuple[str, str] | None:
    """Return the two rooms between which an import is drawn: those in which the two places first differ.

    Between packages the arrow ends at the package, and begins at a room only in node/. An import of, or by, what
    lies beside the rooms of a package is not drawn.
    """
    if source[0] != target[0]:
        return ".".join(source[: 2 if source[0] == "node" else 1]), target[0]
    for depth, (here, there) in enumerate(zip(source, target, strict=False)):
        if here != there:
            return ".".join(source[: depth + 1]), ".".join(target[: depth + 1])
    return None


def read_picture(svg: str) -> House:
    """Return the facts that a picture was drawn from. Raise ValueError if it holds none."""
    match = re.search(r"<metadata>(.*?)</metadata>", svg, re.DOTALL)
    if match is None:
        raise ValueError("it was not drawn by this script")
    return House.from_table(json.loads(unescape(match[1])))


def misfit(svg: str, house: House) -> str | None:
    """Return the first thing in which a picture does not fit the code, or None if it fits."""
    try:
        drawn = read_picture(svg)
    except (ValueError, KeyError, TypeError) as error:
        return str(error)
    if drawn.floors != house.floors:
        return "the floors of node/ are others"
    rooms, present = dict(drawn.all_rooms()), dict(house.all_rooms())
    for name in sorted(rooms.keys() | present.keys()):
        if name not in rooms or name not in present:
            return f"{_path(name)} is {'new' if name in present else 'gone'}"
        if rooms[name].says != present[name].says:
            return f"{_path(name)} says something else about itself"
        if abs(rooms[name].lines - present[name].lines) > max(2 * _ROUNDED, rooms[name].lines // 3):
            return f"{_path(name)} has about {present[name].lines} lines now"
    before, now = set(drawn.arrows()), set(house.arrows())
    for source, target in sorted(before ^ now):
        verb = "imports" if (source, target) in now else "no longer imports"
        return f"{_path(source)} {verb} {_path(target)}"
    return None if draw(drawn) == svg else "it is drawn in another way now"


def _path(name: str) -> str:
    return name.replace(".", "/") + "/"


def main(argv: list[str] | None = None) -> int:
    """Draw the picture, or check it; return the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/house", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="exit with 1 and one line if the picture no longer fits")
    options = parser.parse_args(argv)
    house = read_house()
    if not options.check:
        PICTURE.write_text(draw(house))
        return 0
    reason = misfit(PICTURE.read_text(), house) if PICTURE.exists() else "it is missing"
    if reason is not None:
        print(f"{PICTURE.relative_to(ROOT)} no longer fits: {reason}; {_REMEDY}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
