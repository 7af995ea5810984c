"""Disks that are full or do not sync while a node runs, for real: the system calls fail."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import trio

from node.config.founding import found_swarm
from node.demo.preparation import free_ports
from tests.node.store import failing_system
from tests.node.store.written import LARGE, NAMES, OWN, RECEIVED, ROOT, open_store, prepare, recover, restore


def run_in_process(directory: Path, body: str, status: int = 0) -> list[str]:
    """Runs `body` inside an async function in a process of its own; returns the lines that it printed."""
    program = "\n".join(
        [
            "import sys, trio",
            "from pathlib import Path",
            "from node.store import StoreError",
            "from tests.node.store import failing_system",
            "from tests.node.store.written import LARGE, OWN, RECEIVED, open_store",
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
