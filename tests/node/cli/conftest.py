"""A node's local port, and the data folder by which commands find it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from node.config.address import Address
from node.web.server import serve_local
from tests.node.fake_source import FakeSource


@pytest.fixture
async def data(source: FakeSource, tmp_path: Path) -> AsyncIterator[Path]:
    """The data folder of a node that runs."""
    folder = tmp_path / "node1"
    folder.mkdir()
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_local, source, Address("127.0.0.1", 0), folder)
        yield folder
        nursery.cancel_scope.cancel()
