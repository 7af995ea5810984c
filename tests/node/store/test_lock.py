"""The lock on a node's data, and the mark that shows a copy of them."""

import errno
import fcntl
import os
import shutil
from pathlib import Path

import pytest

from node.store import StoreError, lock
from node.store.lock import lock_directory, mark_place


def opened(path: Path) -> bool:
    """Whether the folder looks like a copy to a process that opens and closes it."""
    descriptor = lock_directory(path)
    try:
        return mark_place(descriptor)
    finally:
        os.close(descriptor)


def test_a_folder_has_one_process_however_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")
    held = lock_directory(tmp_path / "data" / "lock")
    with pytest.raises(StoreError, match="in use by another running node; stop that one first"):
        lock_directory(tmp_path / "link" / "lock")
    os.close(held)
    os.close(lock_directory(tmp_path / "link" / "lock"))


def test_a_file_system_without_locks_is_named_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(StoreError, match=r"cannot be locked \(No locks available\); choose another"):
        lock_directory(tmp_path / "lock")


def test_a_copy_is_told_from_the_folder_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    assert not opened(tmp_path / "data" / "lock")  # new
    assert not opened(tmp_path / "data" / "lock")  # a restart
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    assert opened(tmp_path / "copy" / "lock")
    assert not opened(tmp_path / "copy" / "lock")
    (tmp_path / "data").rename(tmp_path / "moved")  # on the same disk it is the same folder
    assert not opened(tmp_path / "moved" / "lock")
    monkeypatch.setattr(lock, "_BOOT", tmp_path / "boot")
    assert opened(tmp_path / "moved" / "lock")  # another machine, or the same one after it started anew
    (tmp_path / "moved" / "lock").write_bytes(b"\xff" * 1000)
    assert opened(tmp_path / "moved" / "lock")
