"""What the simulator keeps to: faults heal, and less than a third of the weight is faulty at every moment."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest
import trio
import trio.testing

from consensus.ledger.records.changes import Change
from consensus.roster import Roster, RosterMember
from consensus.settings import EpochSettings
from node.gossip.rhythm import Rhythm
from node.member.timing import CreationTiming
from node.simulation.invariants import Violation
from node.simulation.roster_plan import RosterPlan
from node.simulation.run import _Run, make_deterministic, simulate
from node.simulation.schedule import (
    LONGEST_S,
    SHORTEST_S,
    Fault,
    Liar,
    Schedule,
    ScheduleError,
    decode_schedule,
    draw_schedule,
)
from node.simulation.swarm import SimulatedSwarm
from node.simulation.workload import SETTINGS, Workload
from node.store.memory import first_round

SILENT = Liar(3, ("mute",))


def ids(count: int) -> list[bytes]:
    return [bytes([number + 2]) * 32 for number in range(count)]


def plan_of(*weights: int, byzantine: int, corrupted: list[bytes]) -> RosterPlan:
    """Return a plan for members of these weights, of whom the last ones are Byzantine."""
    members = tuple(RosterMember(member, weight) for member, weight in zip(ids(len(weights)), weights, strict=True))
    liars = ids(len(weights))[len(weights) - byzantine :]
    return RosterPlan(Roster(members), liars, 1000, lambda: corrupted)


# Faulty members.


@pytest.mark.parametrize(("nodes", "liars", "bent"), [(4, 0, 1), (4, 1, 0), (6, 1, 0), (7, 1, 1), (7, 2, 0)])
def test_liars_and_changed_ledgers_together_stay_below_a_third(nodes: int, liars: int, bent: int) -> None:
    plan = plan_of(*[1] * nodes, byzantine=liars, corrupted=[])
    assert plan.may_corrupt(ids(1)[0]) == bool(bent)


def test_a_changed_ledger_counts_for_what_is_proposed_and_the_other_way_round() -> None:
    corrupted: list[bytes] = []
    plan = plan_of(*[1] * 7, byzantine=1, corrupted=corrupted)
    first, second, third, *_ = ids(7)
    assert plan.reserve_proposal(Change("leave", third), second, 1)
    assert not plan.may_corrupt(first)  # it would have a third of the rest, with the liar

    plan = plan_of(*[1] * 7, byzantine=1, corrupted=corrupted)
    assert plan.may_corrupt(first)
    corrupted.append(first)
    assert plan.faulty_weight() == 2
    assert not plan.may_corrupt(second)
    assert not plan.reserve_proposal(Change("leave", third), second, 1)


def test_a_new_key_is_as_faulty_as_the_one_before() -> None:
    plan = plan_of(*[1] * 4, byzantine=1, corrupted=[])
    *_, liar = ids(4)
    plan.want(Change("key", liar, key=b"k" * 32, address="m3:7000"))
    plan._roster = Change("key", liar, key=b"k" * 32).applied(plan.roster)
    assert plan.faulty_weight() == 1


def test_a_run_that_steps_outside_what_is_promised_says_so() -> None:
    with pytest.raises(Violation, match="liars and changed ledgers have 2 of the weight 4") as caught:
        simulate(Schedule(seed=1, nodes=4, seconds=2.0, liars=(Liar(2, ("mute",)), SILENT)))
    assert caught.value.kind == "outside"


def test_a_restart_forgets_a_changed_ledger_only_if_the_disk_has_the_right_one() -> None:
    make_deterministic(1)

    async def main() -> None:
        swarm = SimulatedSwarm(
            4,
            1,
            timing=CreationTiming(),
            rhythm=Rhythm(),
            observe=lambda _node, _decided: None,
            settings=replace(SETTINGS, epoch=EpochSettings(events=20)),
        )
        node = swarm.nodes[0]
        async with trio.open_nursery() as nursery:
            await nursery.start(swarm.run)
            for one in swarm.nodes:
                nursery.start_soon(Workload(one, 1).run, 10**6)
            while node.disk.epoch < 2:
                await trio.sleep(0.1)
            opened = first_round(node.disk)
            assert opened > 0
            node.corrupted_round = opened  # in this epoch, so in memory alone
            swarm.crash(node)
            await swarm.start(node)
            assert not node.is_corrupted
            node.corrupted_round = opened - 1  # before it: the record on the disk follows from the wrong ledger
            swarm.crash(node)
            await swarm.start(node)
            assert node.is_corrupted
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


# Healing.


def test_people_vote_for_the_address_of_a_machine_that_moved_until_it_is_agreed_on() -> None:
    report = simulate(Schedule(seed=1, nodes=4, seconds=1.5, faults=(Fault("move", 1.2, 0.2, (1,), 0.5),)))
    assert report.changes == {"address": 1}
    assert report.healing > 0


def test_if_all_move_and_none_can_tell_the_others_people_tell_each_of_one() -> None:
    moves = [Fault("move", 0.5, 1.0, (number,), 0.5) for number in range(4)]
    crash = Fault("crash", 0.6, 2.4, (0, 1, 2, 3), 0.5)
    assert simulate(Schedule(seed=2, nodes=4, seconds=3.0, faults=(*moves, crash))).recovery > 5


def test_a_member_that_moves_and_gets_another_key_is_where_the_members_agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.simulation.workload._PROPOSE", 0.0)
    faults = (Fault("rekey", 1.0, 1.0, (1,), 0.5), Fault("move", 1.1, 1.0, (1,), 0.5))
    report = simulate(Schedule(seed=1, nodes=4, seconds=8.0, faults=faults))
    assert report.changes["key"] == 1


def test_wanted_changes_follow_the_machine() -> None:
    plan = plan_of(*[1] * 4, byzantine=0, corrupted=[])
    member, other, *_ = ids(4)
    rekey = Change("key", member, key=b"k" * 32, address="old:1")
    plan.want(rekey)
    plan.want_address(member, "new:1", is_agreed=False)
    plan.want_address(member, "new:1", is_agreed=False)
    assert plan.wanted == [replace(rekey, address="new:1"), Change("address", member, address="new:1")]
    plan.want_address(other, "b:1", is_agreed=True)
    plan.want_address(member, "newer:1", is_agreed=False)
    assert plan.wanted == [replace(rekey, address="newer:1"), Change("address", member, address="newer:1")]
    plan.want_address(member, "newer:1", is_agreed=True)
    assert plan.wanted == [replace(rekey, address="newer:1")]


# What is drawn.


def test_by_default_faults_last_from_seconds_to_minutes() -> None:
    drawn = [draw_schedule(seed, 7).seconds for seed in range(300)]
    assert SHORTEST_S <= min(drawn) < 2 * SHORTEST_S
    assert LONGEST_S / 2 < max(drawn) <= LONGEST_S
    assert 30 < sum(second > 60 for second in drawn) < 150


def test_in_some_runs_one_honest_member_is_hidden() -> None:
    drawn = [draw_schedule(seed, 4 + seed % 7, 10) for seed in range(300)]
    counts = Counter(len(schedule.hidden) for schedule in drawn)
    assert counts.keys() == {0, 1}
    assert 60 < counts[1] < 120
    for schedule in drawn:
        assert not {liar.node for liar in schedule.liars} & set(schedule.hidden)
        assert decode_schedule(schedule.encode()) == schedule


def test_a_hidden_node_must_be_one_of_the_swarm() -> None:
    with pytest.raises(ScheduleError, match="names one that is not among them"):
        decode_schedule(Schedule(seed=1, nodes=4, seconds=1.0, hidden=(4,)).encode())


def test_rounds_that_nodes_had_decided_before_they_went_down_are_not_counted_against_the_recovery() -> None:
    """Two of four were down when the last fault healed; what only they had of the order came back with them at once."""
    run = object.__new__(_Run)
    run._swarm = SimpleNamespace(honest=[SimpleNamespace(member=None)])  # type: ignore[assignment]
    run._agreement = SimpleNamespace(rounds={83: (), 84: ()})  # type: ignore[assignment]
    assert run._highest_round() == 84
    run._agreement.rounds.clear()
    assert run._highest_round() == 0
