"""What was delivered when, from the shards that the ledger keeps, in the shape of `node.api.history`."""

from collections import Counter
from collections.abc import Sequence

from consensus.keys import id_text
from consensus.ledger import Ledger
from consensus.ledger.records.entities import Shard
from consensus.ledger.views import Views
from node.api.history import HistoryInfo
from node.report.membership import NS_PER_S, NameOf

_INTERVALS = 48
_THOUSANDTHS = 1000  # the ledger counts costs in these


def history(ledger: Ledger, name_of: NameOf) -> HistoryInfo:
    """Return what was delivered in each interval; by the ledger's clock where it keeps when a shard was counted."""
    shards = ledger.remember(_counted)
    has_clock = bool(shards) and all(shard.clock for shard in shards)
    places = [shard.clock if has_clock else shard.round for shard in shards]
    first = min(places, default=0)
    last = max(first + 1, ledger.clock if has_clock else ledger.round)
    configurations: dict[str, Counter[int]] = {entry.name: Counter() for entry in ledger.configurations()}
    members: dict[bytes, Counter[int]] = {}
    for shard, place in zip(shards, places, strict=True):
        interval = min(_INTERVALS - 1, (place - first) * _INTERVALS // (last - first))
        amount = shard.cost // _THOUSANDTHS if has_clock else shard.plies
        configurations[shard.configuration][interval] += amount
        members.setdefault(shard.author, Counter())[interval] += amount
    ranked = sorted(members, key=lambda member: (-members[member].total(), member))
    return {
        "axis": "clock" if has_clock else "round",
        "unit": "evaluations" if has_clock else "plies",
        "begin": (last - first) // NS_PER_S if has_clock else first,
        "end": 0 if has_clock else last,
        "configurations": {name: _row(amounts) for name, amounts in configurations.items()},
        "members": [
            {"member": id_text(member), "name": name_of(member), "amounts": _row(members[member])} for member in ranked
        ],
    }


def _counted(views: Views) -> Sequence[Shard]:
    return [
        shard for entry in views.configurations() for shard in views.shards(entry.name) if shard.standing == "counted"
    ]


def _row(amounts: Counter[int]) -> list[int]:
    return [amounts[interval] for interval in range(_INTERVALS)]
