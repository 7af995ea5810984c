"""The mutable state of the ledger: tables of frozen records, used transaction ids, counts, running hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from consensus.encoding import Encoded, Value, encode, encode_array
from consensus.genesis import Genesis
from consensus.keys import MemberId
from consensus.ledger.records.beacon import initial_commitments
from consensus.ledger.records.cases import Case, Fault, Outcomes
from consensus.ledger.records.changes import Proposal
from consensus.ledger.records.deliveries import Deliveries
from consensus.ledger.records.effects import Effect, Scalar
from consensus.ledger.records.entities import (
    Candidacy,
    Claim,
    ClaimKey,
    ClosedCandidate,
    Configuration,
    Conviction,
    Model,
    Place,
    Promotion,
    Shard,
)
from consensus.ledger.records.entity import Entity, replace
from consensus.ledger.records.explorations import Exploration
from consensus.ledger.records.families import FamilyRecord
from consensus.ledger.records.ratings import Contest, Ratings, Series
from consensus.ledger.records.shard_cases import ShardCase
from consensus.ledger.records.stalls import Absence, Vain
from consensus.ledger.records.transactions import UNIFORM, Profile
from consensus.ledger.state.decisions import DecisionTables
from consensus.ledger.state.epoch_state import EpochState
from consensus.ledger.state.memo import Memo
from consensus.ledger.state.rows import EncodedRows
from consensus.ledger.state.table import Table
from consensus.roster import Roster
from consensus.settings import Settings

SMALL_SWARM = 2  # members; there all may play every slot, and nobody waits for others
IDS_KEPT = 1024  # used ids above the floor
UNIFORM_MODEL = Model(UNIFORM, {}, "uniform", None)


class RefusedError(Exception):
    """A transaction that a rule does not allow.

    `reason` is one of a fixed set. Refusals are counted by reason, and the counts are part of the ledger's digest: the
    texts must never change. `detail` is only shown.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class UsedIds:
    """The transaction ids that one author has used: all below `floor`, and those in `above`, which `use` changes."""

    def __init__(self, floor: int = 0, above: Iterable[int] = ()) -> None:
        self.floor = floor
        self.above = set(above)
        self._packed: bytes | None = None  # since the last use

    def __contains__(self, number: int) -> bool:
        return number < self.floor or number in self.above

    @property
    def last(self) -> int:
        """The highest id used; -1 if there is none."""
        return max(self.above, default=self.floor - 1)

    def packed(self) -> bytes:
        """Return `above` in ascending order, 8 bytes each: encoding many ids one by one would slow every digest."""
        if self._packed is None:
            self._packed = b"".join([number.to_bytes(8) for number in sorted(self.above)])
        return self._packed

    def use(self, number: int) -> bool:
        """Mark the id as used, and return whether it was free.

        An author that leaves too many gaps loses the oldest of them.
        """
        if number in self:
            return False
        self.above.add(number)
        self._packed = None
        if len(self.above) > IDS_KEPT:
            self.floor = min(self.above)
        while self.floor in self.above:
            self.above.remove(self.floor)
            self.floor += 1
        return True


class RunningHash:
    """The hash of a growing list of records, so that digesting its past again costs nothing."""

    def __init__(self) -> None:
        self.head = bytes(32)

    def add(self, *parts: bytes) -> None:
        """Continue the hash with a record."""
        self.head = hashlib.sha256(b"".join((self.head, *parts))).digest()


@dataclass(frozen=True, kw_only=True)
class MemberProfile(Entity):
    """The latest profile of a member.

    `rules.custody` reads `hidden` and `disk`. No rule reads `rates`, `cost` and `life`, but they are part of
    the ledger's digest and snapshot, and members size their claims by their own.
    """

    LATER: ClassVar[int] = 2
    member: MemberId
    roles: tuple[str, ...]
    device: str
    software: bytes
    rates: Mapping[str, int]
    cost: int
    life: int
    place: Place
    hidden: bool = False  # nobody can reach it
    disk: int | None = None  # GiB that are free for blobs; None: not told

    @classmethod
    def of(cls, member: MemberId, profile: Profile, place: Place) -> MemberProfile:
        """Return the profile that a transaction announces."""
        return cls(
            member=member,
            roles=profile.roles,
            device=profile.device,
            software=profile.software,
            rates=profile.rates,
            cost=profile.cost,
            life=profile.life,
            place=place,
            hidden=bool(profile.hidden),
            disk=profile.disk,
        )


