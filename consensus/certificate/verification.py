"""The offline check of a certificate: its bytes and the digest of the genesis that one trusts are enough."""

from __future__ import annotations

import base64
import codecs
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from consensus import keys
from consensus.certificate.content import Content, Sealers, verify_content
from consensus.certificate.envelope import to_base64
from consensus.certificate.parts import CertificateError
from consensus.epoch import EpochError, SealedRecord, decode_sealed, verify_chain
from consensus.genesis import Genesis, GenesisError, decode_genesis
from consensus.keys import MemberId, id_text, parse_id
from consensus.roster import Roster
from consensus.statement import MANIFEST, PAYLOAD_TYPE, canonical_json, pae

__all__ = ["CertificateError", "UnreadableError", "VerifiedCertificate", "check_files", "verify"]

SIZE_LIMIT = 4 << 20
FIELDS = ("chain", "payload", "payloadType", "signatures")
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # of text; those of UTF-32 begin like these


class UnreadableError(ValueError):
    """A file that is not a certificate at all: one line that says why."""


@dataclass(frozen=True, kw_only=True)
class VerifiedCertificate:
    """What a certificate proves."""

    genesis: Genesis
    roster: Roster  # the one to which the chain leads, whose members sealed
    content: Content
    sealed_by: tuple[MemberId, ...]
    sealed_weight: int
    files_checked: int  # 0 if no model files were given


def verify(data: bytes, genesis: bytes | None = None, files: Mapping[str, bytes] | None = None) -> VerifiedCertificate:
    """Return what a certificate proves, after checking all that can be checked offline.

    `genesis` is the digest of the swarm that the caller trusts; without it the certificate's own genesis is believed.
    `files` gives the SHA-256 of each file of the model at hand. Raise UnreadableError if `data` is not a certificate,
    CertificateError if it must not be believed.
    """
    table = _parse(data)
    sealers = _chain(table["chain"], genesis)
    statement = _base64(table["payload"], "payload")
    if table["payloadType"] != PAYLOAD_TYPE:
        raise CertificateError(f"payloadType must be {PAYLOAD_TYPE}")
    sealed_by = _check_seals(table["signatures"], statement, sealers.roster)
    content = verify_content(statement, sealers)
    checked = 0 if files is None else check_files(content, files)
    weight = sealers.roster.weight(sealed_by)
    return VerifiedCertificate(
        genesis=sealers.genesis,
        roster=sealers.roster,
        content=content,
        sealed_by=sealed_by,
        sealed_weight=weight,
        files_checked=checked,
    )


def _parse(data: bytes) -> dict[str, Any]:
    if len(data) > SIZE_LIMIT:
        raise UnreadableError(f"not a certificate: {len(data)} bytes where at most {SIZE_LIMIT} are allowed")
    try:
        table = json.loads(data.decode("ascii"))
    except (ValueError, RecursionError) as error:
        if data.startswith(_MARKS):
            what = "begins with a byte order mark, so an editor has saved it anew; fetch the certificate again"
            raise UnreadableError(f"not a certificate: {what}") from None
        if _looks_like_one(data):
            raise CertificateError("damaged: the certificate is no longer valid JSON") from None
        raise UnreadableError(f"not a certificate: not a JSON object ({_first_line(error)})") from None
    if not isinstance(table, dict) or len(set(FIELDS) & set(table)) < len(FIELDS) - 1:
        raise UnreadableError(f"not a certificate: must be a JSON object with {', '.join(FIELDS)}")
    if sorted(table) != sorted(FIELDS):
        raise CertificateError(f"must have the fields {', '.join(FIELDS)} and no other")
    try:
        canonical = canonical_json(table) + b"\n"
    except (ValueError, RecursionError):
        canonical = b""
    if canonical != data:
        what = "sorted keys, no spaces, one newline at the end; an editor may have saved it anew"
        raise CertificateError(f"not in canonical form ({what})")
    return table


