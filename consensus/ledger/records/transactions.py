"""The transactions of the ledger as frozen dataclasses: `as_table` returns the CBOR map, `parse_transaction` reads it.

Every transaction is a CBOR map with `type`, `id` (a whole number unique to its author; count upwards from 0)
and exactly the fields of its type. d32 is a digest of 32 bytes; `?` means that null is allowed.

| type | fields |
|---|---|
| profile | roles [name..] of match, selfplay, train (sorted), device text, software d32, rates {name: int}, |
|         | cost int, life int; with `steering.rules` also hidden bool and disk int, GiB (may be left out) |
| claim | kind "selfplay": configuration, amount (games) |
|       | kind "train": configuration, family |
|       | kind "match": candidate d32 |
|       | kind "rate" (with `steering.rules`): series d32 |
| progress | claim (id of the author's claim), done int |
| release | claim, reason text |
| games | claim, configuration, model d32, shard d32, size (bytes), games, plies, |
|       | root d32 (Merkle root of the games); with `steering.rules` also facts {name: int} (`ShardFacts`) |
| candidate | claim int?, configuration, model d32, files {name: d32}, architecture, parent d32?, |
|           | incumbent d32, shards [d32..], losses {name: millionths}, measures {name: int}, |
|           | state [d32, size (bytes)]? (of the training) |
| result | claim, scores [[block, score]..] ascending, root d32 (Merkle root of the games), blob d32, |
|        | size (bytes), games |
| vote | candidate d32, approve bool, checked d32 (digest of what was verified), reason text |
| finding | candidate d32 (or series), slot int, result d32 (`SlotReport.digest` of the slot's result), wrong bool, |
|         | reason text |
| shard_finding | with `steering.rules`: shard d32, wrong bool, reason text |
| held | with `steering.rules`: shards [d32..], distinct: the author has these blobs and has verified them |
| missing | candidate d32, slot int?, subject d32 (`SlotReport.digest` of the slot's result; without a slot, the |
|         | model's): the author cannot fetch its games, or the model's files. Only with `steering.rules` |
| seal | statement d32, signature (64 bytes, over `consensus.statement.pae` of the statement) |
| propose | change {kind, member d32, weight?, address?, key d32?, anchor d32?}, reason text; see `changes` |
|         | change {kind, setting text?, value text?, configuration?, work?}, reason text; see `decisions` |
| ballot | proposal d32, approve bool |
| evidence | first [header, signature], second [header, signature]: of two events by one member, with the same |
|          | epoch and seq, ascending by their hashes |
| open | seal (64 bytes, of the record that opened this epoch; null in the first one), anchor d32? (of the |
|      | author's preimages in the next epoch) |

`open` is in the author's first event of every epoch, and its id is the number of the epoch. The id of `evidence`
is the seq of its two events. Neither uses up one of the author's other ids, because their content makes them act once.
`Replica.create` adds them to an event; nobody submits them again.

Transactions that belong together (`games` and the `release` after it, for example) go into one event: the order keeps
the sequence inside an event, but two events of one author that reach the judges together may be ordered either way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import ClassVar, Literal

from consensus.encoding import Value, encode
from consensus.ledger.records.changes import Change
from consensus.ledger.records.decisions import SteeringChange

ROLES = ("match", "selfplay", "train")
SHARDS_LIMIT = 4096  # named by a candidate, which then still fits into an event
HELD_LIMIT = 64  # shards that one `held` names


@dataclass(frozen=True)
class Transaction:
    """The base of all transactions: the id lets a transaction act once per author."""

    TYPE: ClassVar[str] = ""
    id: int

    def as_table(self) -> dict[str, Value]:
        """Return the CBOR map that goes into an event."""
        table: dict[str, Value] = {"type": self.TYPE}
        for name in _names(type(self)):  # type: ignore[arg-type]  # a class is hashable
            table[name] = _plain(getattr(self, name))
        return table


@cache
def _names(kind: type[Transaction]) -> tuple[str, ...]:
    """Return the names of the fields of a transaction, in their order."""
    return tuple(item.name for item in fields(kind))


def _plain(value: object) -> Value:
    if value is None or isinstance(value, (bool, int, str, bytes)):  # most of all; a union would be made anew
        return value
    if isinstance(value, (Change, SteeringChange)):
        return value.table()
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    assert isinstance(value, Mapping), type(value)
    return {str(key): _plain(value[key]) for key in sorted(value)}


@dataclass(frozen=True, kw_only=True)
class Profile(Transaction):
    """An offer to work: rates per hour, cost in millionths per hour, expected life in s (0: unknown)."""

    TYPE = "profile"
    roles: tuple[str, ...]
    device: str
    software: bytes
    rates: Mapping[str, int]
    cost: int
    life: int
    hidden: bool | None = None  # nobody can reach this member
    disk: int | None = None  # GiB that are free for blobs; told with `steering.custody_disk_gib` alone

    def as_table(self) -> dict[str, Value]:
        """Return the CBOR map that goes into an event, without what is not told."""
        table = super().as_table()
        for name in ("hidden", "disk"):
            if table[name] is None:
                del table[name]
        return table


@dataclass(frozen=True)
class SelfplayClaim(Transaction):
    """A request to play `amount` games with the canonical model."""

    TYPE = "claim"
    configuration: str
    amount: int
    kind: Literal["selfplay"] = "selfplay"


@dataclass(frozen=True)
class TrainClaim(Transaction):
    """A request to train the next model of a family (an architecture name)."""

    TYPE = "claim"
    configuration: str
    family: str
    kind: Literal["train"] = "train"


@dataclass(frozen=True)
class MatchClaim(Transaction):
    """A request to play a slot of a candidate's match; the beacon draws which one."""

    TYPE = "claim"
    candidate: bytes
    kind: Literal["match"] = "match"


