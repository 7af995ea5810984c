"""The cache of compiled kernels: what is damaged in it is compiled again, and it lies where it can be written."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from engine.backend import kernel_cache
from engine.backend.kernel_cache import (
    add_fallback,
    cache_directory,
    drop_damaged,
    name_cache_for_children,
    open_cache,
    seal,
)


@pytest.fixture
def entry(tmp_path: Path) -> Path:
    """A folder of a module as Warp leaves it, sealed."""
    folder = tmp_path / "wp_module"
    folder.mkdir()
    for name in ("module.cpp", "module.cpu1.o", "module.sm90.cubin", "module.meta"):
        (folder / name).write_bytes(name.encode())
    seal(folder)
    return folder


def test_a_sealed_module_is_loaded(entry: Path) -> None:
    before = sorted(entry.iterdir())
    assert drop_damaged(entry)
    assert sorted(entry.iterdir()) == before
    digest = hashlib.sha256(b"module.cpu1.o").hexdigest()
    assert (entry / "module.cpu1.o.sha256").read_text() == digest


@pytest.mark.parametrize("name", ["module.cpu1.o", "module.sm90.cubin", "module.meta"])
@pytest.mark.parametrize("damage", [b"", b"modu", b"garbage", None])
def test_what_is_damaged_is_dropped_and_nothing_else(entry: Path, name: str, damage: bytes | None) -> None:
    if damage is None:
        (entry / f"{name}.sha256").unlink()  # the power failed before it was written
    else:
        (entry / name).write_bytes(damage)
    assert drop_damaged(entry)
    left = {path.name for path in entry.iterdir() if not path.name.endswith(".sha256")}
    assert left == {"module.cpp", "module.cpu1.o", "module.sm90.cubin", "module.meta"} - {name}
    (entry / name).write_bytes(b"made again")
    seal(entry)
    assert drop_damaged(entry)
    assert (entry / name).read_bytes() == b"made again"


def test_what_another_user_damaged_is_moved_out_of_the_way(entry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    (entry / "module.meta").write_bytes(b"")
    monkeypatch.setattr(Path, "unlink", refuse)
    assert not drop_damaged(entry)
    assert not entry.exists()


@pytest.mark.parametrize("name", ["module.cpu1.o", "module.cpu1.o.sha256"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_not_a_file_is_not_loaded_nor_waited_for(
    entry: Path, name: str, make: Callable[[Path], object]
) -> None:
    (entry / name).unlink()
    make(entry / name)
    drop_damaged(entry)
    assert not (entry / "module.cpu1.o").exists()
    entry.mkdir(exist_ok=True)
    (entry / "module.cpu1.o").write_bytes(b"made again")
    seal(entry)
    assert drop_damaged(entry)
    assert (entry / "module.cpu1.o").read_bytes() == b"made again"


def test_a_file_in_the_place_of_a_module_is_moved_out_of_the_way_each_time(entry: Path) -> None:
    place = entry.with_name("wp_other")
    for number in range(1, 3):
        place.touch()
        assert not drop_damaged(place)
        assert not place.exists()
        assert len(list(entry.parent.glob("wp_other.dropped-*"))) == number


def test_without_locks_processes_compile_side_by_side(usual: Path) -> None:
    kernel_cache.open_cache()
    (usual / "lock-module").mkdir()
    with kernel_cache.one_process_at_a_time("module"):
        pass


def test_a_module_that_was_never_compiled(tmp_path: Path) -> None:
    assert not drop_damaged(tmp_path / "none")
    seal(tmp_path / "none")


TINY = """
from __future__ import annotations
from engine.backend.dialect import Row, kernel, thread
@kernel
def double(first: int, values: Row) -> None:
    values[thread.tid()] = values[thread.tid()] + values[thread.tid()]
"""
PROGRAM = """
import json, os, sys, time
from pathlib import Path
import tiny
from engine.backend import cpu, kernel_cache
folder = Path(os.environ["RINGRIFT_KERNEL_CACHE"])

def load():
    wp = cpu.warp()
    wp.get_module("tiny").unload()
    cpu.compile_kernels.__wrapped__("tiny")
    (path,) = folder.rglob("*.o")
    return path

