"""A real S3 server in a process of its own takes and gives blobs as the one in memory does."""

import importlib.util
import random
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256

import httpx
import pytest
import trio

from node.blobs import PIECE_BYTES
from node.blobs.archive import Archive
from node.blobs.memory import MemoryBlobs
from node.blobs.s3 import Bucket, BucketError
from node.config.archive import ArchiveAccess, ArchivePlace
from node.demo.preparation import free_ports
from tests.node.blobs.s3_server import KEYS

_NEEDED = ("moto", "flask", "flask_cors")
_START_S = 30.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in _NEEDED),
        reason="there is no S3 server; pip install 'moto[s3]' flask flask-cors",
    ),
]


@pytest.fixture
def endpoint() -> Iterator[str]:
    port = free_ports(1)[0]
    command = [sys.executable, "-m", "moto.server", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


async def make_bucket(endpoint: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        with trio.fail_after(_START_S):
            while True:
                try:
                    assert (await client.put(f"{endpoint}/swarm")).status_code == 200
                    return
                except httpx.TransportError:
                    await trio.sleep(0.1)


async def test_a_real_server(endpoint: str) -> None:
    await make_bucket(endpoint)
    place = ArchivePlace(bucket="swarm", prefix="first/", endpoint=endpoint)
    blobs, fresh = MemoryBlobs(), MemoryBlobs()
    archive = Archive(Bucket(ArchiveAccess(place, KEYS)), blobs)
    contents = [b"", b"x", random.Random(1).randbytes(2 * PIECE_BYTES + 5), random.Random(2).randbytes(2 * PIECE_BYTES)]
    for data in contents:
        digest = await blobs.add(data)
        assert await archive.size(digest) is None
        assert await archive.upload(digest) == len(data)
        assert await archive.size(digest) == len(data)
    again = Archive(Bucket(ArchiveAccess(place, KEYS)), fresh)
    for data in contents:
        assert await again.restore(sha256(data).digest(), len(data))
    assert not await again.restore(bytes(32), 10)
    other = ArchivePlace(bucket="another", prefix="", endpoint=endpoint)
    with pytest.raises(BucketError, match="no such bucket"):
        await Archive(Bucket(ArchiveAccess(other, KEYS)), blobs).upload(sha256(b"x").digest())
    await archive.aclose()
    await again.aclose()
