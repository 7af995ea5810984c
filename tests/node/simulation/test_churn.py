"""Members that join, leave, move and get other keys while others fail and lie."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import trio
import trio.testing

from consensus.event import Event
from consensus.ledger.records.changes import Change
from consensus.outcome import RoundEffects
from consensus.settings import EpochSettings
from node.config.identity import Identity
from node.gossip.rhythm import Rhythm
from node.member.creation import Plan
from node.member.timing import CreationTiming
from node.simulation.byzantine.attack import Attack, ByzantineMember
from node.simulation.churn import Churn
from node.simulation.invariants import AgreementCheck
from node.simulation.roster_plan import RosterPlan
from node.simulation.run import make_deterministic, simulate
from node.simulation.schedule import Fault, Schedule
from node.simulation.swarm import SimulatedNode, SimulatedSwarm
from node.simulation.workload import SETTINGS, Workload

Scenario = Callable[[SimulatedSwarm, RosterPlan], Awaitable[None]]


def in_virtual_time(scenario: Scenario, seed: int = 1, **options: Any) -> None:
    """Run the scenario in a swarm of four founders, each with a workload."""
    make_deterministic(seed)

    async def main() -> None:
        swarm = SimulatedSwarm(
            4,
            seed,
            timing=CreationTiming(busy_s=0.4, prompt_s=0.4),
            rhythm=Rhythm(busy_s=0.2, timeout_s=5.0),
            observe=lambda node, decided: observe(node, decided),
            **options,
        )
        agreement = AgreementCheck()

        def observe(node: SimulatedNode, decided: RoundEffects) -> None:
            agreement.observe(node, decided)
            plan.observe(decided)

        plan = RosterPlan(swarm.genesis.roster, (), 1000)
        async with trio.open_nursery() as nursery:
            await nursery.start(swarm.run)
            for node in swarm.nodes:
                nursery.start_soon(Workload(node, seed, plan).run, 10**6)
            await scenario(swarm, plan)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


async def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    with trio.fail_after(seconds):
        while not condition():
            await trio.sleep(0.2)


def epoch_of(swarm: SimulatedSwarm, number: int) -> int:
    member = swarm.nodes[number].member
    return -1 if member is None else member.replica.epoch_number


@pytest.mark.parametrize("seed", range(3))
def test_a_member_that_nobody_can_reach_takes_the_others_over_a_close(seed: int) -> None:
    """Let it close first now and then, with events that the others lack, so that it has to bring them."""

    async def scenario(swarm: SimulatedSwarm, plan: RosterPlan) -> None:
        swarm.crash(swarm.nodes[3])  # so that the one that moved is needed
        swarm.move(swarm.nodes[0], "elsewhere:1")
        await until(lambda: min(epoch_of(swarm, number) for number in range(3)) >= 6)

    in_virtual_time(scenario, seed=seed, settings=replace(SETTINGS, epoch=EpochSettings(events=12)))


def test_a_machine_keeps_its_old_key_until_that_has_sealed_the_change() -> None:
    """Let one of four be off: three of the old keys are needed, and if one were gone, no epoch would close any more."""

    async def scenario(swarm: SimulatedSwarm, plan: RosterPlan) -> None:
        churn, node = Churn(swarm, plan, 1), swarm.nodes[0]
        swarm.crash(swarm.nodes[3])
        old = node.identity.id
        await churn.begin(Fault("rekey", 0.0, 1.0, (0,), 0.2))
        while node.identity.id == old:
            replicas = [other.member.replica for other in swarm.nodes[1:3] if other.member is not None]
            has_sealed = any(replica.epoch_number == 1 and replica.newest(old) is not None for replica in replicas)
            await churn.follow_up()
            assert node.identity.id == old or (has_sealed and node.identity.id in plan.roster)
            await trio.sleep(0.2)
        await until(lambda: old not in plan.roster)  # so another epoch closed: the change is sealed
        number = epoch_of(swarm, 1)
        plan.want(Change("weight", swarm.nodes[1].identity.id, weight=2))
        await until(lambda: epoch_of(swarm, 1) > number)

    in_virtual_time(scenario)


def test_a_key_that_cannot_seal_its_successor_runs_beside_it() -> None:
    """Let one of four be off and the old key listen again: it lacks the weight of the new one, and that its seal.

    Seed 66 of seven nodes with 30 s of faults stood still so, while people waited for the old key's seal.
    """

    async def scenario(swarm: SimulatedSwarm, plan: RosterPlan) -> None:
        churn, node = Churn(swarm, plan, 1), swarm.nodes[0]
        swarm.crash(swarm.nodes[3])
        old = node.identity.id
        await churn.begin(Fault("rekey", 0.0, 1.0, (0,), 0.2))
        await until(lambda: old not in plan.roster or plan.roster.weights[old] == 0)
        swarm.crash(node)
        await swarm.start(node)
        with trio.fail_after(60):
            while node.identity.id == old:
                await churn.follow_up()
                await trio.sleep(0.2)
            assert [other.identity.id for other in swarm.nodes[4:]] == [old]
            number = epoch_of(swarm, 1)
            plan.want(Change("weight", swarm.nodes[1].identity.id, weight=2))
            while epoch_of(swarm, 1) == number:
                await churn.follow_up()
                await trio.sleep(0.2)
            assert len(swarm.nodes) == 4

    in_virtual_time(scenario)


class SealsNothing(Attack):
    """Takes part in an epoch without sealing the record that opened it."""

    kind = "seals-nothing"

    def sign(self, member: ByzantineMember, plan: Plan) -> Sequence[Event] | None:
        return [member.next_event(plan)] if member.newest() is None else None


def test_a_newcomer_whose_seal_is_needed_goes_on_from_the_epoch_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one of four never seal: three of five are too few, so the record that admits the fifth needs its seal."""
    monkeypatch.setattr("node.simulation.byzantine.attack._ATTACK_SHARE", 1.0)

    async def scenario(swarm: SimulatedSwarm, plan: RosterPlan) -> None:
        newcomer = swarm.nodes[4]
        await until(lambda: epoch_of(swarm, 0) >= 2)
        await swarm.install(newcomer, None)
        plan.want(Change("join", newcomer.identity.id, weight=1, address=newcomer.address))
        await until(lambda: newcomer.member is not None and newcomer.identity.id in newcomer.member.replica.roster)
        member = newcomer.member
        assert member is not None
        await until(lambda: member.replica.ledger.sealed is not None)
        epoch = epoch_of(swarm, 4)
        await until(lambda: epoch_of(swarm, 4) > epoch)

    in_virtual_time(
        scenario,
        newcomers=1,
        attacks={3: [SealsNothing(1)]},
        settings=replace(SETTINGS, epoch=EpochSettings(events=60)),
    )