first = load()
right, seen = first.read_bytes(), {}
first.write_bytes(b"")
seen["empty"] = load().read_bytes() == right
first.write_bytes(right[:300])
kernel_cache._digest_file(first).write_text(kernel_cache._digest(first))
seen["sealed all the same"] = load().read_bytes() == right
made = first.stat().st_ino
seen["what is right stays"] = load().stat().st_ino == made
print(json.dumps(seen))
"""


def test_kernels_that_a_power_failure_left_empty_are_compiled_again(tmp_path: Path) -> None:
    (tmp_path / "tiny.py").write_text(TINY)
    (tmp_path / "program.py").write_text(PROGRAM)
    environment = {**os.environ, "RINGRIFT_KERNEL_CACHE": str(tmp_path / "cache"), "TMPDIR": "/nowhere"}
    command = [sys.executable, str(tmp_path / "program.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert len(seen) == 3
    assert all(seen.values()), seen


@pytest.fixture
def usual(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The usual folder of a process that has not chosen one yet."""
    monkeypatch.setattr(kernel_cache, "_fallbacks", [])
    monkeypatch.setattr(kernel_cache, "open_cache", open_cache.__wrapped__)
    monkeypatch.setenv("RINGRIFT_KERNEL_CACHE", str(tmp_path / "usual"))
    return tmp_path / "usual"


def test_the_usual_folder_is_made_and_used(usual: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert kernel_cache.open_cache() == usual
    assert usual.is_dir()
    assert capsys.readouterr().err == ""


def test_where_it_cannot_be_written_the_data_folder_serves(usual: Path, capsys: pytest.CaptureFixture[str]) -> None:
    usual.write_text("in its place")
    add_fallback(usual / "below a file")
    add_fallback(usual.parent / "data" / "kernels")
    assert kernel_cache.open_cache() == usual.parent / "data" / "kernels"
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert f"{usual}: compiled kernels cannot be kept there (Not a directory)" in told
    assert "RINGRIFT_KERNEL_CACHE" in told


def test_at_last_a_temporary_folder_of_this_user_alone(usual: Path, capsys: pytest.CaptureFixture[str]) -> None:
    usual.write_text("in its place")
    chosen = kernel_cache.open_cache()
    assert chosen.stat().st_mode & 0o777 == 0o700
    assert str(chosen) in capsys.readouterr().err


def test_a_full_disk_is_no_place(usual: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual.mkdir()

    class Full:
        """A temporary file for which there is no room."""

        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def write(self, _: bytes) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.backend.kernel_cache.tempfile.TemporaryFile", lambda **_: Full())
    assert kernel_cache.open_cache() != usual


def test_without_a_home_there_is_still_a_place(monkeypatch: pytest.MonkeyPatch, usual: Path) -> None:
    monkeypatch.setattr(kernel_cache, "cache_directory", lambda: Path("~nobody-of-that-name").expanduser())
    assert kernel_cache.open_cache().is_dir()


def test_the_cache_lies_where_it_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RINGRIFT_KERNEL_CACHE", str(tmp_path))
    assert cache_directory() == tmp_path
    monkeypatch.delenv("RINGRIFT_KERNEL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_directory() == tmp_path / "xdg" / "ringrift" / "kernels"
    monkeypatch.setenv("XDG_CACHE_HOME", "xdg")  # is not whole, so it does not count
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_directory() == tmp_path / "home" / ".cache" / "ringrift" / "kernels"
    monkeypatch.setenv("RINGRIFT_KERNEL_CACHE", "~/kernels")
    assert cache_directory() == tmp_path / "home" / "kernels"
    monkeypatch.delenv("RINGRIFT_KERNEL_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_directory() == tmp_path / "home" / ".cache" / "ringrift" / "kernels"


@pytest.mark.parametrize(("named", "whole"), [("kernels", "{here}/kernels"), ("~/k", "{here}/home/k"), ("/k", "/k")])
def test_children_that_start_elsewhere_find_the_same_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: str, whole: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RINGRIFT_KERNEL_CACHE", named)
    name_cache_for_children()
    assert os.environ["RINGRIFT_KERNEL_CACHE"] == whole.format(here=tmp_path)
    monkeypatch.delenv("RINGRIFT_KERNEL_CACHE")
    name_cache_for_children()
    assert "RINGRIFT_KERNEL_CACHE" not in os.environ


@pytest.mark.parametrize("stream", ["full", "none", "closed"])
def test_the_remark_about_another_folder_is_not_worth_an_error(
    usual: Path, monkeypatch: pytest.MonkeyPatch, stream: str
) -> None:
    usual.write_text("in its place")
    found: list[Path] = []
    with suppress(OSError), open("/dev/full", "w", buffering=1) as sink:  # closing it fails, too
        if stream == "closed":
            sink.close()
        monkeypatch.setattr(sys, "stderr", None if stream == "none" else sink)
        found.append(kernel_cache.open_cache())
    assert found
    assert found[0].is_dir()
