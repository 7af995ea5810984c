"""The differences between two ledgers of one round, entry by entry: for the log of a node whose ledger was wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from consensus.ledger.state.state import State


def _by_weight(state: State) -> bool:
    return bool(state.settings.timing.by_weight)


TABLES: dict[str, Callable[[State], Mapping[Any, object]]] = {
    "order": lambda state: {"round": state.round, "time": state.time, "index": state.index, "clock": state.clock},
    "times": lambda state: {"weighted": state.weighted_time, **state.member_times} if _by_weight(state) else {},
    "decisions": lambda state: {"version": state.decisions.version, "history": state.decisions.head},
    "settings": lambda state: state.decisions.adopted,
    "pauses": lambda state: state.decisions.pauses,
    "epoch": lambda state: {"open": state.epoch.table()},
    "used": lambda state: {member: [used.floor, used.packed()] for member, used in state.used.items()},
    "heard": lambda state: state.last_event_clocks,
    "names": lambda state: state.names,
    "profiles": lambda state: state.profiles,
    "pledges": lambda state: state.commitments,
    "claims": lambda state: state.claims,
    "candidates": lambda state: state.candidates,
    "proposals": lambda state: state.proposals,
    "cases": lambda state: state.cases,
    "faulted": lambda state: state.fault_counts,
    "convictions": lambda state: state.convictions,
    "configurations": lambda state: state.configurations,
    "deliveries": lambda state: state.deliveries,
    "explorations": lambda state: state.explorations,
    "shard_cases": lambda state: state.shard_cases,
    "distrusted": lambda state: state.distrusted,
    "alarms": lambda state: state.false_alarms,
    "families": lambda state: state.families,
    "vain": lambda state: state.vain,
    "absences": lambda state: state.absences,
    "series": lambda state: state.series,
    "ratings": lambda state: state.ratings,
    "outcomes": lambda state: state.outcomes,
    "accepted": lambda state: state.accepted,
    "refused": lambda state: state.refused,
    "chains": lambda state: {
        "shards": state.shard_chain.head,
        "promotions": state.promotion_chain.head,
        "seals": state.seal_chain.head,
        "closed": state.closed_chain.head,
        "faults": state.fault_chain.head,
    },
}
"""Everything that a digest covers, as tables with keys."""


def differences(one: State, other: State) -> list[str]:
    """Return the entries that are missing in one state or differ, each as "table key", sorted within their tables."""
    found: list[str] = []
    for name, table in TABLES.items():
        here, there = table(one), table(other)
        keys = [key for key in {**here, **there} if key not in here or key not in there or here[key] != there[key]]
        found += sorted(f"{name} {_shown(key)}" for key in keys)
    return found


def _shown(key: object) -> str:
    if isinstance(key, bytes):
        return key.hex()[:16]
    return " ".join(map(_shown, key)) if isinstance(key, tuple) else str(key)
