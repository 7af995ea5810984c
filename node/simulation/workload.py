"""The workload of a simulated node: what its users and workers submit, and some nonsense."""

import hashlib
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import trio

from consensus.ledger import Ledger
from consensus.ledger.priorities import due_findings, due_seals, due_votes, next_work, training_shards
from consensus.ledger.records import transactions as t
from consensus.ledger.records.cases import report_of
from consensus.ledger.records.changes import Change, Proposal
from consensus.ledger.records.decisions import SteeringChange
from consensus.ledger.records.entities import Claim
from consensus.ledger.records.ratings import Contest
from consensus.ledger.records.shard_cases import MISSING
from consensus.ledger.steering.checks import due_shard_checks
from consensus.ledger.steering.custody import due_custody
from consensus.roster import Roster
from consensus.settings import (
    MatchSettings,
    SelfplaySettings,
    Settings,
    SteeringSettings,
    TimingSettings,
    TrainingSettings,
    players,
)
from consensus.statement import pae
from node.member.transaction_pool import BacklogError
from node.simulation import made_up
from node.simulation.decisions import Decisions
from node.simulation.machine import SimulatedNode
from node.simulation.roster_plan import RosterPlan

SETTINGS = Settings(
    configurations=("hex8-2", "square8-2"),
    selfplay=SelfplaySettings(games=8, random_games=0, ceiling=16),
    training=TrainingSettings(games=8, window=2048),
    match=MatchSettings(slot_blocks=2, block_limit=4, p1=Fraction(3, 4), alpha=Fraction(9, 20), beta=Fraction(9, 20)),
    timing=TimingSettings(lease_s=15, idle_s=30, vote_s=60),
)
"""Small amounts of everything, so that short runs have promotions."""

STEERED = replace(
    SETTINGS,
    steering=SteeringSettings(
        rules=1, window_s=300, cooldown_s=1, stall_s=60, slot_s=30, turn_s=5, custodians=2, custody_s=30
    ),
)
"""The same with the rules of docs/steering.md."""

_ROLES = ("match", "selfplay", "train")
_WIN = 0.9  # the probability that a candidate wins a game
_CHEAT = 0.3  # the probability that a Byzantine node reports games that do not replay
_NOMINATE = 0.1  # the probability that a model is nominated without a claim, if there is no candidate
_PROPOSE = 0.02  # the probability that a user proposes a random change, whenever it may
_APPROVE = 0.9  # the probability that a user approves of a change that nobody planned
_PROPOSE_WANTED = 0.3  # the probability that a user proposes a wanted change, whenever it may
_LOOKS_PER_S = 4.0
_CLAIM_INTERVAL_S = 1.0
_RETRY_S = 6.0  # before what was submitted without effect is submitted again


@dataclass(frozen=True)
class _Novelty(t.Transaction):
    """A transaction of a type that a later version may know."""

    TYPE = "novelty"
    text: str


