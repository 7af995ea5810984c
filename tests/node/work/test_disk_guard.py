"""The disk gets full: what may go goes first, then nothing new is claimed, and what is named is never touched."""

import hashlib
import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from node.blobs import BlobError
from node.blobs.files import FileBlobs
from node.blobs.garbage_collection import GarbageCollector
from node.store.sqlite import SqliteStore
from node.work.disk_guard import GRACE_S, LOOK_S, DiskGuard, read_disk
from node.work.limits import DiskReading, WorkLimits
from tests.consensus.ledger.swarm import Swarm

MIB = 1 << 20


@dataclass
class Idle:
    """A fetcher that fetches nothing."""

    running: frozenset[bytes] = field(default_factory=frozenset)


class Folder:
    """A data folder with a shard that the ledger names, a blob that it does not, an old model and logs."""

    def __init__(self, data: Path) -> None:
        self.data, self.swarm = data, Swarm(4)
        self.blobs, self.limits = FileBlobs(data / "blobs"), WorkLimits()
        fetcher: Any = Idle()
        self.collector = GarbageCollector(lambda: self.swarm.ledger, self.blobs, fetcher, data / "models")
        self.old_model = data / "models" / "ab12"
        self.old_model.mkdir(parents=True)
        for name in ("worker.log", "worker.log.1", "checker.log.1"):
            (data / name).write_text("words\n")

    async def fill(self, size: int = 4 * MIB) -> None:
        self.unnamed = await self.blobs.add(random.Random(1).randbytes(size))
        self.named = self.swarm.play(1, games=32)
        path = self.blobs.path(self.named)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"a shard")

    def here(self) -> str:
        """What is left: logs, model, unnamed, named."""
        found = {
            "l": (self.data / "worker.log.1").exists(),
            "m": self.old_model.exists(),
            "u": self.blobs.size(self.unnamed) is not None,
            "n": self.blobs.size(self.named) is not None,
        }
        assert (self.data / "worker.log").exists()
        return "".join(letter for letter, is_there in found.items() if is_there)


async def test_things_go_in_their_order_until_there_is_room(tmp_path: Path, autojump_clock: MockClock) -> None:
    folder = Folder(tmp_path)
    await folder.fill()
    readings = [20]  # per cent free; the last one stays
    guard = DiskGuard(
        folder.limits, tmp_path, folder.collector, lambda _data: DiskReading(readings[0] * MIB, 100 * MIB)
    )

    async def look(free: int, is_at_rest: bool = True) -> str:
        readings[0] = free
        await guard.look(is_at_rest)
        return folder.here()

    assert await look(20) == "lmun"
    assert folder.limits.disk_tier == 0
    assert await look(8) == "mun"
    assert folder.limits.disk_tier == 1
    assert folder.limits.may_claim
    await trio.sleep(GRACE_S + 1)
    assert await look(20) == "mun"
    assert await look(4, is_at_rest=False) == "mun"  # what our own transactions name is in no ledger yet
    assert not folder.limits.may_claim
    assert await look(4) == "n"
    await trio.sleep(3600)
    assert await look(4) == "n"
    assert await look(13) == "n"
    assert folder.limits.disk_tier == 0


async def look_for_long(guard: DiskGuard) -> None:
    """Look again and again, as `run` does, but never be cancelled in a thread: virtual time passes beside it."""
    for _ in range(round(GRACE_S / LOOK_S) + 3):
        await guard.look(is_at_rest=True)
        await trio.sleep(LOOK_S)


async def test_blobs_stay_where_a_person_wants_to_keep_them(tmp_path: Path, autojump_clock: MockClock) -> None:
    folder = Folder(tmp_path)
    await folder.fill()
    guard = DiskGuard(folder.limits, tmp_path, None, lambda _data: DiskReading(MIB, 100 * MIB))
    await look_for_long(guard)
    assert folder.here() == "mun"


async def test_what_is_fetched_now_stays(tmp_path: Path, autojump_clock: MockClock) -> None:
    folder = Folder(tmp_path)
    await folder.fill()
    fetcher: Any = Idle(frozenset({folder.unnamed}))
    collector = GarbageCollector(lambda: folder.swarm.ledger, folder.blobs, fetcher, tmp_path / "models")
    guard = DiskGuard(folder.limits, tmp_path, collector, lambda _data: DiskReading(MIB, 100 * MIB))
    await look_for_long(guard)
    assert folder.here() == "un"


async def test_a_folder_that_is_gone_changes_nothing(tmp_path: Path) -> None:
    limits = WorkLimits()
    await DiskGuard(limits, tmp_path / "gone", None).look(is_at_rest=True)
    assert limits.disk_tier == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except OSError as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False, timeout=10)


async def test_a_real_disk_that_fills_is_tidied_and_nothing_on_it_is_half_written(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.work.disk_guard.GRACE_S", 0.0)
    folder = Folder(small_disk)
    await folder.fill(16 * MIB)
    store = SqliteStore(small_disk, genesis=folder.swarm.genesis.digest, member=folder.swarm.id(0))
    guard = DiskGuard(folder.limits, small_disk, folder.collector)
    large = random.Random(2).randbytes(10 * MIB)
    try:
        with pytest.raises(BlobError, match="No space left"):
            await folder.blobs.add(large)
        assert not any(path.is_file() for path in (small_disk / "blobs" / "partial").rglob("*"))
        (small_disk / "filler").write_bytes(bytes(6 * MIB))
        before = read_disk(small_disk)
        assert before is not None
        assert before.free_bytes < 0.1 * before.total_bytes
        await guard.look(is_at_rest=True)
        await guard.look(is_at_rest=True)
        assert folder.here() == "n"
        assert folder.limits.disk_tier == 0
        digest = await folder.blobs.add(large)
        assert hashlib.sha256(folder.blobs.path(digest).read_bytes()).digest() == digest
    finally:
        await store.aclose()
    again = SqliteStore(small_disk, genesis=folder.swarm.genesis.digest, member=folder.swarm.id(0))
    await again.aclose()
