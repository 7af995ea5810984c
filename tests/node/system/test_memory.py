"""What the system says of memory, read from files as Linux writes them, and from this very machine."""

import os
from pathlib import Path

import pytest

from node.system.memory import MemoryReading, read_memory, resident_bytes

GIB = 1 << 30
MEMINFO = "MemTotal:       8388608 kB\nMemFree:         102400 kB\nMemAvailable:   6291456 kB\n"


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_without_groups_it_is_what_the_machine_has_and_could_give(tmp_path: Path) -> None:
    assert read_memory(tmp_path) is None
    write(tmp_path, proc__meminfo=MEMINFO, proc__self__cgroup="0::/\n")
    assert read_memory(tmp_path) == MemoryReading(2 * GIB, 8 * GIB)


@pytest.mark.parametrize("version", [1, 2])
def test_the_group_in_which_least_is_left_counts_without_what_files_left_in_memory(
    tmp_path: Path, version: int
) -> None:
    write(tmp_path, proc__meminfo=MEMINFO)
    if version == 2:
        write(tmp_path, proc__self__cgroup="0::/system.slice/ringrift.service\n")
        folder, names = tmp_path / "sys/fs/cgroup/system.slice/ringrift.service", ("memory.max", "memory.current")
        statistics, unlimited = f"anon 5\ninactive_file {GIB // 2}\nactive_file {GIB // 2}\n", "max\n"
    else:
        write(tmp_path, proc__self__cgroup="5:cpu:/x\n4:memory:/system.slice/ringrift.service\n0::/\n")
        folder = tmp_path / "sys/fs/cgroup/memory/system.slice/ringrift.service"
        names = "memory.limit_in_bytes", "memory.usage_in_bytes"
        statistics = f"inactive_file 1\ntotal_inactive_file {GIB // 2}\ntotal_active_file {GIB // 2}\n"
        unlimited = "9223372036854771712\n"
    folder.mkdir(parents=True)
    for place, limit in ((folder, f"{4 * GIB}\n"), (folder.parent, unlimited)):
        (place / names[0]).write_text(limit)
        (place / names[1]).write_text(f"{4 * GIB}\n")
        (place / "memory.stat").write_text(statistics)
    found = read_memory(tmp_path)
    assert found == MemoryReading(3 * GIB, 4 * GIB)
    assert found.share == 0.75
    (folder / names[0]).write_text("nonsense")
    assert read_memory(tmp_path) == MemoryReading(2 * GIB, 8 * GIB)


def test_this_machine_and_this_process_tell_something() -> None:
    found, held = read_memory(), resident_bytes(os.getpid())
    assert found is not None
    assert 0 < found.share <= 1
    assert held is not None
    assert 1 << 20 < held < found.limit_bytes
    assert resident_bytes(2**22 + 1) is None
