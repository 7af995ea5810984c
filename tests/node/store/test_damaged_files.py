"""A store whose files lack their end or have flipped bits: harmless, or refused with one line and a remedy."""

import random
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio

from consensus.event import decode_event, make_event
from node.cli import main
from node.config.founding import found_swarm
from node.config.identity import load_identity
from node.config.swarm_file import load_config
from node.demo.preparation import free_ports
from node.store import StoreError
from node.store.sqlite import SqliteStore
from tests.node.store.written import (
    GENESIS,
    NAMES,
    RECEIVED,
    Written,
    open_store,
    prepare,
    read_all,
    recover,
    restore,
    snapshot,
)


async def test_a_file_without_its_tail_is_refused_or_its_prefix_recovered(written: Written, quick_path: Path) -> None:
    directory = restore(quick_path / "whole", written.files)
    await recover(directory)
    whole = (directory / NAMES[0]).read_bytes()
    for at in [*range(0, len(whole), 211), len(whole) - 1]:
        await assert_recovered_or_refused(restore(directory, {NAMES[0]: whole[:at]}), written.raws)
        files = {NAMES[0]: whole[:at] + bytes(len(whole) - at)}
        await assert_recovered_or_refused(restore(directory, files), written.raws)


async def assert_recovered_or_refused(directory: Path, raws: Sequence[bytes]) -> bool:
    """A prefix of `raws` or one line with a remedy; damaged events are left to the replay. True if intact."""
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
