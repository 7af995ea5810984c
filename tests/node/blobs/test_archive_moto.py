"""A real S3 server in a process of its own takes and gives blobs as the one in memory does."""

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256

import pytest

from node.blobs import PIECE_BYTES
from node.blobs.archive import Archive
from node.blobs.memory import MemoryBlobs
from node.blobs.s3 import Bucket, BucketError
from node.config.archive import ArchiveAccess, ArchiveKeys, ArchivePlace
from tests.node.blobs.moto_server import BUCKET, IS_MISSING, WHY_MISSING, MotoServer, moto_server
from tests.node.blobs.s3_server import KEYS

pytestmark = [pytest.mark.slow, pytest.mark.skipif(IS_MISSING, reason=WHY_MISSING)]


@pytest.fixture
async def server() -> AsyncIterator[MotoServer]:
    async with moto_server() as server:
        yield server


async def test_a_real_server(server: MotoServer) -> None:
    place = ArchivePlace(bucket=BUCKET, prefix="first/", endpoint=server.endpoint)
    blobs, fresh = MemoryBlobs(), MemoryBlobs()
    archive = Archive(Bucket(ArchiveAccess(place, server.keys)), blobs)
    contents = [b"", b"x", random.Random(1).randbytes(2 * PIECE_BYTES + 5), random.Random(2).randbytes(2 * PIECE_BYTES)]
    for data in contents:
        digest = await blobs.add(data)
        assert await archive.size(digest) is None
        assert await archive.upload(digest) == len(data)
        assert await archive.size(digest) == len(data)
    again = Archive(Bucket(ArchiveAccess(place, server.keys)), fresh)
    for data in contents:
        assert await again.restore(sha256(data).digest(), len(data))
    assert not await again.restore(bytes(32), 10)
    other = replace(place, bucket="another", prefix="")
    with pytest.raises(BucketError, match="no such bucket"):
        await Archive(Bucket(ArchiveAccess(other, server.keys)), blobs).upload(sha256(b"x").digest())
    await archive.aclose()
    await again.aclose()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("key", "the server does not know the access key; check the keys of the archive"),
        ("secret", "the secret does not belong to the access key; check the keys of the archive"),
    ],
)
async def test_keys_that_a_real_server_refuses(server: MotoServer, wrong: str, words: str) -> None:
    keys = KEYS if wrong == "key" else ArchiveKeys(server.keys.key_id, KEYS.secret)
    place = ArchivePlace(bucket=BUCKET, prefix="first/", endpoint=server.endpoint)
    archive = Archive(Bucket(ArchiveAccess(place, keys)), MemoryBlobs())
    with pytest.raises(BucketError, match=words):
        await archive.size(bytes(32))
    await archive.aclose()
