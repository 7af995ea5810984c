"""The version of this program, and the digest of its sources that a node announces."""

import csv
import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path

_ROOT = Path(__file__).parent.parent.parent
_DISTRIBUTION = "ringrift-swarm"
_SHOWN_DIGITS = 12
_PACKAGES = ("consensus", "engine", "node", "training")


def version() -> str:
    """Return the version of the installed distribution, or "source" when run from a bare checkout."""
    try:
        return metadata.version(_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "source"


@cache
def source_digest() -> bytes:
    """Return the SHA-256 over the paths and contents of our Python files. Nodes with equal digests run equal code."""
    return digest_sources(_ROOT)


def shown_digest(digest: bytes) -> str:
    """Return a digest of sources as people see it: its first 12 hex characters."""
    return digest.hex()[:_SHOWN_DIGITS]


def digest_sources(root: Path) -> bytes:
    """Return the digest of the program whose packages are in `root`."""
    total = hashlib.sha256()
    for package in _PACKAGES:
        for path in sorted(_files(root, package)):
            total.update(path.relative_to(root).as_posix().encode() + b"\0")
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.digest()


def _files(root: Path, package: str) -> list[Path]:
    """Return the Python files of a package: those that the build listed, or in a checkout all.

    An installed program lies among those of others, any of which may have put files into a folder of the same name.
    """
    for distribution in metadata.distributions(name=_DISTRIBUTION, path=[str(root)]):
        rows = csv.reader((distribution.read_text("RECORD") or "").splitlines())
        listed = [row[0] for row in rows if row and row[0].startswith(f"{package}/") and row[0].endswith(".py")]
        if listed:
            return [root / name for name in listed if (root / name).exists()]
    return list((root / package).rglob("*.py"))
