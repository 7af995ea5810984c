"""The things of the ledger as frozen records. A change replaces the record and leaves the old one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from consensus.keys import MemberId
from consensus.ledger.records.entity import Entity
from consensus.settings import MatchSettings

ClaimKey: TypeAlias = tuple[MemberId, int]
WorkKind = Literal["selfplay", "train", "match"]
Outcome = Literal["rejected", "limit", "stale", "votes", "timeout", "idle"]


@dataclass(frozen=True)
class Place(Entity):
    """Where in the order something happened."""

    round: int
    time: int  # consensus time, ns
    index: int  # position of the event in the whole order
    event: bytes  # its hash
    clock: int  # the ledger's clock, ns: consensus time with long gaps cut


@dataclass(frozen=True, kw_only=True)
class Claim(Entity):
    """Granted work. It lives until `deadline` on the ledger's clock, or until it is done or given back."""

    author: MemberId
    id: int
    kind: WorkKind
    configuration: str
    model: bytes  # canonical when granted: the one to play with, to start from, or to measure against
    amount: int  # games, training steps, or games of the slot
    place: Place
    family: str = ""  # of a training claim
    candidate: bytes | None = None  # of a match claim
    slot: int | None = None  # of a match claim, once it is drawn
    deadline: int = 0
    done: int = 0  # by the author's word
    delivered: int = 0  # games announced in shards
    seed: bytes | None = None  # fixed by the beacon; a match claim has none, its blocks have theirs

    @property
    def key(self) -> ClaimKey:
        return self.author, self.id

    @property
    def waits(self) -> bool:
        """Whether its seed or slot is still to come, from the beacon of a later round."""
        return (self.slot if self.kind == "match" else self.seed) is None


@dataclass(frozen=True, kw_only=True)
class Shard(Entity):
    """Announced self-play games."""

    digest: bytes  # names the blob
    author: MemberId
    configuration: str
    model: bytes
    size: int
    games: int
    plies: int
    root: bytes
    round: int


@dataclass(frozen=True)
class Model(Entity):
    """A model by its manifest."""

    digest: bytes  # of the manifest; names the model
    files: Mapping[str, bytes]
    architecture: str
    parent: bytes | None


@dataclass(frozen=True, kw_only=True)
class SlotResult(Entity):
    """What the holder of a slot reported."""

    author: MemberId
    scores: tuple[int, ...]  # of the slot's blocks in order
    root: bytes
    blob: bytes
    size: int
    games: int
    place: Place


@dataclass(frozen=True)
class Slot(Entity):
    """A run of blocks. `claim` is the last grant; it stays when it has ended, until somebody else's."""

    claim: ClaimKey | None = None
    result: SlotResult | None = None
    was_struck: bool = False  # it had a result that was proven to be wrong


@dataclass(frozen=True)
class CandidateBallot(Entity):
    """A member's vote on a candidate."""

    author: MemberId
    approve: bool
    checked: bytes
    reason: str
    place: Place


@dataclass(frozen=True)
class Ripe(Entity):
    """The test accepted: these blocks, this score, and what the voters check."""

    blocks: int
    score: int
    llr: str
    results: bytes  # digest of the counted results, named by every approval
    deadline: int


@dataclass(frozen=True, kw_only=True)
class Candidacy(Entity):
    """An open candidate with its match."""

    id: bytes
    author: MemberId
    configuration: str
    model: Model
    incumbent: bytes
    shards: tuple[bytes, ...]
    losses: Mapping[str, int]
    proposal: bytes  # SHA-256 of the transaction's canonical encoding
    place: Place
    settings: MatchSettings
    last_result_clock: int  # ledger's clock at the last result
    slots: tuple[Slot, ...]
    beacon: bytes | None = None
    beacon_round: int = 0
    ripe: Ripe | None = None
    ballots: tuple[CandidateBallot, ...] = ()
    barred: tuple[MemberId, ...] = ()  # who opened a case about a result here that was not proven
    faulty: tuple[MemberId, ...] = ()  # of whom a result here was proven to be wrong; sorted


@dataclass(frozen=True, kw_only=True)
class ClosedCandidate(Entity):
    """A candidate that was not promoted, and why."""

    candidate: bytes
    author: MemberId
    configuration: str
    model: bytes
    incumbent: bytes
    outcome: Outcome
    reason: str
    blocks: int
    score: int
    llr: str
    place: Place


@dataclass(frozen=True)
class SealEntry(Entity):
    """A signature over a statement."""

    author: MemberId
    signature: bytes


@dataclass(frozen=True, kw_only=True)
class Promotion(Entity):
    """A model that became canonical, the statement about it, and the seals so far."""

    number: int  # from 1 within the configuration
    candidate: bytes
    author: MemberId
    configuration: str
    model: Model
    previous: bytes  # the model it replaced
    statement: bytes  # the exact bytes that members seal
    digest: bytes  # SHA-256 of the statement: names the certificate
    blocks: int
    score: int
    most: int  # of one block
    llr: str
    place: Place
    roster_version: int = 1  # of the roster that voted and seals
    seals: tuple[SealEntry, ...] = ()  # in order
    certified: int = 0  # how many of them made the certificate; 0: not complete yet


@dataclass(frozen=True, kw_only=True)
class Conviction(Entity):
    """A member that is proven to have signed two different events of one number."""

    member: MemberId
    epoch: int  # number of the epoch of these events
    seq: int
    first: bytes  # their hashes, ascending
    second: bytes
    proof_epoch: int  # number of the epoch in which the proof was ordered
    place: Place


@dataclass(frozen=True, kw_only=True)
class Configuration(Entity):
    """What is canonical in one configuration, and what has been played."""

    name: str
    model: Model
    since: int  # round of the promotion, 0 for the built-in model
    promotions: int = 0
    statement: bytes | None = None  # digest of the last promotion's statement
    shards: int = 0
    games: int = 0
    plies: int = 0
    games_at_candidate: int = 0  # `games` when the last candidate was nominated
    candidates: int = 0

    @property
    def new_games(self) -> int:
        """Games since the last candidate."""
        return self.games - self.games_at_candidate
