"""The store on disk after a power loss, on a failing or full disk, and with flipped bits."""

import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from consensus.event import Event, decode_event, make_event
from consensus.genesis import Genesis, make_genesis
from consensus.roster import RosterMember
from consensus.settings import Settings
from consensus.sync import Tip
from node.cli import main
from node.config.founding import found_swarm
from node.config.identity import Identity, load_identity
from node.config.swarm_file import load_config
from node.demo.preparation import free_ports
from node.member.member import Member
from node.member.timing import CreationTiming
from node.member.verification import ParallelVerifier
from node.store import StoreError
from node.store.sqlite import SqliteStore
from node.system.clock import SimulatedClock
from tests.node.store import failing_system

ROOT = Path(__file__).parents[3]
ME, *PEERS = (Identity(bytes([number]) * 32) for number in range(30, 34))
GENESIS: Genesis = make_genesis("damage", [RosterMember(identity.id, 1) for identity in (ME, *PEERS)], Settings())
NAMES = ("events.sqlite", "events.sqlite-wal")
SMALL_PAGE = 512  # bytes; with SQLite's usual 4096, trying every byte takes eight times as long


def chain(identity: Identity, length: int, size: int = 37) -> list[Event]:
    """Events of different sizes: `size` times 0 to 4 bytes of text in them."""
    events: list[Event] = []
    for seq in range(length):
        events.append(
            make_event(
                identity.key,
                epoch=GENESIS.digest,
                seq=seq,
                time=1000 * seq,
                self_parent=events[-1].hash if events else None,
                transactions=({"type": "note", "id": seq, "text": "x" * (seq % 5 * size)},),
            )
        )
    return events


OWN, RECEIVED = chain(ME, 9), chain(PEERS[0], 20)
LARGE = chain(ME, 9, 3000)


def open_store(directory: Path) -> SqliteStore:
    return SqliteStore(directory, genesis=GENESIS.digest, member=ME.id)


def prepare(directory: Path, page: int = SMALL_PAGE) -> Path:
    """A directory whose database will have pages of this size."""
    directory.mkdir(parents=True)
    database = sqlite3.connect(directory / NAMES[0])
    database.execute(f"PRAGMA page_size={page}")
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("VACUUM")
    database.close()
    return directory


def snapshot(directory: Path) -> dict[str, bytes]:
    return {name: (directory / name).read_bytes() for name in NAMES if (directory / name).exists()}


def restore(directory: Path, files: dict[str, bytes]) -> Path:
    """The directory after the crash: these files, and no trace of the process that wrote them."""
    directory.mkdir(exist_ok=True)
    for name in (*NAMES, "events.sqlite-shm"):
        (directory / name).unlink(missing_ok=True)
    for name, data in files.items():
        (directory / name).write_bytes(data)
    return directory


async def read_all(store: SqliteStore) -> list[bytes]:
    rows: list[bytes] = []
    while some := await store.read_events(store.epoch, len(rows), 7):
        rows += some
    return rows


async def recover(directory: Path) -> list[bytes]:
    """Everything in the store of a node that starts; StoreError if it must not start."""
    store = open_store(directory)
    store._database.execute("PRAGMA synchronous=OFF")  # no power will be lost here any more
    try:
        return await read_all(store)
    finally:
        await store.aclose()


@dataclass
class Written:
    """What a node wrote until the power went: files, events in order, and what had been promised when."""

    files: dict[str, bytes]
    raws: list[bytes] = field(default_factory=list)
    promised: list[tuple[int, int]] = field(default_factory=list)  # length of the WAL, events that it keeps

    def kept(self, length: int) -> int:
        """How many events a WAL of this length must keep."""
        return max((count for size, count in self.promised if size <= length), default=0)


async def write(directory: Path, page: int = SMALL_PAGE) -> Written:
    """A life of a node: own and received events by turns, a checkpoint in the middle, and no end."""
    store = open_store(prepare(directory, page))
    written = Written({})
    received = iter(RECEIVED)
    for number, own in enumerate(OWN):
        if number == 5:
            store._database.execute("PRAGMA wal_checkpoint(RESTART)")
            written.promised = [(0, len(written.raws))]
        some = [next(received) for _ in range(number % 3)]
        await store.append(some)
        await store.append_own(own)
        written.raws += [event.raw for event in (*some, own)]
        written.promised.append((failing_system.size(directory / NAMES[1]), len(written.raws)))
    written.files = snapshot(directory)
    await store.aclose()
    return written


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


