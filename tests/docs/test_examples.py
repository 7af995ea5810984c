"""docs/engine.md and docs/gpu.md: their examples run and print what they say."""

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
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
