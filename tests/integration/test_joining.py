"""Machines that join in virtual time: from a key and one address to votes, seals and certificates that count."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from consensus.certificate.envelope import make_certificate
from consensus.ledger.records.changes import Change
from consensus.replica import RoundEffects
from consensus.settings import EpochSettings
from node.gossip.rhythm import Rhythm
from node.member.timing import CreationTiming
from node.simulation.invariants import AgreementCheck, HonestMembersCheck, PromotionsCheck
from node.simulation.swarm import SimulatedNode
from node.simulation.workload import SETTINGS, Workload
from tests.consensus.certificate.both import verify
from tests.integration.open_swarm import OpenSwarm, agree, in_force, ledger_of, member_of, propose, until

EVENTS = 150  # of an epoch


class World:
    """A swarm whose users work and say yes to every change, and what it did so far."""

    def __init__(self, nursery: trio.Nursery, founders: int, seed: int) -> None:
        self.nursery = nursery
        self.agreement, self.history = AgreementCheck(), PromotionsCheck()
        self.done: defaultdict[tuple[str, bytes | None], list[int]] = defaultdict(list)  # rounds, by effect and member
        self.swarm = OpenSwarm(
            founders,
            seed,
            observe=self._see,
            timing=CreationTiming(busy_s=0.4),
            rhythm=Rhythm(busy_s=0.2),
            anchors=True,
            settings=replace(SETTINGS, epoch=EpochSettings(events=EVENTS)),
        )
        self.founders = list(self.swarm.nodes)
        self.honesty = HonestMembersCheck(self.swarm)
        self._seen = 0

    def _see(self, node: SimulatedNode, effects: RoundEffects) -> None:
        self.agreement.observe(node, effects)
        if effects.round.number > self._seen:
            self._seen = effects.round.number
            for effect in effects.effects:
                self.done[effect.kind, effect.member].append(effect.round)

    async def start(self) -> None:
        await self.nursery.start(self.swarm.run)
        for node in self.founders:
            self.nursery.start_soon(Workload(node, 1).run, 10**6)

    async def newcomer(self, guide: SimulatedNode, *, moved: bool = True) -> SimulatedNode:
        """Runs, and waits to be voted in; it has a user like all others."""
        node = self.swarm.add_newcomer(self.nursery, guide, moved=moved)
        await self.swarm.start(node)
        self.nursery.start_soon(Workload(node, 1).run, 10**6)
        return node

    def join(self, node: SimulatedNode) -> Change:
        return Change("join", node.identity.id, weight=1, address=self.swarm.address_of(node))

    @property
    def members(self) -> list[SimulatedNode]:
        """Who is in the roster of the newest epoch that anybody is in."""
        rosters = [
            (node.member.replica.epoch_number, node.member.replica.roster) for node in self.swarm.nodes if node.member
        ]
        _, newest = max(rosters, key=lambda pair: pair[0])
        return [node for node in self.swarm.nodes if node.identity.id in newest]

    @property
    def epoch(self) -> int:
        return max(node.member.replica.epoch_number for node in self.swarm.nodes if node.member)

    async def epochs(self, more: int) -> None:
        until_then = self.epoch + more
        await until(lambda: self.epoch >= until_then)

    def count(self, kind: str, node: SimulatedNode) -> int:
        return len(self.done[kind, node.identity.id])

    async def takes_part(self, node: SimulatedNode, seconds: float = 240) -> None:
        """It votes on a candidate, its seal is on a certificate, and it has opened an epoch."""
        before = {kind: self.count(kind, node) for kind in ("vote", "seal")}
        await until(lambda: all(self.count(kind, node) > number for kind, number in before.items()), seconds)
        await until(lambda: any(
            entry.author == node.identity.id
            for promotion in ledger_of(node).promotions() for entry in promotion.seals[: promotion.certified]
        ), seconds)  # fmt: skip
        epoch = member_of(node).replica.epoch_number
        await until(lambda: member_of(node).replica.epoch_number > epoch and any(
            member == node.identity.id for member, _ in (ledger_of(node).sealed or Nothing).seals
        ), seconds)  # fmt: skip

    async def check(self) -> None:
        """All members have one ledger, nobody was accused, and every certificate is good for a stranger."""
        self.honesty.inspect()
        level = await self._level()
        for node in self.members:
            self.history.inspect(node, ledger_of(node), ledger_of(node).round)
        raws = {node.number: self.certificates(node) for node in self.members}
        assert level
        assert len(raws[self.members[0].number]) >= 2
        assert len({tuple(found) for found in raws.values()}) == 1

    async def _level(self) -> bool:
        with trio.fail_after(60):
            while len({(ledger_of(node).round, ledger_of(node).digest()) for node in self.members}) > 1:
                await trio.sleep(0.02)
        return True

    def certificates(self, node: SimulatedNode) -> list[bytes]:
        """All certificates that this node has, verified with nothing but the genesis digest."""
        made = [
            data
            for promotion in ledger_of(node).promotions()
            if (data := make_certificate(promotion, ledger_of(node))) is not None
        ]
        for data in made:
            verify(data, self.swarm.genesis.digest)
        return made


class Nothing:
    """A server without sealed records."""

    seals: tuple[tuple[bytes, bytes], ...] = ()


Make = Callable[[int, int], World]


@pytest.fixture
async def make(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock, nursery: trio.Nursery
) -> AsyncIterator[Make]:
    monkeypatch.setattr("consensus.preimages.LENGTH", 1 << 12)
    monkeypatch.setattr("node.simulation.workload._PROPOSE", 0.0)
    monkeypatch.setattr("node.simulation.workload._APPROVE", 1.0)
    yield lambda founders, seed: World(nursery, founders, seed)
    nursery.cancel_scope.cancel()


async def test_from_a_key_and_one_address_to_seals_that_count(make: Make, autojump_clock: MockClock) -> None:
    world = make(4, 1)
    await world.start()
    await until(lambda: world.epoch >= 3 and len(world.done["certificate", None]) >= 1)
    guide = world.founders[2]
    new = await world.newcomer(guide)
    await trio.sleep(15)
    assert (new.disk.epoch, new.disk.events, new.disk.chain) == (0, [], {}), "a stranger is told nothing"
    before = world.certificates(world.founders[0])
    propose(world.founders[0], world.join(new))
    await until(lambda: in_force(world.founders, new.identity.id))
    opened = world.epoch
    await until(lambda: in_force([new], new.identity.id), 30)
    assert sum(link.sealed is not None for link in new.disk.chain.values()) >= opened - 1, "all that was sealed"
    assert new.disk.older_events.get(1) is None, "and not the events of all the epochs"
    await world.takes_part(new)
    await world.check()
    after = world.certificates(new)
    assert after[: len(before)] == before
    assert len(after) > len(before)


def knows_that_it_is_out(node: SimulatedNode) -> bool:
    """From the order, or from the chain of records if it was not there any more."""
    return node.identity.id not in member_of(node).replica.roster or member_of(node).removed_by is not None


@pytest.mark.slow
@pytest.mark.parametrize("moved", [True, False])
async def test_the_one_that_it_knows_is_removed_at_the_same_time(
    make: Make, autojump_clock: MockClock, moved: bool
) -> None:
    """Even if all others have `moved` since the genesis: they reach it, as its address was voted on, and tell it."""
    world = make(5, 2)
    await world.start()
    await until(lambda: world.epoch >= 2)
    guide, *others = reversed(world.founders)
    new = await world.newcomer(guide, moved=moved)
    propose(others[0], Change("leave", guide.identity.id))
    propose(others[1], world.join(new))
    await until(lambda: in_force(others, new.identity.id) and in_force(others, guide.identity.id, present=False))
    said = world.count("vote", guide), world.count("seal", guide)
    await world.epochs(1)
    await until(lambda: knows_that_it_is_out(guide), 60)
    await until(lambda: in_force([new], new.identity.id), 30)
    await world.takes_part(new)
    await world.check()
    assert (world.count("vote", guide), world.count("seal", guide)) == said


@pytest.mark.parametrize("seed", [3, pytest.param(4, marks=pytest.mark.slow), pytest.param(5, marks=pytest.mark.slow)])
async def test_it_crashes_at_every_second_step(make: Make, autojump_clock: MockClock, seed: int) -> None:
    """Whatever it keeps on its disk (records, the jump, events, own ones): after every second step it has none."""
    world = make(4, seed)
    await world.start()
    await until(lambda: world.epoch >= 3)
    new = await world.newcomer(world.founders[0])
    propose(world.founders[1], world.join(new))
    seen = None
    for step in range(120):
        with trio.move_on_after(60):
            while (now := footprint(new)) == seen:
                await trio.sleep(0.01)
        seen = now
        if step % 2:
            world.swarm.crash(new)
            await trio.sleep(0.05)
            world.honesty.inspect()
            await world.swarm.start(new)
    assert new.starts == 61
    assert new.disk.epoch > 3
    await world.takes_part(new)
    await world.check()


def footprint(node: SimulatedNode) -> tuple[int, ...]:
    disk = node.disk
    return disk.epoch, len(disk.chain), len(disk.events), sum(link.sealed is not None for link in disk.chain.values())


@pytest.mark.slow
@pytest.mark.parametrize("order", ["joins first", "leave first"])
async def test_two_join_while_one_leaves(make: Make, autojump_clock: MockClock, order: str) -> None:
    world = make(6, 6)
    await world.start()
    await until(lambda: world.epoch >= 2)
    *staying, leaving = world.founders
    first, second = await world.newcomer(staying[0]), await world.newcomer(leaving)
    changes = [world.join(first), world.join(second), Change("leave", leaving.identity.id)]
    for node, change in zip(staying, changes if order == "joins first" else reversed(changes), strict=False):
        propose(node, change)
    await until(lambda: in_force(staying, leaving.identity.id, present=False))
    await until(lambda: in_force(staying, first.identity.id) and in_force(staying, second.identity.id))
    assert world.epoch <= 6, "they were pending together"
    await until(lambda: in_force([first], first.identity.id), 60)
    if not in_force([second], second.identity.id):
        world.swarm.crash(second)
        world.swarm.give_peer(second, first)  # which is as new as itself
        await world.swarm.start(second)
    await until(lambda: in_force([second], second.identity.id), 60)
    for node in (first, second):
        await world.takes_part(node)
    await world.check()
    assert len(world.members) == 7


@pytest.mark.slow
async def test_the_roster_has_changed_three_times(make: Make, autojump_clock: MockClock) -> None:
    """The member that it knows is none of the founders, and one of those has gone on under another key."""
    world = make(5, 7)
    await world.start()
    await until(lambda: len(world.done["certificate", None]) >= 1)
    a, b, c, d, e = world.founders
    early = await world.newcomer(a)
    await agree(world.swarm, world.join(early), [a])
    await until(lambda: in_force([a, b, c, d, e, early], early.identity.id))
    await agree(world.swarm, Change("leave", e.identity.id), [b])
    await until(lambda: in_force([a, b, c, d, early], e.identity.id, present=False))
    heir = await world.newcomer(early)
    change = Change("key", d.identity.id, key=heir.identity.id, address=world.swarm.address_of(heir))
    await agree(world.swarm, change, [c])
    await until(lambda: in_force([a, b, c, early, heir], heir.identity.id))
    await world.epochs(1)
    new = await world.newcomer(early)
    await agree(world.swarm, world.join(new), [heir])
    await until(lambda: in_force([a, b, c, early, heir, new], new.identity.id))
    await world.takes_part(new)
    await world.check()
    assert ledger_of(new).roster_version == 7
    versions = {promotion.roster_version for promotion in ledger_of(new).promotions() if promotion.certified}
    assert {1, 7} <= versions


@pytest.mark.slow
@pytest.mark.parametrize("offset", [0, 40, 75, 110, 149])
async def test_it_joins_at_any_offset_of_an_epoch(make: Make, autojump_clock: MockClock, offset: int) -> None:
    """The proposal is made when so many events of the epoch are ordered; some ballots come in the next one."""
    world = make(4, 10 + offset)
    await world.start()
    await until(lambda: world.epoch >= 1)
    new = await world.newcomer(world.founders[3])
    at = world.founders[0]

    def received() -> int:
        return ledger_of(at).ordered - member_of(at).replica.opening.ordered

    await until(lambda: offset <= received() <= offset + 20)
    propose(at, world.join(new))
    await until(lambda: in_force([*world.founders, new], new.identity.id), 60)
    await world.takes_part(new)
    await world.check()
