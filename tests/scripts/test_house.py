"""`scripts/house` draws what the imports and contracts say, and notices when the committed picture no longer fits."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts import house
from scripts.house_drawing.facts import House, Room
from scripts.house_drawing.picture import draw


@pytest.fixture(scope="module")
def present() -> House:
    return house.read_house()


def test_the_committed_picture_fits(capsys: pytest.CaptureFixture[str]) -> None:
    assert house.main(["--check"]) == 0, capsys.readouterr().err


def test_all_rooms_are_in_the_picture_with_what_they_say(present: House) -> None:
    svg = house.PICTURE.read_text()
    shown = " ".join(element.text for element in ElementTree.fromstring(svg).iterfind(".//{*}text") if element.text)
    for name, room in present.all_rooms():
        assert room.name in shown, name
        assert room.says.endswith("."), f"{name}: {room.says}"


def test_the_same_facts_give_the_same_bytes(present: House) -> None:
    assert draw(present) == draw(house.read_picture(draw(present)))


def test_every_room_of_node_has_a_floor(present: House) -> None:
    floors = [name for floor in present.floors for name in floor]
    assert sorted(floors) == sorted(room.name for room in present.package("node").rooms)


def test_it_reads_the_imports_of_a_small_tree(tmp_path: Path) -> None:
    for name in house.PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f'"""The {name}. It is small."""\n')
    (tmp_path / "node" / "app").mkdir()
    (tmp_path / "node" / "app" / "__init__.py").write_text('"""Starts."""\nfrom node.web import page\nimport engine\n')
    (tmp_path / "node" / "web").mkdir()
    (tmp_path / "node" / "web" / "__init__.py").write_text('"""Serves."""\n')
    (tmp_path / "node" / "web" / "page.py").write_text('"""A page."""\ndef show() -> None:\n    import consensus\n')
    (tmp_path / "pyproject.toml").write_text(
        '[[tool.importlinter.contracts]]\ncontainers = ["node"]\nlayers = ["app", "web"]\n'
    )
    found = house.read_house(tmp_path)
    assert found.floors == (("app",), ("web",))
    assert found.package("engine").says == "The engine."
    assert found.imports == {"node.app": {"engine": 1, "node.web": 1}, "node.web": {"consensus": 1}}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("import", "node/blobs/ imports node/store/"),
        ("sentence", "engine/ says something else about itself"),
        ("room", "consensus/cellar/ is new"),
        ("floors", "the floors of node/ are others"),
        ("lines", "training/ has about 99000 lines now"),
    ],
)
def test_it_notices_what_changed(present: House, change: str, reason: str) -> None:
    assert house.misfit(draw(_before(present, change)), _after(present, change)) == reason


def _before(present: House, change: str) -> House:
    if change != "import":
        return present
    blobs = {target: count for target, count in present.imports["node.blobs"].items() if target != "node.store"}
    return replace(present, imports={**present.imports, "node.blobs": blobs})


def _after(present: House, change: str) -> House:
    packages = {package.name: package for package in present.packages}
    if change == "sentence":
        packages["engine"] = replace(packages["engine"], says="Another sentence.")
    if change == "room":
        cellar = Room(name="cellar", says="Dark.", lines=0, rooms=())
        packages["consensus"] = replace(packages["consensus"], rooms=(*packages["consensus"].rooms, cellar))
    if change == "lines":
        packages["training"] = replace(packages["training"], lines=99_000)
    floors = present.floors[::-1] if change == "floors" else present.floors
    return replace(present, packages=tuple(packages.values()), floors=floors)


def test_small_changes_of_size_need_no_new_picture(present: House) -> None:
    packages = tuple(replace(package, lines=package.lines + 200) for package in present.packages)
    assert house.misfit(draw(present), replace(present, packages=packages)) is None


def test_it_refuses_a_picture_that_was_drawn_by_hand(present: House) -> None:
    assert house.misfit("<svg/>", present) == "it was not drawn by this script"
    by_hand = draw(present).replace("</svg>", "<circle/></svg>")
    assert house.misfit(by_hand, present) == "it is drawn in another way now"
