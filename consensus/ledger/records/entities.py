"""The things of the ledger as frozen records: a change replaces the record and leaves the old one as it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeAlias

from consensus.keys import MemberId
from consensus.ledger.records.entity import Entity, Once
from consensus.settings import MatchSettings

ClaimKey: TypeAlias = tuple[MemberId, int]
WorkKind = Literal["selfplay", "train", "match", "rate"]
SLOT_KINDS: tuple[WorkKind, ...] = ("match", "rate")  # played in slots, which the beacon draws
ShardStanding = Literal["counted", "waiting", "struck", "unsafe", "lost"]
"""Whether the games of a shard count; will count when one of its author's was checked, or when enough members hold it;
were proven wrong; or were held by too few for too long."""
Outcome = Literal["rejected", "limit", "stale", "votes", "timeout", "idle", "missing"]


@dataclass(frozen=True)
class Place(Entity):
    """A place in the order."""

    round: int
    time: int  # consensus time, ns
    index: int  # position of the last event in the whole order
    event: bytes  # its hash; zeros for what no event has caused
    clock: int  # the ledger's clock, ns: consensus time with long gaps shortened


@dataclass(frozen=True, kw_only=True)
class Claim(Entity):
    """Granted work. It is live until `deadline` on the ledger's clock, or until it is done or released."""

    LATER: ClassVar[int] = 6
    author: MemberId
    id: int
    kind: WorkKind
    configuration: str
    model: (
        bytes  # at the grant: the canonical one, to play with or to measure against; or the one to train from or rate
    )
    amount: int  # games, training steps, or games of the slot
    place: Place
    family: str = ""  # of a training claim
    candidate: bytes | None = None  # of a match claim; of a claim to rate, the series
    slot: int | None = None  # of a match or series, once it is drawn
    deadline: int = 0  # on the ledger's clock, ns
    done: int = 0  # as reported by the author
    delivered: int = 0  # games announced in shards
    seed: bytes | None = None  # from the beacon; where a slot is drawn there is none, but each of its blocks has one
    simulations: int = 0  # of self-play, the budget of each search; 0: what the settings say
    opening_plies: int = 0  # of self-play, where `simulations` is more than 0: random plies at the beginning at most
    noise: int = 0  # of self-play, where `simulations` is more than 0: the scale of the root noise, thousandths
    ply_cost: int = 0  # of self-play, what one ply costs (`rules.costs`); 0: costs are not counted
    settings_version: int = 0  # of the settings with which the work is done
    grown: int = 0  # the ledger's clock when its progress last grew, ns; only with `steering.rules`

    @property
    def key(self) -> ClaimKey:
        """The author and the transaction id of the claim."""
        return self.author, self.id

    @property
    def waits(self) -> bool:
        """Whether its seed or slot is still to come, from the beacon of a later round."""
        return (self.slot if self.kind in SLOT_KINDS else self.seed) is None


@dataclass(frozen=True, kw_only=True)
class ShardFacts(Entity):
    """What the games of a shard are like; `training.facts` computes the same numbers from the games."""

    searched: int  # plies with a recorded search
    decisive: int  # games that somebody won
    forced: int  # plies without a choice
    openings: int  # different beginnings
    duplicates: int  # games that are the same as another one of the shard
    entropy: int  # of the searches' policies in the mean, in thousandths of a bit
    value_error: int  # of the seats' chances by the searches, squared, in the mean, in millionths


@dataclass(frozen=True, kw_only=True)
class Shard(Entity):
    """A shard of self-play games that a member has announced."""

    LATER: ClassVar[int] = 10
    digest: bytes  # names the blob
    author: MemberId
    configuration: str
    model: bytes
    size: int
    games: int
    plies: int
    root: bytes
    round: int
    cost: int = 0  # thousandths of an evaluation; 0: costs are not counted
    clock: int = 0  # the ledger's clock when it was counted, ns, where costs are
    settings_version: int = 0  # of its claim: the games were made with these settings
    seed: bytes = b""  # of the claim on which it was played, where facts are announced, as in the next two
    opening_plies: int = 0  # random plies at the beginning of its games at most
    facts: ShardFacts | None = None
    standing: ShardStanding = "counted"
    doubters: tuple[MemberId, ...] = ()  # members that opened a case about it that was not proven
    is_safe: bool = True  # enough members have held it; what is safe once stays so
    holders: tuple[MemberId, ...] = ()  # members besides the author that said that they hold it, in order


@dataclass(frozen=True)
class Model(Entity):
    """A model, by what its manifest says."""

    digest: bytes  # of the manifest; names the model
    files: Mapping[str, bytes]
    architecture: str
    parent: bytes | None


@dataclass(frozen=True)
class TrainingState(Entity):
    """A blob with which training goes on where it ended, such as the optimizer's state; it is not part of the model."""

    digest: bytes
    size: int


