"""One simulated run: a swarm under faults, from the first event to the last check."""

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from unittest.mock import patch

import trio
import trio.testing

from consensus import preimages
from consensus.keys import MemberId
from consensus.outcome import RoundEffects
from consensus.settings import EpochSettings, Settings
from node.gossip.rhythm import Rhythm
from node.member.member import Member
from node.member.timing import CreationTiming
from node.simulation.byzantine import ATTACKS
from node.simulation.churn import Churn
from node.simulation.faults import Faults
from node.simulation.invariants import (
    AgreementCheck,
    HonestMembersCheck,
    PromotionsCheck,
    SettingsCheck,
    Violation,
    check_certificates,
    check_promise,
    unfinished,
)
from node.simulation.machine import SimulatedNode
from node.simulation.roster_plan import RosterPlan
from node.simulation.schedule import Schedule
from node.simulation.swarm import SimulatedSwarm
from node.simulation.workload import SETTINGS, STEERED, Workload
from node.system.exception_groups import leaves

RECOVERY_S = 60.0
"""Virtual seconds after the last fault within which all honest nodes go on and have ordered what waited.

This holds for up to ten nodes. Larger swarms make fewer events, and get proportionally longer.
"""

RECOVERY_ROUNDS = 20
"""Rounds after the highest one that any event had when the last fault healed, within which the same holds."""

HEALING_S = 60.0
"""Virtual seconds after that within which members agree on where machines moved; more in larger swarms."""

IDLE_S = 120.0
"""Virtual seconds within which a swarm for which nobody waits decides `_IDLE_ROUNDS`; more in larger swarms."""

_IDLE_ROUNDS = 3  # that all have to decide while nobody waits for them; fewer in large swarms, which take longer
_MORE_ROUNDS = 3  # that all have to decide after the last fault
_LOOK_S = 0.5  # virtual, from one inspection to the next
_MAX_ROUNDS = 4096  # of a run
_OPERATED_SHARE = 0.5  # of the steered runs have an operator
_AHEAD = 8  # `epoch.ahead`, where a schedule has new rules
_LARGE = 10  # nodes; each node of a larger swarm makes fewer events, so that all together do not make more


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """What happened in a run without a violation. The names of the fields are those of the JSON output."""

    seed: int
    nodes: int
    seconds: float  # virtual
    faults: int
    liars: int
    rounds: int
    events: int  # in the order
    attached: int  # events, all nodes together
    crashes: int
    stops: int  # of nodes that stopped by themselves, as their disk failed
    epochs: int
    forks: int  # members that an honest node has seen to fork
    refused: int  # events that broke a rule, all honest nodes together
    promotions: int
    certified: int
    verified: int  # certificates of one node, checked as `ringrift-node verify` does
    settings: int  # decisions on settings and configurations
    changes: dict[str, int]  # of the roster, in force, by kind
    offsets: dict[int, int]  # the same by the tenth of an epoch after which they closed it
    effects: dict[str, int]  # of the ledger, of some kinds: proofs of forks and of wrong results, votes ...
    jumps: int  # of nodes to a later epoch, by state sync
    bent: int  # ledgers of honest nodes that a fault changed in memory
    cured: int  # of them, otherwise than by a restart alone
    asked: int  # requests between nodes
    recovery: float  # virtual seconds from the last fault until all was in order
    recovery_rounds: int  # from the highest round of any event then to the last decided one at the end
    healing: float  # virtual seconds from then until the addresses of all machines that moved were agreed on
    idle: float  # virtual seconds for the last rounds, for which nobody waited
    trace: str  # digest of the order and the traffic: the same for the same schedule


def simulate(schedule: Schedule, *, make_member: Callable[..., Member] = Member) -> RunReport:
    """Run a swarm with faults for as long as the schedule says, then let it recover. Raise Violation.

    `make_member` makes the honest nodes' members. An error that escapes from a node is a violation, too.
    """
    make_deterministic(schedule.seed)
    with short_preimage_chains():
        return _run_checked(_Run(schedule, make_member))


def _run_checked(run: "_Run") -> RunReport:
    try:
        return trio.run(run.run, clock=trio.testing.MockClock(autojump_threshold=0))
    except BaseExceptionGroup as group:
        if isinstance(first := _first_error(group), Violation):
            raise first from None
        if not isinstance(first, Exception):
            raise
        violation = Violation("error", f"{type(first).__name__} in a node: {first}")
        violation.at = run.inspected_at
        raise violation from first


@contextmanager
def short_preimage_chains() -> Iterator[None]:
    """Shorten preimage chains to the rounds that a run can have: one of full length takes 50 ms a member."""
    preimages._checkpoints.cache_clear()
    with patch.object(preimages, "LENGTH", _MAX_ROUNDS):
        yield
    preimages._checkpoints.cache_clear()