class Workload:
    """Submits transactions at one node, by its ledger, whenever it is up. All work is done at once, and made up."""

    def __init__(self, node: SimulatedNode, seed: int, plan: RosterPlan | None = None) -> None:
        """Set up the workload. Without a plan it proposes no changes, but votes on those of others."""
        self._node = node
        self._plan = plan
        self._random = random.Random(f"user {seed} {node.number}")
        self._decisions = Decisions(seed, node.number)
        self._number = 0
        self._retry_at: dict[object, float] = {}

    async def run(self, until: float) -> None:
        """Submit transactions several times a second, until this virtual time."""
        while trio.current_time() < until:
            await self._look(lambda ledger: (self._nonsense(ledger), self._due_transactions(ledger)))

    async def vote_for_addresses(self) -> None:
        """Propose and vote for the addresses of machines that have moved, and nothing else, until cancelled."""
        while True:
            await self._look(lambda ledger: (self._address_votes(ledger),))

    async def _look(self, due: Callable[[Ledger], Iterable[Sequence[t.Transaction]]]) -> None:
        """Submit what is due, after a while."""
        await trio.sleep(self._random.expovariate(_LOOKS_PER_S))
        member = self._node.member
        if member is None:
            return
        try:
            for group in due(member.replica.ledger):
                member.submit([transaction.as_table() for transaction in group])
        except BacklogError:
            return

    def _next_id(self) -> int:
        self._number += 1
        return self._number

    def _is_time_for(self, what: object, retry_s: float = _RETRY_S) -> bool:
        """Return whether this may be submitted now, perhaps again; if so, not again for `retry_s`."""
        now = trio.current_time()
        if now < self._retry_at.get(what, 0.0):
            return False
        self._retry_at[what] = now + retry_s
        return True

    def _due_transactions(self, ledger: Ledger) -> list[t.Transaction]:
        """Return what an honest node with all roles would submit now."""
        due = self._seals(ledger)
        due += self._votes(ledger)
        due += self._findings(ledger)
        due += self._shard_findings(ledger)
        due += self._held(ledger)
        due += self._absences(ledger)
        due += self._nominations(ledger)
        due += self._governance(ledger)
        mine = ledger.claims_of(self._node.identity.id)
        begun = [claim for claim in mine if not claim.waits]
        due += [self._finish(ledger, claim) for claim in begun if self._is_time_for(("claim", claim.id))]
        roles = ("match",) if mine else _ROLES  # what a match waits for goes before all else
        if self._is_time_for("work", _CLAIM_INTERVAL_S):
            work = next_work(ledger, self._node.identity.id, roles)
            due += [] if work is None else [work.claim(self._next_id())]
        return due

    def _seals(self, ledger: Ledger) -> list[t.Transaction]:
        key = self._node.identity.key
        return [
            t.Seal(self._next_id(), promotion.digest, key.sign(pae(promotion.statement)))
            for promotion in due_seals(ledger, self._node.identity.id)
            if self._is_time_for(promotion.digest)
        ]

    def _votes(self, ledger: Ledger) -> list[t.Transaction]:
        votes: list[t.Transaction] = []
        for candidacy in due_votes(ledger, self._node.identity.id):
            if candidacy.ripe is None or made_up.missing_slots(candidacy) or made_up.is_incomplete(candidacy):
                continue
            if self._is_time_for(candidacy.id):
                approve = not self._node.honest or not made_up.wrong_slots(candidacy)
                votes.append(t.Vote(self._next_id(), candidacy.id, approve, candidacy.ripe.results, "replayed"))
        return votes

    def _nominations(self, ledger: Ledger) -> list[t.Transaction]:
        """Nominate models that nobody was asked for, where there is no candidate."""
        contested = [candidacy.configuration for candidacy in ledger.candidates()]
        nominations: list[t.Transaction] = []
        for name in (entry.name for entry in ledger.configurations() if entry.name not in contested):
            if self._random.random() < _NOMINATE and self._is_time_for(("nominate", name)):
                digest = hashlib.sha256(f"{self._node.number} {self._number}".encode()).digest()
                nominations.append(self._candidate(ledger, None, name, family="simulated", weights=digest))
        return nominations

    def _findings(self, ledger: Ledger) -> list[t.Transaction]:
        """Return what replays of reported slots show; nothing at a Byzantine node, which has `FalseFindings`."""
        me = self._node.identity.id
        if not self._node.honest:
            return []
        found: list[t.Transaction] = [
            t.Finding(
                self._next_id(),
                candidate=case.report.candidate,
                slot=case.report.slot,
                result=case.id,
                wrong=made_up.is_wrong(case.report.result),
                reason="seen",
            )
            for case in due_findings(ledger, me)
            if self._is_time_for(case.id)
        ]
        contests: list[Contest] = [*ledger.candidates(), *ledger.series()]
        for contest in contests:
            for slot in made_up.wrong_slots(contest):
                report = report_of(contest, slot)
                if report is None or ledger.case(report.digest) is not None:
                    continue
                if self._is_time_for(("wrong", report.digest)):
                    finding = t.Finding(
                        self._next_id(),
                        candidate=contest.id,
                        slot=slot,
                        result=report.digest,
                        wrong=True,
                        reason="seen",
                    )
                    found.append(finding)
        return found

    def _shard_findings(self, ledger: Ledger) -> list[t.Transaction]:
        """Return what checks of shards show; nothing at a Byzantine node, nor without `steering.rules`."""
        me = self._node.identity.id
        if not self._node.honest or not ledger.settings.steering.rules or me not in ledger.roster:
            return []
        doubtful = [shard for shard in made_up.doubtful_shards(ledger) if ledger.can_doubt(me, shard)]
        return [
            t.ShardFinding(
                self._next_id(),
                shard.digest,
                made_up.is_wrong(shard) or made_up.is_missing(shard.digest),
                MISSING if made_up.is_missing(shard.digest) else "seen",
            )
            for shard in (*due_shard_checks(ledger, me), *doubtful)
            if self._is_time_for(("shard", shard.digest))
        ]

    def _held(self, ledger: Ledger) -> list[t.Transaction]:
        """Return the word that this node holds what it is asked to; a Byzantine one holds what nobody has, too."""
        due = [entry.shard.digest for entry in due_custody(ledger, self._node.identity.id) if not entry.others_first]
        here = [digest for digest in due if not self._node.honest or not made_up.is_missing(digest)]
        said = tuple(digest for digest in here[: t.HELD_LIMIT] if self._is_time_for(("held", digest)))
        return [t.Held(self._next_id(), said)] if said else []

    def _absences(self, ledger: Ledger) -> list[t.Transaction]:
        """Return the games and files that nobody has; nothing at a Byzantine node, nor without `steering.rules`."""
        me = self._node.identity.id
        if not self._node.honest or not ledger.settings.steering.rules:
            return []
        missing = [
            (candidacy.id, None, candidacy.model.digest)
            for candidacy in ledger.candidates()
            if made_up.is_incomplete(candidacy)
        ]
        contests: list[Contest] = [*ledger.candidates(), *ledger.series()]
        reports = [report_of(contest, slot) for contest in contests for slot in made_up.missing_slots(contest)]
        subjects = missing + [
            (report.candidate, report.slot, report.digest) for report in reports if report is not None
        ]
        said = {entry.subject for entry in ledger.absences() if entry.author == me}
        return [
            t.Missing(self._next_id(), candidate, slot, subject)
            for candidate, slot, subject in subjects
            if subject not in said and self._is_time_for(("missing", subject))
        ]

    def _cheats(self, ledger: Ledger) -> bool:
        """Return whether a Byzantine node delivers something that is not right, of a kind that only rules find."""
        is_liar = not self._node.honest and bool(ledger.settings.steering.rules)
        return is_liar and self._random.random() < _CHEAT

    def _finish(self, ledger: Ledger, claim: Claim) -> t.Transaction:
        """Return the made-up outcome of a claim."""
        number, digest = self._next_id(), hashlib.sha256(f"{self._node.number} {claim.id}".encode()).digest()
        if self._cheats(ledger):
            digest = made_up.make_missing(digest)
        if claim.kind == "selfplay":
            plies = claim.amount * 80
            return t.Games(
                number,
                claim=claim.id,
                configuration=claim.configuration,
                model=claim.model,
                shard=digest,
                size=1000,
                games=claim.amount,
                plies=plies,
                root=bytes(32) if self._cheats(ledger) else digest,
                facts=made_up.make_facts(claim.amount, plies) if ledger.settings.steering.rules else None,
            )
        if claim.kind == "train":
            return self._candidate(ledger, claim, claim.configuration, family=claim.family, weights=digest)
        contest = None if claim.candidate is None else ledger.contest(claim.candidate)
        size = SETTINGS.match.slot_blocks if contest is None else contest.settings.slot_blocks
        first, seats = (claim.slot or 0) * size, players(claim.configuration)
        scores = tuple((block, self._score(seats)) for block in range(first, first + size))
        root = bytes(32) if not self._node.honest and self._random.random() < _CHEAT else digest
        return t.Result(number, claim=claim.id, scores=scores, root=root, blob=digest, size=1000, games=seats * size)

    def _score(self, seats: int) -> int:
        """Return a candidate's score in a block, which has a game for each seat."""
        return sum(seats * (self._random.random() < _WIN) for _ in range(seats))

    def _governance(self, ledger: Ledger) -> list[t.Transaction]:
        """Return ballots, and now and then proposals to change the roster."""
        ballots = self._ballots(ledger, ledger.proposals())
        if self._plan is None:
            return ballots
        changes = [change for change in self._plan.due(ledger) if self._random.random() < _PROPOSE_WANTED]
        if not ledger.proposals() and self._random.random() < _PROPOSE:
            changes.append(self._random_change(ledger.roster))
        decisions = [
            t.Propose(self._next_id(), change, "for a decision")
            for change in self._decisions.proposes(ledger, self._node.identity.id)
        ]
        return ballots + self._proposals(ledger, changes) + decisions

    def _address_votes(self, ledger: Ledger) -> list[t.Transaction]:
        """Return ballots and proposals about the addresses that users want."""
        wanted = [] if self._plan is None else [change for change in self._plan.wanted if change.kind == "address"]
        open_ones = [proposal for proposal in ledger.proposals() if proposal.change in wanted]
        proposed = [proposal.change for proposal in open_ones]
        changes = [change for change in wanted if change not in proposed and self._random.random() < _PROPOSE_WANTED]
        return self._ballots(ledger, open_ones) + self._proposals(ledger, changes)

    def _ballots(self, ledger: Ledger, proposals: Iterable[Proposal]) -> list[t.Transaction]:
        me = self._node.identity.id
        return [
            t.Ballot(self._next_id(), proposal.id, self._approves(proposal.change))
            for proposal in proposals
            if all(ballot.author != me for ballot in proposal.ballots) and self._is_time_for(proposal.id)
        ]

    def _proposals(self, ledger: Ledger, changes: Iterable[Change]) -> list[t.Transaction]:
        """Return proposals of those changes that may be proposed now."""
        me, plan, due = self._node.identity.id, self._plan, list[t.Transaction]()
        if me not in ledger.roster or plan is None:
            return due
        for change in changes:
            number = self._next_id()
            if self._is_time_for(change) and plan.reserve_proposal(change, me, number):
                due.append(t.Propose(number, change, "for a change"))
        return due

    def _approves(self, change: Change | SteeringChange) -> bool:
        if isinstance(change, SteeringChange):
            return self._decisions.approves(change)
        wanted = () if self._plan is None else self._plan.wanted
        return change in wanted or self._random.random() < _APPROVE

    def _random_change(self, roster: Roster) -> Change:
        """Return a change that nobody planned."""
        return Change("weight", self._random.choice(roster.ids), weight=self._random.randint(1, 3))

    def _candidate(
        self, ledger: Ledger, claim: Claim | None, configuration: str, *, family: str, weights: bytes
    ) -> t.Candidate:
        files = {"weights.safetensors": weights}
        incumbent = ledger.configuration(configuration).model.digest
        parent = incumbent if claim is None else claim.model
        shards = () if claim is None else training_shards(ledger, configuration)
        return t.Candidate(
            self._next_id(),
            claim=None if claim is None else claim.id,
            configuration=configuration,
            model=t.model_digest(files, family, parent),
            files=files,
            architecture=family,
            parent=parent,
            incumbent=incumbent,
            shards=tuple(shard.digest for shard in shards),
            losses={},
            measures={},
            state=None if claim is None else (weights, 32),
        )

    def _nonsense(self, ledger: Ledger) -> Sequence[t.Transaction]:
        """Return something that the ledger accepts, rejects or ignores."""
        number = self._next_id()
        profile = t.Profile(
            number,
            roles=("selfplay",),
            device="simulated",
            software=bytes(32),
            rates={"games": number},
            cost=0,
            life=0,
        )
        if ledger.settings.steering.rules:  # who trains goes by rates and costs
            rates = {"train-hex8-2": 1 + number % 9, "selfplay-hex8-2": 40 * (1 + number % 9)}
            profile = replace(profile, roles=_ROLES, rates=rates, cost=number % 3, life=number % 2 * 600)
        return self._random.choice(
            (
                *([],) * 6,
                [profile],
                [t.SelfplayClaim(number, "hex8-2", self._random.randrange(1, 64))],
                [t.SelfplayClaim(number, "unknown", -1)],
                [_Novelty(number, "x" * self._random.randrange(99))],
            )
        )
