"""Compares the record that opened this node's epoch with those of its peers, and with the sealed one."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

from consensus.epoch import EpochRecord, SealedRecord
from consensus.keys import MemberId
from consensus.roster import Roster

_EARLY = (
    "epoch {number} began here, and most members have not closed the one before, though they had the time; "
    "this node does not vote or work"
)
_MINORITY = (
    "members of weight {weight} of {total} opened epoch {number} with another record ({names}); "
    "this node does not vote or work"
)
_NONE = "no record of epoch {number} has the majority of the weight; nobody votes or works"
_SEALED = (
    "epoch {number} began here with another record than members of weight {weight} of {total} sealed ({names}); "
    "this node does not vote or work, and fetches theirs"
)

PeerRecords = Mapping[MemberId, EpochRecord | None]
"""By peer: the record that opened the epoch in which the peer says it is; None in the first epoch."""


@dataclass(frozen=True)
class RecordVerdict:
    """What peers' records say about the own one. `reason` is a line for people; empty if they agree, or may still.

    "minority": another record of this epoch has the majority; "none": no record can have it any more; "early": the
    majority has not closed the epoch before.
    """

    verdict: Literal["agree", "minority", "none", "early"]
    reason: str = ""


def compare_with_peers(me: MemberId, own: EpochRecord, said: PeerRecords, roster: Roster) -> RecordVerdict:
    """Weigh the own record against what peers say opened their epochs.

    As with the digests of ledgers, a record that members of more than half of the weight name has the majority: liars
    of less than a third can neither give it to a wrong record nor take it from the right one alone. Without a majority
    for its record a node is silent. To leave its record it needs more: the seals of more than 2/3.
    """
    total = roster.total_weight
    if 2 * _weight_behind(own, said, roster) > total:
        return RecordVerdict("early", _EARLY.format(number=own.number))
    there = {record.digest: record for record in said.values() if record is not None and record.number == own.number}
    weights = Counter({own.digest: roster.weight([me])})
    for peer, record in said.items():
        if record is not None and record.digest in there:
            weights[record.digest] += roster.weight([peer])
    undecided = total - sum(weights.values())
    digest, best = max(weights.items(), key=lambda pair: pair[1])
    if 2 * best > total and digest != own.digest:
        names = ", ".join(record_differences(own, there[digest]))
        return RecordVerdict("minority", _MINORITY.format(weight=best, total=total, number=own.number, names=names))
    if 2 * (best + undecided) <= total:
        return RecordVerdict("none", _NONE.format(number=own.number))
    return RecordVerdict("agree")


def _weight_behind(own: EpochRecord, said: PeerRecords, roster: Roster) -> int:
    """Return the weight of the members that have not closed the epoch before."""
    return roster.weight(peer for peer, record in said.items() if record is None or record.number < own.number)


def describe_refutation(own: EpochRecord, sealed: SealedRecord) -> str:
    """Return a line that says how the own record of an epoch differs from the sealed one."""
    record, names = sealed.record, ", ".join(record_differences(own, sealed.record))
    weight, total = record.roster.weight(member for member, _ in sealed.seals), record.roster.total_weight
    return _SEALED.format(number=record.number, weight=weight, total=total, names=names)


def record_differences(own: EpochRecord, other: EpochRecord) -> dict[str, tuple[str, str]]:
    """Return the fields in which two records differ, with both values as text: ours, theirs."""
    pairs = {field.name: (getattr(own, field.name), getattr(other, field.name)) for field in fields(EpochRecord)}
    return {name: (_as_text(here), _as_text(there)) for name, (here, there) in pairs.items() if here != there}


def _as_text(value: object) -> str:
    match value:
        case bytes():
            return value.hex()[:16]
        case Roster():
            return f"of {len(value)} members, weight {value.total_weight}, {value.digest.hex()[:16]}"
        case tuple():
            return " ".join(map(_as_text, value))
    return str(value)
