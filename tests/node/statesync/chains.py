"""Chains of real epoch records with real seals, over ledgers that are nothing but text."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from consensus.epoch import EpochRecord, Opening, SealedRecord
from consensus.genesis import Genesis, make_genesis
from consensus.outcome import ClosedEpoch
from consensus.roster import Roster, RosterMember
from consensus.settings import Settings
from node.config.identity import Identity


@dataclass(frozen=True)
class Link:
    """A record, sealed by all, and the bytes of its snapshot."""

    sealed: SealedRecord
    snapshot: bytes

    @property
    def record(self) -> EpochRecord:
        return self.sealed.record

    @property
    def closed(self) -> ClosedEpoch:
        """What its close leaves to a store: two groups of transactions were cut off."""
        number = self.record.number
        return ClosedEpoch(self.record, self.snapshot, (({"id": number},), ({"id": number + 1}, {"id": number + 2})))


def genesis_of(identities: Sequence[Identity]) -> Genesis:
    return make_genesis("chains", [RosterMember(identity.id, 1) for identity in identities], Settings())


def sealed_by(record: EpochRecord, identities: Sequence[Identity]) -> SealedRecord:
    return SealedRecord(record, tuple(sorted((one.id, record.seal(one.key)) for one in identities)))


def next_record(genesis: Genesis, before: Opening, snapshot: bytes, **changes: Any) -> EpochRecord:
    """A record that follows; `changes` replace fields."""
    roster: Roster = changes.pop("roster", before.roster)
    record = EpochRecord(
        genesis=genesis.digest,
        number=before.number + 1,
        previous=before.digest,
        old=before.roster.digest,
        roster=roster,
        roster_version=before.roster_version + (roster.digest != before.roster.digest),
        ledger=bytes([before.number]) * 32,
        snapshot=hashlib.sha256(snapshot).digest(),
        round=before.round + 5,
        ordered=before.ordered + 50,
        time=(before.time or 0) + 9,
        judges=(b"\1" * 32,),
    )
    return replace(record, **changes)


def links(identities: Sequence[Identity], count: int, size: int = 100) -> list[Link]:
    """A chain of `count` records of one roster; the snapshots have about `size` bytes."""
    genesis = genesis_of(identities)
    opening, made = Opening.of_genesis(genesis), []
    for number in range(1, count + 1):
        snapshot = (b"ledger %d " % number) * (size // 9)
        record = next_record(genesis, opening, snapshot)
        made.append(Link(sealed_by(record, identities), snapshot))
        opening = Opening.of_record(record)
    return made


def seals_of_another_record(chain: list[SealedRecord]) -> list[SealedRecord]:
    return [replace(one, record=replace(one.record, ledger=b"\1" * 32)) for one in chain]
