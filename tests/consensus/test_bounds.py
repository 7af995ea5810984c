"""What one member can make others keep without a quorum is bounded, and the bounds cannot stop honest members."""

import random
from collections.abc import Iterable, Sequence

import pytest

from consensus.event import Event, make_event
from consensus.settings import LEAST_AHEAD, EpochSettings, Settings
from consensus.sync import TIPS_PER_MEMBER, Tip, with_echo
from node.gossip.messages import MAX_EVENTS_BYTES
from node.member.creation import CreationPlanner
from tests.consensus.gossip import SECOND, START, Discreet, genesis_of, keys_of

BOUNDED = Settings(epoch=EpochSettings(ahead=LEAST_AHEAD))


class Swarm:
    """Honest members that make events as nodes do, and members that sign whatever the test wants."""

    def __init__(self, count: int, liars: int, settings: Settings = BOUNDED) -> None:
        self.keys = keys_of(count)
        genesis = genesis_of(self.keys, settings=settings)
        self.honest = list(range(count - liars))
        self.liars = list(range(count - liars, count))
        self.replicas = [Discreet.found(genesis, self.keys[member]) for member in self.honest]
        self.planners = [CreationPlanner(genesis.roster, self.keys[member].id) for member in self.honest]
        self.epoch, self.limit = genesis.digest, LEAST_AHEAD * count
        self.pool: dict[bytes, Event] = {}  # every event ever made
        self.own: dict[int, list[Event]] = {member: [] for member in range(count)}
        self.number = 0

    def sign(self, member: int, after: Event | None, others: Sequence[Event] = (), size: int = 0) -> Event:
        """An event of any member on any parents."""
        self.number += 1
        event = make_event(
            self.keys[member],
            epoch=self.epoch,
            seq=after.seq + 1 if after else 0,
            self_parent=after.hash if after else None,
            other_parents=tuple(other.hash for other in others),
            time=START + self.number * SECOND,
            transactions=({"type": "note", "id": self.number, "filling": bytes(size)},),
        )
        return self.made(member, event)

    def made(self, member: int, event: Event) -> Event:
        self.pool[event.hash] = event
        self.own[member].append(event)
        return event

    def take(self, member: int, events: Iterable[Event]) -> int:
        """What a peer sends; its number that were attached."""
        replica, planner = self.replicas[member], self.planners[member]
        attached = replica.insert(events, sent=True)
        for event in attached:
            planner.observe_attached(event)
        for decided in replica.advance():
            planner.observe_ordered(place.event for place in decided.round.events)
        return len(attached)

    def sync(self, asker: int, other: int, limit: int = 1000, size: int = MAX_EVENTS_BYTES) -> int:
        """One exchange of two honest members, as in gossip."""
        here, there = self.replicas[asker], self.replicas[other]
        tips = with_echo(here.tips(), there.tips(), here.on_demand())
        return self.take(asker, there.events_for_peer(tips, limit, here.wanted(), size))

    def create(self, member: int) -> Event | None:
        """The next event of an honest member, if it makes one."""
        replica, planner = self.replicas[member], self.planners[member]
        plan = planner.plan(replica.hashgraph.forkers())
        if plan is None:
            return None
        assert replica.can_create(plan.other_parents)  # no bound ever keeps an honest member from what it plans
        self.number += 1
        event = self.made(member, replica.create(START + self.number * SECOND, (), plan.other_parents))
        assert self.take(member, [event]) == 1
        return event

    def turns(self, rng: random.Random, count: int, awake: Sequence[int]) -> None:
        for _ in range(count):
            asker, other = rng.sample(list(awake), 2)
            self.sync(asker, other, rng.choice((5, 1000)))
            self.create(asker)

    def settle(self, awake: Sequence[int]) -> None:
        """All get everything from each other that they need."""
        quiet = 0
        while quiet < 3:  # an exchange that brings orphans only lets the next one bring their parents
            taken = sum(self.sync(asker, other) for asker in awake for other in awake if asker != other)
            quiet = 0 if taken else quiet + 1

    def kept(self, member: int, by: int) -> list[Event]:
        """What an honest member has attached of another one."""
        return [event for event in self.replicas[member].dag.events if event.creator == self.keys[by].id]

    def assert_unharmed(self, awake: Sequence[int]) -> None:
        """Every honest event is everywhere, none was refused, and honest members have one ledger."""
        for member in awake:
            replica = self.replicas[member]
            assert all(event.hash in replica.dag for other in awake for event in self.own[other])
            refused = {refusal.creator for refusal in replica.refusals()}
            assert refused.isdisjoint(self.keys[other].id for other in self.honest)
            assert replica.ledger.digest() == self.replicas[awake[0]].ledger.digest()


