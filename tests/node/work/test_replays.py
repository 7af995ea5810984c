"""What a node finds when it has real games replayed by its real worker process."""

from pathlib import Path

import pytest
import trio

from node.work.replays import Replays
from node.work.worker import WorkerProcess, WorkError
from tests.node.proofs import fault_proofs


class Shelf:
    """The part of a context that fetches."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.fetched = 0

    async def fetch(self, digest: bytes, size: int | None) -> Path:
        await trio.lowlevel.checkpoint()
        self.fetched += 1
        return self.directory / digest.hex()


async def test_the_worker_finds_what_is_wrong_and_each_slot_is_replayed_once(tmp_path: Path) -> None:
    shelf, worker = Shelf(tmp_path), WorkerProcess(tmp_path / "log")
    replays = Replays(shelf, worker)  # type: ignore[arg-type]  # they only fetch
    found: dict[str, str] = {}

    async def find(name: str, slot: fault_proofs.Slot) -> None:
        report, _ = fault_proofs.report_of(slot)
        (tmp_path / report.result.blob.hex()).write_bytes(slot.games)
        found[name] = await replays.find(report)

    slots = {
        "right": fault_proofs.honest(), "the same": fault_proofs.honest(), "scores": fault_proofs.wrong_scores(),
        "seeds": fault_proofs.other_seeds(), "games": fault_proofs.not_games(), "root": fault_proofs.wrong_root(),
    }  # fmt: skip
    try:
        async with trio.open_nursery() as nursery:
            for name, slot in slots.items():
                nursery.start_soon(find, name, slot)
        assert shelf.fetched == 5
        assert found["right"] == found["the same"] == ""
        assert "was claimed" in found["scores"]
        assert "opening" in found["seeds"]
        assert "safetensors" in found["games"]
        assert "Merkle root" in found["root"]
    finally:
        await worker.aclose()


async def test_a_file_that_is_gone_or_damaged_is_no_finding(tmp_path: Path) -> None:
    shelf, worker = Shelf(tmp_path), WorkerProcess(tmp_path / "log")
    replays = Replays(shelf, worker)  # type: ignore[arg-type]  # they only fetch
    report, _ = fault_proofs.report_of(fault_proofs.honest())
    path = tmp_path / report.result.blob.hex()
    damaged = bytearray(fault_proofs.honest().games)
    damaged[-3] ^= 1
    try:
        path.write_bytes(damaged)
        with pytest.raises(WorkError, match="damaged on this disk"):
            await replays.find(report)
        path.unlink()
        with pytest.raises(WorkError, match="cannot be read"):
            await replays.find(report)
        path.write_bytes(fault_proofs.honest().games)
        assert await replays.find(report) == ""
    finally:
        await worker.aclose()