async def test_a_file_without_its_tail_is_refused_or_its_prefix_recovered(written: Written, quick_path: Path) -> None:
    directory = restore(quick_path / "whole", written.files)
    await recover(directory)
    whole = (directory / NAMES[0]).read_bytes()
    for at in [*range(0, len(whole), 211), len(whole) - 1]:
        await assert_recovered_or_refused(restore(directory, {NAMES[0]: whole[:at]}), written.raws)
        files = {NAMES[0]: whole[:at] + bytes(len(whole) - at)}
        await assert_recovered_or_refused(restore(directory, files), written.raws)


async def assert_recovered_or_refused(directory: Path, raws: Sequence[bytes]) -> bool:
    """A prefix of `raws`, or one line with a remedy; what is no event any more is left to the replay to find."""
    try:
        found = await recover(directory)
    except StoreError as error:
        text = str(error)
        assert text.isprintable(), text
        assert str(directory) in text
        assert "; " in text
        return False
    assert len(found) <= len(raws)
    wrong = [place for place, raw in enumerate(found) if raw != raws[place]]
    assert all(is_damaged(found[place]) for place in wrong)
    return not wrong


def is_damaged(raw: bytes) -> bool:
    try:
        return not decode_event(raw, GENESIS.digest).verify()
    except ValueError:
        return True


@pytest.mark.parametrize("name", NAMES)
async def test_a_flipped_bit_anywhere_is_harmless_or_refused_with_one_line(
    written: Written, quick_path: Path, name: str
) -> None:
    """In the log it costs what follows, as a cut does; elsewhere the file is refused, or replay finds it."""
    files = dict(written.files)
    if name == NAMES[0]:
        await recover(restore(quick_path / "flipped", files))
        files = snapshot(quick_path / "flipped")
    chance = random.Random(name)
    harmless = 0
    places = chance.sample(range(8 * len(files[name])), 600)
    for place in places:
        data = bytearray(files[name])
        data[place // 8] ^= 1 << place % 8
        directory = restore(quick_path / "flipped", files | {name: bytes(data)})
        harmless += await assert_recovered_or_refused(directory, written.raws)
    assert harmless == len(places) if name == NAMES[1] else 0 < harmless < len(places)


async def test_a_damaged_position_does_not_make_the_node_read_for_ever(tmp_path: Path) -> None:
    """The check of SQLite finds nothing wrong with a row number of 10^12."""
    store = open_store(tmp_path)
    await store.append(RECEIVED)
    store._database.execute("UPDATE events SET position = 1000000000000 WHERE position = 20")
    with pytest.raises(StoreError, match=r"damaged .a gap after event 14.; move the file away"):
        await read_all(store)
    await store.aclose()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("ALTER TABLE events RENAME COLUMN raw TO row", "no such column: raw; move the file away"),
        ("UPDATE facts SET name = CAST(x'ff' AS TEXT) WHERE name = 'member'", "; move the file away"),
    ],
)
async def test_a_damaged_schema_has_the_remedy_of_a_damaged_file(tmp_path: Path, damage: str, reason: str) -> None:
    await open_store(tmp_path).aclose()
    database = sqlite3.connect(tmp_path / NAMES[0])
    with database:
        database.execute(damage)
    database.close()
    with pytest.raises(StoreError, match=reason):
        await recover(tmp_path)


async def test_a_schema_that_is_no_text_is_one_line(tmp_path: Path) -> None:
    """SQLite quotes the bytes it found in its message, and Python cannot read them."""
    await open_store(tmp_path).aclose()
    data = (tmp_path / NAMES[0]).read_bytes()
    (tmp_path / NAMES[0]).write_bytes(data.replace(b"own_seq INTEGER", b"own_seq \xc9NTEGER"))
    with pytest.raises(StoreError, match=r"damaged .text that is not UTF-8.; move the file away"):
        await recover(tmp_path)


# A node that starts on what is left.