def test_a_chain_without_news_of_a_quorum_ends() -> None:
    swarm = Swarm(4, liars=1)
    swarm.turns(random.Random(1), 60, [0, 1])  # too few to decide: they come to rest
    made = [len(swarm.own[member]) for member in (0, 1)]
    swarm.turns(random.Random(2), 60, [0, 1])
    assert [len(swarm.own[member]) for member in (0, 1)] == made
    chain: list[Event] = []
    for _ in range(100):
        chain.append(swarm.sign(3, chain[-1] if chain else None, [swarm.own[0][-1]] if not chain else [], 1000))
    swarm.take(0, chain)
    assert len(swarm.kept(0, by=3)) == swarm.limit
    reason = f"the member has made {swarm.limit} events without news of more than 2/3 of the weight"
    assert swarm.replicas[0].refused[reason] == 1
    swarm.turns(random.Random(3), 60, [0, 1])
    made = [len(swarm.own[member]) for member in (0, 1)]
    swarm.turns(random.Random(4), 60, [0, 1])
    assert [len(swarm.own[member]) for member in (0, 1)] == made  # it was built on, and that was all
    assert max(made) <= 4 * 4
    swarm.turns(random.Random(5), 200, [0, 1, 2])
    swarm.settle([0, 1, 2])
    swarm.assert_unharmed([0, 1, 2])
    assert swarm.replicas[0].ledger.round > 3


def test_news_of_a_quorum_lets_a_chain_go_on() -> None:
    swarm = Swarm(4, liars=3)
    others = [swarm.sign(member, None) for member in (2, 3)]
    chain = [swarm.sign(1, None)]
    for number in range(2 * swarm.limit):
        parents = {swarm.limit - 2: others[:1], swarm.limit - 1: others[1:]}.get(number, [])
        chain.append(swarm.sign(1, chain[-1], parents))
    assert swarm.take(0, [*others, *chain]) == 2 + 2 * swarm.limit - 1  # counted from the event before the first news
    assert sum(swarm.replicas[0].refused.values()) == 2


@pytest.mark.parametrize("after_fork", ["branches", "chain"])
def test_of_a_forker_only_what_others_need_is_taken(after_fork: str) -> None:
    swarm = Swarm(4, liars=1)
    first, second = swarm.sign(3, None), swarm.sign(3, None)
    swarm.take(0, [first, second])
    assert len(swarm.kept(0, by=3)) == 2  # now the fork is known
    further: list[Event] = []
    for _ in range(400):
        further.append(swarm.sign(3, further[-1] if further and after_fork == "chain" else None, size=10_000))
    swarm.take(0, further)
    assert len(swarm.kept(0, by=3)) == 2
    assert len(swarm.replicas[0]._open._unasked) <= 256
    swarm.take(1, further[:3] if after_fork == "chain" else further[2:3])  # no fork, as another member sees it
    swarm.create(1)
    assert swarm.own[1][-1].other_parents
    swarm.settle([0, 1])
    assert swarm.own[1][-1].hash in swarm.replicas[0].dag
    swarm.turns(random.Random(5), 100, [0, 1, 2])
    swarm.settle([0, 1, 2])
    swarm.assert_unharmed([0, 1, 2])
    assert max(len(swarm.kept(member, by=3)) for member in (0, 1, 2)) <= 5
    assert swarm.replicas[2].ledger.round > 3


