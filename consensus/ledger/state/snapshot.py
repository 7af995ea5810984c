"""The snapshot: the whole ledger as bytes at the close of an epoch, and back; canonical, strict and complete.

A snapshot is trusted because its SHA-256 is in a sealed record. It is decoded as if it were not: every field is checked
against the type of its entity, and the bytes must be the only ones for their content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from consensus.encoding import Decoded, EncodingError, Value, decode, encode
from consensus.epoch import EpochError, EpochRecord, decode_sealed
from consensus.genesis import Genesis
from consensus.ledger.records.beacon import Commitment
from consensus.ledger.records.cases import Case, Fault, Outcomes
from consensus.ledger.records.changes import Proposal
from consensus.ledger.records.deliveries import Deliveries
from consensus.ledger.records.entities import (
    Candidacy,
    Claim,
    ClosedCandidate,
    Configuration,
    Conviction,
    Promotion,
    Shard,
)
from consensus.ledger.records.entity import ShapeError, parse_value, parse_values
from consensus.ledger.records.explorations import Exploration
from consensus.ledger.records.families import FamilyRecord
from consensus.ledger.records.ratings import Ratings, Series
from consensus.ledger.records.shard_cases import ShardCase
from consensus.ledger.records.stalls import Absence, Vain
from consensus.ledger.state.decisions import DecisionTables
from consensus.ledger.state.epoch_state import RECENT_EPOCHS, EpochState
from consensus.ledger.state.state import MemberProfile, RunningHash, State, UsedIds
from consensus.ledger.state.table import Table
from consensus.roster import RosterError, parse_roster
from consensus.settings import Settings

VERSION = 1
SIZE_LIMIT = 1 << 26


class SnapshotError(ValueError):
    """Bytes that are not the snapshot that they should be: one line that says why."""


def encode_snapshot(state: State) -> bytes:
    """Return the canonical bytes of a state in which an epoch has just been closed."""
    epoch = state.epoch
    table: dict[str, Value] = {
        "version": VERSION,
        "genesis": state.genesis.digest,
        "order": [state.round, state.time, state.index, state.clock],
        "epoch": [epoch.number, epoch.version, epoch.first_index, epoch.needs_recount],
        "roster": epoch.roster.table(),
        "before": epoch.before.table(),
        "leaving": list(epoch.leaving),
        "chain": [sealed.raw for sealed in epoch.chain],
        "recent": list(epoch.recent),
        "used": [[member, used.floor, sorted(used.above)] for member, used in sorted(state.used.items())],
        "heads": [chain.head for chain in _chains(state)],
        "failed": [list(pair) for pair in sorted(state.failed_pairs)],
        "heard": [list(pair) for pair in sorted(state.last_event_clocks.items())],
        "faulted": [list(pair) for pair in sorted(state.fault_counts.items())],
        "played": [list(pair) for pair in sorted(state.games_played.items())],
    }
    if state.settings.timing.by_weight:
        table["times"] = state.times_table()
    if state.settings.steering.rules:
        table["decisions"] = state.decisions.snapshot()
        table["distrusted"] = [list(pair) for pair in sorted(state.distrusted.items())]
        table["alarms"] = [list(pair) for pair in sorted(state.false_alarms.items())]
    if state.settings.membership.names:
        table["names"] = [list(pair) for pair in sorted(state.names.items())]
    for name in ("accepted", "refused"):
        table[name] = dict(getattr(state, name))
    for name, (_, records) in _lists(state.settings).items():
        table[name] = [record.encoded for record in records(state)]
    return encode(table)


def decode_snapshot(genesis: Genesis, record: EpochRecord, data: bytes) -> State:
    """Return the state with which the epoch of `record` begins.

    Raise SnapshotError if `data` is not the snapshot that the record names, and OutdatedError if this program does not
    know all that the swarm has decided.
    """
    if hashlib.sha256(data).digest() != record.snapshot:
        raise SnapshotError("snapshot: not the one that the epoch record names")
    try:
        table = decode(data, limit=SIZE_LIMIT)
        state = _read(genesis, table)
        written = encode_snapshot(state)
    except (EncodingError, ShapeError, RosterError, EpochError) as error:
        raise SnapshotError(f"snapshot: {error}") from None
    if written != data:
        raise SnapshotError("snapshot: not in canonical form")
    _check_record(state, record)
    state.epoch.set_record(record)
    return state


def _chains(state: State) -> tuple[RunningHash, ...]:
    return state.shard_chain, state.promotion_chain, state.seal_chain, state.closed_chain, state.fault_chain


LISTS: dict[str, tuple[type, Callable[[State], Any]]] = {
    "profiles": (MemberProfile, lambda state: [profile for _, profile in sorted(state.profiles.items())]),
    "pledges": (Commitment, lambda state: [commitment for _, commitment in sorted(state.commitments.items())]),
    "claims": (Claim, lambda state: [claim for _, claim in sorted(state.claims.items())]),
    "candidates": (Candidacy, lambda state: [entry for _, entry in sorted(state.candidates.items())]),
    "proposals": (Proposal, lambda state: [entry for _, entry in sorted(state.proposals.items())]),
    "cases": (Case, lambda state: [entry for _, entry in sorted(state.cases.items())]),
    "faults": (Fault, lambda state: state.faults),
    "convictions": (Conviction, lambda state: [entry for _, entry in sorted(state.convictions.items())]),
    "configurations": (Configuration, lambda state: [e for _, e in sorted(state.configurations.items())]),
    "shards": (Shard, lambda state: [entry for name in sorted(state.shards) for entry in state.shards[name]]),
    "promotions": (Promotion, lambda state: state.promotions.values()),
    "closed": (ClosedCandidate, lambda state: state.closed_candidates),
}
"""The tables of entities: the type, and the records of a state in the order of the snapshot."""

STEERING_LISTS: dict[str, tuple[type, Callable[[State], Any]]] = {
    "deliveries": (Deliveries, lambda state: [entry for _, entry in sorted(state.deliveries.items())]),
    "explorations": (Exploration, lambda state: [entry for _, entry in sorted(state.explorations.items())]),
    "shard_cases": (ShardCase, lambda state: [entry for _, entry in sorted(state.shard_cases.items())]),
    "families": (FamilyRecord, lambda state: [entry for _, entry in sorted(state.families.items())]),
    "vain": (Vain, lambda state: [entry for _, entry in sorted(state.vain.items())]),
    "absences": (Absence, lambda state: [entry for _, entry in sorted(state.absences.items())]),
    "series": (Series, lambda state: [entry for _, entry in sorted(state.series.items())]),
    "ratings": (Ratings, lambda state: [entry for _, entry in sorted(state.ratings.items())]),
    "outcomes": (Outcomes, lambda state: [entry for _, entry in sorted(state.outcomes.items())]),
}
"""Those that a snapshot has where the genesis has `steering.rules`."""

FIELDS = {
    "version",
    "genesis",
    "order",
    "epoch",
    "roster",
    "before",
    "leaving",
    "chain",
    "recent",
    "used",
    "heads",
    "failed",
    "heard",
    "played",
    "faulted",
    "accepted",
    "refused",
}
"""What every snapshot has besides its lists."""


def _lists(settings: Settings) -> dict[str, tuple[type, Callable[[State], Any]]]:
    return {**LISTS, **STEERING_LISTS} if settings.steering.rules else LISTS


def _fields(settings: Settings) -> set[str]:
    """Return the names of all parts of a snapshot."""
    times = {"times"} if settings.timing.by_weight else set()
    steered = {"decisions", "distrusted", "alarms"} if settings.steering.rules else set()
    names = {"names"} if settings.membership.names else set()
    return FIELDS | times | steered | names | _lists(settings).keys()


def _read(genesis: Genesis, table: Decoded) -> State:
    by_weight, rules = genesis.settings.timing.by_weight, genesis.settings.steering.rules
    if not isinstance(table, dict) or table.keys() != _fields(genesis.settings):
        raise ShapeError("must have exactly the fields of its version")
    if type(table["version"]) is not int or table["version"] != VERSION:
        raise ShapeError(f"version {table['version']!r:.40} is unknown; this program knows {VERSION}")
    if table["genesis"] != genesis.digest:
        raise ShapeError("is of another swarm")
    state = State(genesis)
    if rules:
        state.decisions = DecisionTables.read(genesis.settings, table["decisions"])
    state.epoch = _read_epoch(genesis, table)
    order = parse_value(tuple[int, int, int, int], table["order"], "order")
    state.round, state.time, state.index, state.clock = order
    if by_weight:
        state.weighted_time, times = parse_value(tuple[int, tuple[tuple[bytes, int], ...]], table["times"], "times")
        state.member_times = dict(times)
    if genesis.settings.steering.rules:
        state.distrusted = dict(parse_value(tuple[tuple[bytes, int], ...], table["distrusted"], "distrusted"))
        state.false_alarms = dict(parse_value(tuple[tuple[bytes, int], ...], table["alarms"], "alarms"))
    if genesis.settings.membership.names:
        state.names = dict(parse_value(tuple[tuple[bytes, str], ...], table["names"], "names"))
        if not state.names.keys() <= state.roster.weights.keys():
            raise ShapeError("names: must be of members")
    for member, floor, above in parse_value(tuple[tuple[bytes, int, tuple[int, ...]], ...], table["used"], "used"):
        state.used[member] = UsedIds(floor, above)
    heads = parse_value(tuple[bytes, bytes, bytes, bytes, bytes], table["heads"], "heads")
    for chain, head in zip(_chains(state), heads, strict=True):
        chain.head = head
    state.failed_pairs = set(parse_value(tuple[tuple[bytes, bytes], ...], table["failed"], "failed"))
    state.last_event_clocks = dict(parse_value(tuple[tuple[bytes, int], ...], table["heard"], "heard"))
    state.games_played = dict(parse_value(tuple[tuple[bytes, int], ...], table["played"], "played"))
    state.fault_counts = dict(parse_value(tuple[tuple[bytes, int], ...], table["faulted"], "faulted"))
    state.accepted = parse_value(dict[str, int], table["accepted"], "accepted")
    state.refused = parse_value(dict[str, int], table["refused"], "refused")
    _fill(state, {name: parse_values(kind, table[name], name) for name, (kind, _) in _lists(genesis.settings).items()})
    return state


def _fill(state: State, records: dict[str, Any]) -> None:
    """Put the entities into the tables of the state."""
    state.profiles = Table((profile.member, profile) for profile in records["profiles"])
    state.commitments = Table((commitment.member, commitment) for commitment in records["pledges"])
    state.claims = Table((claim.key, claim) for claim in records["claims"])
    state.candidates = Table((entry.id, entry) for entry in records["candidates"])
    state.proposals = Table((entry.id, entry) for entry in records["proposals"])
    state.cases = Table((entry.id, entry) for entry in records["cases"])
    state.faults = list(records["faults"])
    state.convictions = Table((entry.member, entry) for entry in records["convictions"])
    if tuple(entry.name for entry in records["configurations"]) != state.settings.configurations:
        raise ShapeError("configurations: are not those of the genesis, and those added since")
    state.configurations = Table((entry.name, entry) for entry in records["configurations"])
    state.shards = {name: [] for name in state.configurations}
    for shard in records["shards"]:
        if shard.configuration not in state.shards:
            raise ShapeError("shards: of a configuration that is not played")
        state.add_shard(shard)
    state.promotions = Table((entry.digest, entry) for entry in records["promotions"])
    state.closed_candidates = records["closed"]
    state.deliveries = Table((entry.configuration, entry) for entry in records.get("deliveries", ()))
    state.explorations = Table((entry.configuration, entry) for entry in records.get("explorations", ()))
    state.shard_cases = Table((entry.shard, entry) for entry in records.get("shard_cases", ()))
    state.families = Table(((entry.configuration, entry.family), entry) for entry in records.get("families", ()))
    state.vain = Table(((entry.subject, entry.member), entry) for entry in records.get("vain", ()))
    state.absences = Table((entry.key, entry) for entry in records.get("absences", ()))
    if not {*state.deliveries, *state.explorations} <= state.configurations.keys():
        raise ShapeError("deliveries, explorations: of a configuration that is not played")
    state.series = Table((entry.id, entry) for entry in records.get("series", ()))
    state.ratings = Table((entry.configuration, entry) for entry in records.get("ratings", ()))
    if not {*state.ratings, *(entry.configuration for entry in state.series.values())} <= state.configurations.keys():
        raise ShapeError("series, ratings: of a configuration that is not played")
    state.outcomes = Table((entry.configuration, entry) for entry in records.get("outcomes", ()))
    if not state.outcomes.keys() <= state.configurations.keys():
        raise ShapeError("outcomes: of a configuration that is not played")
    if not state.last_event_clocks.keys() == state.commitments.keys() == state.roster.weights.keys():
        raise ShapeError("heard, pledges: must name every member")
    if state.settings.timing.by_weight and state.member_times.keys() != state.roster.weights.keys():
        raise ShapeError("times: must name every member")


def _read_epoch(genesis: Genesis, table: dict[str, Decoded]) -> EpochState:
    epoch = EpochState(genesis)
    numbers = parse_value(tuple[int, int, int, bool], table["epoch"], "epoch")
    epoch.number, epoch.version, epoch.first_index, epoch.needs_recount = numbers
    epoch.roster, epoch.before = parse_roster(table["roster"]), parse_roster(table["before"])
    epoch.leaving = parse_value(tuple[bytes, ...], table["leaving"], "leaving")
    if any(epoch.roster.weights.get(member) != 0 for member in epoch.leaving):
        raise ShapeError("leaving: must be members without weight")
    epoch.chain = [decode_sealed(raw) for raw in parse_value(tuple[bytes, ...], table["chain"], "chain")]
    epoch.recent = parse_value(tuple[bytes, ...], table["recent"], "recent")
    return epoch


def _check_record(state: State, record: EpochRecord) -> None:
    """Raise SnapshotError if the snapshot contradicts its record."""
    epoch = state.epoch
    pairs: list[tuple[object, object]] = [
        (state.genesis.digest, record.genesis),
        (epoch.number, record.number),
        (epoch.version, record.roster_version),
        (epoch.roster, record.roster),
        (epoch.before.digest, record.old),
        (epoch.first_index, record.ordered),
        (state.index + 1, record.ordered),
        (state.round, record.round),
        (state.time, record.time),
        (len(epoch.recent), min(record.number, RECENT_EPOCHS)),
        (epoch.recent[-1:], (record.previous,)),
        (len(epoch.chain), record.roster_version - 1 - record.changes_roster),
    ]
    if any(here != there for here, there in pairs):
        raise SnapshotError("snapshot: contradicts the epoch record that names it")
