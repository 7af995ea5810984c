"""Key files: made once, private, refused in any doubt."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from consensus.keys import parse_id, verify
from node.config.identity import IdentityError, create_identity, load_identity


def test_a_key_that_was_written_is_read_back(tmp_path: Path) -> None:
    made = create_identity(tmp_path / "key")
    read = load_identity(tmp_path / "key")
    assert read.id == made.id == parse_id(made.text)
    assert verify(made.id, b"message", read.key.sign(b"message"))
    assert (tmp_path / "key").read_text().startswith("-----BEGIN PRIVATE KEY-----")


def test_the_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        create_identity(tmp_path / "key")
    finally:
        os.umask(before)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    made = create_identity(tmp_path / "key")
    with pytest.raises(IdentityError, match="already there"):
        create_identity(tmp_path / "key")
    assert load_identity(tmp_path / "key").id == made.id


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o777, 0o601])
def test_a_key_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    create_identity(tmp_path / "key")
    (tmp_path / "key").chmod(mode)
    with pytest.raises(IdentityError, match=rf"mode {mode:04o}.*chmod 600"):
        load_identity(tmp_path / "key")


def test_a_file_that_is_no_key_is_said_to_be_none_whatever_its_mode(tmp_path: Path) -> None:
    (tmp_path / "swarm.toml").write_text("[swarm]\n")
    (tmp_path / "swarm.toml").chmod(0o644)
    with pytest.raises(IdentityError, match="not an Ed25519 private key"):
        load_identity(tmp_path / "swarm.toml")


def _write_private(path: Path, data: bytes) -> None:
    path.touch(0o600)
    path.write_bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no key",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        bytes(range(256)),
        b"x" * 10_000,
    ],
)
def test_what_is_no_key_is_refused_in_one_line(tmp_path: Path, data: bytes) -> None:
    _write_private(tmp_path / "key", data)
    with pytest.raises(IdentityError) as error:
        load_identity(tmp_path / "key")
    assert str(tmp_path / "key") in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "save",
    [
        lambda pem: b"\xef\xbb\xbf" + pem,
        lambda pem: pem.replace(b"\n", b"\r\n"),
        lambda pem: pem.replace(b"\n", b" \t\n"),
        lambda pem: pem.rstrip(),
        lambda pem: b"\n" + pem + b"\n\n",
    ],
    ids=["byte order mark", "CRLF", "spaces at ends", "no final newline", "empty lines"],
)
def test_what_editors_make_of_a_key_is_the_same_key(tmp_path: Path, save: Callable[[bytes], bytes]) -> None:
    made = create_identity(tmp_path / "key")
    _write_private(tmp_path / "saved", save((tmp_path / "key").read_bytes()))
    assert load_identity(tmp_path / "saved").id == made.id


def test_a_key_in_utf_16_is_refused_with_the_cause(tmp_path: Path) -> None:
    create_identity(tmp_path / "key")
    _write_private(tmp_path / "saved", (tmp_path / "key").read_text().encode("utf-16"))
    with pytest.raises(IdentityError, match=r"not an Ed25519 private key in PEM form \(this is UTF-16"):
        load_identity(tmp_path / "saved")


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    other = X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write_private(tmp_path / "key", other)
    with pytest.raises(IdentityError, match="not an Ed25519"):
        load_identity(tmp_path / "key")


def test_a_missing_file_a_directory_and_a_pipe_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name, words in (("none", "no key file"), (".", "directory"), ("pipe", "regular")):
        with pytest.raises(IdentityError, match=words):
            load_identity(tmp_path / name)


def test_a_directory_that_is_not_there_is_an_error_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(IdentityError, match="cannot write the key \\(No such file"):
        create_identity(tmp_path / "none" / "key")