def member_on(store: SqliteStore) -> Member:
    return Member(
        genesis=GENESIS,
        identity=ME,
        store=store,
        verifier=ParallelVerifier(),
        clock=SimulatedClock(),
        chance=random.Random(1),
        timing=CreationTiming(busy_s=0.2, heartbeat_s=1.0, grace_s=2.0),
    )


async def let_virtual_time_pass(clock: MockClock, seconds: int) -> None:
    """Time for a task that also waits for its disk, which virtual time does not know."""
    for _ in range(seconds):
        clock.jump(1.0)
        await trio.testing.wait_all_tasks_blocked(0.005)


async def test_a_node_on_any_prefix_listens_and_never_signs_a_number_twice(
    written: Written, quick_path: Path, mock_clock: MockClock
) -> None:
    """Even where the disk had lied and own events are gone that others have."""
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


# Disks that fail while the node runs, for real: the system calls fail.


def run_in_process(directory: Path, body: str, status: int = 0) -> list[str]:
    """Runs `body` as the inside of an async function in a process of its own; returns the lines it printed."""
    program = "\n".join(
        [
            "import sys, trio",
            "from pathlib import Path",
            "from node.store import StoreError",
            "from tests.node.store import failing_system",
            "from tests.node.store.test_store_damage import LARGE, OWN, RECEIVED, open_store",
            f"directory = Path({str(directory)!r})",
            "async def main():",
            textwrap.indent(textwrap.dedent(body), "    "),
            "trio.run(main)",
        ]
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == status, done.stderr
    return done.stdout.splitlines()


@pytest.mark.skipif(not failing_system.POSSIBLE, reason="needs system-call filters")
def test_a_failing_sync_is_one_line_and_the_event_is_not_taken_for_durable(tmp_path: Path) -> None:
    lines = run_in_process(
        tmp_path,
        """
        store = open_store(directory)
        await store.append_own(OWN[0])
        await store.append(RECEIVED[:3])
        try:
            failing_system.fail_syncs()
        except OSError:
            print("not allowed")
            return
        try:
            await store.append_own(OWN[1])
        except StoreError as error:
            print(error)
        await store.aclose()
    """,
    )
    if lines == ["not allowed"]:
        pytest.skip("system-call filters are not allowed here")
    (line,) = lines
    assert "disk I/O error; check free space, permissions and the disk, and start again" in line
    # What of it came to the disk is not known; both are right, as the event was shown to nobody.
    raws = trio.run(recover, tmp_path)
    promised = [event.raw for event in (OWN[0], *RECEIVED[:3])]
    assert raws in (promised, [*promised, OWN[1].raw])


KILLED = """
    import os
    store = open_store(directory)
    for event in OWN:
        await store.append_own(event)
    print(len(OWN), flush=True)
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_run_left_is_durable_before_it_is_shown(tmp_path: Path) -> None:
    """A kill between write and sync, or a sync that failed, leaves events that only the system's memory has.

    A node that reads and sends them must not forget them with the power.
    """
    directory = tmp_path / "data"
    directory.mkdir()
    assert run_in_process(directory, KILLED, status=-9) == [str(len(OWN))]
    assert failing_system.size(directory / NAMES[1]) > 0
    trio.run(open_and_look, directory)


async def open_and_look(directory: Path) -> None:
    store = open_store(directory)
    assert failing_system.size(directory / NAMES[1]) == 0
    main_file_alone = restore(directory.parent / "other", {NAMES[0]: (directory / NAMES[0]).read_bytes()})
    assert await recover(main_file_alone) == [event.raw for event in OWN]
    await store.aclose()


@pytest.mark.skipif(not failing_system.POSSIBLE, reason="needs system-call filters")
def test_a_run_does_not_go_on_from_what_it_cannot_make_durable(tmp_path: Path) -> None:
    assert run_in_process(tmp_path, KILLED, status=-9)
    lines = run_in_process(
        tmp_path,
        """
        try:
            failing_system.fail_syncs()
            open_store(directory)
        except (OSError, StoreError) as error:
            print(type(error).__name__, error)
    """,
    )
    if not lines[0].startswith("StoreError"):
        pytest.skip("system-call filters are not allowed here")
    assert "disk I/O error; check free space, permissions and the disk" in lines[0]


def test_a_disk_that_is_full_at_any_point_is_one_line_and_loses_nothing(tmp_path: Path) -> None:
    prepare(tmp_path / "empty")
    lines = run_in_process(
        tmp_path / "disk",
        """
        import json, shutil
        for most in range(30_000, 110_000, 2500):
            shutil.rmtree(directory, ignore_errors=True)
            shutil.copytree(directory.parent / "empty", directory)
            stored, error = [], ""
            failing_system.fill_disk(most)
            try:
                store = open_store(directory)
                try:
                    for event in LARGE:
                        await store.append_own(event)
                        stored.append(event)
                finally:
                    await store.aclose()
            except StoreError as failure:
                error = str(failure)
            failing_system.fill_disk(None)
            store = open_store(directory)
            found = await store.read_events(store.epoch, 0, 99)
            await store.aclose()
            print(json.dumps([most, len(stored), error, found == [event.raw for event in stored]]))
    """,
    )
    outcomes = [json.loads(line) for line in lines]
    counts = {stored for _, stored, _, _ in outcomes}
    assert {0, len(LARGE)} < counts
    assert len(counts) > 5
    for most, stored, error, same in outcomes:
        assert same, f"at {most} bytes"
        assert (error == "") == (stored == len(LARGE))
        assert error == "" or (error.isprintable() and "check free space" in error), error


# What a person sees.


def events_of_a_node(directory: Path) -> tuple[list[str], Path]:
    """A swarm of one with some events in its store; the arguments that run it, and its database."""
    founded = found_swarm(directory, [f"127.0.0.1:{free_ports(1)[0]}"], ["hex8-2"])
    key, data = load_identity(founded.keys[0]), directory / "data"
    genesis = load_config(founded.config).genesis

    async def fill() -> None:
        store = SqliteStore(prepare(data), genesis=genesis.digest, member=key.id)
        previous = None
        for seq in range(20):
            previous = make_event(
                key.key,
                epoch=genesis.digest,
                seq=seq,
                time=seq,
                self_parent=previous.hash if previous else None,
            )
            await store.append_own(previous)
        await store.aclose()

    trio.run(fill)
    arguments = ["run", str(founded.config), "--key", str(founded.keys[0]), "--data", str(data), "--roles", "none"]
    return arguments, data / NAMES[0]


@pytest.mark.parametrize(
    ("marker", "reason"),
    [
        (b"SQLite format 3", "not a database"),
        (b"CREATE TABLE events", "malformed"),
        (b"\x58\x20", "damaged after its event 0"),  # a hash in the newest event
    ],
)
def test_a_flipped_byte_ends_run_with_one_line_a_remedy_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], marker: bytes, reason: str
) -> None:
    arguments, database = events_of_a_node(tmp_path)
    data = bytearray(database.read_bytes())
    data[data.rindex(marker) + 3] ^= 1
    database.write_bytes(data)
    assert main(arguments) == 2
    *log, line = capsys.readouterr().err.splitlines()
    assert not [other for other in log if "Traceback" in other]
    assert str(database) in line
    assert reason in line
    assert "and start again: the node fetches all events from its peers" in line


RUN = """
import sys
from tests.node.store import failing_system
failing_system.{how}
from node.cli import main
sys.exit(main({arguments!r}))
"""


@pytest.mark.parametrize("how", ["fill_disk(36_000)", "fail_syncs()"])
def test_a_node_whose_disk_fails_ends_with_one_line_and_status_2(tmp_path: Path, how: str) -> None:
    """The real thing, from its start until the disk is full or does not sync."""
    if "syncs" in how and not failing_system.POSSIBLE:
        pytest.skip("needs system-call filters")
    founded = found_swarm(tmp_path, [f"127.0.0.1:{free_ports(1)[0]}"], ["hex8-2"])
    arguments = [
        "run",
        str(founded.config),
        "--key",
        str(founded.keys[0]),
        "--data",
        str(tmp_path / "data"),
        "--http",
        f"127.0.0.1:{free_ports(1)[0]}",
        "--roles",
        "none",
    ]
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(how=how, arguments=arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if "no system-call filter" in done.stderr:
        pytest.skip("system-call filters are not allowed here")
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"ringrift-node: {tmp_path / 'data' / NAMES[0]}: ")
    assert last.endswith("check free space, permissions and the disk, and start again")
