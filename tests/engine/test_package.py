"""The package as a whole: its names, and what importing it loads."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import engine


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
