"""A node's files with proofs of wrong results: written once all is there that they take, whenever that is."""

import os
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from consensus.epoch import SealedRecord
from consensus.event import Event
from consensus.fault_proof import verify_proof
from consensus.genesis import Genesis
from consensus.ledger.records.cases import Fault
from node.proofs.faults import find_events, proof_path, read_proof, write_fault_proofs
from node.work.worker import WorkError
from tests.node.proofs import fault_proofs


class Shelf:
    """The reading half of a store, with some epochs' events."""

    def __init__(self, *epochs: list[bytes]) -> None:
        self.epochs = list(epochs)
        self.read: list[int] = []

    @property
    def epoch(self) -> int:
        return len(self.epochs) - 1

    async def read_events(self, epoch: int, start: int, count: int) -> list[bytes]:
        await trio.lowlevel.checkpoint()
        self.read.append(epoch)
        return self.epochs[epoch][start : start + count]


class FakeContext:
    """What `write_fault_proofs` asks of a context, and of its ledger."""

    def __init__(self, directory: Path, fault: Fault, games: bytes | None) -> None:
        self.directory, self.fault, self.games = directory, fault, games
        self.advances = 0
        self.chain: tuple[SealedRecord, ...] | None = ()

    @property
    def ledger(self) -> "FakeContext":
        return self

    @property
    def genesis(self) -> Genesis:
        return fault_proofs.genesis()

    def faults(self) -> tuple[Fault, ...]:
        return (self.fault,)

    def chain_to(self, version: int) -> tuple[SealedRecord, ...] | None:
        assert version == self.fault.roster_version
        return self.chain

    async def wait_for_advance(self, since: int) -> None:
        await trio.sleep_forever()

    async def fetch(self, digest: bytes, size: int | None) -> Path:
        await trio.sleep(1)
        if self.games is None:
            raise WorkError("nobody has it")
        path = self.directory / digest.hex()
        path.write_bytes(self.games)
        return path


def made() -> tuple[Fault, list[Event]]:
    report, reported = fault_proofs.report_of(fault_proofs.wrong_scores())
    fault, findings = fault_proofs.fault_of(report, reported)
    return fault, [reported, *findings]


async def test_a_proof_is_written_when_all_is_there(
    tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seals of the roster, the events, the games, room on the disk: each of them may be missing for a while."""
    fault, events = made()
    context, shelf = FakeContext(tmp_path, fault, None), Shelf([events[0].raw], [], [made.raw for made in events[1:3]])
    context.chain = None
    path = proof_path(tmp_path / "faults", fault.id)
    nursery.start_soon(write_fault_proofs, context, shelf, tmp_path / "faults")  # type: ignore[arg-type]  # what it uses of them

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("node.system.files.os.fsync", full)
        await trio.sleep(600)
        context.chain = ()
        await trio.sleep(700)
        shelf.epochs[2].append(events[3].raw)
        await trio.sleep(700)
        context.games = fault_proofs.wrong_scores().games
        await trio.sleep(700)
        assert not path.exists()
    await trio.sleep(700)
    proof = verify_proof(path.read_bytes(), fault_proofs.genesis().digest)
    assert proof.accused == fault_proofs.ACCUSED.id
    assert proof.found_weight == 3
    assert path.read_bytes() == fault_proofs.proof_of(fault_proofs.wrong_scores())
    reads = len(shelf.read)
    await trio.sleep(5000)
    assert len(shelf.read) == reads
    whole = path.read_bytes()
    assert read_proof(path, fault_proofs.genesis().digest) == whole
    assert read_proof(path, bytes(32)) is None
    path.write_bytes(whole[:-1])
    assert read_proof(path, fault_proofs.genesis().digest) is None
    path.write_bytes(whole[:-1])  # damaged; the next start makes it anew
    nursery.start_soon(write_fault_proofs, context, shelf, tmp_path / "faults")  # type: ignore[arg-type]  # as above
    await trio.sleep(10)
    assert path.read_bytes() == whole
    path.unlink()
    os.mkfifo(path)
    assert read_proof(path, fault_proofs.genesis().digest) is None
    path.unlink()
    path.mkdir()
    nursery.start_soon(write_fault_proofs, context, shelf, tmp_path / "faults")  # type: ignore[arg-type]  # as above
    await trio.sleep(10)
    assert path.read_bytes() == whole
    nursery.cancel_scope.cancel()


async def test_events_are_looked_for_in_the_newest_epochs_first_and_no_longer_than_needed() -> None:
    _, events = made()
    shelf = Shelf([events[0].raw], [events[1].raw], [b"no event"] * 1000 + [events[2].raw, events[3].raw])
    found = await find_events(shelf, [event.hash for event in events[1:]])  # type: ignore[arg-type]  # it only reads
    assert found == {event.hash: event.raw for event in events[1:]}
    assert 0 not in shelf.read
    found = await find_events(shelf, [events[0].hash, bytes(32)])  # type: ignore[arg-type]  # it only reads
    assert found == {events[0].hash: events[0].raw}
