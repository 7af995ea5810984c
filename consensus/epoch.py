"""Epoch records: what closes an epoch and opens the next, sealed by the members that hand over and that take over.

A roster never changes inside a DAG, so the definitions (`SPEC.md`) hold word for word. After a decided round the ledger
declares the epoch over: because of an ordered change of the roster, or because of its length. That round is the last
one. All that it and the rounds before it received is final; the authors submit everything else again. What follows from
the order so far is written into one record, the same bytes on every node. Its digest is the `epoch` of every event of
the next one, so no event belongs to two epochs.

Who decides? Up to the closing round the old roster alone, by consensus. The record is a function of that order, so
there is only one, unless a third of the old weight is faulty. From its digest on, the new roster alone. The seals are
for outsiders: more than 2/3 of the old weight state that this record ended their epoch (two different ones would need a
third of it to sign twice), and more than 2/3 of the new weight that they continue from it. A mixture decides nothing:
each of the two sums is counted by itself. The members that stay must weigh more than 2/3 in both rosters
(`can_seal_change`), because they are the ones that seal. A member that leaves stays without weight until the record is
sealed (`consensus.ledger.state.epoch_state.handover`), and seals like the others. Otherwise silent members, fewer than
a third of either roster, could be too many for the seals.

*The short chain.* To know a roster, but no events, it takes only the records that changed one. A record names the
digest of the old roster and counts the changes (`roster_version`), and the roster between two changes is the same. An
honest member seals the one record per epoch that its own order led to, and exactly one of those makes version v + 1 out
of version v; another one sealed by more than 2/3 of the old weight would need a third of it to seal twice. So a sealed
record whose `old` and version fit is the next change, even if the records in between are not shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

from consensus import keys
from consensus.encoding import Decoded, EncodingError, decode, encode
from consensus.genesis import Genesis
from consensus.keys import MemberId, SigningKey, id_text
from consensus.roster import MEMBERS_LIMIT, Roster, RosterError, parse_roster

VERSION = 1
RECORD_LIMIT = 1 << 18
SEALED_LIMIT = 1 << 19
_VALUES = 8 * MEMBERS_LIMIT  # no record and no list of seals has more
_LARGEST = 2**63 - 1
_CONTEXT = b"ringrift/epoch/1\0"
_DIGESTS = ("genesis", "previous", "old", "ledger", "snapshot")
_NUMBERS = ("number", "roster_version", "round", "ordered", "time")


class EpochError(ValueError):
    """A record that does not open an epoch, or does not follow: one line that says what is wrong."""


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """What epoch `number` - 1 ended with, and who is in epoch `number`. Checked when made."""

    genesis: bytes  # digest: the swarm
    number: int  # of the epoch that it opens, from 1
    previous: bytes  # digest of what opened the epoch before: a record, or the genesis
    old: bytes  # digest of the roster that decided up to this record
    roster: Roster  # the one that decides from this record on
    roster_version: int  # 1 in the genesis, and one more with every change of ids or weights
    ledger: bytes  # digest after the closing round
    snapshot: bytes  # SHA-256 of the ledger's snapshot, after the close
    round: int  # number of the closing round, counted from the first epoch on
    ordered: int  # events in the whole order
    time: int  # consensus time of the last of them, ns
    judges: tuple[bytes, ...]  # hashes of the closing round's judges, ascending

    def __post_init__(self) -> None:
        for name in _DIGESTS:
            _require_digest(getattr(self, name), name)
        for name in _NUMBERS:
            least = 0 if name in ("ordered", "time") else 1
            _require_whole(getattr(self, name), name, least)
        for judge in self.judges:
            _require_digest(judge, "a judge")
        if not self.judges or any(first >= second for first, second in pairwise(self.judges)):
            raise EpochError("epoch record: judges must be one or more, ascending and distinct")
        if len(self.judges) > MEMBERS_LIMIT:
            raise EpochError(f"epoch record: more than {MEMBERS_LIMIT} judges")

    @cached_property
    def raw(self) -> bytes:
        """The canonical bytes."""
        return encode(
            {
                "version": VERSION,
                **{name: getattr(self, name) for name in (*_DIGESTS, *_NUMBERS)},
                "roster": self.roster.table(),
                "judges": list(self.judges),
            }
        )

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the canonical bytes: the `epoch` of all events of the epoch that it opens."""
        return hashlib.sha256(self.raw).digest()

    @property
    def changes_roster(self) -> bool:
        """Whether it changes ids or weights."""
        return self.roster.digest != self.old

    def seal(self, key: SigningKey) -> bytes:
        """Return the signature, 64 bytes, by which the owner of `key` states that its own order led to this record."""
        return key.sign(_CONTEXT + self.digest)

    def verify_seal(self, member: MemberId, signature: bytes) -> bool:
        """Return whether `signature` is `member`'s seal of this record."""
        return keys.verify(member, _CONTEXT + self.digest, signature)


