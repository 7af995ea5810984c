"""Which shards too few members hold, as the API tells it."""

from consensus.keys import id_text
from consensus.ledger import Ledger
from consensus.ledger.records.entities import Shard
from consensus.ledger.steering.custody import Lack, lacks
from node.api.status import CustodyInfo, UnsafeShardInfo

_SHOWN = 64
_SECOND_NS = 10**9


def custody_info(ledger: Ledger) -> CustodyInfo:
    """Return which shards are not safe, and how many lack a holder."""
    found = ledger.remember(lacks)
    unsafe = [entry for entry in found if not entry.shard.is_safe]
    return {
        "unsafe": [_unsafe(ledger, entry, entry.shard) for entry in unsafe[:_SHOWN]],
        "unsafe_games": sum(entry.shard.games for entry in unsafe),
        "short": len(found) - len(unsafe),
    }


def _unsafe(ledger: Ledger, entry: Lack, shard: Shard) -> UnsafeShardInfo:
    return {
        "shard": shard.digest.hex(),
        "configuration": shard.configuration,
        "author": id_text(shard.author),
        "games": shard.games,
        "age_s": (ledger.clock - shard.clock) / _SECOND_NS,
        "holders": len(ledger.holders(shard)),
        "lacking": entry.lacking,
        "asked": [id_text(member) for member in entry.asked],
    }
