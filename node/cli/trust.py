"""The genesis that the user of `ringrift-node verify` trusts."""

import contextlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from consensus.certificate.verification import CertificateError
from consensus.fault_proof import ProofError
from consensus.genesis import GenesisError, decode_genesis
from engine.files import read_regular
from node.config.toml import ConfigError

_T = TypeVar("_T")

_DIGEST = re.compile("[0-9a-f]{64}")
_MAX_BYTES = 1 << 20  # of a swarm.toml, or of a genesis record, which is smaller


def check_with_any(check: Callable[[bytes | None], _T], trusted: Sequence[bytes | None]) -> _T:
    """Return what `check` returns for one of the digests of a genesis. Raise what it raises for the first one."""
    for genesis in trusted[1:]:
        with contextlib.suppress(CertificateError, ProofError):
            return check(genesis)
    return check(trusted[0])


def trusted_digests(text: str) -> Sequence[bytes]:
    """Return the digest of a genesis from what --genesis says; of a swarm.toml also that of the version before.

    Raise ConfigError if it is not one.
    """
    if _DIGEST.fullmatch(text.strip().lower()):
        return [bytes.fromhex(text.strip())]
    path = Path(text)
    data = read_file(path, _MAX_BYTES)
    if b"\xa0" <= data[:1] < b"\xc0":  # a CBOR map; text never begins like this, whatever its encoding
        try:
            return [decode_genesis(data).digest]
        except GenesisError as error:
            raise ConfigError(f"{path}: {error}; give the swarm.toml or the digest instead") from None
    from node.config.swarm_file import load_config

    config = load_config(path)
    return [genesis.digest for genesis in (config.genesis, config.earlier) if genesis is not None]


def read_file(path: Path, max_bytes: int) -> bytes:
    """Return the bytes of a regular file. Raise ConfigError if it cannot be read or has more than `max_bytes`."""
    try:
        return read_regular(path, max_bytes)
    except OSError as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: OSError) -> ConfigError:
    """Make the error for a file that cannot be read."""
    if isinstance(error, FileNotFoundError):
        return ConfigError("there is no such file; check the path", path)
    return ConfigError(f"cannot be read ({error.strerror}); check the path", path)