@dataclass(frozen=True)
class SealedRecord:
    """A record with signatures of members, sorted by member. Only `verify_seals` shows what they are worth."""

    record: EpochRecord
    seals: tuple[tuple[MemberId, bytes], ...]

    def __post_init__(self) -> None:
        for member, signature in self.seals:
            _require_digest(member, "the member of a seal")
            if not isinstance(signature, bytes) or len(signature) != keys.SIGNATURE_BYTES:
                raise EpochError(f"epoch record: a seal must be {keys.SIGNATURE_BYTES} bytes")
        if any(first >= second for (first, _), (second, _) in pairwise(self.seals)):
            raise EpochError("epoch record: seals must be sorted by member, one of each")
        if len(self.seals) > 2 * MEMBERS_LIMIT:
            raise EpochError(f"epoch record: more than {2 * MEMBERS_LIMIT} seals")

    @cached_property
    def raw(self) -> bytes:
        """CBOR [record, [[member, seal], ...]]."""
        return encode([self.record.raw, [list(seal) for seal in self.seals]])


@dataclass(frozen=True, kw_only=True)
class Opening:
    """What a DAG and its order begin with, from the genesis or from the record that opens the epoch."""

    number: int  # 0 for the epoch of the genesis
    digest: bytes  # the `epoch` of its events
    roster: Roster
    roster_version: int
    round: int  # the last round before the epoch
    ordered: int  # events in the order before the epoch
    time: int | None  # consensus time of the last of them, ns; None before the first

    @classmethod
    def of_genesis(cls, genesis: Genesis) -> Opening:
        """Return the opening of the first epoch."""
        return cls(
            number=0,
            digest=genesis.digest,
            roster=genesis.roster,
            roster_version=1,
            round=0,
            ordered=0,
            time=None,
        )

    @classmethod
    def of_record(cls, record: EpochRecord) -> Opening:
        """Return the opening of a later epoch. The caller has made sure that the record is true."""
        return cls(
            number=record.number,
            digest=record.digest,
            roster=record.roster,
            roster_version=record.roster_version,
            round=record.round,
            ordered=record.ordered,
            time=record.time,
        )


@lru_cache(maxsize=64)  # the store, the ledger's snapshot and peers bring the same ones
def decode_record(data: bytes) -> EpochRecord:
    """Return the record in `data`. Raise EpochError for anything but its exact canonical bytes."""
    try:
        table = decode(data, limit=RECORD_LIMIT, items=_VALUES)
    except EncodingError as error:
        raise EpochError(f"epoch record: {error}") from None
    names = {"version", "roster", "judges", *_DIGESTS, *_NUMBERS}
    if not isinstance(table, dict) or table.keys() != names:
        raise EpochError(f"epoch record: must have the fields {', '.join(sorted(names))}")
    if type(table["version"]) is not int or table["version"] != VERSION:
        raise EpochError(f"epoch record: version {table['version']!r:.40} is unknown; this program knows {VERSION}")
    record = _read_record(table)
    if record.raw != data:
        raise EpochError("epoch record: not in canonical form")
    return record


def _read_record(table: dict[str, Decoded]) -> EpochRecord:
    judges = table["judges"]
    if not isinstance(judges, list):
        raise EpochError("epoch record: judges must be a list")
    try:
        roster = parse_roster(table["roster"])
    except RosterError as error:
        raise EpochError(f"epoch record: roster: {error}") from None
    named: dict[str, object] = {name: table[name] for name in (*_DIGESTS, *_NUMBERS)}
    return EpochRecord(roster=roster, judges=tuple(judges), **named)  # type: ignore[arg-type]  # EpochRecord checks them


