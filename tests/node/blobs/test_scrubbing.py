"""Blobs are read again slowly in the background, and what is damaged comes back from peers."""

import random
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import pytest
import trio
from trio.testing import MockClock

from node.blobs import PIECE_BYTES, BlobError
from node.blobs.files import FileBlobs
from node.blobs.scrubbing import _FIRST_S, Scrubber, in_turn

BLOBS = [random.Random(number).randbytes(2 * PIECE_BYTES + number) for number in range(4)]
DIGESTS = [sha256(data).digest() for data in BLOBS]


_T = TypeVar("_T")
_Args = TypeVarTuple("_Args")


class SameThread(FileBlobs):
    """Blobs as files, without the threads, for which virtual time does not wait."""

    async def _run(self, work: Callable[[*_Args], _T], *args: *_Args) -> _T:
        await trio.lowlevel.checkpoint()
        return work(*args)


class Peers:
    """A fetcher that gives what its peers have."""

    def __init__(self, blobs: FileBlobs, there: Iterable[int]) -> None:
        self.blobs = blobs
        self.there = {DIGESTS[number]: BLOBS[number] for number in there}
        self.asked: list[bytes] = []

    async def fetch(self, digest: bytes, *, max_bytes: int) -> None:
        self.asked.append(digest)
        if digest not in self.there:
            raise BlobError("none of 3 peers could give it")
        await self.blobs.add(self.there[digest])


def spoil(path: Path) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(PIECE_BYTES)
        file.write(b"damage")


@pytest.fixture
async def blobs(tmp_path: Path) -> FileBlobs:
    made = SameThread(tmp_path)
    for data in BLOBS:
        await made.add(data)
    return made


async def test_a_pass_finds_what_is_damaged_at_two_megabytes_a_second(
    blobs: FileBlobs, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    peers = Peers(blobs, [1])
    scrubber = Scrubber(blobs, peers, lambda: frozenset(DIGESTS[:3]))  # type: ignore[arg-type]  # it only fetches
    for number in (1, 2, 3):
        spoil(blobs.path(DIGESTS[number]))
    nursery.start_soon(scrubber.run)
    await trio.sleep(_FIRST_S + 0.1)
    assert 0 < scrubber.checked_bytes <= PIECE_BYTES
    await trio.sleep(30)
    assert scrubber.checked_bytes == sum(map(len, BLOBS))
    assert (scrubber.damaged, scrubber.lost) == (3, 1)
    assert blobs.path(DIGESTS[0]).read_bytes() == BLOBS[0]
    assert blobs.path(DIGESTS[1]).read_bytes() == BLOBS[1]
    assert blobs.size(DIGESTS[2]) is blobs.size(DIGESTS[3]) is None
    assert peers.asked.count(DIGESTS[1]) == peers.asked.count(DIGESTS[2]) == 1
    assert DIGESTS[3] not in peers.asked  # nobody needs it
    peers.there[DIGESTS[2]] = BLOBS[2]
    await trio.sleep(700)
    assert scrubber.lost == 0
    assert scrubber.checked_bytes == sum(map(len, BLOBS))  # the next pass is hours later
    await trio.sleep(7 * 3600)
    assert scrubber.checked_bytes == sum(map(len, BLOBS)) + sum(map(len, BLOBS[:3]))
    nursery.cancel_scope.cancel()


def test_a_pass_begins_anywhere_and_misses_nothing() -> None:
    one, two, three = sorted(DIGESTS)[:3]
    assert in_turn([three, one, two], two) == [two, three, one]
    assert in_turn([three, one, two], bytes(32)) == in_turn([one, two, three], b"\xff" * 32) == [one, two, three]


async def test_what_went_meanwhile_is_not_missed(blobs: FileBlobs, autojump_clock: MockClock) -> None:
    scrubber = Scrubber(blobs, Peers(blobs, []), frozenset)  # type: ignore[arg-type]  # it only fetches
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scrubber.check, DIGESTS[0])
        await trio.sleep(0.1)
        await blobs.remove(DIGESTS[0])
    await scrubber.check(sha256(b"never here").digest())
    assert (scrubber.damaged, scrubber.lost) == (0, 0)
