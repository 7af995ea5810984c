"""The store on disk after a power loss: a prefix with all that was synced, and a node that goes on from it."""

import random
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from consensus.event import decode_event
from consensus.sync import Tip
from node.member.member import Member
from node.member.timing import CreationTiming
from node.member.verification import ParallelVerifier
from node.store.sqlite import SqliteStore
from node.system.clock import SimulatedClock
from tests.node.store.written import (
    GENESIS,
    ME,
    NAMES,
    OWN,
    PEERS,
    RECEIVED,
    SMALL_PAGE,
    Written,
    open_store,
    recover,
    restore,
    write,
)

Tail = Callable[[bytes, int], bytes]
TAILS: dict[str, Tail] = {
    "cut": lambda wal, at: wal[:at],
    "zeros": lambda wal, at: wal[:at] + bytes(len(wal) - at),
    "garbage": lambda wal, at: wal[:at] + random.Random(at).randbytes(len(wal) - at),
}


def interesting(length: int, page: int) -> list[int]:
    """Every byte of the heads of the frames of a WAL, and some of the pages in them."""
    frame = 24 + page
    return [at for at in range(length + 1) if at < 56 or (at - 32) % frame < 26 or at % 97 == 0]


async def assert_prefixes(written: Written, directory: Path, tail: Tail, cuts: Iterable[int]) -> set[int]:
    wal, lengths = written.files[NAMES[1]], set()
    for at in cuts:
        files = written.files | {NAMES[1]: tail(wal, at)}
        raws = await recover(restore(directory, files))
        assert raws == written.raws[: len(raws)], f"cut at byte {at}: no prefix"
        assert len(raws) >= written.kept(at), f"cut at byte {at}: an event was lost that had been synced"
        lengths.add(len(raws))
    return lengths


@pytest.mark.parametrize("kind", TAILS)
async def test_a_log_cut_anywhere_keeps_a_prefix_with_all_that_was_synced(
    written: Written, quick_path: Path, kind: str
) -> None:
    cuts = interesting(len(written.files[NAMES[1]]), SMALL_PAGE)[:: 1 if kind == "cut" else 5]
    lengths = await assert_prefixes(written, quick_path / "cut", TAILS[kind], cuts)
    assert min(lengths) == written.kept(0) > 0
    assert max(lengths) == len(written.raws)


@pytest.mark.slow
@pytest.mark.parametrize(("page", "last"), [(SMALL_PAGE, 1 << 20), (4096, 30_000)])
@pytest.mark.parametrize("kind", TAILS)
async def test_a_log_cut_at_every_byte(quick_path: Path, kind: str, page: int, last: int) -> None:
    """Of all transactions with small pages, and of the last ones with SQLite's usual pages."""
    written = await write(quick_path / "written", page)
    length = len(written.files[NAMES[1]])
    cuts = range(max(0, length - last), length + 1)
    await assert_prefixes(written, quick_path / "cut", TAILS[kind], cuts)


async def test_a_checkpoint_cut_at_any_byte_loses_nothing(written: Written, quick_path: Path) -> None:
    """While the log is copied into the file, the log is whole: whatever part of the file is new, nothing is lost."""
    directory = restore(quick_path / "checkpointed", written.files)
    assert await recover(directory) == written.raws  # to close is to checkpoint
    assert not (directory / NAMES[1]).exists()
    old, new = written.files[NAMES[0]], (directory / NAMES[0]).read_bytes()
    assert old != new
    for at in range(0, len(new) + 1, 101):
        files = written.files | {NAMES[0]: new[:at] + old[at:]}
        assert await recover(restore(directory, files)) == written.raws, f"cut at byte {at}"


# A node that starts on what is left.


def member_on(store: SqliteStore) -> Member:
    return Member(
        genesis=GENESIS,
        identity=ME,
        store=store,
        verifier=ParallelVerifier(),
        clock=SimulatedClock(),
        chance=random.Random(1),
        timing=CreationTiming(busy_s=0.2, heartbeat_s=1.0, grace_s=2.0, quiet_s=3.0),
    )


async def let_virtual_time_pass(clock: MockClock, seconds: int) -> None:
    """Virtual seconds, with real time between them for tasks that wait for their disk."""
    for _ in range(seconds):
        clock.jump(1.0)
        await trio.testing.wait_all_tasks_blocked(0.005)


async def test_a_node_on_any_prefix_listens_and_never_signs_a_number_twice(
    written: Written, quick_path: Path, mock_clock: MockClock
) -> None:
    """Even if the disk had lied, and own events are lost that others have."""
    sent = [decode_event(raw, GENESIS.digest) for raw in written.raws]
    wal = written.files[NAMES[1]]
    for at in (0, *(size for size, _ in written.promised[1:])):
        directory = restore(quick_path / str(at), written.files | {NAMES[1]: wal[:at]})
        store = open_store(directory)
        member = member_on(store)
        async with trio.open_nursery() as nursery:
            await nursery.start(member.run)
            before = len(member.replica.dag)
            assert before == written.kept(at)
            member.submit([{"type": "note", "id": 99}])
            await let_virtual_time_pass(mock_clock, 30)
            assert len(member.replica.dag) == before, "it spoke before it had listened"
            for peer in PEERS:
                member.observe_tips(
                    peer.id, [Tip(event.creator, event.seq, event.hash) for event in (OWN[-1], RECEIVED[8])]
                )
            await let_virtual_time_pass(mock_clock, 30)
            assert before == len(sent) or len(member.replica.dag) == before
            await member.insert(sent)
            for peer in PEERS:
                member.observe_tips(
                    peer.id, [Tip(event.creator, event.seq, event.hash) for event in (OWN[-1], RECEIVED[8])]
                )
            await let_virtual_time_pass(mock_clock, 5)
            own = [event.seq for event in member.replica.dag.events if event.creator == ME.id]
            assert own == list(range(len(own)))
            assert len(own) > len(OWN)
            nursery.cancel_scope.cancel()
        await store.aclose()