def decode_sealed(data: bytes) -> SealedRecord:
    """Return the sealed record in `data`. Raise EpochError for anything but its exact canonical bytes."""
    try:
        value = decode(data, limit=SEALED_LIMIT, items=_VALUES)
    except EncodingError as error:
        raise EpochError(f"sealed record: {error}") from None
    if not isinstance(value, list) or len(value) != 2:
        raise EpochError("sealed record: must be [record, seals]")
    raw, seals = value
    if not isinstance(raw, bytes) or not isinstance(seals, list):
        raise EpochError("sealed record: must be [bytes, list]")
    pairs: list[tuple[MemberId, bytes]] = []
    for seal in seals:
        if not isinstance(seal, list) or len(seal) != 2:
            raise EpochError("sealed record: a seal must be [member, signature]")
        pairs.append((seal[0], seal[1]))  # type: ignore[arg-type]  # SealedRecord checks both
    return SealedRecord(decode_record(raw), tuple(pairs))


def can_seal_change(old: Roster, new: Roster, without: Collection[MemberId] = ()) -> bool:
    """Return whether the members of both rosters weigh more than 2/3 of each, so that they can seal the change.

    Members in `without` do not count: they are proven to be faulty.
    """
    staying = [member for member in old.ids if member in new and member not in without]
    return old.supermajority(staying) and new.supermajority(staying)


def has_enough_seals(record: EpochRecord, old: Roster, sealed: Iterable[MemberId]) -> bool:
    """Return whether these distinct members weigh more than 2/3 of the old roster.

    If the record changes the roster, they must weigh more than 2/3 of the new one, too.
    """
    members = list(sealed)
    return old.supermajority(members) and (not record.changes_roster or record.roster.supermajority(members))


def verify_seals(sealed: SealedRecord, old: Roster) -> None:
    """Raise EpochError with the reason unless `sealed` ended an epoch of the roster `old`."""
    record = sealed.record
    where = f"epoch record {record.number}"
    if record.old != old.digest:
        raise EpochError(f"{where}: does not follow the roster before it")
    for member, signature in sealed.seals:
        if member not in old and member not in record.roster:
            raise EpochError(f"{where}: sealed by {id_text(member)}, who is in neither roster")
        if not record.verify_seal(member, signature):
            raise EpochError(f"{where}: the seal of member {id_text(member)} does not verify")
    if not has_enough_seals(record, old, [member for member, _ in sealed.seals]):
        raise EpochError(f"{where}: sealed by two thirds or less of the old weight, or of the new")


def verify_chain(genesis: Genesis, chain: Sequence[SealedRecord], *, complete: bool = True) -> Opening:
    """Return the opening by the last of these sealed records, with every step checked from the genesis on.

    A complete chain has the record of every epoch; the short one (see above) only those that changed the roster. Raise
    EpochError, which names the first record that does not follow.
    """
    opening = Opening.of_genesis(genesis)
    for sealed in chain:
        opening = verify_step(genesis, opening, sealed, complete=complete)
    return opening


def verify_step(genesis: Genesis, before: Opening, sealed: SealedRecord, *, complete: bool = True) -> Opening:
    """Return the opening by `sealed`, one checked step from the one before. Raise EpochError if it does not follow.

    Unless the chain is `complete`, the step may skip epochs; see `verify_chain`.
    """
    _check_step(genesis, before, sealed.record, complete)
    verify_seals(sealed, before.roster)
    return Opening.of_record(sealed.record)


def _check_step(genesis: Genesis, before: Opening, record: EpochRecord, complete: bool) -> None:
    where = f"epoch record {record.number}"
    if record.genesis != genesis.digest:
        raise EpochError(f"{where}: is of another swarm")
    if complete and (record.number != before.number + 1 or record.previous != before.digest):
        raise EpochError(f"{where}: does not follow the record of epoch {before.number}")
    if not complete and not record.changes_roster:
        raise EpochError(f"{where}: does not change the roster, so it does not belong to a short chain")
    if record.number <= before.number or record.round <= before.round:
        raise EpochError(f"{where}: is not later than the record before it")
    if record.ordered < before.ordered or record.time < (before.time or 0):
        raise EpochError(f"{where}: goes back in the order")
    if record.roster_version != before.roster_version + record.changes_roster:
        raise EpochError(f"{where}: roster version {record.roster_version} after {before.roster_version}")


def _require_digest(value: object, name: str) -> None:
    if not isinstance(value, bytes) or len(value) != 32:
        raise EpochError(f"epoch record: {name} must be 32 bytes")


def _require_whole(value: object, name: str, least: int) -> None:
    if type(value) is not int or not least <= value <= _LARGEST:
        raise EpochError(f"epoch record: {name} must be a whole number from {least} to {_LARGEST}")
