"""`verify` as tests call it: the verifier in one file has to come to the same, whatever the certificate."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping

from consensus.certificate import verification
from consensus.certificate.verification import CertificateError, UnreadableError, VerifiedCertificate
from scripts import verify_certificate


def verify(data: bytes, genesis: bytes | None = None, files: Mapping[str, bytes] | None = None) -> VerifiedCertificate:
    """Return what a certificate proves, as `consensus.certificate.verification.verify`.

    Raise AssertionError if `scripts/verify_certificate.py` does not agree.
    """
    trusted = _named_genesis(data) if genesis is None else genesis
    refusal = _refusal_of_file(data, trusted)
    try:
        found = verification.verify(data, genesis)
    except (CertificateError, UnreadableError) as error:
        if refusal is None:
            raise AssertionError(f"only ringrift-node verify refuses it: {error}") from None
        raise
    assert refusal is None, f"only scripts/verify_certificate.py refuses it: {refusal!r}"
    return found if files is None else verification.verify(data, genesis, files)


def _refusal_of_file(data: bytes, genesis: bytes) -> Exception | None:
    try:
        verify_certificate.verify(data, genesis)
    except verify_certificate.REFUSALS as refusal:
        return refusal
    return None


def _named_genesis(data: bytes) -> bytes:
    """The digest of the genesis in a certificate: the verifier in one file does not believe one that nobody names."""
    try:
        return hashlib.sha256(base64.b64decode(json.loads(data)["chain"][0])).digest()
    except (ValueError, LookupError, TypeError, RecursionError):
        return bytes(32)
