"""docs/engine.md and docs/gpu.md: their examples run and print what they say."""

import ast
import re
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

import engine

DOCS = Path(__file__).parent.parent.parent / "docs"
BLOCK = re.compile(r"```python\n(.*?)```\n(?:\n?```text\n(.*?)```\n)?", re.DOTALL)


@pytest.mark.parametrize(("page", "least"), [("engine.md", 6), ("gpu.md", 2)])
def test_every_example_prints_what_stands_under_it(page: str, least: int, kernels: None) -> None:
    space: dict[str, object] = {}
    blocks = list(BLOCK.finditer((DOCS / page).read_text()))
    assert len(blocks) >= least
    for block in blocks:
        printed = StringIO()
        with redirect_stdout(printed):
            exec(compile(block[1], page, "exec"), space)
        assert printed.getvalue() == (block[2] or ""), block[1]


def test_the_package_has_the_names_that_it_lists() -> None:
    for name in engine.__all__:
        assert getattr(engine, name) is not None
    assert set(engine.__all__) <= set(dir(engine))
    with pytest.raises(AttributeError, match="module 'engine' has no attribute 'chess'"):
        _ = engine.chess
    tree = ast.parse(Path(engine.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {name.asname for node in block.body if isinstance(node, ast.ImportFrom) for name in node.names}
    assert typed | {"warm"} == set(engine.__all__)


def test_importing_the_package_loads_no_part_of_it() -> None:
    program = "import sys, engine; assert not {'numpy', 'warp', 'engine.games'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