class State:
    """Everything that the ledger knows. The rules change it; only `Ledger` is seen from outside."""

    def __init__(self, genesis: Genesis) -> None:
        self.genesis = genesis
        self.decisions = DecisionTables(genesis.settings)
        self.epoch = EpochState(genesis)
        self.round = 0
        self.time = 0
        self.index = -1
        self.clock = 0
        self.weighted_time = 0  # with `timing.by_weight`: the weighted median of `member_times`, ns; it never falls
        self.member_times = dict.fromkeys(genesis.roster.ids, 0)  # the latest time of each member's ordered events
        self.profiles = Table[MemberId, MemberProfile]()
        self.used: dict[MemberId, UsedIds] = {}  # by present or former member
        self.last_event_clocks = dict.fromkeys(genesis.roster.ids, 0)  # the clock at each member's last event, ns
        self.commitments = Table(initial_commitments(genesis.roster))
        self.names: dict[MemberId, str] = {}  # with `membership.names`: those that members agreed on
        self.claims = Table[ClaimKey, Claim]()
        self.candidates = Table[bytes, Candidacy]()
        self.proposals = Table[bytes, Proposal]()
        self.cases = Table[bytes, Case]()  # by the digest of the result in doubt
        self.faults: list[Fault] = []  # the newest ones, oldest first
        self.fault_counts: dict[MemberId, int] = {}  # proven wrong results of each member so far
        self.convictions = Table[MemberId, Conviction]()  # the last one of each member
        self.configurations = Table(
            (name, Configuration(name=name, model=UNIFORM_MODEL, since=0)) for name in genesis.settings.configurations
        )
        self.shards: dict[str, list[Shard]] = {name: [] for name in self.configurations}
        self._shard_places: dict[bytes, tuple[str, int]] = {}  # of every shard that is kept, in `shards`
        self._shard_tuples: dict[str, tuple[Shard, ...]] = {}  # the same as `shards`, where nothing has changed since
        self._safe_marks: dict[str, object] = {}  # by configuration: another one after each change of a safe shard
        self.unsafe: set[bytes] = set()  # those of them that may become safe: this follows from `shards`
        self.games_played: dict[MemberId, int] = {}  # self-play games that each member has announced so far
        self.deliveries = Table[str, Deliveries]()  # with `steering.rules`, by configuration
        self.explorations = Table[str, Exploration]()  # with `steering.rules`, by configuration
        self.shard_cases = Table[bytes, ShardCase]()  # with `steering.rules`, by the shard in doubt
        self.distrusted: dict[MemberId, int] = {}  # whose shards wait, and the clock when one was struck last, ns
        self.false_alarms: dict[MemberId, int] = {}  # the clock when a member's last case about a shard came to nothing
        self.families = Table[tuple[str, str], FamilyRecord]()  # with `steering.rules`, by configuration and family
        self.vain = Table[tuple[bytes, MemberId], Vain]()  # with `steering.rules`, by subject and member
        self.absences = Table[tuple[bytes, bytes, MemberId], Absence]()  # with `steering.rules`, by `Absence.key`
        self.series = Table[bytes, Series]()  # with `steering.rules`: those that are played
        self.ratings = Table[str, Ratings]()  # with `steering.rules`, by configuration
        self.outcomes = Table[str, Outcomes]()  # with `steering.rules`, by configuration
        self.promotions = Table[bytes, Promotion]()  # by statement digest, oldest first
        self.closed_candidates: tuple[ClosedCandidate, ...] = ()  # oldest first
        self.failed_pairs: set[tuple[bytes, bytes]] = set()  # (model, incumbent) that the test rejected
        self.accepted: dict[str, int] = {}  # how many transactions took effect, by type
        self.refused: dict[str, int] = {}  # how many transactions were refused, by reason
        self.shard_chain = RunningHash()
        self.promotion_chain = RunningHash()
        self.seal_chain = RunningHash()
        self.closed_chain = RunningHash()
        self.fault_chain = RunningHash()
        self.effects: list[Effect] = []
        self.custody_orders = Memo[bytes, tuple[MemberId, ...]]()  # by blob; see `rules.custody`
        self.custodians = Memo[tuple[bytes, MemberId, int], tuple[MemberId, ...]]()  # by blob, author and number
        self._used_rows, self._clock_rows, self._time_rows = (EncodedRows() for _ in range(3))

    @property
    def settings(self) -> Settings:
        """The settings in force; what was set for one configuration only is in `rules.decisions.settings_on`."""
        return self.decisions.settings

    @property
    def roster(self) -> Roster:
        """The members that decide in this epoch."""
        return self.epoch.roster

    def is_silenced(self, member: MemberId) -> bool:
        """Return whether nothing that the member says counts: proven faulty, and not given a weight again since."""
        conviction = self.convictions.get(member)
        if conviction is None:
            return False
        return conviction.proof_epoch == self.epoch.number or not self.roster.weights.get(member)

    def silenced_members(self) -> tuple[MemberId, ...]:
        """Return the members of the present roster that are silenced."""
        return tuple(member for member in self.roster.ids if self.is_silenced(member))

    def emit(self, effect: str, place: Place, member: MemberId | None, /, **fields: Scalar) -> None:
        """Record an effect."""
        self.effects.append(
            Effect(kind=effect, member=member, round=place.round, time=place.time, index=place.index, fields=fields)
        )

    def live_claim(self, key: ClaimKey) -> Claim:
        """Return the live claim of this author and id. Raise RefusedError if there is none."""
        claim = self.claims.get(key)
        if claim is None:
            raise RefusedError("claim not live")
        return claim

    def shard(self, digest: bytes) -> Shard | None:
        """Return the shard with this digest, if it is kept."""
        place = self._shard_places.get(digest)
        return None if place is None else self.shards[place[0]][place[1]]

    def configuration_of_shard(self, digest: bytes) -> str | None:
        """Return the configuration of the shard with this digest, if it is kept."""
        place = self._shard_places.get(digest)
        return None if place is None else place[0]

    def shards_of(self, configuration: str) -> tuple[Shard, ...]:
        """Return the shards of a configuration, oldest first: the same tuple as before while none has changed."""
        if configuration not in self._shard_tuples:
            self._shard_tuples[configuration] = tuple(self.shards[configuration])
        return self._shard_tuples[configuration]

    def safe_mark(self, configuration: str) -> object:
        """Return what is the same object while no shard has changed that enough members have held, so that may count.

        Whatever follows from the shards that count need not be computed again for those that do not yet.
        """
        return self._safe_marks.setdefault(configuration, object())

    def _forget_tuple(self, configuration: str, *changed: Shard) -> None:
        self._shard_tuples.pop(configuration, None)
        if any(shard.is_safe for shard in changed):
            self._safe_marks.pop(configuration, None)

    def add_shard(self, shard: Shard) -> None:
        """Append a shard to those of its configuration."""
        self._forget_tuple(shard.configuration, shard)
        kept = self.shards[shard.configuration]
        self._shard_places[shard.digest] = shard.configuration, len(kept)
        kept.append(shard)
        self._index_unsafe(shard)

    def put_shard(self, shard: Shard) -> None:
        """Put a changed shard in the place of the old one."""
        name, place = self._shard_places[shard.digest]
        self._forget_tuple(name, self.shards[name][place], shard)
        self.shards[name][place] = shard
        self._index_unsafe(shard)

    def keep_shards(self, configuration: str, kept: Iterable[Shard]) -> None:
        """Keep only these shards of a configuration, in this order."""
        for shard in self.shards[configuration]:
            del self._shard_places[shard.digest]
            self.unsafe.discard(shard.digest)
        self._forget_tuple(configuration, *self.shards[configuration])
        self.shards[configuration] = []
        for shard in kept:
            self.add_shard(shard)

    def _index_unsafe(self, shard: Shard) -> None:
        if shard.is_safe or shard.standing not in ("unsafe", "waiting"):
            self.unsafe.discard(shard.digest)
        else:
            self.unsafe.add(shard.digest)

    def contest(self, name: bytes) -> Contest | None:
        """Return the open match of the candidate with this id, or the series with this id."""
        return self.candidates.get(name) or self.series.get(name)

    def put_contest(self, contest: Contest) -> None:
        """Replace an open match or a series."""
        if isinstance(contest, Series):
            self.series[contest.id] = contest
        else:
            self.candidates[contest.id] = contest

    def renew_lease(self, claim: Claim) -> Claim:
        """Give the claim a full lease from now, but not beyond the longest life of a claim, and return it.

        With `steering.rules`, that life is shorter for a slot that the member holds in vain, and for a claim whose
        progress does not grow.
        """
        timing = self.settings.timing
        lease, life = self.clock + timing.lease_s * 10**9, claim.place.clock + timing.claim_s * 10**9
        grown = claim.grown
        if self.settings.steering.rules:
            grown = self.clock if self._has_grown(claim) else claim.grown
            life = min(life, *self._ends_of_stalls(claim, grown))
        renewed = replace(claim, grown=grown, deadline=min(lease, life))
        self.claims[claim.key] = renewed
        return renewed

    def _has_grown(self, claim: Claim) -> bool:
        before = self.claims.get(claim.key)
        return before is None or (claim.done, claim.delivered) != (before.done, before.delivered)

    def _ends_of_stalls(self, claim: Claim, grown: int) -> list[int]:
        """Return until when the claim may live unless its progress grows, and whatever its progress."""
        steering = self.settings.steering
        ends = [grown + steering.stall_s * 10**9]
        if claim.candidate is not None and len(self.roster) > SMALL_SWARM:
            held = self.vain_of(claim.candidate, claim.author).held
            ends.append(claim.place.clock + steering.slot_s * 10**9 - held)
        return ends

    def vain_of(self, subject: bytes, member: MemberId) -> Vain:
        """Return what came to nothing of a member's work."""
        return self.vain.get((subject, member)) or Vain(subject, member)

    def put_vain(self, vain: Vain) -> None:
        """Replace what came to nothing of a member's work."""
        self.vain[vain.subject, vain.member] = vain

    def forget_absences(self, contest: bytes) -> None:
        """Remove what members could not fetch of a match or series that is over: the model may come back."""
        self.absences = Table((key, entry) for key, entry in self.absences.items() if entry.candidate != contest)

    def digest(self) -> bytes:
        """Return the SHA-256 over everything: live records by fingerprint, the past by its running hashes."""
        tables: list[Value] = [
            ["ringrift/ledger/4", self.genesis.digest, self.round, self.time, self.index, self.clock],
            self.epoch.table(),
            self._used_rows.encode([(member, used.floor, used.packed()) for member, used in sorted(self.used.items())]),
            self._clock_rows.encode(sorted(self.last_event_clocks.items())),
            self.profiles.recall(_fingerprints),
            self.commitments.recall(_encodings),
            self.claims.recall(_fingerprints),
            self.candidates.recall(_fingerprints),
            self.proposals.recall(_fingerprints),
            self.cases.recall(_fingerprints),
            [[member, count] for member, count in sorted(self.fault_counts.items())],
            self.convictions.recall(_fingerprints),
            self.configurations.recall(_fingerprints),
            [self.accepted, self.refused],
            [
                self.shard_chain.head,
                self.promotion_chain.head,
                self.seal_chain.head,
                self.closed_chain.head,
                self.fault_chain.head,
            ],
        ]
        if self.settings.timing.by_weight:
            tables.append(self.times_table())
        if self.settings.steering.rules:
            tables += [
                self.deliveries.recall(_fingerprints),
                self.series.recall(_fingerprints),
                self.ratings.recall(_fingerprints),
            ]
            tables.append(self.decisions.table())
            tables.append(self.explorations.recall(_fingerprints))
            tables.append(self.shard_cases.recall(_fingerprints))
            tables.append([[[member, clock] for member, clock in sorted(table.items())] for table in self._trust()])
            tables.append(self.families.recall(_fingerprints))
            tables.append(self.vain.recall(_fingerprints))
            tables.append(self.absences.recall(_fingerprints))
            tables.append(self.outcomes.recall(_fingerprints))
        if self.settings.membership.names:
            tables.append([[member, name] for member, name in sorted(self.names.items())])
        return hashlib.sha256(encode(tables)).digest()

    def _trust(self) -> tuple[dict[MemberId, int], ...]:
        return self.distrusted, self.false_alarms

    def times_table(self) -> Value:
        """Return what the clock by weight goes by, as CBOR values: nothing else in the state depends on it."""
        return [self.weighted_time, self._time_rows.encode(sorted(self.member_times.items()))]


def _fingerprints(table: Mapping[Any, Entity]) -> Encoded:
    """Return the encoding of the fingerprints of a table's records, by their keys."""
    return Encoded(encode([table[key].fingerprint for key in sorted(table)]))


def _encodings(table: Mapping[Any, Entity]) -> Encoded:
    """Return the encoding of a table's records, by their keys."""
    return encode_array([table[key].encoded for key in sorted(table)])
