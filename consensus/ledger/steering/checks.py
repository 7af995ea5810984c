"""The shards that a member should check: those in doubt, and one of each author that is not trusted."""

from __future__ import annotations

from consensus.keys import MemberId
from consensus.ledger.records.entities import Shard
from consensus.ledger.steering.signals import SECOND
from consensus.ledger.views import Views

FIRST_PAUSE_S = 30
MOST_DOUBLINGS = 12
"""Of that pause: a day and a half."""


def due_shard_checks(ledger: Views, member: MemberId) -> tuple[Shard, ...]:
    """Return the shards in doubt about which the member has said nothing, then the oldest that waits of each author."""
    if ledger.is_silenced(member) or member not in ledger.roster:
        return ()
    cases = [case for case in ledger.shard_cases() if all(entry.author != member for entry in case.findings)]
    doubted = [ledger.shard(case.shard) for case in cases]
    return (*(shard for shard in doubted if shard is not None), *_oldest_waiting(ledger, member))


def _oldest_waiting(ledger: Views, member: MemberId) -> list[Shard]:
    """Return the oldest waiting shard of each other author; none of those about which a case is open.

    After a strike its author waits a minute, and twice as long for each proven fault: else a liar could have everybody
    check one wrong shard after the other.
    """
    if not ledger.distrusted:
        return []
    faults = ledger.fault_counts()
    resting = {
        author
        for author, since in ledger.distrusted.items()
        if ledger.clock < since + (FIRST_PAUSE_S * SECOND << min(faults.get(author, 0), MOST_DOUBLINGS))
    }
    oldest: dict[MemberId, Shard] = {}
    for configuration in ledger.configurations():
        for shard in ledger.shards(configuration.name):
            if shard.standing != "waiting" or shard.author in {member, *resting}:
                continue
            if ledger.shard_case(shard.digest) is None:
                known = oldest.get(shard.author)
                if known is None or (shard.clock, shard.digest) < (known.clock, known.digest):
                    oldest[shard.author] = shard
    return [shard for _, shard in sorted(oldest.items())]
