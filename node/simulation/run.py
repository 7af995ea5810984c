"""One simulated run: a swarm, its users, liars and faults, from the first event to the last check."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from unittest.mock import patch

import trio
import trio.testing

from consensus import preimages
from consensus.keys import MemberId
from consensus.outcome import RoundEffects
from consensus.settings import EpochSettings
from node.gossip.rhythm import Rhythm
from node.member.member import Member, Pace
from node.simulation import byzantine
from node.simulation.agenda import Agenda
from node.simulation.churn import Churn
from node.simulation.faults import Faults
from node.simulation.invariants import History, Honesty, Invariants, Violation, unfinished
from node.simulation.schedule import Schedule
from node.simulation.swarm import SimulatedNode, SimulatedSwarm
from node.simulation.users import SETTINGS, User

RECOVERY_S = 60.0
"""Virtual seconds after the last fault within which all honest nodes go on and have ordered what waited.

Of up to ten nodes; of more, which are as much slower, as much longer.
"""

RECOVERY_ROUNDS = 20
"""Rounds, beyond the highest that any event had when the last fault healed, in which the same is so."""

_MORE_ROUNDS = 3  # that all have to decide after the last fault
_LOOK_EVERY = 0.5  # virtual seconds
_ROUNDS_AT_MOST = 4096  # of a run
_LARGE = 10  # nodes; a larger swarm makes fewer events a node, so that it does not make more of them together


@dataclass(frozen=True)
class Report:
    """What a run without a violation did."""

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
    changes: dict[str, int]  # of the roster, in force, by kind
    offsets: dict[int, int]  # the same by the tenth of an epoch after which they closed it
    effects: dict[str, int]  # of the ledger, of some kinds: proofs of forks and of wrong results, votes ...
    jumps: int  # by which nodes came to a later epoch, by state sync
    bent: int  # ledgers of honest nodes that were changed in memory
    cured: int  # of them, without a restart
    asked: int  # questions between nodes
    recovery: float  # virtual seconds from the last fault until all was in order
    recovery_rounds: int  # from the highest round of any event then to the last decided one at the end
    trace: str  # digest of the order and the traffic: the same for the same schedule


def simulate(schedule: Schedule, *, make_member: Callable[..., Member] = Member) -> Report:
    """Runs a swarm with faults for as long as the schedule says, then lets it recover. Raises Violation.

    `make_member` makes the honest nodes' members. That something in a node raises an error is a violation, too.
    """
    make_deterministic(schedule.seed)
    with _short_chains():
        run = _Run(schedule, make_member)
        return _checked(run)


def _checked(run: "_Run") -> Report:
    try:
        return trio.run(run.run, clock=trio.testing.MockClock(autojump_threshold=0))
    except BaseExceptionGroup as group:
        if isinstance(first := _first(group), Violation):
            raise first from None
        if not isinstance(first, Exception):
            raise
        violation = Violation("error", f"{type(first).__name__} in a node: {first}")
        violation.at = run.last_look
        raise violation from first


@contextmanager
def _short_chains() -> Iterator[None]:
    """Chains of preimages for as many rounds as a short run can have: a whole one takes 50 ms a member."""
    preimages._checkpoints.cache_clear()
    with patch.object(preimages, "LENGTH", _ROUNDS_AT_MOST):
        yield
    preimages._checkpoints.cache_clear()


def make_deterministic(seed: int) -> None:
    """Lets trio run tasks in an order that depends on `seed` alone; it has no public switch for it."""
    trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    trio._core._run._r.seed(seed)


def _first(error: BaseException) -> BaseException:
    """An error that is no group; one that is no Violation if there is such."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    firsts = [_first(inner) for inner in error.exceptions]
    return next((first for first in firsts if not isinstance(first, Violation)), firsts[0])


def _slowness(nodes: int) -> float:
    """By how much longer a node of a large swarm waits between events and questions."""
    return max(1.0, nodes / _LARGE)


