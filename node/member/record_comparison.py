"""What opened the epoch here, against what others say opened theirs: compared, weighed, and put in words."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import fields

from consensus.epoch import EpochRecord, SealedRecord
from consensus.keys import MemberId
from consensus.roster import Roster

EARLY = (
    "epoch {number} began here, and most members have not closed the one before, though they had the time; "
    "this node does not vote or work"
)

Said = Mapping[MemberId, EpochRecord | None]
"""By peer: what opened the epoch in which it says it is; None for the first epoch."""


def against_peers(me: MemberId, own: EpochRecord, said: Said, roster: Roster) -> str:
    """What is odd about the own record, by what peers say; empty if nothing is.

    As with the ledgers' digests, a record that members of more than half of the weight name has the majority: liars
    of less than a third can neither give it to a wrong one nor take it from the right one alone. It silences a node.
    To leave its record a node needs more: the seals of more than 2/3.
    """
    there = {record.digest: record for record in said.values() if record is not None and record.number == own.number}
    weights = Counter({own.digest: roster.weight([me])})
    for peer, record in said.items():
        if record is not None and record.digest in there:
            weights[record.digest] += roster.weight([peer])
    total, silent = roster.total_weight, roster.total_weight - sum(weights.values())
    digest, best = max(weights.items(), key=lambda pair: pair[1])
    if 2 * best > total and digest != own.digest:
        names = ", ".join(record_differences(own, there[digest]))
        return (
            f"members of weight {best} of {total} opened epoch {own.number} with another record ({names}); "
            "this node does not vote or work"
        )
    if 2 * (best + silent) <= total:
        return f"no record of epoch {own.number} has the majority of the weight; nobody votes or works"
    return ""


def is_early(own: EpochRecord, said: Said, roster: Roster) -> bool:
    """Whether members of more than half of the weight have not closed the epoch before."""
    behind = [peer for peer, record in said.items() if record is None or record.number < own.number]
    return 2 * roster.weight(behind) > roster.total_weight


def against_sealed(own: EpochRecord, sealed: SealedRecord) -> str:
    """What is wrong with an own record, in a line."""
    record, names = sealed.record, ", ".join(record_differences(own, sealed.record))
    weight = record.roster.weight(member for member, _ in sealed.seals)
    return (
        f"epoch {record.number} began here with another record than members of weight {weight} of "
        f"{record.roster.total_weight} sealed ({names}); this node does not vote or work, and fetches theirs"
    )


def record_differences(own: EpochRecord, other: EpochRecord) -> dict[str, tuple[str, str]]:
    """The fields of two records that are not the same, in words: ours, theirs."""
    pairs = {field.name: (getattr(own, field.name), getattr(other, field.name)) for field in fields(EpochRecord)}
    return {name: (_shown(here), _shown(there)) for name, (here, there) in pairs.items() if here != there}


def _shown(value: object) -> str:
    match value:
        case bytes():
            return value.hex()[:16]
        case Roster():
            return f"of {len(value)} members, weight {value.total_weight}, {value.digest.hex()[:16]}"
        case tuple():
            return " ".join(map(_shown, value))
    return str(value)
