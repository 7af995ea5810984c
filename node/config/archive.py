"""Where a node keeps its archive: a bucket behind an S3 API, and the keys to it, which no swarm.toml has."""

from __future__ import annotations

import configparser
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from engine.files import decode_text, open_regular
from node.config.toml import ConfigError

DEFAULT_REGION = "us-east-1"

_SCHEME = "s3://"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX_PART = re.compile(r"[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*")  # not only dots
_MAX_PREFIX_CHARS = 256
_REGION = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_ENDPOINT_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}|\[[0-9a-fA-F:.]{2,45}\]")
_KEY = re.compile(r"[\x21-\x7e]{1,4096}")
_MAX_KEYS_BYTES = 65_536
_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_GIVE_KEYS = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the node's environment, or name a file of mode 600 with "
    "archive_keys (docs/operations.md)"
)


@dataclass(frozen=True)
class ArchiveKeys:
    """What proves that this node may use the bucket. It appears in no text."""

    key_id: str = field(repr=False)
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)  # of keys that expire; empty for others


@dataclass(frozen=True, kw_only=True)
class ArchivePlace:
    """What [node] of swarm.toml says of the archive. `prefix` is empty, or ends with "/"."""

    bucket: str
    prefix: str
    endpoint: str  # scheme, host and port
    region: str = DEFAULT_REGION
    keys_file: Path | None = None  # None: the keys are in the environment

    def __str__(self) -> str:
        return f"{_SCHEME}{self.bucket}/{self.prefix}"


@dataclass(frozen=True)
class ArchiveAccess:
    """A place, and the keys to it."""

    place: ArchivePlace
    keys: ArchiveKeys


def parse_place(text: str) -> tuple[str, str]:
    """Return bucket and prefix of s3://BUCKET/PREFIX. Raise ValueError, which says what is wrong."""
    if not text.startswith(_SCHEME):
        raise ValueError("it does not begin with s3://; write s3://BUCKET/PREFIX")
    bucket, _, prefix = text.removeprefix(_SCHEME).partition("/")
    if not _BUCKET.fullmatch(bucket) or ".." in bucket:
        raise ValueError('the bucket must be 3 to 63 of a-z, 0-9, "." and "-"; write s3://BUCKET/PREFIX')
    prefix = prefix.removesuffix("/")
    if not prefix:
        return bucket, ""
    if len(prefix) > _MAX_PREFIX_CHARS or not all(_PREFIX_PART.fullmatch(part) for part in prefix.split("/")):
        allowed = 'letters, digits, ".", "_" and "-"'
        raise ValueError(f"the prefix must be names of {allowed} with / between them; write s3://BUCKET/PREFIX")
    return bucket, f"{prefix}/"


def parse_endpoint(text: str) -> str:
    """Return the endpoint without a final slash. Raise ValueError, which says what is wrong but not what is written."""
    remedy = "write https://HOST or http://HOST:PORT; keys do not belong there"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(f"it is not a URL; {remedy}") from None
    has_more = parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc
    host = parts.netloc if port is None else parts.netloc.rpartition(":")[0]
    if parts.scheme not in ("http", "https") or has_more or not _ENDPOINT_HOST.fullmatch(host):
        raise ValueError(f"it must be a scheme, a host and perhaps a port, and nothing else; {remedy}")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def aws_endpoint(region: str) -> str:
    """Return the endpoint of Amazon's S3, for those who name none."""
    return f"https://s3.{region}.amazonaws.com"


def parse_region(text: str) -> str:
    """Return the region. Raise ValueError, which says what is wrong."""
    if not _REGION.fullmatch(text):
        raise ValueError('it must be of a-z, 0-9 and "-", such as eu-central-1; ask your provider')
    return text


def load_access(place: ArchivePlace, environment: Mapping[str, str] = os.environ) -> ArchiveAccess:
    """Return the place with the keys to it, from its file or else from the environment. Raise ConfigError."""
    if place.keys_file is not None:
        return ArchiveAccess(place, _read_keys(place.keys_file))
    key_id, secret, token = (environment.get(name, "") for name in _VARIABLES)
    if not key_id or not secret:
        raise ConfigError(f"there are no keys to this archive; {_GIVE_KEYS}", place)
    return ArchiveAccess(place, _make_keys("the environment", key_id, secret, token))


def _read_keys(path: Path) -> ArchiveKeys:
    """Read a file of keys. No error repeats what is in it."""
    try:
        with open_regular(path) as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            data = file.read(_MAX_KEYS_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"the keys cannot be read ({error.strerror}); check archive_keys", path) from None
    if mode & 0o077:
        raise ConfigError(f"the keys are open to other users (mode {mode:04o}); run: chmod 600 {path}", path)
    form = "write [default], and below it aws_access_key_id = ... and aws_secret_access_key = ..."
    parser = configparser.ConfigParser(interpolation=None)
    try:
        if len(data) > _MAX_KEYS_BYTES:
            raise ValueError
        parser.read_string(decode_text(data))
        section = parser["default"]
        key_id, secret = section["aws_access_key_id"], section["aws_secret_access_key"]
    except (ValueError, KeyError, configparser.Error):
        raise ConfigError(f"this is not a file of keys; {form}", path) from None
    return _make_keys(path, key_id, secret, section.get("aws_session_token", ""))


def _make_keys(source: object, key_id: str, secret: str, token: str) -> ArchiveKeys:
    for name, value in zip(_VARIABLES, (key_id, secret, token or "-"), strict=True):
        if not _KEY.fullmatch(value):
            raise ConfigError(f"{name.lower()} is empty or has spaces or other odd characters; copy it again", source)
    return ArchiveKeys(key_id, secret, token)
