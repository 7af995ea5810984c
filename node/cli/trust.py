"""The genesis that the user of `ringrift-node verify` trusts."""

import argparse
import contextlib
import re
import textwrap
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


NOT_CHECKED = (
    "which swarm this is. Anybody can found one and let it promote or prove anything, so this says nothing about the "
    "swarm that you mean until you have compared the genesis above with that of a member you trust: "
    "--genesis FILE or --genesis-digest HEX does it."
)
"""What is not known after --any-swarm, for people."""


def add_trust_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which swarm the user trusts; `read_trust` reads them."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--genesis", metavar="FILE", help="the swarm you trust: its swarm.toml, or its genesis record")
    group.add_argument("--genesis-digest", metavar="HEX", help="the same by the digest of its genesis: 64 hex digits")
    group.add_argument("--any-swarm", action="store_true", help="believe the file about which swarm it is of")


def read_trust(options: argparse.Namespace) -> Sequence[bytes | None]:
    """Return the digests of a genesis that will do; (None,) if any will. Raise ConfigError unless the user said which.

    See `check_with_any`.
    """
    if options.any_swarm:
        return (None,)
    if options.genesis_digest is not None:
        digest = _parse_digest(options.genesis_digest)
        if digest is None:
            raise ConfigError(f"must be 64 hex digits, not {options.genesis_digest[:80]!r}", "--genesis-digest")
        return (digest,)
    if options.genesis is not None:
        return trusted_digests(options.genesis)
    raise ConfigError(
        "say which swarm you trust: --genesis FILE (its swarm.toml) or --genesis-digest HEX; "
        "--any-swarm checks a file of whichever swarm"
    )


def trust_facts(options: argparse.Namespace) -> dict[str, object]:
    """Return whether the genesis was compared, and what was not checked, for --json."""
    return {"genesis_compared": not options.any_swarm, "not_checked": [NOT_CHECKED] if options.any_swarm else []}


def print_trust(options: argparse.Namespace) -> None:
    """Print whether the genesis was compared, and what was not checked."""
    if options.any_swarm:
        text = f"NOT CHECKED: {NOT_CHECKED}"
        print(textwrap.fill(text, 110, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False))
    else:
        print("  The genesis is the one that you gave.")


def check_with_any(check: Callable[[bytes | None], _T], trusted: Sequence[bytes | None]) -> _T:
    """Return what `check` returns for one of the digests of a genesis. Raise what it raises for the first one."""
    for genesis in trusted[1:]:
        with contextlib.suppress(CertificateError, ProofError):
            return check(genesis)
    return check(trusted[0])


def trusted_digests(text: str) -> Sequence[bytes]:
    """Return the digest of a genesis from what --genesis says; of a swarm.toml also that of the version before.

    A digest will do, too. Raise ConfigError if it is none of these.
    """
    digest = _parse_digest(text)
    if digest is not None:
        return [digest]
    path = Path(text)
    data = read_file(path, _MAX_BYTES)
    if b"\xa0" <= data[:1] < b"\xc0":  # a CBOR map; text never begins like this, whatever its encoding
        try:
            return [decode_genesis(data).digest]
        except GenesisError as error:
            raise ConfigError(f"{error}; give the swarm.toml or the digest instead", path) from None
    from node.config.swarm_file import load_config

    config = load_config(path)
    return [genesis.digest for genesis in (config.genesis, config.earlier) if genesis is not None]


def _parse_digest(text: str) -> bytes | None:
    """Return the digest that a text says, blanks around it and capitals allowed; None if it says none."""
    digits = text.strip().lower()
    return bytes.fromhex(digits) if _DIGEST.fullmatch(digits) else None


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
