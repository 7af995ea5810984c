"""Files that somebody names: only regular ones are read, no more than is said, and text in any common form."""

import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.files import decode_text, digest_regular, open_regular, read_regular, read_text


def test_a_regular_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    path, data = tmp_path / "file", os.urandom(3 << 20)
    path.write_bytes(data)
    assert read_regular(path, len(data)) == data
    assert digest_regular(path, len(data)) == hashlib.sha256(data).digest()
    (tmp_path / "link").symlink_to(path)
    assert read_regular(tmp_path / "link", len(data)) == data
    for read in (read_regular, digest_regular):
        with pytest.raises(OSError, match="above the limit of 3,145,727 bytes"):
            read(path, len(data) - 1)


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match="above the limit"):
        read_regular(tmp_path / "large", 1 << 20)


def test_a_file_whose_size_the_system_does_not_tell_has_the_limit_too() -> None:
    with pytest.raises(OSError, match="above the limit of 10 bytes"):
        read_regular(Path("/proc/self/status"), 10)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda path: os.mkfifo(path), "is a pipe, not a file"),
        (lambda path: path.symlink_to("/dev/zero"), "is a device, not a file"),
        (lambda path: path.symlink_to("/dev/tty"), "is a device, not a file"),
        (lambda path: path.mkdir(), "Is a directory"),
        (_socket, "is a socket, not a file"),
        (lambda path: path.symlink_to(path), "symbolic links"),
        (lambda path: None, "No such file"),
    ],
)
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, make: Callable[[Path], None], what: str) -> None:
    make(tmp_path / "it")
    for read in (open_regular, lambda path: read_regular(path, 9), lambda path: digest_regular(path, 9)):
        with pytest.raises(OSError, match=what):
            read(tmp_path / "it")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("\ufeffa = 1\n".encode(), "a = 1\n"),
        (b"a = 1\r\nb\r\n", "a = 1\nb\n"),
        (b"a = 1\rb", "a = 1\nb"),
        ("ä\t \n".encode(), "ä\t \n"),
        (b"", ""),
    ],
)
def test_text_as_editors_write_it(tmp_path: Path, data: bytes, text: str) -> None:
    (tmp_path / "text").write_bytes(data)
    assert decode_text(data) == read_text(tmp_path / "text", 99) == text


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        ("a".encode("utf-16"), "this is UTF-16"),
        (b"\xfe\xff\0a", "this is UTF-16"),
        ("a".encode("utf-32"), "this is UTF-32"),
        ("ab".encode("utf-16-le"), "byte 1 is zero, as in UTF-16"),
        (b"ab\0", "byte 2 is zero"),
        ("ä".encode("latin-1"), "byte 0 is not UTF-8"),
        (b"\xef\xbb\xbf\xe4", "byte 3 is not UTF-8"),
    ],
)
def test_other_text_is_refused_with_the_cause(data: bytes, cause: str) -> None:
    with pytest.raises(ValueError, match=cause):
        decode_text(data)
