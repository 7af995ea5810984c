"""The views of the ledger: frozen records, so that what was read before a round does not change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from operator import is_
from types import MappingProxyType
from typing import Any, Self, TypeVar

from consensus.epoch import EpochRecord, SealedRecord
from consensus.genesis import Genesis
from consensus.keys import MemberId
from consensus.ledger.records.cases import Case, Fault, SlotReport
from consensus.ledger.records.changes import Change, Proposal
from consensus.ledger.records.decisions import Adopted, SteeringChange
from consensus.ledger.records.deliveries import Deliveries
from consensus.ledger.records.entities import (
    Candidacy,
    Claim,
    ClaimKey,
    ClosedCandidate,
    Configuration,
    Conviction,
    Model,
    Promotion,
    Shard,
)
from consensus.ledger.records.explorations import Exploration
from consensus.ledger.records.families import FamilyRecord
from consensus.ledger.records.ratings import Contest, Ratings, Series, Tally
from consensus.ledger.records.shard_cases import ShardCase
from consensus.ledger.records.stalls import Absence
from consensus.ledger.records.transactions import Candidate
from consensus.ledger.rules import (
    candidates,
    custody,
    decisions,
    evidence,
    findings,
    lineage,
    matches,
    outcomes,
    series,
    shards,
    siblings,
    turns,
)
from consensus.ledger.rules.budgets import Budget, budget_of
from consensus.ledger.rules.deliveries import deliveries_of
from consensus.ledger.rules.exploration import exploration_of
from consensus.ledger.rules.membership import roster_with, tally
from consensus.ledger.rules.scores import Standing, standing
from consensus.ledger.rules.siblings import Sibling
from consensus.ledger.state.difference import differences
from consensus.ledger.state.state import MemberProfile, State
from consensus.ledger.state.table import Table
from consensus.roster import Roster
from consensus.settings import SelfplaySettings, Settings

T = TypeVar("T")
R = TypeVar("R", Series, Promotion)


class Views:
    """Read access to a `State`."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._remembered: dict[tuple[object, ...], Any] = {}  # what was made of this ledger since its last round
        self._recalled: dict[tuple[object, ...], tuple[Sequence[object], Any]] = {}
        self._same: dict[tuple[object, str], Any] = {}  # the values that `same` has returned last

    def remember(self, make: Callable[..., T], *arguments: str) -> T:
        """Return what a pure function makes of this ledger, and of texts; between two rounds it is computed once."""
        key = (make, *arguments)
        if key not in self._remembered:
            self._remembered[key] = make(self, *arguments)
        return self._remembered[key]  # type: ignore[no-any-return]

    def recall(self, make: Callable[[Self, str], T], configuration: str, basis: Sequence[object]) -> T:
        """Return what a pure function makes of a few records of a configuration, `basis`.

        It is computed again when one of them is another record, whatever else has changed in the ledger.
        """
        key = (make, configuration)
        known = self._recalled.get(key)
        if known is None or not _are_same(known[0], basis):
            known = self._recalled[key] = basis, make(self, configuration)
        return known[1]

    def same(self, make: object, name: str, value: T) -> T:
        """Return the value that these names had last if it is equal, so that what was made of it can be recalled."""
        known = self._same.get((make, name))
        if known != value:
            known = self._same[make, name] = value
        return known

    @property
    def genesis(self) -> Genesis:
        """The genesis of the swarm."""
        return self._state.genesis

    @property
    def settings(self) -> Settings:
        """The settings in force: those of the genesis with what members have set since."""
        return self._state.settings

    @property
    def settings_version(self) -> int:
        """0 for the settings of the genesis, and one more with each change."""
        return self._state.decisions.version

    def settings_on(self, configuration: str, version: int | None = None) -> Settings:
        """Return the settings that hold for a configuration, or held when they had this version.

        Unlike `settings` they say what large boards make of them, and what was set for the configuration alone.
        """
        return decisions.settings_on(self._state, configuration, version)

    def settings_history(self) -> tuple[Adopted, ...]:
        """Return the changes of what the swarm does, oldest first; the ledger keeps the newest."""
        return tuple(self._state.decisions.history)

    def changed_settings(self) -> tuple[Adopted, ...]:
        """Return the last change of each setting, for the swarm and for each configuration, and what was added."""
        return tuple(entry for _, entry in sorted(self._state.decisions.adopted.items()))

    def pauses(self) -> tuple[Adopted, ...]:
        """Return what is paused, the widest first."""
        return tuple(entry for _, entry in sorted(self._state.decisions.pauses.items()))

    def is_paused(self, work: str, configuration: str) -> bool:
        """Return whether nobody may claim this kind of work for a configuration."""
        return decisions.is_paused(self._state, work, configuration)

    @property
    def epoch_number(self) -> int:
        """The number of the open epoch, from 0."""
        return self._state.epoch.number

    @property
    def epoch_digest(self) -> bytes:
        """The digest of what opened this epoch; all events of the epoch name it."""
        return self._state.epoch.digest

    @property
    def roster(self) -> Roster:
        """The members that decide in this epoch."""
        return self._state.epoch.roster

    @property
    def former_members(self) -> frozenset[MemberId]:
        """The members of earlier epochs that are not in this one."""
        return self._state.epoch.former_members()

    @property
    def leaving(self) -> tuple[MemberId, ...]:
        """Members of the roster that have lost their weight, and leave it as soon as the epoch's record is sealed."""
        return self._state.epoch.leaving

    @property
    def roster_version(self) -> int:
        """1 for the roster of the genesis, and one more with each change of ids or weights."""
        return self._state.epoch.version

    def roster_of(self, promotion: Promotion) -> Roster:
        """Return the roster that voted on a promotion and seals it."""
        return self._state.epoch.roster_of(promotion.roster_version)

    @property
    def record(self) -> EpochRecord | None:
        """The record that opened this epoch; None in the first one."""
        return self._state.epoch.record

    @property
    def sealed(self) -> SealedRecord | None:
        """The record that opened this epoch, once enough members have sealed it in the order."""
        return self._state.epoch.sealed

    def chain_to(self, version: int) -> tuple[SealedRecord, ...] | None:
        """Return the short chain of records (`consensus.epoch`) to a roster; None while the last one lacks seals."""
        return self._state.epoch.chain_to(version)

    @property
    def closing(self) -> str | None:
        """Why the epoch has to close now: "roster" or "length"; None if it continues.

        It never closes before the record that opened it is sealed. So every record becomes sealed, within the order.
        """
        epoch = self._state.epoch
        if not epoch.can_close:
            return None
        if epoch.has_changes:
            return "roster"
        received, most = self._state.index + 1 - epoch.first_index, self._state.settings.epoch
        return "length" if received > most.events or epoch.size > most.bytes else None

    def require_fit(self, change: Change | SteeringChange) -> None:
        """Raise RefusedError if a change would not fit now, as far as this program can tell."""
        if isinstance(change, SteeringChange):
            decisions.check_all(self._state, change)
        else:
            roster_with(self._state, change)

    def is_decided_by(self, member: MemberId, change: Change | SteeringChange) -> bool:
        """Return whether a member decides this alone, without a ballot."""
        return decisions.is_decided_by(self._state, member, change)

    def member_names(self) -> Mapping[MemberId, str]:
        """Return the names that members agreed on, by member; none without `membership.names`."""
        return self._state.names

    def roster_with(self, change: Change) -> Roster:
        """Return the roster of the next epoch if `change` were approved now. Raise RefusedError if it does not fit."""
        return roster_with(self._state, change)

    def proposals(self) -> tuple[Proposal, ...]:
        """Return the open proposals, oldest first."""
        proposals = self._state.proposals.values()
        return tuple(sorted(proposals, key=lambda entry: (entry.place.index, entry.id)))

    def proposal(self, name: bytes) -> Proposal | None:
        """Return the open proposal with this id, if there is one."""
        return self._state.proposals.get(name)

    def tally(self, proposal: Proposal) -> tuple[int, int]:
        """Return the weight for and against a proposal so far."""
        return tally(self._state.roster, proposal)

    def cases(self) -> tuple[Case, ...]:
        """Return the reported slots that members are asked to replay, in the order in which the cases were opened."""
        return tuple(sorted(self._state.cases.values(), key=lambda entry: (entry.place.index, entry.id)))

    def case(self, result: bytes) -> Case | None:
        """Return the open case about the result with this digest, if there is one."""
        return self._state.cases.get(result)

    def absences(self) -> tuple[Absence, ...]:
        """Return what members said that they cannot fetch, and that is not decided."""
        return tuple(entry for _, entry in sorted(self._state.absences.items()))

    def waits_for_turn(self, member: MemberId, configuration: str) -> int:
        """Return for how long, in ns, the member lets others train and nominate here first; 0 if it need not."""
        return max(0, turns.waits_until(self._state, configuration, member) - self._state.clock)

    def rates_in_vain(self, member: MemberId) -> bool:
        """Return whether the member has held slots of a series that is still played and reported nothing for them."""
        return turns.rates_in_vain(self._state, member)

    def can_open_case(self, member: MemberId, contest: Contest) -> bool:
        """Return whether a `wrong` finding of the member about a result of this match or series would open a case."""
        return not findings.check_can_open(self._state, member, contest)

    def shard(self, digest: bytes) -> Shard | None:
        """Return the shard with this digest, if the ledger keeps it."""
        return self._state.shard(digest)

    def custodians(self, shard: Shard) -> tuple[MemberId, ...]:
        """Return the members that are to hold a shard besides its author now, the first ones first."""
        return custody.asked(self._state, self.present_members(), shard)

    def custody_order(self, digest: bytes) -> list[MemberId]:
        """Return all members in the order in which they are to hold a blob, whether they are there or not."""
        return custody.order(self._state, digest)

    def holders(self, shard: Shard) -> tuple[MemberId, ...]:
        """Return the members that said that they hold a shard of another, and are there now."""
        there = self.present_members()
        return tuple(member for member in shard.holders if member in there)

    def lacks_holders(self, shard: Shard) -> int:
        """Return how many members are to say that they hold a shard, besides those that have; 0 if it is enough."""
        there = self.present_members()
        return max(0, custody.needed(self._state, there, shard.author) - len(there.intersection(shard.holders)))

    def present_members(self) -> frozenset[MemberId]:
        """Return the members that can hold shards now: something of them was ordered lately.

        It is the same set as before while it has the same members, so that what was made of it can be recalled.
        """
        return self.remember(_present)

    def unsafe_shards(self) -> tuple[Shard, ...]:
        """Return the shards that too few members hold yet for their games to count, oldest first."""
        found = (self._state.shard(digest) for digest in self._state.unsafe)
        return tuple(sorted(filter(None, found), key=lambda shard: (shard.clock, shard.digest)))

    def shard_cases(self) -> tuple[ShardCase, ...]:
        """Return the shards that members are asked to check, in the order in which the cases were opened."""
        return tuple(sorted(self._state.shard_cases.values(), key=lambda entry: (entry.place.index, entry.shard)))

    def shard_case(self, digest: bytes) -> ShardCase | None:
        """Return the open case about the shard with this digest, if there is one."""
        return self._state.shard_cases.get(digest)

    def can_doubt(self, member: MemberId, shard: Shard) -> bool:
        """Return whether a `wrong` finding of the member about this shard would open a case now."""
        return shard.facts is not None and not shards.check_can_doubt(self._state, member, shard)

    @property
    def distrusted(self) -> Mapping[MemberId, int]:
        """The members whose new shards weigh nothing until another member has checked one of them."""
        return dict(sorted(self._state.distrusted.items()))

    def is_resting(self, author: MemberId) -> bool:
        """Return whether a shard of this author was struck so lately that no check of another one counts yet."""
        return shards.is_resting(self._state, author)

    def faults(self) -> tuple[Fault, ...]:
        """Return the results that are proven wrong, oldest first; the ledger keeps the newest."""
        return tuple(self._state.faults)

    def fault_counts(self) -> Mapping[MemberId, int]:
        """Return how many proven wrong results each member has reported; members without any are left out."""
        return dict(sorted(self._state.fault_counts.items()))

    def convictions(self) -> tuple[Conviction, ...]:
        """Return, by member id, the last proof of equivocation that counted against each member."""
        return tuple(entry for _, entry in sorted(self._state.convictions.items()))

    def is_silenced(self, member: MemberId) -> bool:
        """Return whether a proven equivocation makes everything that the member says ineffective."""
        return self._state.is_silenced(member)

    def can_convict(self, member: MemberId, epoch: int) -> bool:
        """Return whether proof of two events of this epoch would count against a member."""
        return evidence.can_convict(self._state, member, epoch)

    def last_id(self, member: MemberId) -> int:
        """Return the highest transaction id that the member has used; -1 if there is none."""
        used = self._state.used.get(member)
        return -1 if used is None else used.last

    def has_used(self, member: MemberId, number: int) -> bool:
        """Return whether the member's transaction with this id was ordered, whether it took effect or not."""
        return number in self._state.used.get(member, ())

    def games_played(self, member: MemberId) -> int:
        """Return how many self-play games the member has announced so far."""
        return self._state.games_played.get(member, 0)

    def differences(self, other: Views) -> list[str]:
        """Return the entries of the state that differ from another ledger of the same round; see `difference`."""
        return differences(self._state, other._state)

    @property
    def round(self) -> int:
        """The last round applied; 0 before the first."""
        return self._state.round

    @property
    def time(self) -> int:
        """Consensus time of the last ordered event, ns; 0 before the first."""
        return self._state.time

    @property
    def clock(self) -> int:
        """The clock that leases run on, ns: consensus time with every gap limited to `timing.gap_s`."""
        return self._state.clock

    @property
    def ordered(self) -> int:
        """How many events have been applied."""
        return self._state.index + 1

    @property
    def waits_for_beacon(self) -> bool:
        """Whether a claim, a candidate or a series waits for the beacon of a further decided round."""
        return self.remember(Views._find_what_waits)

    def _find_what_waits(self) -> bool:
        claims, candidates = self._state.claims.values(), self._state.candidates.values()
        beacons = (*(entry.beacon for entry in candidates), *(entry.beacon for entry in self._state.series.values()))
        return any(claim.waits for claim in claims) or None in beacons

    def since_last_event_ns(self) -> Mapping[MemberId, int]:
        """Return how long ago each member's last event was ordered, in ns of the ledger's clock."""
        return self.remember(_since_last_event_ns)

    def withheld_counts(self) -> Mapping[MemberId, int]:
        """Return how often each member was a judge without the preimage that it owed.

        Members that always had it are left out.
        """
        commitments = sorted(self._state.commitments.items())
        return {member: commitment.withheld for member, commitment in commitments if commitment.withheld}

    def configuration(self, name: str) -> Configuration:
        """Return a configuration's canonical model and counts. Raise KeyError if the swarm does not play it."""
        return self._state.configurations[name]

    def configurations(self) -> tuple[Configuration, ...]:
        """Return all configurations by name."""
        return self._state.configurations.recall(_by_name)

    def selfplay_settings(self, name: str, model: bytes, version: int | None = None) -> SelfplaySettings:
        """Return the settings with which a configuration's games are played with this model.

        `version` is that of the settings; None: the present one.
        """
        settings = decisions.settings_on(self._state, name, version).selfplay
        number = max((entry.number for entry in self.promotions(name) if entry.model.digest == model), default=0)
        return replace(settings, simulations=settings.simulations_after(number))

    def family(self, configuration: str, family: str) -> FamilyRecord:
        """Return what the trainings of a family cost and gained in a configuration."""
        found = self._state.families.get((configuration, family))
        return found or FamilyRecord(configuration=configuration, family=family)

    def deliveries(self, name: str) -> Deliveries:
        """Return what was delivered to a configuration; nothing is counted without `steering.rules`."""
        return deliveries_of(self._state, name)

    def exploration(self, name: str) -> Exploration:
        """Return how far self-play of a configuration leaves the best moves; not at all without `steering.rules`."""
        return exploration_of(self._state, name)

    def budget(self, name: str) -> Budget:
        """Return the search that a game of a configuration would get if it were claimed now."""
        return budget_of(self._state, self._state.configurations[name])

    def training_start(self, name: str, family: str) -> Model:
        """Return the model from which a training of this family would start now; `uniform` from scratch."""
        return lineage.start_of(self._state, name, family)

    def training_fallback(self, name: str, family: str) -> Model:
        """Return the model from which it would start if nobody had that one: the canonical model, or `uniform`."""
        return lineage.fallback_of(self._state.configurations[name], family)

    def awaited_sibling(self, name: str) -> Configuration | None:
        """Return the configuration that this one may wait for while it has no network; None if there is none."""
        return siblings.awaited_in(self._state, name)

    def best_sibling(self, name: str, family: str) -> Sibling | None:
        """Return the sibling whose canonical model may be the first of this family here; None if there is none."""
        return siblings.best_in(self._state, name, family)

    def profiles(self) -> Mapping[MemberId, MemberProfile]:
        """Return the latest profile of each member that has announced one."""
        return self._state.profiles.recall(_by_member)

    def claim(self, author: MemberId, number: int) -> Claim | None:
        """Return the live claim of this author with this transaction id, if there is one."""
        return self._state.claims.get((author, number))

    def claims(self) -> tuple[Claim, ...]:
        """Return all live claims in the order in which they were granted."""
        return self._state.claims.recall(_in_order)

    def claims_of(self, member: MemberId) -> tuple[Claim, ...]:
        """Return the live claims of one member, oldest first."""
        return self._state.claims.recall(_by_author).get(member, ())

    def candidate(self, name: bytes) -> Candidacy | None:
        """Return the open candidate with this id, if there is one."""
        return self._state.candidates.get(name)

    def candidates(self) -> tuple[Candidacy, ...]:
        """Return the open candidates in the order in which they were nominated."""
        return self._state.candidates.recall(_as_nominated)

    def obstacle_to(self, member: MemberId, nomination: Candidate) -> str:
        """Return why the ledger would refuse the member's nomination of an earlier model now; empty if it would not."""
        return candidates.obstacle_to(self._state, member, nomination)

    def standing(self, candidacy: Candidacy) -> Standing:
        """Return the score of a match so far, and what the test says of it."""
        return standing(candidacy)

    def open_slots(self, contest: Contest, member: MemberId) -> tuple[int, ...]:
        """Return the slots from which one would be drawn for the member now, if it has no claim there."""
        return matches.open_slots(self._state, contest, member)

    def contest(self, name: bytes) -> Contest | None:
        """Return the open candidate with this id, or the series that is played with this id."""
        return self._state.contest(name)

    def series(self, configuration: str | None = None) -> tuple[Series, ...]:
        """Return the series that are played, of one configuration or of all, by their ids."""
        return self._state.series.recall(_series).get(configuration, ())

    def is_settled(self, entry: Series) -> bool:
        """Return whether a series needs no further blocks, because nearly all points went to one side."""
        return series.is_settled(self._state, entry)

    def ratings(self, configuration: str) -> Ratings:
        """Return the canonical models of a configuration, and the results of series that are over."""
        return series.ratings_of(self._state, configuration)

    def tallies(self, configuration: str) -> tuple[Tally, ...]:
        """Return the results of all series of a configuration, over or not, by their ids."""
        return series.tallies_of(self._state, configuration)

    def outcomes(self, configuration: str) -> tuple[SlotReport, ...]:
        """Return the newest results of matches and series, oldest first: a training may learn from their games."""
        return outcomes.outcomes_of(self._state, configuration).reports

    def closed_candidates(self) -> tuple[ClosedCandidate, ...]:
        """Return the candidates that were not promoted, oldest first."""
        return self._state.closed_candidates

    def promotions(self, configuration: str | None = None) -> tuple[Promotion, ...]:
        """Return the promotions of one configuration or of all, oldest first."""
        return self._state.promotions.recall(_promotions).get(configuration, ())

    def promotion(self, statement: bytes) -> Promotion | None:
        """Return the promotion whose statement has this digest, if there is one."""
        return self._state.promotions.get(statement)

    def shards(self, configuration: str) -> tuple[Shard, ...]:
        """Return the shards of a configuration, oldest first."""
        return self._state.shards_of(configuration)

    def safe_mark(self, configuration: str) -> object:
        """Return what is the same object while no shard has changed that enough members have held, so that may count.

        It is a basis to `recall` what follows from the shards that count.
        """
        return self._state.safe_mark(configuration)

    def accepted_counts(self) -> Mapping[str, int]:
        """Return how many transactions took effect, by type."""
        return dict(sorted(self._state.accepted.items()))

    def refused_counts(self) -> Mapping[str, int]:
        """Return how many transactions were refused, by reason."""
        return dict(sorted(self._state.refused.items()))


