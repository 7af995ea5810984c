"""The version of this program, and the digest of its sources that a node announces."""

import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path

_ROOT = Path(__file__).parent.parent.parent
_PACKAGES = ("consensus", "engine", "node", "training")


def version() -> str:
    """Return the version of the installed distribution, or "source" when run from a bare checkout."""
    try:
        return metadata.version("ringrift-swarm")
    except metadata.PackageNotFoundError:
        return "source"


@cache
def source_digest() -> bytes:
    """Return the SHA-256 over the paths and contents of all Python files. Nodes with equal digests run equal code."""
    total = hashlib.sha256()
    for package in _PACKAGES:
        for path in sorted((_ROOT / package).rglob("*.py")):
            total.update(path.relative_to(_ROOT).as_posix().encode() + b"\0")
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.digest()