def make_deterministic(seed: int) -> None:
    """Make trio run tasks in an order that depends on `seed` alone. Trio has no public switch for that."""
    trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    trio._core._run._r.seed(seed)


def _first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error in the group that is not a Violation, else the first Violation."""
    errors = list(leaves(group))
    return next((error for error in errors if not isinstance(error, Violation)), errors[0])


def _slowness(nodes: int) -> float:
    """Return by what factor a node of a large swarm waits longer between events and requests."""
    return max(1.0, nodes / _LARGE)


def _settings(schedule: Schedule) -> Settings:
    settings = STEERED if schedule.steered else SETTINGS
    return replace(
        settings,
        timing=replace(settings.timing, by_weight=int(schedule.new_rules)),
        epoch=EpochSettings(schedule.epoch_events, ahead=_AHEAD if schedule.new_rules else 0),
    )


def _operators(schedule: Schedule) -> list[int]:
    """Draw at most one honest founder whose word alone pauses work."""
    chance = random.Random(f"operators {schedule.seed}")
    honest = sorted(set(range(schedule.nodes)) - {liar.node for liar in schedule.liars})
    return [chance.choice(honest)] if schedule.steered and chance.random() < _OPERATED_SHARE else []


class _Run:
    def __init__(self, schedule: Schedule, make_member: Callable[..., Member]) -> None:
        self._schedule = schedule
        self._swarm = swarm = self._make_swarm(make_member)
        byzantine = {node.identity.id for node in swarm.nodes if not node.honest}
        self._plan = RosterPlan(swarm.genesis.roster, byzantine, schedule.epoch_events, self._corrupted)
        self._churn = Churn(swarm, self._plan, schedule.seed)
        self._faults = Faults(swarm, self._churn, schedule.seed, schedule.hidden)
        self._agreement = AgreementCheck(swarm.honest_ids)
        self._promotions = PromotionsCheck()
        self._settings = SettingsCheck()
        self._honest_members = HonestMembersCheck(swarm)
        self._forkers: set[MemberId] = set()  # that an honest node has seen
        self.inspected_at = 0.0

    def _make_swarm(self, make_member: Callable[..., Member]) -> SimulatedSwarm:
        schedule = self._schedule
        slowness = _slowness(schedule.nodes)
        return SimulatedSwarm(
            schedule.nodes,
            schedule.seed,
            timing=CreationTiming(busy_s=0.4 * slowness, prompt_s=0.05 * slowness),
            rhythm=Rhythm(busy_s=0.2 * slowness, timeout_s=5.0),
            observe=self._observe,
            attacks={
                liar.node: [ATTACKS[kind](f"{schedule.seed} {liar.node}") for kind in liar.kinds]
                for liar in schedule.liars
            },
            make_member=make_member,
            anchors=True,
            settings=_settings(schedule),
            weights=schedule.weights,
            newcomers=sum(fault.kind == "join" for fault in schedule.faults),
            operators=_operators(schedule),
        )

    async def run(self) -> RunReport:
        """Run the whole schedule. Raise Violation."""
        swarm, schedule = self._swarm, self._schedule
        async with trio.open_nursery() as nursery:
            await nursery.start(swarm.run)
            nursery.start_soon(self._inspect)
            users = [Workload(node, schedule.seed, self._plan) for node in swarm.nodes]
            for user in users:
                nursery.start_soon(user.run, schedule.seconds)
            await self._faults.cause(schedule.faults)
            await trio.sleep_until(schedule.seconds)
            recovery_s, recovery_rounds = await self._recover()
            healing_s = await self._heal(users)
            idle_s = await self._idle()
            report = self._report(recovery_s, recovery_rounds, healing_s, idle_s)
            nursery.cancel_scope.cancel()
        return report

    def _corrupted(self) -> list[MemberId]:
        return [node.identity.id for node in self._swarm.nodes if node.is_corrupted]

    def _observe(self, node: SimulatedNode, decided: RoundEffects) -> None:
        self._agreement.observe(node, decided)
        if node.honest and not node.is_corrupted:
            self._plan.observe(decided)
            self._settings.observe(decided)
            check_promise(self._plan)

    async def _inspect(self) -> None:
        while True:
            self.inspected_at = trio.current_time()
            await self._faults.follow_up()
            self._honest_members.inspect()
            check_promise(self._plan)
            for node in self._swarm.honest:
                if node.member is not None and not node.is_corrupted:
                    replica = node.member.replica
                    self._forkers |= {replica.dag.members[index] for index in replica.hashgraph.forkers()}
                    self._settings.inspect(node, replica.ledger)
                    self._promotions.inspect(node, node.member.replica.ledger, node.member.status().round)
            await trio.sleep(_LOOK_S)

    async def _recover(self) -> tuple[float, int]:
        """Wait until all is in order; return the seconds and rounds that took. Raise Violation."""
        healed, begun = trio.current_time(), self._highest_round()
        limit_s = RECOVERY_S * _slowness(self._schedule.nodes)
        wanted = max(self._agreement.rounds, default=0) + _MORE_ROUNDS
        while (reason := unfinished(self._swarm, wanted)) is not None:
            rounds = max(self._agreement.rounds, default=0) - begun
            if trio.current_time() > healed + limit_s:
                raise Violation("progress", f"{limit_s:g} s after the last fault {reason}")
            if rounds > RECOVERY_ROUNDS:
                raise Violation("progress", f"{rounds} rounds after the last fault {reason}")
            await trio.sleep(_LOOK_S)
        return trio.current_time() - healed, max(self._agreement.rounds) - begun

    async def _heal(self, users: Sequence[Workload]) -> float:
        """Let people vote for the addresses of machines that moved; return the seconds that took. Raise Violation."""
        begun = trio.current_time()
        limit_s = HEALING_S * _slowness(self._schedule.nodes)
        async with trio.open_nursery() as nursery:
            for user in users:
                nursery.start_soon(user.vote_for_addresses)
            while moved := self._churn.moved():
                if trio.current_time() > begun + limit_s:
                    text = f"{limit_s:g} s after the swarm had recovered node {moved[0].number} is not where agreed"
                    raise Violation("healing", text)
                await trio.sleep(_LOOK_S)
            nursery.cancel_scope.cancel()
        return trio.current_time() - begun

    async def _idle(self) -> float:
        """Wait for rounds for which nobody waits; return the seconds that took. Raise Violation.

        In half of the runs the liars are switched off, so that each honest member may be needed.
        """
        for node in self._swarm.nodes if random.Random(f"silent {self._schedule.seed}").random() < 0.5 else ():
            if not node.honest and node.running:
                self._swarm.crash(node)
        begun, slowness = trio.current_time(), _slowness(self._schedule.nodes)
        wanted = max(self._agreement.rounds) + max(1, round(_IDLE_ROUNDS / slowness))
        while (reason := unfinished(self._swarm, wanted)) is not None:
            if trio.current_time() > begun + IDLE_S * slowness:
                raise Violation("idle", f"{IDLE_S * slowness:g} s after the swarm has come to rest {reason}")
            await trio.sleep(_LOOK_S)
        return trio.current_time() - begun

    def _highest_round(self) -> int:
        """Return the highest round that any event has; of nodes that are down, the highest that they have decided."""
        replicas = [node.member.replica for node in self._swarm.honest if node.member is not None]
        known = (
            replica.opening.round + max(map(replica.hashgraph.round_of, range(len(replica.dag))), default=0)
            for replica in replicas
        )
        return max(*known, *self._agreement.rounds, 0, 0)

    def _report(self, recovery_s: float, recovery_rounds: int, healing_s: float, idle_s: float) -> RunReport:
        swarm, schedule = self._swarm, self._schedule
        honest = [node.member.replica for node in swarm.honest if node.member is not None]
        return RunReport(
            seed=schedule.seed,
            nodes=schedule.nodes,
            seconds=trio.current_time(),
            faults=len(schedule.faults),
            liars=len(schedule.liars),
            rounds=len(self._agreement.rounds),
            events=self._agreement.ordered,
            attached=self._honest_members.attached,
            crashes=sum(max(0, node.starts - 1 - len(node.stops)) for node in swarm.nodes),
            stops=sum(len(node.stops) for node in swarm.nodes),
            epochs=1 + max((replica.epoch_number for replica in honest), default=0),
            forks=len(self._forkers),
            refused=sum(replica.refused.total() for replica in honest),
            promotions=len(self._promotions.promoted),
            certified=len(self._promotions.certified),
            verified=check_certificates(max(honest, key=lambda replica: replica.ledger.round).ledger),
            settings=self._settings.version,
            changes=dict(sorted(self._plan.changed.items())),
            offsets=dict(sorted(self._plan.offsets.items())),
            effects=dict(sorted(self._plan.effects.items())),
            jumps=sum(node.jumps for node in swarm.nodes),
            bent=self._churn.corrupted,
            cured=self._agreement.cured,
            asked=swarm.network.traffic.asked,
            recovery=recovery_s,
            recovery_rounds=recovery_rounds,
            healing=healing_s,
            idle=idle_s,
            trace=self._trace_digest(),
        )

    def _trace_digest(self) -> str:
        trace = (self._agreement.trace(), self._swarm.network.traffic, trio.current_time())
        return hashlib.sha256(repr(trace).encode()).hexdigest()
