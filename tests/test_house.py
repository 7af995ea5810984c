"""The house rules that no linter knows."""

import ast
import re
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("consensus", "engine", "training", "node")


def test_every_module_says_what_it_owns() -> None:
    modules = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    assert modules
    silent = [path for path in modules if not path.read_text().lstrip().startswith(('"""', 'r"""'))]
    assert not silent, f"modules without a docstring at their head: {silent}"


def test_every_folder_says_in_one_sentence_what_it_owns() -> None:
    heads = [path for package in PACKAGES for path in (ROOT / package).rglob("__init__.py")]
    assert len(heads) > 25
    folders = {path.parent for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    assert {path.parent for path in heads} == folders, "folders without an __init__.py"
    for path in heads:
        first, _, _ = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n\n")
        sentence = " ".join(first.split())
        assert re.match(r"[A-Z`].{15,160}?\.(?= [A-Z]|$)", sentence), f"{path.parent}: {sentence!r}"
        assert not re.match(r"(This|The) (package|module|folder)", sentence), f"{path.parent}: {sentence!r}"


def test_a_type_name_stands_in_one_module_of_a_package() -> None:
    for package in PACKAGES:
        homes: dict[str, set[str]] = {}
        for path in (ROOT / package).rglob("*.py"):
            for name in _type_names(ast.parse(path.read_text())):
                homes.setdefault(name, set()).add(path.relative_to(ROOT).as_posix())
        assert homes
        several = {name: sorted(paths) for name, paths in homes.items() if len(paths) > 1}
        assert not several, f"one name for different types: {several}"


def _type_names(module: ast.Module) -> set[str]:
    """Return the names of the classes and type aliases of a module; type variables mean nothing outside of it."""
    names: set[str] = set()
    for node in module.body:
        match node:
            case ast.ClassDef(name=name):
                names.add(name)
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                is_variable = isinstance(value, ast.Call) and "TypeVar" in ast.unparse(value.func)
                if re.fullmatch(r"_?[A-Z]\w*[a-z]\w*", name) and not is_variable:
                    names.add(name)
    return names


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports inside functions and under TYPE_CHECKING count too: they hide a circle, they do not open it."""
    imports = _imports()
    assert "engine.rules.turn" in imports["engine.kernels"]
    circles = [sorted(part) for part in _strongly_connected(imports) if len(part) > 1]
    assert not circles, f"modules that import each other in a circle: {circles}"


def test_a_circle_is_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": set[str](), "f": {"a"}}
    assert [part for part in _strongly_connected(graph) if len(part) > 1] == [{"a", "b", "c"}]


def _imports() -> dict[str, set[str]]:
    """Return which modules of the four packages each of them imports, wherever the import stands in it."""
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}
    imports: dict[str, set[str]] = {}
    for name, path in names.items():
        found: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.module is not None
                assert node.level == 0, f"{name} has a relative import, which this test does not follow"
                inner = (f"{node.module}.{alias.name}" for alias in node.names)
                found.update(module if module in names else node.module for module in inner)
        imports[name] = (found & names.keys()) - {name}
    return imports


def _strongly_connected(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Return the sets of nodes that reach each other (Tarjan's algorithm)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    components: list[set[str]] = []

    def visit(node: str) -> None:
        order[node] = lowest[node] = len(order)
        stack.append(node)
        for other in sorted(graph[node]):
            if other not in order:
                visit(other)
                lowest[node] = min(lowest[node], lowest[other])
            elif other in stack:
                lowest[node] = min(lowest[node], order[other])
        if lowest[node] == order[node]:
            begin = stack.index(node)
            components.append(set(stack[begin:]))
            del stack[begin:]

    for node in sorted(graph):
        if node not in order:
            visit(node)
    return components
