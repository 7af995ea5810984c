"""A node's identity: one Ed25519 key in a file that only its owner can read."""

import fcntl
import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from consensus.keys import SEED_BYTES, SigningKey, id_text
from engine.files import decode_text
from node.config.toml import ConfigError
from node.system.files import sync_directory

_MAX_KEY_FILE_BYTES = 4096


class IdentityError(ConfigError):
    """A key file, or a key, that cannot be used; the message is one line with the remedy."""


class Identity:
    """The key a node signs with; its public half, `id`, is the node's name everywhere."""

    def __init__(self, seed: bytes) -> None:
        self.key = SigningKey(seed)  # signs events and seals
        self.private = Ed25519PrivateKey.from_private_bytes(seed)  # issues TLS certificates
        self.id = self.key.id
        self.text = id_text(self.id)

    def __repr__(self) -> str:
        return f"Identity({self.text})"


def create_identity(path: Path) -> Identity:
    """Make a new key and write it to `path` (PEM, PKCS #8, mode 0600).

    Raise IdentityError if the file exists (a key is never overwritten) or cannot be written.
    """
    identity = Identity(os.urandom(SEED_BYTES))
    pem = identity.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        _write_new(path, pem)
    except FileExistsError:
        raise IdentityError(
            "a key is already there and is never overwritten; choose another path or move it away", path
        ) from None
    except OSError as error:
        raise IdentityError(f"cannot write the key ({error.strerror}); choose another path", path) from None
    return identity


def load_identity(path: Path) -> Identity:
    """Read the key that `create_identity` wrote.

    Raise IdentityError if the file is missing, open to other users than its owner, or not an Ed25519 key.
    """
    try:
        data, mode = _read(path)
    except FileNotFoundError:
        raise IdentityError("no key file there; `ringrift-node keygen` makes one", path) from None
    except OSError as error:
        raise _unreadable(path, error) from None
    seed = _seed_from_pem(path, data)
    if mode & 0o077:
        raise IdentityError(f"the key is open to other users (mode {mode:04o}); run: chmod 600 {path}", path)
    return Identity(seed)


def hold_key(path: Path) -> int:
    """Lock the key file for this process and return its descriptor; closing that unlocks it.

    Two nodes with one key, each with data of its own, would sign conflicting events. Raise IdentityError if another
    process holds the key, or the file cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise _unreadable(path, error) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise IdentityError("another running node has this key; stop that one first", path) from None
    except OSError:
        pass  # a file system without locks
    return descriptor


def _unreadable(path: Path, error: OSError) -> IdentityError:
    return IdentityError(f"cannot read the key ({error.strerror}); check the path and its permissions", path)


def _seed_from_pem(path: Path, data: bytes) -> bytes:
    try:
        lines = decode_text(data).split("\n")
    except ValueError as error:
        raise _no_key(path, f" ({error})") from None
    try:
        private = load_pem_private_key("\n".join(line.strip() for line in lines).encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        raise _no_key(path)
    return private.private_bytes_raw()


def _no_key(path: Path, cause: str = "") -> IdentityError:
    remedy = "restore it from a copy or make a new one with `ringrift-node keygen`"
    return IdentityError(f"not an Ed25519 private key in PEM form{cause}; {remedy}", path)


def _write_new(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)  # whatever the umask says
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    sync_directory(path.parent)


def _read(path: Path) -> tuple[bytes, int]:
    """Return what is in the file, and its permissions. Raise IdentityError for what cannot be a key file."""
    # The checks look at the open file, not at the path, so that the file cannot be swapped in between.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise IdentityError("not a regular file; give the file that `ringrift-node keygen` wrote", path)
        data = file.read(_MAX_KEY_FILE_BYTES + 1)
    if len(data) > _MAX_KEY_FILE_BYTES:
        raise IdentityError("too large for a key file; give the file that `ringrift-node keygen` wrote", path)
    return data, stat.S_IMODE(status.st_mode)