def test_what_a_forker_sent_before_its_fork_was_known_needs_nothing() -> None:
    swarm = Swarm(4, liars=1)
    first = swarm.sign(3, None)
    parents = [swarm.sign(3, first) for _ in range(100)]
    children = [swarm.sign(3, parent) for parent in parents]
    swarm.take(0, [first, *children])
    swarm.take(0, parents)
    assert len(swarm.kept(0, by=3)) <= 5
    assert not swarm.replicas[0].wanted()
    swarm.take(1, [first, parents[50], children[50]])
    built = swarm.create(1)
    assert built is not None
    swarm.settle([0, 1])
    assert built.hash in swarm.replicas[0].dag
    assert len(swarm.kept(0, by=3)) <= 7


def _build_on_a_branch(swarm: Swarm, branch: Sequence[Event]) -> Event:
    """The event of member 1, which sees no fork, on a branch by member 3, of which member 0 knows two."""
    swarm.take(0, [branch[0], swarm.sign(3, None)])
    assert swarm.replicas[0].on_demand() == [swarm.keys[3].id]
    swarm.take(1, branch)
    event = swarm.create(1)
    assert event is not None
    assert event.other_parents == (branch[-1].hash,)
    return event


def _branch(swarm: Swarm, length: int, size: int) -> list[Event]:
    branch = [swarm.sign(3, None)]
    for _ in range(length - 1):
        branch.append(swarm.sign(3, branch[-1], size=size))
    return branch


@pytest.mark.parametrize("inventions", [0, 300])
def test_a_branch_that_fits_into_no_message_comes_when_it_is_needed(inventions: int) -> None:
    swarm = Swarm(4, liars=1)
    invented = [
        make_event(swarm.keys[3], epoch=swarm.epoch, seq=1, self_parent=number.to_bytes(32), time=START)
        for number in range(2 * inventions)
    ]
    swarm.take(0, invented[:inventions])  # they wait for parents that do not exist, before the fork is known
    built = _build_on_a_branch(swarm, _branch(swarm, 20, size=3_000))
    swarm.take(0, invented[inventions:])  # and after it
    exchanges = 0
    while built.hash not in swarm.replicas[0].dag:
        swarm.sync(0, 1, size=12_000)
        exchanges += 1
        assert exchanges < 60
    assert not swarm.replicas[0].wanted() or inventions


def test_what_a_member_had_when_it_closed_the_epoch_is_taken() -> None:
    """It makes no event there any more, so no event may need what it had last, but the last round may."""
    swarm = Swarm(4, liars=1)
    branch = _branch(swarm, 4, size=100)
    swarm.take(0, [branch[0], swarm.sign(3, None)])
    swarm.take(1, branch)
    here, there = swarm.replicas[:2]
    swarm.settle([0, 1])
    assert branch[1].hash not in here.dag
    here.observe_closing(swarm.keys[1].id, there.tips())
    assert here.wanted() == [branch[-1].hash]
    swarm.settle([0, 1])
    assert all(event.hash in here.dag for event in branch)
    assert here.wanted() == []


def test_what_was_kept_is_taken_without_being_sent_again() -> None:
    swarm = Swarm(4, liars=1)
    branch = _branch(swarm, 4, size=100)
    swarm.take(0, [branch[0], swarm.sign(3, None), *branch[1:]])
    swarm.replicas[0].observe_closing(swarm.keys[1].id, [Tip(branch[-1].creator, branch[-1].seq, branch[-1].hash)])
    assert len(swarm.kept(0, by=3)) == 2
    swarm.take(0, [])
    assert all(event.hash in swarm.replicas[0].dag for event in branch)


def test_of_closing_tips_few_count() -> None:
    """Liars invent them: few of each count, none of the forker itself, and none of members that never forked."""
    swarm = Swarm(4, liars=2)
    branches = [swarm.sign(3, None) for _ in range(100)]
    swarm.take(0, branches)
    tips = [Tip(event.creator, 0, event.hash) for event in branches]
    replica = swarm.replicas[0]
    replica.observe_closing(swarm.keys[3].id, tips)
    replica.observe_closing(swarm.keys[2].id, [Tip(swarm.keys[1].id, 0, bytes(32))])
    assert replica.wanted() == []
    for tip in tips:
        replica.observe_closing(swarm.keys[2].id, [tip])
    honest = Tip(swarm.keys[3].id, 0, bytes(32))
    replica.observe_closing(swarm.keys[1].id, [honest])
    assert len(replica.wanted()) == TIPS_PER_MEMBER + 1
    assert honest.hash in replica.wanted()[:2]
    swarm.take(0, [])
    assert len(swarm.kept(0, by=3)) == 2 + TIPS_PER_MEMBER