def _present(views: Views) -> frozenset[MemberId]:
    return views.same(_present, "", custody.present(views._state))


def _in_order(claims: Table[ClaimKey, Claim]) -> tuple[Claim, ...]:
    return tuple(sorted(claims.values(), key=lambda claim: (claim.place.index, claim.author, claim.id)))


def _by_author(claims: Table[ClaimKey, Claim]) -> dict[MemberId, tuple[Claim, ...]]:
    found: dict[MemberId, list[Claim]] = {}
    for claim in claims.recall(_in_order):
        found.setdefault(claim.author, []).append(claim)
    return {author: tuple(own) for author, own in found.items()}


def _as_nominated(candidates: Table[bytes, Candidacy]) -> tuple[Candidacy, ...]:
    return tuple(sorted(candidates.values(), key=lambda entry: (entry.place.index, entry.id)))


def _by_name(configurations: Table[str, Configuration]) -> tuple[Configuration, ...]:
    return tuple(entry for _, entry in sorted(configurations.items()))


def _by_member(profiles: Table[MemberId, MemberProfile]) -> Mapping[MemberId, MemberProfile]:
    return MappingProxyType(dict(sorted(profiles.items())))


def _series(series: Table[bytes, Series]) -> dict[str | None, tuple[Series, ...]]:
    return _by_configuration(entry for _, entry in sorted(series.items()))


def _promotions(promotions: Table[bytes, Promotion]) -> dict[str | None, tuple[Promotion, ...]]:
    return _by_configuration(promotions.values())


def _since_last_event_ns(views: Views) -> Mapping[MemberId, int]:
    clock, events = views._state.clock, sorted(views._state.last_event_clocks.items())
    return MappingProxyType({member: clock - event for member, event in events})


def _by_configuration(entries: Iterable[R]) -> dict[str | None, tuple[R, ...]]:
    """Return the entries of each configuration, and all of them under None."""
    found: dict[str | None, list[R]] = {None: []}
    for entry in entries:
        found[None].append(entry)
        found.setdefault(entry.configuration, []).append(entry)
    return {configuration: tuple(own) for configuration, own in found.items()}


def _are_same(records: Sequence[object], others: Sequence[object]) -> bool:
    """Return whether two sequences hold the same objects, not only equal ones: comparing these would cost more."""
    return len(records) == len(others) and all(map(is_, records, others))
