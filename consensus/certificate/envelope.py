"""The certificate of a promotion as a file: a DSSE envelope around the statement, with one signature per seal.

Besides DSSE's own fields the envelope has `chain`: base64 of the genesis record and of the sealed epoch records that
changed the roster since (the short chain of `consensus.epoch`), up to the roster that sealed. So whoever knows the
digest of the genesis needs nothing else.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable

from consensus.keys import MemberId, id_text
from consensus.ledger.records.entities import Promotion
from consensus.ledger.views import Views
from consensus.statement import PAYLOAD_TYPE, canonical_json


def make_certificate(promotion: Promotion, ledger: Views) -> bytes | None:
    """Return the certificate of a promotion, the same bytes on every node; None while seals are missing.

    They may be missing for the statement, or for a record of the chain to its roster.
    """
    chain = ledger.chain_to(promotion.roster_version)
    if not promotion.certified or chain is None:
        return None
    seals = [(entry.author, entry.signature) for entry in promotion.certificate_seals]
    return make_envelope(promotion.statement, seals, [ledger.genesis.raw, *(sealed.raw for sealed in chain)])


def make_envelope(statement: bytes, seals: Iterable[tuple[MemberId, bytes]], chain: Iterable[bytes]) -> bytes:
    """Return an envelope in its only form: canonical JSON and a newline, seals sorted by member id."""
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
    """Return standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")