def _looks_like_one(data: bytes) -> bool:
    """Return whether bytes that are not JSON look like a damaged certificate, complete from end to end."""
    whole = data[:1] == b"{" and data.rstrip()[-1:] == b"}"
    return whole and sum(f'"{name}"'.encode() in data for name in FIELDS) >= len(FIELDS) - 1


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:100]


def _base64(text: object, where: str) -> bytes:
    if not isinstance(text, str):
        raise CertificateError(f"{where}: must be base64 text")
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError:
        raise CertificateError(f"{where}: not base64") from None
    if to_base64(data) != text:
        raise CertificateError(f"{where}: base64 with stray bits")
    return data


def _chain(chain: object, expected: bytes | None) -> Sealers:
    if not isinstance(chain, list) or not chain:
        raise CertificateError("chain: must hold the genesis record")
    try:
        genesis = decode_genesis(_base64(chain[0], "chain"))
    except GenesisError as error:
        raise CertificateError(f"chain: {error}") from None
    if expected is not None and genesis.digest != expected:
        raise CertificateError(
            f"the certificate is of the swarm with genesis {genesis.digest.hex()}, not {expected.hex()}"
        )
    try:
        records: list[SealedRecord] = [decode_sealed(_base64(entry, "chain")) for entry in chain[1:]]
        opening = verify_chain(genesis, records, complete=False)
    except EpochError as error:
        raise CertificateError(f"chain: {error}") from None
    rosters = [genesis.roster, *(sealed.record.roster for sealed in records)]
    ever = frozenset(member for roster in rosters for member in roster.ids)
    smallest = min(len(roster) for roster in rosters)
    return Sealers(genesis, opening.roster, opening.roster_version, smallest, ever)


def _check_seals(signatures: object, statement: bytes, roster: Roster) -> tuple[MemberId, ...]:
    if not isinstance(signatures, list):
        raise CertificateError("signatures: must be a list")
    sealed: list[MemberId] = []
    for entry in signatures:
        if not isinstance(entry, dict) or sorted(entry) != ["keyid", "sig"]:
            raise CertificateError("signatures: each must have keyid and sig and nothing else")
        member = _member(entry["keyid"], roster)
        if sealed and member <= sealed[-1]:
            order = "seals twice" if member in sealed else "is out of order (seals are sorted by member id)"
            raise CertificateError(f"member {id_text(member)} {order}")
        if not keys.verify(member, pae(statement), _base64(entry["sig"], "sig")):
            raise CertificateError(f"the seal of member {id_text(member)} does not verify over this statement")
        sealed.append(member)
    if not roster.supermajority(sealed):
        weight = roster.weight(sealed)
        raise CertificateError(f"sealed by weight {weight} of {roster.total_weight}; more than two thirds are needed")
    return tuple(sealed)


def _member(text: object, roster: Roster) -> MemberId:
    try:
        member = parse_id(text if isinstance(text, str) else "")
    except ValueError as error:
        raise CertificateError(f"keyid: {_first_line(error)}") from None
    if member not in roster:
        raise CertificateError(f"{text} seals, but is not a member of the swarm")
    return member


def check_files(content: Content, files: Mapping[str, bytes]) -> int:
    """Return how many files were compared with the subjects; the manifest itself may be absent.

    `files` gives the SHA-256 of each file of the model at hand. Raise CertificateError if they are not the subjects.
    """
    for name in sorted(files):
        if name not in content.subjects:
            raise CertificateError(f"file {name!r} is not part of the certified model")
        if files[name] != content.subjects[name]:
            raise CertificateError(
                f"file {name!r} does not match: it has SHA-256 {files[name].hex()}, "
                f"the certificate says {content.subjects[name].hex()}"
            )
    missing = sorted(set(content.subjects) - {MANIFEST, *files})
    if missing:
        raise CertificateError(f"file {missing[0]!r} of the certified model is missing")
    return len(files)
