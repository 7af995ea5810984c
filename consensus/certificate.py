"""The certificate of a promotion as a file: a DSSE envelope around the statement, a signature per seal.

Besides DSSE's own fields the envelope holds `chain`: base64 of the canonical genesis record (later also of
the epoch records that lead to the roster which sealed), so that whoever knows the genesis digest needs
nothing else.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable

from consensus.genesis import Genesis
from consensus.keys import MemberId, id_text
from consensus.ledger.entities import Promotion
from consensus.statement import PAYLOAD_TYPE, canonical_json


def certificate(promotion: Promotion, genesis: Genesis) -> bytes | None:
    """The certificate of a promotion, the same bytes on every node; None while seals are missing."""
    if not promotion.certified:
        return None
    seals = [(entry.author, entry.signature) for entry in promotion.seals[: promotion.certified]]
    return envelope(promotion.statement, seals, [genesis.raw])


def envelope(statement: bytes, seals: Iterable[tuple[MemberId, bytes]], chain: Iterable[bytes]) -> bytes:
    """An envelope in its only form: canonical JSON and a newline, seals sorted by member id."""
    text = canonical_json(
        {
            "payload": to_base64(statement),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [
                {"keyid": id_text(member), "sig": to_base64(signature)} for member, signature in sorted(seals)
            ],
            "chain": [to_base64(record) for record in chain],
        }
    )
    return text + b"\n"


def to_base64(data: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")
