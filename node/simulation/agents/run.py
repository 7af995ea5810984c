"""One run: a swarm of agents on one ledger for some hours, from one seed, and what it was measured by."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from consensus.genesis import make_genesis
from consensus.keys import MemberId, SigningKey
from consensus.ledger import Effect
from consensus.ledger.records.cases import report_of
from consensus.ledger.records.changes import concerns
from consensus.ledger.steering.regression import nominee
from consensus.ledger.steering.velocity import learning
from consensus.roster import RosterMember
from consensus.settings import NEW_SWARM, Settings
from node.simulation.agents.custody import CustodyAgents
from node.simulation.agents.forking import ForkingAgent
from node.simulation.agents.invariants import LedgerCheck
from node.simulation.agents.machines import Machine, draw_machines
from node.simulation.agents.measures import Measures
from node.simulation.agents.models import Models, is_wrong_report
from node.simulation.agents.nominating import NominatingAgent
from node.simulation.agents.order import Author, Order
from node.simulation.agents.presence import Presence
from node.simulation.agents.profiles import ProfileAgent
from node.simulation.agents.timeline import Timeline
from node.simulation.agents.voting import VotingAgent
from node.simulation.agents.work import WorkAgent
from node.simulation.agents.world import World

ALL = tuple(f"{board}-{count}" for board in ("hex8", "hexagonal", "square19", "square8") for count in (2, 3, 4))
"""All twelve configurations."""

_EPOCH_EVENTS = 8192  # so that an epoch closes about every hour
_FOUNDERS = 0.75  # of the machines; the others join in the first half
_STALL_LOOK_S = 600.0
_WAKING = frozenset(
    {
        "games",
        "safe",
        "struck",
        "checked",
        "series",
        "beacon",
        "promotion",
        "dropped",
        "expired",
        "release",
        "fault",
        "unproven",
        "epoch",
    }
)
"""The kinds of effects after which there may be work where there was none."""


@dataclass(frozen=True, kw_only=True)
class LedgerReport:
    """What happened in a run. The names of the fields are those of the JSON output (docs/simulator.md)."""

    seed: int
    nodes: int
    hours: float
    utilisation: float
    wasted: float  # the share of it that was spent on claims that ended before the work was done
    floor_violations: int
    regressions_induced: int
    regressions_rolled_back: int
    stalls_induced: int
    stalls_noticed: int
    stalls_short: int  # too short to be noticed
    stall_alarms: int
    false_stall_alarms: int  # those of configurations that were learning
    claims_over_lease: int
    idle_hours: float  # of trainings and slots that liars held
    ledger_bytes_max: int
    promotions: int
    violations: int
    strength: float  # mean over the configurations, of the canonical models at the end
    weakest: float  # the least of them
    candidates: int
    games: int
    faults: int  # results that were proven wrong
    struck: int  # shards that were
    lost: int  # shards that too few members held for too long
    convictions: int  # of members that forked
    nominations: int  # of earlier models
    epochs: int
    members: int  # at the end
    halted_s: float
    transactions: dict[str, int]  # that took effect, by type
    refused: dict[str, int]  # by reason
    trace: str  # of the ledger at the end: the same for the same seed


def ledger_settings(configurations: Sequence[str] = ALL, base: Settings = NEW_SWARM) -> Settings:
    """Return the settings of new swarms for these configurations, with shorter epochs."""
    return replace(base, configurations=tuple(sorted(configurations)), epoch=replace(base.epoch, events=_EPOCH_EVENTS))


def simulate_agents(seed: int, nodes: int, hours: float, settings: Settings) -> LedgerReport:
    """Run a swarm of agents on machines that the seed draws, and return what it was measured by."""
    return simulate_machines(seed, draw_machines(seed, nodes), hours, settings)


def simulate_machines(seed: int, machines: Sequence[Machine], hours: float, settings: Settings) -> LedgerReport:
    """Run a swarm of agents on these machines, and return what it was measured by."""
    return _AgentSwarm(seed, machines, hours * 3600, settings).run()


class _AgentSwarm:
    """The agents of a run, and who has to know of which effect."""

    def __init__(self, seed: int, machines: Sequence[Machine], seconds: float, settings: Settings) -> None:
        self._seconds = seconds
        self._timeline = Timeline()
        keys = [SigningKey(hashlib.sha256(f"key {seed} {machine.number}".encode()).digest()) for machine in machines]
        self._founders = max(1, round(_FOUNDERS * len(machines)))
        genesis = make_genesis("agents", [RosterMember(key.id, 1) for key in keys[: self._founders]], settings)
        order = Order(self._timeline, genesis, seed)
        models = Models(settings.configurations, seed, seconds)
        self._measures = Measures(self._timeline, models, settings.configurations)
        self._measures.leases.ledger = lambda: order.ledger
        self._world = World(seed, self._timeline, order, models, self._measures)
        self._machines = machines
        self._authors = [Author(key, order) for key in keys]
        self._check = LedgerCheck(genesis)
        self._work: dict[MemberId, WorkAgent] = {}
        self._votes: dict[MemberId, VotingAgent] = {}
        self._nominations: dict[MemberId, NominatingAgent] = {}
        self._lives: dict[MemberId, Presence] = {}
        for author, machine in zip(self._authors, machines, strict=True):
            profile = ProfileAgent(self._world, author, machine)
            work = self._work[author.id] = WorkAgent(self._world, author, machine, profile)
            votes = self._votes[author.id] = VotingAgent(self._world, author, machine.number)
            self._nominations[author.id] = NominatingAgent(self._world, author, machine.number)
            self._lives[author.id] = Presence(self._world, author, machine, profile=profile, work=work, votes=votes)
            if not machine.character.is_honest:
                self._measures.usage.ignored.add(author.id)
                self._check.liars.add(author.id)
        pairs = zip(self._authors, machines, strict=True)
        self._custody = CustodyAgents(
            self._world, {author.id: author for author, machine in pairs if not machine.character.holds}
        )
        self._effects: Counter[str] = Counter()
        order.subscribe(self._observe)
        order.subscribe_closes(self._measures.observe_close)
        order.subscribe_closes(lambda snapshot: self._check.check_snapshot(order.ledger, snapshot))

    def run(self) -> LedgerReport:
        """Run for as long as the run is, and return the report."""
        for author in self._authors[: self._founders]:
            self._timeline.at(0.0, self._lives[author.id].begin)
        newcomers = self._authors[self._founders :]
        for place, author in enumerate(newcomers):
            when_s = self._seconds / 2 * (place + 1) / (len(newcomers) + 1)
            self._timeline.at(when_s, partial(self._invite, author))
        self._world.order.begin()
        self._begin_forks()
        if self._world.ledger.settings.steering.rules:
            self._look_for_stalls()
            self._custody.begin()
        self._timeline.run(self._seconds)
        for work in self._work.values():
            work.count_idle()
        self._measures.usage.end(self._seconds)
        return self._report()

    def _begin_forks(self) -> None:
        """Let liars fork, and honest members prove it."""
        pairs = list(zip(self._authors, self._machines, strict=True))
        honest = [author for author, machine in pairs if machine.character.is_honest]
        for author, machine in pairs:
            if machine.character.forks:
                ForkingAgent(self._world, author, honest).begin(self._seconds)

    def _look_for_stalls(self) -> None:
        """Take in, again and again, which configurations the ledger's view of velocity calls stalled."""
        for name in self._world.models.curves:
            found = learning(self._world.ledger, name)
            gained = self._gain_since(name, found.earlier)
            self._measures.progress.observe_learning(found, self._timeline.now_s, gained)
        self._timeline.after(_STALL_LOOK_S, self._look_for_stalls)

    def _gain_since(self, name: str, earlier: bytes) -> float:
        """Return how much stronger the canonical model truly is than an earlier one."""
        models, model = self._world.models, self._world.ledger.configuration(name).model.digest
        return models.strength(name, model) - models.strength(name, earlier)

    def _invite(self, newcomer: Author) -> None:
        """Let the first member that is up propose a newcomer; again later, until it is in."""
        ledger = self._world.ledger
        if newcomer.id in ledger.roster:
            return
        proposer = next(iter(self._world.order.present), None)
        if proposer is not None and not any(concerns(entry.change, newcomer.id) for entry in ledger.proposals()):
            self._lives[proposer].propose(newcomer)
        self._timeline.after(60.0, partial(self._invite, newcomer))

    def _observe(self, effects: tuple[Effect, ...]) -> None:
        """Tell every agent what concerns it."""
        is_waking = False
        for effect in effects:
            kind = effect.kind
            self._effects[kind] += 1
            is_waking = is_waking or kind in _WAKING
            if effect.member is not None and kind in _OWN and effect.member in self._work:
                self._work[effect.member].observe(effect)
            if kind in _FOR_ALL:
                self._observe_news(effect)
        self._check.check_round(self._world.ledger, effects)
        for work in self._work.values():
            if is_waking:
                work.look_again()
            work.observe_round()

    def _observe_news(self, effect: Effect) -> None:
        """Tell all what concerns all."""
        present = [self._votes[member] for member in self._world.order.present]
        kind = effect.kind
        if kind == "epoch":
            for life in self._lives.values() if effect.fields["reason"] == "roster" else ():
                life.observe_epoch()
        elif kind in ("result", "rated"):
            self._observe_result(effect, present)
        elif kind == "candidate":
            self._measures.progress.observe_candidate(effect)
        elif kind == "games":
            self._custody.observe_games(effect)
            for votes in present if effect.member in self._world.ledger.distrusted else ():
                votes.look_at_shards()
        elif kind in ("shard_finding", "struck", "checked"):
            for votes in present if effect.fields.get("opens", True) else ():
                votes.look_at_shards()
        elif kind == "proposal":
            for votes in present:
                votes.look_at_proposals()
        elif kind == "finding":
            for votes in present if effect.fields["opens"] else ():
                votes.look_at_cases()
        else:
            self._observe_match(effect, present)

    def _observe_result(self, effect: Effect, present: Sequence[VotingAgent]) -> None:
        """Let all replay a result that is wrong; a replay of a right one would lead to nothing."""
        name, slot = effect.fields["candidate" if effect.kind == "result" else "series"], effect.fields["slot"]
        assert isinstance(name, bytes)
        assert isinstance(slot, int)
        if effect.kind == "rated":
            self._observe_rating(effect)
        contest = self._world.ledger.contest(name)
        report = None if contest is None else report_of(contest, slot)
        if report is not None and is_wrong_report(report):
            for votes in present:
                votes.look_at_result(name, slot)

    def _observe_rating(self, effect: Effect) -> None:
        """Let all nominate an earlier model, if the canonical one is weaker now."""
        name = effect.fields["configuration"]
        assert isinstance(name, str)
        if nominee(self._world.ledger, name) is not None:
            for member in self._world.order.present:
                self._nominations[member].look_at(name)

    def _observe_match(self, effect: Effect, present: Sequence[VotingAgent]) -> None:
        candidate = effect.fields["candidate"]
        assert isinstance(candidate, bytes)
        if effect.kind == "ripe":
            for votes in present:
                votes.look_at_candidate(candidate)
        if effect.kind == "promotion":
            self._measures.progress.observe_promotion(effect)
            statement = effect.fields["statement"]
            assert isinstance(statement, bytes)
            for votes in present:
                votes.look_at_promotion(statement)

    def _report(self) -> LedgerReport:
        world, measures = self._world, self._measures
        ledger, usage, progress = world.ledger, measures.usage, measures.progress
        strengths = [world.models.strength(entry.name, entry.model.digest) for entry in ledger.configurations()]
        stalls = [turn for curve in world.models.curves.values() for turn in curve.turns if turn.kind == "stall"]
        return LedgerReport(
            seed=world.seed,
            nodes=len(self._machines),
            hours=self._seconds / 3600,
            utilisation=round(usage.granted_s / max(usage.capable_s, 1.0), 4),
            wasted=round(usage.wasted_s / max(usage.granted_s, 1.0), 4),
            floor_violations=measures.floors.violations(self._seconds),
            regressions_induced=len(progress.regressions),
            regressions_rolled_back=len(progress.rolled_back),
            stalls_induced=len(progress.long_stalls),
            stalls_noticed=len(progress.long_stalls & progress.noticed),
            stalls_short=len(stalls) - len(progress.long_stalls),
            stall_alarms=progress.stall_alarms,
            false_stall_alarms=progress.false_stall_alarms,
            claims_over_lease=measures.leases.over,
            idle_hours=round(measures.leases.idle_s / 3600, 2),
            ledger_bytes_max=measures.snapshot_bytes,
            promotions=progress.promotions,
            violations=len(self._check.violations),
            strength=round(sum(strengths) / len(strengths), 1),
            weakest=round(min(strengths), 1),
            candidates=self._effects["candidate"],
            games=sum(entry.games for entry in ledger.configurations()),
            faults=self._effects["fault"],
            struck=self._effects["struck"],
            lost=self._effects["lost"],
            convictions=self._effects["evidence"],
            nominations=progress.nominations,
            epochs=measures.epochs,
            members=len(ledger.roster),
            halted_s=world.order.halted_s,
            transactions=dict(ledger.accepted_counts()),
            refused=dict(ledger.refused_counts()),
            trace=ledger.digest().hex(),
        )


_OWN = frozenset({"claim", "beacon", "slot", "rejected", "release", "expired"})
_FOR_ALL = frozenset(
    {
        "epoch",
        "result",
        "rated",
        "games",
        "candidate",
        "proposal",
        "finding",
        "shard_finding",
        "struck",
        "checked",
        "ripe",
        "promotion",
        "dropped",
    }
)
