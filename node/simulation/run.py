"""One simulated run: a swarm, its users and its faults, from the first event to the last check."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass

import trio
import trio.testing

from node.gossip import Rhythm
from node.member import Member, Pace
from node.simulation.agreement import Agreement, Honesty, Violation, unfinished
from node.simulation.faults import KINDS, Fault, Faults, draw_faults
from node.simulation.malice import Equivocator
from node.simulation.swarm import SimulatedNode, SimulatedSwarm

_RECOVERY = 60.0  # virtual seconds after the last fault in which all has to be in order again
_LOOK_EVERY = 0.5  # virtual seconds
_MORE_ROUNDS = 3  # that all have to decide after the last fault


@dataclass(frozen=True)
class Report:
    """What a run without a violation did."""

    seed: int
    nodes: int
    seconds: float  # virtual
    faults: int
    rounds: int
    events: int  # in the order
    crashes: int
    forks: int  # members that an honest node has seen to fork
    asked: int  # questions between nodes
    recovery: float  # virtual seconds from the last fault until all was in order
    trace: str  # digest of the order and the traffic: the same for the same seed


def simulate(
    seed: int, nodes: int, seconds: float, *, kinds: Sequence[str] = KINDS, malice: bool = True,
    faults: Sequence[Fault] | None = None, make_member: type[Member] = Member,
) -> Report:
    """Runs a swarm with faults for `seconds` of virtual time, then lets it recover. Raises Violation.

    `faults` replaces the schedule that the seed would give. `make_member` makes the honest nodes. With
    `malice` one member equivocates, if the swarm is large enough to bear it (N > 3).
    """
    schedule = draw_faults(seed, nodes, seconds, kinds) if faults is None else list(faults)
    run = _Run(seed, nodes, seconds, schedule, malice, make_member)
    make_deterministic(seed)
    try:
        return trio.run(run.run, clock=trio.testing.MockClock(autojump_threshold=0))
    except BaseExceptionGroup as group:
        violations, others = group.split(Violation)
        if violations is None or others is not None:
            raise
        raise _first(violations) from None


def make_deterministic(seed: int) -> None:
    """Lets trio run tasks in an order that depends on `seed` alone; it has no public switch for it."""
    trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    trio._core._run._r.seed(seed)


def _first(group: BaseExceptionGroup[Violation]) -> Violation:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


class _Run:
    def __init__(
        self, seed: int, nodes: int, seconds: float, faults: Sequence[Fault], malice: bool,
        make_member: type[Member],
    ) -> None:
        self._seed, self._count, self._seconds, self._faults = seed, nodes, seconds, faults
        self._malice = malice and nodes > 3
        self._make_member = make_member
        self._random = random.Random(f"users {seed}")
        self._agreement = Agreement()

    async def run(self) -> Report:
        swarm = SimulatedSwarm(
            self._count, self._seed, pace=Pace(busy=0.4), rhythm=Rhythm(busy=0.2, deadline=5.0),
            watch=self._agreement.watch, dishonest=Equivocator if self._malice else None,
        )
        for node in swarm.honest:
            node.make_member = self._make_member
        async with trio.open_nursery() as nursery:
            await nursery.start(swarm.run)
            nursery.start_soon(self._inspect, Honesty(swarm))
            for node in swarm.nodes:
                nursery.start_soon(self._use, node)
            await Faults(swarm).happen(self._faults)
            await trio.sleep_until(self._seconds)
            recovery = await self._recover(swarm)
            report = self._report(swarm, recovery)
            nursery.cancel_scope.cancel()
        return report

    async def _use(self, node: SimulatedNode) -> None:
        """A user of one node puts transactions forward until the faults are over."""
        number = 0
        while trio.current_time() < self._seconds:
            await trio.sleep(self._random.expovariate(0.5))
            if node.member is not None:
                group = [_transaction(self._random, number), {"type": "more", "id": number + 1}]
                node.member.submit(group)
                number += len(group)

    async def _inspect(self, honesty: Honesty) -> None:
        while True:
            honesty.inspect()
            await trio.sleep(_LOOK_EVERY)

    async def _recover(self, swarm: SimulatedSwarm) -> float:
        healed = trio.current_time()
        wanted = max(self._agreement.rounds, default=0) + _MORE_ROUNDS
        while (reason := unfinished(swarm, wanted)) is not None:
            if trio.current_time() > healed + _RECOVERY:
                raise Violation(f"{_RECOVERY:g} s after the last fault {reason}")
            await trio.sleep(_LOOK_EVERY)
        return trio.current_time() - healed

    def _report(self, swarm: SimulatedSwarm, recovery: float) -> Report:
        trace = hashlib.sha256(repr((
            sorted(self._agreement.rounds.items()), swarm.network.traffic, trio.current_time(),
        )).encode()).hexdigest()
        forks = {
            member for node in swarm.honest if node.member is not None
            for member in node.member.replica.hashgraph.forkers()
        }
        return Report(
            seed=self._seed, nodes=self._count, seconds=trio.current_time(), faults=len(self._faults),
            rounds=len(self._agreement.rounds), events=self._agreement.ordered,
            crashes=sum(node.starts - 1 for node in swarm.nodes), forks=len(forks),
            asked=swarm.network.traffic.asked, recovery=recovery, trace=trace,
        )


def _transaction(chance: random.Random, number: int) -> dict[str, object]:
    """Something that the ledger takes, rejects or ignores."""
    kind = chance.choice(("profile", "claim", "malformed", "unknown"))
    if kind == "profile":
        return {
            "type": "profile", "id": number, "roles": ["selfplay"], "device": "simulated",
            "software": bytes(32), "rates": {"games": chance.randrange(1000)}, "cost": 0, "life": 0,
        }
    if kind == "claim":
        return {
            "type": "claim", "id": number, "kind": "selfplay", "configuration": "hex8-2",
            "amount": chance.randrange(1, 64),
        }
    name = "claim" if kind == "malformed" else "novelty"
    return {"type": name, "id": number, "text": "x" * chance.randrange(99)}