class _Run:
    def __init__(self, schedule: Schedule, make_member: Callable[..., Member]) -> None:
        self._schedule = schedule
        self._history = History()
        slower = _slowness(schedule.nodes)
        self._swarm = SimulatedSwarm(
            schedule.nodes,
            schedule.seed,
            pace=Pace(busy=0.4 * slower),
            rhythm=Rhythm(busy_s=0.2 * slower, timeout_s=5.0),
            watch=self._watch,
            liars={
                liar.node: [byzantine.KINDS[kind](f"{schedule.seed} {liar.node}") for kind in liar.kinds]
                for liar in schedule.liars
            },
            make_member=make_member,
            anchors=True,
            settings=replace(SETTINGS, epoch=EpochSettings(schedule.epoch_events)),
            weights=schedule.weights,
            newcomers=sum(fault.kind == "join" for fault in schedule.faults),
        )
        liars = {node.identity.id for node in self._swarm.nodes if not node.honest}
        self._agenda = Agenda(self._swarm.genesis.roster, liars, schedule.epoch_events)
        self._churn = Churn(self._swarm, self._agenda, schedule.seed)
        self._faults = Faults(self._swarm, self._churn, schedule.seed)
        self._agreement = Invariants(self._swarm.honest_ids)
        self._honesty = Honesty(self._swarm)
        self._forkers: set[MemberId] = set()  # that an honest node has seen
        self.last_look = 0.0

    async def run(self) -> Report:
        swarm, schedule = self._swarm, self._schedule
        async with trio.open_nursery() as nursery:
            await nursery.start(swarm.run)
            nursery.start_soon(self._inspect)
            for node in swarm.nodes:
                nursery.start_soon(User(node, schedule.seed, self._agenda).run, schedule.seconds)
            await self._faults.happen(schedule.faults)
            await trio.sleep_until(schedule.seconds)
            recovery = await self._recover()
            report = self._report(*recovery)
            nursery.cancel_scope.cancel()
        return report

    def _watch(self, node: SimulatedNode, decided: RoundEffects) -> None:
        self._agreement.watch(node, decided)
        if node.honest and node.bent is None:
            self._agenda.watch(decided)

    async def _inspect(self) -> None:
        while True:
            self.last_look = trio.current_time()
            await self._faults.follow()
            self._honesty.inspect()
            for node in self._swarm.honest:
                if node.member is not None and node.bent is None:
                    replica = node.member.replica
                    self._forkers |= {replica.dag.members[index] for index in replica.hashgraph.forkers()}
                    self._history.inspect(node, node.member.replica.ledger, node.member.status().round)
            await trio.sleep(_LOOK_EVERY)

    async def _recover(self) -> tuple[float, int]:
        """Seconds and rounds until all is in order."""
        healed, begun = trio.current_time(), self._highest_round()
        limit = RECOVERY_S * _slowness(self._schedule.nodes)
        wanted = max(self._agreement.rounds, default=0) + _MORE_ROUNDS
        while (reason := unfinished(self._swarm, wanted)) is not None:
            rounds = max(self._agreement.rounds, default=0) - begun
            if trio.current_time() > healed + limit:
                raise Violation("progress", f"{limit:g} s after the last fault {reason}")
            if rounds > RECOVERY_ROUNDS:
                raise Violation("progress", f"{rounds} rounds after the last fault {reason}")
            await trio.sleep(_LOOK_EVERY)
        return trio.current_time() - healed, max(self._agreement.rounds) - begun

    def _highest_round(self) -> int:
        replicas = [node.member.replica for node in self._swarm.honest if node.member is not None]
        return max(
            (
                replica.opening.round + max(map(replica.hashgraph.round_of, range(len(replica.dag))), default=0)
                for replica in replicas
            ),
            default=0,
        )

    def _report(self, recovery: float, recovery_rounds: int) -> Report:
        swarm, schedule = self._swarm, self._schedule
        trace = hashlib.sha256(
            repr(
                (
                    self._agreement.trace(),
                    swarm.network.traffic,
                    trio.current_time(),
                )
            ).encode()
        ).hexdigest()
        honest = [node.member.replica for node in swarm.honest if node.member is not None]
        return Report(
            seed=schedule.seed,
            nodes=schedule.nodes,
            seconds=trio.current_time(),
            faults=len(schedule.faults),
            liars=len(schedule.liars),
            rounds=len(self._agreement.rounds),
            events=self._agreement.ordered,
            attached=self._honesty.attached,
            crashes=sum(max(0, node.starts - 1 - len(node.stops)) for node in swarm.nodes),
            stops=sum(len(node.stops) for node in swarm.nodes),
            epochs=1 + max((replica.number for replica in honest), default=0),
            forks=len(self._forkers),
            refused=sum(replica.refused.total() for replica in honest),
            promotions=len(self._history.promoted),
            certified=len(self._history.certified),
            changes=dict(sorted(self._agenda.changed.items())),
            offsets=dict(sorted(self._agenda.offsets.items())),
            effects=dict(sorted(self._agenda.effects.items())),
            jumps=sum(node.jumps for node in swarm.nodes),
            bent=self._churn.bent,
            cured=self._agreement.cured,
            asked=swarm.network.traffic.asked,
            recovery=recovery,
            recovery_rounds=recovery_rounds,
            trace=trace,
        )
