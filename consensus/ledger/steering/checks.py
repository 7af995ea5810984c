"""The shards that a member should check: those in doubt, and one of each author that is not trusted."""

from __future__ import annotations

from consensus.keys import MemberId
from consensus.ledger.records.entities import Shard
from consensus.ledger.views import Views


def due_shard_checks(ledger: Views, member: MemberId) -> tuple[Shard, ...]:
    """Return the shards in doubt about which the member has said nothing, then the oldest that waits of each author."""
    if ledger.is_silenced(member) or member not in ledger.roster:
        return ()
    cases = [case for case in ledger.shard_cases() if all(entry.author != member for entry in case.findings)]
    doubted = [ledger.shard(case.shard) for case in cases]
    return (*(shard for shard in doubted if shard is not None), *_oldest_waiting(ledger, member))


def _oldest_waiting(ledger: Views, member: MemberId) -> list[Shard]:
    """Return the oldest waiting shard of each other author that does not rest; none about which a case is open."""
    authors = {author for author in ledger.distrusted if author != member and not ledger.is_resting(author)}
    if not authors:
        return []
    oldest: dict[MemberId, Shard] = {}
    for configuration in ledger.configurations():
        for shard in ledger.shards(configuration.name):
            if shard.standing != "waiting" or shard.author not in authors:
                continue
            if ledger.shard_case(shard.digest) is None:
                known = oldest.get(shard.author)
                if known is None or (shard.clock, shard.digest) < (known.clock, known.digest):
                    oldest[shard.author] = shard
    return [shard for _, shard in sorted(oldest.items())]