def test_events_that_are_not_taken_are_not_sent_again_and_again() -> None:
    swarm = Swarm(4, liars=1)
    branch = _branch(swarm, 20, size=3_000)
    _build_on_a_branch(swarm, branch)
    here, there = swarm.replicas[:2]
    for _ in range(60):
        swarm.sync(0, 1, size=12_000)
    further = [branch[-1]]
    for _ in range(3):
        further.append(swarm.sign(3, further[-1]))
    swarm.take(1, further)
    tips = with_echo(here.tips(), there.tips(), here.on_demand())
    assert there.events_for_peer(tips, 1000, here.wanted()) == []
    assert there.events_for_peer(tips, 1000, [further[2].hash]) == further[1:]


def test_nobody_builds_on_a_forker_that_is_known_to_the_event() -> None:
    swarm = Swarm(7, liars=2)
    branches = [swarm.sign(5, None) for _ in range(50)]
    accomplice = [swarm.sign(6, None)]
    for branch in branches:
        accomplice.append(swarm.sign(6, accomplice[-1], [branch]))
    swarm.take(0, [event for pair in zip(branches, accomplice[1:], strict=True) for event in (*accomplice[:1], *pair)])
    assert len(swarm.kept(0, by=6)) == 2  # the first, and the one on the first branch
    assert len(swarm.kept(0, by=5)) == 2
    assert swarm.replicas[0].refused["a parent is by a member that has forked among the ancestors"] == 1
    assert swarm.replicas[0].refused["a parent was refused"] == 48


def test_without_the_setting_nothing_is_bounded() -> None:
    swarm = Swarm(4, liars=1, settings=Settings())
    chain = [swarm.sign(3, None)]
    for _ in range(200):
        chain.append(swarm.sign(3, chain[-1]))
    assert swarm.take(0, [*chain, *(swarm.sign(3, None) for _ in range(200))]) == 401


@pytest.mark.parametrize("seed", range(4))
def test_forkers_and_floods_do_not_stop_honest_members(seed: int) -> None:
    rng = random.Random(f"bounds {seed}")
    count, liars = ((4, 1), (7, 2), (4, 1), (7, 2))[seed]
    swarm = Swarm(count, liars)
    awake = list(swarm.honest)
    for _ in range(12 * count):
        swarm.turns(rng, 2, awake)
        liar = rng.choice(swarm.liars)
        for _ in range(rng.choice((0, 1, 1, 30))):
            base = (
                rng.choice([None, *swarm.own[liar][-6:]])
                if rng.random() < 0.5
                else swarm.own[liar][-1]
                if swarm.own[liar]
                else None
            )
            others = [member for member in range(count) if member != liar and swarm.own[member]]
            creators = rng.sample(others, min(len(others), rng.choice((0, 1, 2))))
            event = swarm.sign(liar, base, [rng.choice(swarm.own[member][-4:]) for member in creators])
            for member in rng.sample(swarm.honest, rng.randint(1, len(swarm.honest))):
                swarm.take(member, _closure(swarm, event) if rng.random() < 0.7 else [event])
    before = swarm.replicas[0].ledger.round
    swarm.settle(awake)
    swarm.turns(rng, 25 * count, awake)
    swarm.settle(awake)
    swarm.assert_unharmed(awake)
    assert swarm.replicas[0].ledger.round > before + 2


def _closure(swarm: Swarm, event: Event) -> list[Event]:
    """All ancestors of an event and itself, parents first."""
    found: dict[bytes, Event] = {}
    stack = [event]
    while stack:
        newest = stack.pop()
        found[newest.hash] = newest
        stack += [swarm.pool[parent] for parent in newest.parents if parent not in found]
    return sorted(found.values(), key=lambda each: each.time)
