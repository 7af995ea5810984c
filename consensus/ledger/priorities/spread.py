"""How members that choose at the same moment differ: by a hash of their id."""

from __future__ import annotations

import hashlib

from consensus.encoding import Value, encode


def spread(*parts: Value) -> bytes:
    """Return a hash of what a member and a choice are named by."""
    return hashlib.sha256(encode(["ringrift/spread/1", *parts])).digest()
