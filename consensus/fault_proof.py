"""The proof that a member reported a wrong result, as one file that anybody can check without the swarm.

It holds the member's signed event that reported the slot, the games that the event names, and what the slot had to be
played with; and the signed findings, by members of more than 2/3 of the weight, which name all that by one digest. So
the event and the games prove by themselves that the scores are not those of the games, or that the games break the
rules. Where the fault is that the games started from other seeds, the seeds are the ones that those members signed.

Everything is checked here except the games, which takes the rules: see `node.proofs.fault_check`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from consensus.encoding import Decoded, EncodingError, decode, encode
from consensus.epoch import EpochError, decode_sealed, verify_chain
from consensus.event import MAX_EVENT_BYTES, Event, EventError, decode_event, decode_header
from consensus.genesis import Genesis, GenesisError, decode_genesis
from consensus.keys import MemberId, id_text
from consensus.ledger.records.cases import Fault, SlotReport
from consensus.ledger.records.entity import ShapeError, parse_value, to_value
from consensus.ledger.records.fields import MalformedError
from consensus.ledger.records.parsing import parse_transaction
from consensus.ledger.records.transactions import Finding, Result, Transaction
from consensus.roster import Roster
from consensus.settings import CONFIGURATION

VERSION = 1
SIZE_LIMIT = 1 << 27
_MAX_VALUES = 1 << 20  # far more than the chain, the report and the findings hold; most bytes are those of the games
FIELDS = ("chain", "event", "findings", "games", "genesis", "report", "version")

T = TypeVar("T", bound=Transaction)


class ProofError(ValueError):
    """A proof that must not be believed: one line that says why."""


class NotAProofError(ValueError):
    """A file that is not a proof at all: one line that says why."""


@dataclass(frozen=True, kw_only=True)
class FaultProof:
    """What a proof claims, with everything but the games verified."""

    genesis: Genesis
    roster: Roster  # the one to which the chain leads, whose members found the result wrong
    report: SlotReport
    event: Event  # the one that reported it
    games: bytes
    found_by: tuple[MemberId, ...]
    found_weight: int

    @property
    def accused(self) -> MemberId:
        """The member that reported the wrong result."""
        return self.event.creator


def encode_proof(
    genesis: Genesis,
    chain: Sequence[bytes],
    fault: Fault,
    *,
    event: bytes,
    findings: Sequence[bytes],
    games: bytes,
) -> bytes:
    """Return the proof as a file.

    `chain` are the sealed records that lead to the roster of the findings, `findings` the raw events that hold them.
    """
    return encode(
        {
            "version": VERSION,
            "genesis": genesis.raw,
            "chain": list(chain),
            "report": to_value(fault.report),
            "event": event,
            "findings": list(findings),
            "games": games,
        }
    )


def verify_proof(data: bytes, genesis: bytes | None = None) -> FaultProof:
    """Return what a proof claims, with everything but the games verified.

    `genesis` is the digest of the swarm that the caller trusts; without it the file's own genesis is believed. Raise
    NotAProofError if `data` is not a proof at all, ProofError if it must not be believed.
    """
    table = _parse(data)
    try:
        report = parse_value(SlotReport, table["report"], "report")
        founding, roster = _roster(table["genesis"], table["chain"], genesis)
        event = _event(_bytes(table["event"], "event"), "event")
    except (ShapeError, GenesisError, EpochError) as error:
        raise ProofError(str(error)) from None
    if not _is_possible(report, founding):
        raise ProofError("report: the match is not played as the genesis requires")
    _check_result(event, report)
    games = _bytes(table["games"], "games")
    if hashlib.sha256(games).digest() != report.result.blob:
        raise ProofError("games: not those that the event names")
    found_by = _check_findings(table["findings"], report, roster)
    return FaultProof(
        genesis=founding,
        roster=roster,
        report=report,
        event=event,
        games=games,
        found_by=found_by,
        found_weight=roster.weight(found_by),
    )


def _is_possible(report: SlotReport, founding: Genesis) -> bool:
    """Return whether the swarm can play such a match.

    Where members can change the settings and add configurations, the findings vouch for those of the report.
    """
    if founding.settings.steering.rules:
        return CONFIGURATION.fullmatch(report.configuration) is not None
    return report.settings == founding.settings.match and report.configuration in founding.settings.configurations


def _parse(data: bytes) -> dict[str, Decoded]:
    if len(data) > SIZE_LIMIT:
        raise NotAProofError(f"not a proof of a wrong result: {len(data)} bytes where at most {SIZE_LIMIT} are allowed")
    try:
        table = decode(data, limit=SIZE_LIMIT, items=_MAX_VALUES)
    except EncodingError as error:
        raise NotAProofError(f"not a proof of a wrong result: {error}") from None
    if not isinstance(table, dict) or not {"event", "games", "report"} <= table.keys():
        raise NotAProofError("not a proof of a wrong result: must be a map with event, games and report")
    if sorted(table) != list(FIELDS):
        raise ProofError(f"must have the fields {', '.join(FIELDS)} and no other")
    if type(table["version"]) is not int or table["version"] != VERSION:
        raise ProofError(f"version {table['version']!r:.40} is unknown; this program knows {VERSION}")
    return table


def _bytes(value: Decoded, where: str) -> bytes:
    if not isinstance(value, bytes):
        raise ProofError(f"{where}: must be bytes")
    return value


def _list(value: Decoded, where: str) -> list[bytes]:
    if not isinstance(value, list):
        raise ProofError(f"{where}: must be a list")
    return [_bytes(entry, where) for entry in value]


def _roster(record: Decoded, chain: Decoded, expected: bytes | None) -> tuple[Genesis, Roster]:
    genesis = decode_genesis(_bytes(record, "genesis"))
    if expected is not None and genesis.digest != expected:
        raise ProofError(f"the proof is of the swarm with genesis {genesis.digest.hex()}, not {expected.hex()}")
    links = [decode_sealed(raw) for raw in _list(chain, "chain")]
    return genesis, verify_chain(genesis, links, complete=False).roster


def _event(raw: bytes, where: str) -> Event:
    try:
        match decode(raw, limit=MAX_EVENT_BYTES, items=3):
            case [bytes(header), bytes(signature), bytes()]:
                event = decode_event(raw, decode_header(header, signature).epoch)
            case _:
                raise EventError("not an array of header, signature and payload")
    except (EncodingError, EventError) as error:
        raise ProofError(f"{where}: {error}") from None
    if not event.verify():
        raise ProofError(f"{where}: the signature of member {id_text(event.creator)} does not verify")
    return event


def _transactions(event: Event, kind: type[T]) -> list[T]:
    """Return the transactions of one kind in an event, as the ledger reads them."""
    found: list[T] = []
    for table in event.transactions:
        try:
            transaction = parse_transaction(table)
        except MalformedError:
            continue
        if isinstance(transaction, kind):
            found.append(transaction)
    return found


def _check_result(event: Event, report: SlotReport) -> None:
    """Raise ProofError unless the event reports exactly this result.

    The findings vouch for the numbers of its place in the order.
    """
    result = report.result
    if event.hash != result.place.event or event.creator != result.author:
        raise ProofError("event: not the one that reported the result")
    if not 0 <= report.slot < report.settings.block_limit // report.settings.slot_blocks:
        raise ProofError("report: such a match does not have this slot")
    if len(result.scores) != report.settings.slot_blocks:
        raise ProofError("report: the number of scores is not the number of blocks")
    wanted = (report.scores, result.root, result.blob, result.size, result.games)
    results = _transactions(event, Result)
    reported = [(entry.scores, entry.root, entry.blob, entry.size, entry.games) for entry in results]
    if wanted not in reported:
        raise ProofError("event: does not report this result")


def _check_findings(findings: Decoded, report: SlotReport, roster: Roster) -> tuple[MemberId, ...]:
    """Return the members that find this result wrong. Raise ProofError unless they are a supermajority."""
    found_by: list[MemberId] = []
    for raw in _list(findings, "findings"):
        event = _event(raw, "findings")
        if event.creator not in roster or event.creator in found_by:
            raise ProofError(f"findings: {id_text(event.creator)} is not a member, or has two findings")
        wanted = (report.candidate, report.slot, report.digest, True)
        found = _transactions(event, Finding)
        if wanted not in [(entry.candidate, entry.slot, entry.result, entry.wrong) for entry in found]:
            raise ProofError(f"findings: {id_text(event.creator)} does not find this result wrong")
        found_by.append(event.creator)
    if not roster.supermajority(found_by):
        weight = roster.weight(found_by)
        raise ProofError(f"found by weight {weight} of {roster.total_weight}; more than two thirds are needed")
    return tuple(found_by)
