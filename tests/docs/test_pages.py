"""What the pages of the documentation name exists: paths, pages, headings."""

import ast
import builtins
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from node.api.status import ConsensusInfo
from scripts.house import PACKAGES, read_house

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("consensus/*.md")])
_PATH = re.compile(r"(?<![\w/.<>-])((?:node|consensus|engine|training|tests|scripts|docs)/[\w./*-]*)")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_ENTRY = re.compile(r"^\*\*([^*]+)\.\*\* (.*?)(?:\n\n|\Z)", re.MULTILINE | re.DOTALL)  # of the glossary
_CLASS = re.compile(r"`([A-Z]\w*[a-z]\w*)(?:\.(\w+))?[^`]*`")
_DOTTED = re.compile(r"`((?:node|consensus|engine|training)(?:\.\w+)+)`")
_QUOTED = re.compile(r"`([^`\n]+)`")
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)


def _named_paths(page: Path) -> Iterator[str]:
    text = page.read_text()
    for path in _PATH.findall(_LINK.sub("]", text)):
        yield path.rstrip(".")


def _links(page: Path) -> Iterator[tuple[Path, str]]:
    """Yield the target of each link to something of ours, and the heading in it that is named."""
    for link in _LINK.findall(page.read_text()):
        if "://" not in link:
            target, _, heading = link.partition("#")
            yield (page.parent / target if target else page), heading


def _anchor(heading: str) -> str:
    """Return the name under which a heading can be linked to."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    absent = [path for path in _named_paths(page) if not list(ROOT.glob(path.rstrip("/") or path))]
    assert not absent


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, heading in _links(page):
        assert target.exists(), f"{target} does not exist"
        if heading:
            text = target.read_text()
            anchors = [*(_anchor(each) for each in _HEADING.findall(text)), *re.findall(r'<a id="([^"]+)">', text)]
            assert heading in anchors, f"{target} has no heading #{heading}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    for path, name in _TEST.findall(page.read_text()):
        assert f"def {name}(" in (ROOT / path).read_text(), f"{path} has no {name}"


def test_each_trouble_of_others_has_a_test() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    table = text.partition("| trouble | test |\n|---|---|\n")[2].partition("\n\n")[0].strip().splitlines()
    assert len(table) == 12
    assert [row for row in table if not _TEST.search(row)] == []


def test_the_glossary_is_in_order_and_names_a_file_for_each_word() -> None:
    entries = re.findall(
        r"^\*\*([^*]+)\.\*\* (.*?)(?:\n\n|\Z)", (ROOT / "docs" / "glossary.md").read_text(), re.M | re.S
    )
    words = [word for word, _ in entries]
    assert words == sorted(words, key=str.lower)
    assert [word for word, meaning in entries if not _PATH.search(meaning)] == []


def test_the_architecture_has_every_room_of_node_by_its_floor() -> None:
    rooms = re.findall(r"^\| \[`(\w+)(?:/|\.py)`\]", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE)
    floors = [name for floor in read_house().floors for name in floor]
    packages = list(PACKAGES)
    assert sorted(rooms[: len(packages)]) == sorted(packages)
    assert rooms[len(packages) :] == floors


@pytest.fixture(scope="module")
def classes() -> dict[str, set[str]]:
    """Return the classes of the packages and scripts with the names of what they have."""
    classes: dict[str, set[str]] = {}
    for package in (*PACKAGES, "scripts", "tests"):
        for path in (ROOT / package).rglob("*.py"):
            tree = ast.parse(path.read_text())
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef):
                    classes.setdefault(node.name, set()).update(_attributes(node))
            for node in tree.body:
                for target in _targets(node):
                    classes.setdefault(target, set())  # perhaps the name of a type
    return classes


def _targets(node: ast.stmt) -> Iterator[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    yield from (target.id for target in targets if isinstance(target, ast.Name))


def _attributes(node: ast.ClassDef) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            yield inner.name
        elif isinstance(inner, ast.Name | ast.Attribute) and isinstance(inner.ctx, ast.Store):
            yield inner.id if isinstance(inner, ast.Name) else inner.attr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_class_that_a_page_names_exists(page: Path, classes: dict[str, set[str]]) -> None:
    for name, attribute in _CLASS.findall(page.read_text()):
        assert name in classes or hasattr(builtins, name), name
        assert not attribute or attribute in classes[name], f"{name}.{attribute}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_dotted_name_on_a_page_can_be_imported(page: Path) -> None:
    for name in _DOTTED.findall(page.read_text()):
        is_in_status = name.removeprefix("consensus.") in ConsensusInfo.__annotations__
        assert is_in_status or _is_there(name), name


def _is_there(name: str) -> bool:
    """Return whether a dotted name leads from a package of ours to something."""
    parts = name.split(".")
    for depth in range(len(parts), 0, -1):
        try:
            found: object = import_module(".".join(parts[:depth]))
        except ModuleNotFoundError:
            continue
        for part in parts[depth:]:
            if not hasattr(found, part) and part not in getattr(found, "__annotations__", {}):
                return False
            found = getattr(found, part, None)
        return True
    return False


def test_the_examples_of_style_are_our_own() -> None:
    examples = re.findall(r"```python\n# (\S+)\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    assert len(examples) == 2
    for path, code in examples:
        assert code in (ROOT / path).read_text(), path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_identifier_that_a_page_names_is_in_the_code(page: Path, words: set[str]) -> None:
    named = (word for quoted in _QUOTED.findall(page.read_text()) for word in re.findall(r"\w+_\w+", quoted))
    absent = {word for word in named if word.removesuffix("_total").removesuffix("_info").strip("_") not in words}
    assert not absent


@pytest.fixture(scope="module")
def words() -> set[str]:
    """Return the identifiers in the code, and the names of its files."""
    paths = [path for package in (*PACKAGES, "scripts", "tests") for path in (ROOT / package).rglob("*.py")]
    found = {path.stem for path in paths}
    for path in [*paths, ROOT / "swarm.toml", ROOT / "pyproject.toml"]:
        found.update(word.strip("_") for word in re.findall(r"\w+", path.read_text()))
    return found