def test_a_machine_that_is_off_starts_with_the_key_that_it_gets_meanwhile() -> None:
    async def scenario(swarm: SimulatedSwarm, plan: RosterPlan) -> None:
        node = swarm.nodes[0]
        swarm.crash(node)
        await trio.sleep(1)
        await swarm.take_over(node, Identity(bytes(32)))
        with trio.fail_after(5):
            await swarm.start(node)
        assert node.member is not None
        assert node.member.id == node.identity.id

    in_virtual_time(scenario)


CHANGES = [  # what happens, and what of it has come about in the end
    (Fault("join", 1.0, 2.0, (0,), 0.2), lambda report: report.changes == {"join": 1} and report.jumps <= 1),
    (Fault("join", 1.0, 2.0, (0,), 0.901), lambda report: report.changes == {"join": 1}),
    (Fault("leave", 1.0, 2.0, (1,), 0.2), lambda report: report.changes == {"leave": 1}),
    (Fault("leave", 1.0, 6.0, (1,), 0.9), lambda report: report.changes == {"join": 1, "leave": 1}),
    (Fault("rekey", 1.0, 2.0, (1,), 0.2), lambda report: report.changes == {"key": 1}),
    (Fault("move", 1.0, 2.0, (1,), 0.2), lambda report: report.changes == {"address": 1}),
    (Fault("bend", 4.0, 2.0, (1,), 0.2), lambda report: report.bent == report.cured == 1),
]


@pytest.mark.parametrize(("fault", "came_about"), CHANGES, ids=lambda value: getattr(value, "kind", None))
def test_what_is_on_the_schedule_comes_about(
    fault: Fault, came_about: Callable[[Any], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.simulation.workload._PROPOSE", 0.0)
    report = simulate(Schedule(seed=2, nodes=5, seconds=15.0, faults=(fault,)))
    assert came_about(report), report