@dataclass(frozen=True)
class RateClaim(Transaction):
    """A request to play a slot of a series, which rates a model; the beacon draws which one."""

    TYPE = "claim"
    series: bytes
    kind: Literal["rate"] = "rate"


@dataclass(frozen=True)
class Progress(Transaction):
    """A report that the work on a claim goes on: it renews the lease."""

    TYPE = "progress"
    claim: int
    done: int


@dataclass(frozen=True)
class Release(Transaction):
    """The return of a claim by its author."""

    TYPE = "release"
    claim: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Games(Transaction):
    """The announcement of a shard of self-play games."""

    TYPE = "games"
    claim: int
    configuration: str
    model: bytes
    shard: bytes
    size: int
    games: int
    plies: int
    root: bytes
    facts: Mapping[str, int] | None = None

    def as_table(self) -> dict[str, Value]:
        """Return the CBOR map that goes into an event, without facts if there are none."""
        table = super().as_table()
        if self.facts is None:
            del table["facts"]
        return table


@dataclass(frozen=True, kw_only=True)
class Candidate(Transaction):
    """The nomination of a model to become canonical: a new one, or an earlier one again."""

    TYPE = "candidate"
    claim: int | None
    configuration: str
    model: bytes
    files: Mapping[str, bytes]
    architecture: str
    parent: bytes | None
    incumbent: bytes
    shards: tuple[bytes, ...]
    losses: Mapping[str, int]
    measures: Mapping[str, int]
    state: tuple[bytes, int] | None


@dataclass(frozen=True, kw_only=True)
class Result(Transaction):
    """The block scores of a slot that was played."""

    TYPE = "result"
    claim: int
    scores: tuple[tuple[int, int], ...]
    root: bytes
    blob: bytes
    size: int
    games: int


@dataclass(frozen=True)
class Vote(Transaction):
    """A member's vote on a ripe candidate, after it checked the results with the digest `checked`."""

    TYPE = "vote"
    candidate: bytes
    approve: bool
    checked: bytes
    reason: str


@dataclass(frozen=True, kw_only=True)
class Finding(Transaction):
    """What a member found when it replayed a reported slot."""

    TYPE = "finding"
    candidate: bytes
    slot: int
    result: bytes
    wrong: bool
    reason: str


@dataclass(frozen=True)
class ShardFinding(Transaction):
    """What a member found when it loaded a shard and checked it against what was announced."""

    TYPE = "shard_finding"
    shard: bytes
    wrong: bool
    reason: str


@dataclass(frozen=True)
class Held(Transaction):
    """A member's word that it holds shards of others, whose bytes it has verified."""

    TYPE = "held"
    shards: tuple[bytes, ...]


@dataclass(frozen=True)
class Missing(Transaction):
    """A member's word that it tried to fetch a slot's games, or a candidate's files, and that nobody has them."""

    TYPE = "missing"
    candidate: bytes
    slot: int | None
    subject: bytes


@dataclass(frozen=True)
class Seal(Transaction):
    """A member's signature over the statement of a promotion."""

    TYPE = "seal"
    statement: bytes
    signature: bytes


@dataclass(frozen=True)
class Propose(Transaction):
    """A proposal to change the roster, or what the swarm does; proposing it approves it."""

    TYPE = "propose"
    change: Change | SteeringChange
    reason: str


@dataclass(frozen=True)
class Ballot(Transaction):
    """A member's vote on a proposal."""

    TYPE = "ballot"
    proposal: bytes
    approve: bool


@dataclass(frozen=True)
class Evidence(Transaction):
    """Two signed headers of different events with one number by one member."""

    TYPE = "evidence"
    first: tuple[bytes, bytes]  # header and signature
    second: tuple[bytes, bytes]


@dataclass(frozen=True)
class Open(Transaction):
    """The author continues from the record that opened this epoch, and commits to its preimages in the next."""

    TYPE = "open"
    seal: bytes | None
    anchor: bytes | None


STEERING_TYPES = frozenset({ShardFinding.TYPE, Held.TYPE, Missing.TYPE})
"""Types that are unknown without `steering.rules`."""


def manifest(files: Mapping[str, bytes], architecture: str, parent: bytes | None) -> bytes:
    """Return the canonical bytes of a model's manifest; `files` maps each file name to its SHA-256."""
    return encode({"files": dict(files), "architecture": architecture, "parent": parent})


def model_digest(files: Mapping[str, bytes], architecture: str, parent: bytes | None) -> bytes:
    """Return the digest that names a model: the SHA-256 of its manifest."""
    return hashlib.sha256(manifest(files, architecture, parent)).digest()


UNIFORM = model_digest({}, "uniform", None)
"""The built-in model with which every configuration starts: uniform policy, value 0, no files."""


def candidate_id(author: bytes, number: int) -> bytes:
    """Return the digest that names a candidate, from its author and transaction id: the author knows it in advance."""
    return hashlib.sha256(encode(["ringrift/candidate/1", author, number])).digest()


def proposal_id(author: bytes, number: int) -> bytes:
    """Return the digest that names a proposal, from its author and transaction id."""
    return hashlib.sha256(encode(["ringrift/proposal/1", author, number])).digest()
