"""What a node wrote until its power went, in memory where that is possible."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.node.store.written import Written, write


@pytest.fixture
def quick_path(tmp_path: Path) -> Iterator[Path]:
    """A directory in memory, where there is one: the same file system calls, and syncs that take no time."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as directory:
        yield Path(directory)


@pytest.fixture
async def written(quick_path: Path) -> Written:
    return await write(quick_path / "written")
