"""The bytes that members seal: an in-toto Statement v1 about one promotion, in canonical JSON.

The statement holds only texts and whole numbers (decimal text for numbers that may exceed 2^53, hex for digests), so
every node writes the same bytes. See https://in-toto.io/Statement/v1 and
https://github.com/secure-systems-lab/dsse.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeAlias

Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json] | None"

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:ringrift-swarm:promotion:v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
MANIFEST = "manifest.cbor"


def canonical_json(value: Json) -> bytes:
    """Return the only form of `value`: sorted keys, no spaces, ASCII with escapes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.encode("ascii")


def encode_statement(model: bytes, files: Mapping[str, bytes], predicate: dict[str, Json]) -> bytes:
    """Return a statement whose subjects are the model's files and its manifest, each named by its SHA-256."""
    named = {MANIFEST: model, **files}
    subject: list[Json] = [{"name": name, "digest": {"sha256": named[name].hex()}} for name in sorted(named)]
    return canonical_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": subject,
            "predicateType": PREDICATE_TYPE,
            "predicate": predicate,
        }
    )


def pae(statement: bytes) -> bytes:
    """Return DSSE's pre-authentication encoding of a statement: the bytes that a seal signs."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(statement), statement)
