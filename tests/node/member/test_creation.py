"""When events are made: always with a quorum, finitely often without one, again when it is back."""

from collections.abc import Sequence

import pytest

from consensus.event import Event, make_event
from consensus.genesis import Genesis, make_genesis
from consensus.roster import RosterMember
from consensus.settings import Settings
from node.config.identity import Identity
from node.member.creation import CreationPlanner, Plan


class Table:
    """Members who make events by their plans and tell each other at once, or not."""

    def __init__(self, weights: Sequence[int]) -> None:
        identities = [Identity(bytes([number]) * 32) for number in range(len(weights))]
        self.identities = sorted(identities, key=lambda identity: identity.id)
        listed = [RosterMember(identity.id, weights[n]) for n, identity in enumerate(self.identities)]
        self.genesis: Genesis = make_genesis("table", listed, Settings())
        self.policies = [CreationPlanner(self.genesis.roster, identity.id) for identity in self.identities]
        self.newest: list[Event | None] = [None] * len(weights)
        self.time = 0
        self.events: list[tuple[Event, set[int]]] = []

    def last(self, member: int) -> Event:
        """The newest event of a member that has made one."""
        event = self.newest[member]
        assert event is not None
        return event

    def plan(self, member: int) -> Plan | None:
        return self.policies[member].plan()

    def make(self, member: int, plan: Plan, told: Sequence[int]) -> Event:
        self.time += 1
        before = self.newest[member]
        event = make_event(
            self.identities[member].key,
            epoch=self.genesis.digest,
            seq=0 if before is None else before.seq + 1,
            self_parent=None if before is None else before.hash,
            other_parents=plan.other_parents,
            time=self.time,
        )
        self.newest[member] = event
        self.events.append((event, set(told)))
        for other in told:
            self.policies[other].observe_attached(event)
        return event

    def catch_up(self) -> None:
        """Everybody hears everything."""
        for event, told in self.events:
            for other in set(range(len(self.policies))) - told:
                self.policies[other].observe_attached(event)
                told.add(other)

    def go_round(self, members: Sequence[int], rounds: int, bare: bool = False) -> int:
        """Each of `members` makes an event if it would advance the order; returns how many were made."""
        made = 0
        for _ in range(rounds):
            for member in members:
                plan = self.plan(member)
                if plan is not None and (plan.advances or bare):
                    self.make(member, plan, members)
                    made += 1
        return made


@pytest.mark.parametrize("count", [4, 5, 7, 10])
def test_with_a_quorum_it_goes_on_for_ever(count: int) -> None:
    table = Table([1] * count)
    quorum = range(2 * count // 3 + 1)
    table.go_round(quorum, 1, bare=True)
    for _ in range(5):
        assert table.go_round(quorum, 4) >= len(quorum)


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("count", [2, 3, 4, 6, 7, 10])
def test_without_a_quorum_it_ends_and_with_it_goes_on(count: int, bare: bool) -> None:
    table = Table([1] * count)
    everybody, few = range(count), range(2 * count // 3)
    table.go_round(everybody, 3, bare=True)
    made = table.go_round(few, 100, bare=bare)
    assert made <= len(few) * (2 * len(few) + 2)
    assert table.go_round(few, 5, bare=bare) == 0
    table.catch_up()
    late = count - 1
    plan = table.plan(late)
    assert plan is not None
    table.make(late, plan, everybody)
    for _ in range(5):
        assert table.go_round([*few, late], 4) > len(few)


def test_weights_decide_what_a_quorum_is() -> None:
    table = Table([3, 3, 3, 1, 1])
    table.go_round(range(5), 2, bare=True)
    assert table.go_round([0, 1, 2], 6) >= 9
    assert table.go_round([0, 1, 3, 4], 6) >= 8
    table.go_round([0, 3, 4], 20)
    assert table.go_round([0, 3, 4], 5) == 0


def test_one_member_alone_always_may() -> None:
    table = Table([1])
    assert table.go_round([0], 10) == 10


def test_the_first_event_is_bare_and_not_followed_by_another_bare_one() -> None:
    table = Table([1] * 4)
    plan = table.plan(0)
    assert plan == Plan((), advances=False)
    table.make(0, plan, range(4))
    assert table.plan(0) is None
    plan = table.plan(1)
    assert plan is not None
    assert plan.advances


def test_parents_are_the_newest_events_that_add_something() -> None:
    table = Table([1] * 7)
    for member in range(7):
        table.make(member, Plan((), False), range(7))
    plan = table.plan(0)
    assert plan is not None
    assert len(plan.other_parents) == 4
    assert len(set(plan.other_parents)) == 4
    newest = {event.hash for event in table.newest[1:] if event is not None}
    assert set(plan.other_parents) < newest
    # Who has built on all others is parent enough.
    table.make(6, Plan(tuple(event.hash for event in table.newest[1:5] if event), True), range(7))
    table.make(5, Plan((table.last(6).hash,), True), range(7))
    plan = table.plan(0)
    assert plan is not None
    assert plan.other_parents == (table.last(5).hash,)


def test_who_was_left_out_most_comes_first() -> None:
    table = Table([1] * 10)
    for _ in range(3):
        table.make(9, Plan((), False), range(10))
    for member in range(1, 9):
        table.make(member, Plan((), False), range(10))
    plan = table.plan(0)
    assert plan is not None
    assert plan.other_parents[0] == table.last(9).hash


def test_excluded_members_are_no_parents() -> None:
    table = Table([1] * 4)
    for member in range(4):
        table.make(member, Plan((), False), range(4))
    plan = table.policies[0].plan(excluded=[2])
    assert plan is not None
    assert set(plan.other_parents) == {table.last(1).hash, table.last(3).hash}


def test_what_is_ordered_is_forgotten() -> None:
    table = Table([1] * 4)
    policy = table.policies[0]
    events = []
    for _ in range(50):
        for member in range(4):
            plan = table.plan(member)
            if plan is not None:
                events.append(table.make(member, plan, range(4)))
                policy.observe_ordered(events[-6:-4])
                policy.observe_ordered([events[-1]])  # even while it is the newest one
    assert len(events) > 100
    assert len(policy._seen) < 20
    assert table.go_round(range(4), 3) > 0


def test_an_event_proves_what_its_creator_had() -> None:
    table = Table([1, 1, 1])
    policy, (first, second, third) = table.policies[0], (identity.id for identity in table.identities)
    assert policy.seen_by(second) == {}
    table.make(2, Plan((), advances=True), [1])
    table.make(0, Plan((), advances=True), [1])
    table.make(1, Plan((table.last(2).hash,), advances=True), [])
    table.catch_up()
    assert policy.seen_by(second) == {second: 0, third: 0}
    table.make(1, Plan((table.last(0).hash,), advances=True), [0])
    assert policy.seen_by(second) == {first: 0, second: 1, third: 0}
    policy.observe_ordered([event for event, _ in table.events])
    assert policy.seen_by(second) == {first: 0, second: 1, third: 0}
