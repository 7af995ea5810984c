"""The genesis that the user of `ringrift-node verify` trusts."""

import contextlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from consensus.certificate.verification import CertificateError
from consensus.fault_proof import ProofError
from consensus.genesis import GenesisError, decode_genesis
from node.config.toml import ConfigError

_T = TypeVar("_T")

_DIGEST = re.compile("[0-9a-f]{64}")


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
    if _DIGEST.fullmatch(text):
        return [bytes.fromhex(text)]
    path = Path(text)
    data = read_file(path)
    if data[:1] >= b"\x80":  # a CBOR map; text never begins like this
        try:
            return [decode_genesis(data).digest]
        except GenesisError as error:
            raise ConfigError(f"{path}: {error}; give the swarm.toml or the digest instead") from None
    from node.config.swarm_file import load_config

    config = load_config(path)
    return [genesis.digest for genesis in (config.genesis, config.earlier) if genesis is not None]


def read_file(path: Path, limit: int = -1) -> bytes:
    """Return the first `limit` bytes of a file, or all. Raise ConfigError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file; check the path") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); check the path") from None