@dataclass(frozen=True)
class Lineage(Entity):
    """The newest weights of a family in a configuration, promoted or not: the next training goes on from them."""

    model: Model
    state: TrainingState | None
    rejections: int  # candidates in a row that their matches rejected
    index: int  # place in the order of the nomination


@dataclass(frozen=True, kw_only=True)
class SlotResult(Entity):
    """The result that the holder of a slot reported."""

    author: MemberId
    scores: tuple[int, ...]  # of the slot's blocks in order
    root: bytes
    blob: bytes
    size: int
    games: int
    place: Place


@dataclass(frozen=True)
class Slot(Entity):
    """A run of blocks. `claim` is the last grant: it stays after the claim has ended, until the next grant."""

    claim: ClaimKey | None = None
    result: SlotResult | None = None
    was_struck: bool = False  # it had a result that was proven wrong


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
    """What the voters check: the blocks that made the test accept, their score, and the digest of the results."""

    blocks: int
    score: int
    llr: str
    results: bytes  # digest of the counted results, named by every approval
    deadline: int  # of the vote, on the ledger's clock, ns


@dataclass(frozen=True, kw_only=True)
class Candidacy(Entity):
    """An open candidate with its match."""

    LATER = 1
    id: bytes
    author: MemberId
    configuration: str
    model: Model
    incumbent: bytes
    shards: tuple[bytes, ...]
    losses: Mapping[str, int]  # millionths by name; no rule reads them, but they are part of the digest and snapshot
    measures: Mapping[str, int]  # what the trainer measured, by name; no rule reads these either
    was_trained: bool  # on a claim, so that it is a point of its lineage
    state: TrainingState | None
    proposal: bytes  # SHA-256 of the transaction's canonical encoding
    place: Place
    settings: MatchSettings
    last_result_clock: int  # the ledger's clock at the last result, ns
    slots: tuple[Slot, ...]
    beacon: bytes | None = None
    beacon_round: int = 0
    ripe: Ripe | None = None
    ballots: tuple[CandidateBallot, ...] = ()
    barred: tuple[MemberId, ...] = ()  # members that opened a case about a result here that was not proven
    faulty: tuple[MemberId, ...] = ()  # members with a result here that was proven wrong; sorted
    settings_version: int = 0  # of the settings at the nomination, of which `settings` is a copy

    @Once
    def open_blocks(self) -> int:
        """The blocks that the match may still need."""
        if self.ripe is not None:
            return 0
        return self.settings.slot_blocks * sum(slot.result is None for slot in self.slots)

    @Once
    def reported_blocks(self) -> tuple[tuple[int, int], ...]:
        """When each slot was reported, by the ledger's clock in ns, and its blocks."""
        results = [slot.result for slot in self.slots if slot.result is not None]
        return tuple((result.place.clock, self.settings.slot_blocks) for result in results)


@dataclass(frozen=True, kw_only=True)
class ClosedCandidate(Entity):
    """A candidate that was not promoted, and why."""

    LATER = 1
    candidate: bytes
    author: MemberId
    configuration: str
    model: bytes
    measures: Mapping[str, int]
    incumbent: bytes
    outcome: Outcome
    reason: str
    blocks: int
    score: int
    llr: str
    place: Place
    settings_version: int = 0  # of the settings of its match


@dataclass(frozen=True)
class SealEntry(Entity):
    """A member's signature over a statement."""

    author: MemberId
    signature: bytes


@dataclass(frozen=True, kw_only=True)
class Promotion(Entity):
    """A model that became canonical, the statement about it, and the seals so far."""

    LATER = 2
    number: int  # from 1 within the configuration
    candidate: bytes
    author: MemberId
    configuration: str
    model: Model
    measures: Mapping[str, int]
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
    certified: int = 0  # how many of them make the certificate; 0: it is not complete yet
    match_version: int = 0  # of the settings of its match
    settings_version: int = 0  # of those at the promotion

    @property
    def certificate_seals(self) -> tuple[SealEntry, ...]:
        """The seals of the certificate: the first ones, which complete it; all so far while it is not complete."""
        return self.seals[: self.certified] if self.certified else self.seals


@dataclass(frozen=True, kw_only=True)
class Conviction(Entity):
    """The proof that a member signed two different events with one number."""

    member: MemberId
    epoch: int  # number of the epoch of these events
    seq: int
    first: bytes  # their hashes, ascending
    second: bytes
    proof_epoch: int  # number of the epoch in which the proof was ordered
    place: Place


@dataclass(frozen=True, kw_only=True)
class Configuration(Entity):
    """The canonical model of one configuration, and what has been played in it."""

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
    lineages: Mapping[str, Lineage] = field(default_factory=dict)  # by family

    @property
    def new_games(self) -> int:
        """Games since the last candidate."""
        return self.games - self.games_at_candidate
