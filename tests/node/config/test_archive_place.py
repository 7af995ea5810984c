"""Where an archive is, and keys that are told by nothing and nobody."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from node.config.archive import ArchivePlace, aws_endpoint, load_access, parse_endpoint, parse_place
from node.config.toml import ConfigError

PLACE = ArchivePlace(bucket="swarm", prefix="first/", endpoint=aws_endpoint("us-east-1"))
SECRET = "wJalrXUtnFEMI/K7MDENG"
KEYS = f"[default]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = {SECRET}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "archive.keys"
    path.write_text(KEYS)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("s3://swarm", ("swarm", "")),
        ("s3://swarm/", ("swarm", "")),
        ("s3://my-swarm.1/a/b_c/", ("my-swarm.1", "a/b_c/")),
    ],
)
def test_places(text: str, wanted: tuple[str, str]) -> None:
    assert parse_place(text) == wanted


@pytest.mark.parametrize(
    "text",
    ["", "swarm", "s3://a", "s3://Swarm", "s3://swarm//a", "s3://swarm/a b", "s3://swarm/./a", "s3://swarm/\u00e4"],
)
def test_what_is_no_place(text: str) -> None:
    with pytest.raises(ValueError, match="write s3://BUCKET/PREFIX"):
        parse_place(text)


def test_endpoints() -> None:
    assert parse_endpoint("https://S3.example.com/") == "https://s3.example.com"
    assert parse_endpoint("http://127.0.0.1:9000") == "http://127.0.0.1:9000"
    assert parse_endpoint("http://[::1]:9000") == "http://[::1]:9000"
    for text in ("s3.example.com", "ftp://a", "https://a/b", "https://a:x", "https://a?b", "https://u:p@a", "https://"):
        with pytest.raises(ValueError, match="write https://HOST"):
            parse_endpoint(text)


def test_keys_come_from_the_environment_or_a_file(file: Path) -> None:
    environment = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": "c"}
    keys = load_access(PLACE, environment).keys
    assert (keys.key_id, keys.secret, keys.token) == ("a", "b", "c")
    keys = load_access(replace(PLACE, keys_file=file), environment).keys
    assert (keys.key_id, keys.secret, keys.token) == ("AKIAEXAMPLE", SECRET, "")


def test_keys_are_in_no_text(file: Path) -> None:
    access = load_access(replace(PLACE, keys_file=file))
    for text in (repr(access), str(access), repr(access.keys), f"{access.place}"):
        assert SECRET not in text
        assert "AKIAEXAMPLE" not in text


@pytest.mark.parametrize(
    ("content", "mode", "wanted"),
    [
        (KEYS, 0o640, r"open to other users \(mode 0640\); run: chmod 600"),
        ("", 0o600, "not a file of keys; write"),
        (f"[other]\naws_secret_access_key = {SECRET}", 0o600, "not a file of keys; write"),
        (f"{SECRET}\n", 0o600, "not a file of keys; write"),
        (f"[default]\n{SECRET}\n", 0o600, "not a file of keys; write"),
        (KEYS + KEYS, 0o600, "not a file of keys; write"),
        (KEYS.replace(SECRET, f"{SECRET} {SECRET}"), 0o600, "aws_secret_access_key is empty or has spaces"),
        (KEYS.replace(SECRET, ""), 0o600, "aws_secret_access_key is empty or has spaces"),
        ("x" * 70_000, 0o600, "not a file of keys; write"),
    ],
)
def test_a_file_that_is_not_one_is_named_and_not_shown(file: Path, content: str, mode: int, wanted: str) -> None:
    file.write_text(content)
    file.chmod(mode)
    with pytest.raises(ConfigError, match=wanted) as caught:
        load_access(replace(PLACE, keys_file=file))
    assert str(caught.value).startswith(str(file))
    assert SECRET not in str(caught.value)


def test_keys_that_are_nowhere(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="s3://swarm/first/: there are no keys to this archive; set AWS_ACCESS_KEY"):
        load_access(PLACE, {"AWS_ACCESS_KEY_ID": "a"})
    with pytest.raises(ConfigError, match=r"the keys cannot be read .*; check archive_keys"):
        load_access(replace(PLACE, keys_file=tmp_path / "none"))
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(ConfigError, match="the keys cannot be read"):
        load_access(replace(PLACE, keys_file=tmp_path / "pipe"))
