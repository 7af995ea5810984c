"""Swarms whose members change while they work, in virtual time: the real work loop, voting and sealing."""

import random
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from consensus.certificate.envelope import certificate
from consensus.certificate.verification import verify
from consensus.ledger import Ledger
from consensus.ledger.records import transactions as t
from consensus.ledger.records.changes import Change
from consensus.replica import RoundEffects
from consensus.settings import EpochSettings, MembershipSettings
from node.gossip.gossip import Gossip
from node.gossip.rhythm import Rhythm
from node.member.member import Member, Pace
from node.simulation.byzantine import KINDS
from node.simulation.byzantine.adversary import Behaviour, make_liar
from node.simulation.fake_worker import SimulatedWorkshop
from node.simulation.invariants import Honesty, Invariants
from node.simulation.swarm import SimulatedNode
from node.simulation.working_swarm import ROLES, _LooseBlobs
from node.transport import Transport
from node.work.lifecycle import work_for_the_swarm
from node.work.node_context import NodeWorkContext
from tests.integration.open_swarm import OpenSwarm, agree, in_force, ledger_of, member_of, until
from tests.integration.test_work import SETTINGS

WORK = replace(SETTINGS, epoch=EpochSettings(events=400))


class WorkingTown(OpenSwarm):
    """An open swarm that works; the votes of some nodes can be held back, and each node's jobs are known."""

    def __init__(self, count: int, seed: int, directory: Path, **options: Any) -> None:
        self.directory = directory
        self.contexts: dict[int, NodeWorkContext] = {}
        self.diaries: dict[int, list[Mapping[str, Any]]] = {}
        self.undecided: set[int] = set()  # nodes whose checks take until they are not in here any more
        self.effects: list[tuple[str, bytes | None, int]] = []  # kind, member, epoch in which it happened
        self.agreement, self._seen = Invariants(), 0
        pace, rhythm = Pace(busy=0.4), Rhythm(busy_s=0.2)
        super().__init__(count, seed, watch=self._look, pace=pace, rhythm=rhythm, **{"settings": WORK} | options)

    def _look(self, node: SimulatedNode, decided: RoundEffects) -> None:
        self.agreement.watch(node, decided)
        if decided.round.number > self._seen:
            self._seen = decided.round.number
            epoch = member_of(node).replica.number - (decided.closed is not None)
            self.effects += [(effect.kind, effect.member, epoch) for effect in decided.effects]

    async def live(
        self, node: SimulatedNode, member: Member, gossip: Gossip, transport: Transport, chance: random.Random
    ) -> None:
        """See `SimulatedSwarm.live`."""
        directory = self.directory / f"node{node.number}"
        directory.mkdir(exist_ok=True)
        fetcher = self.fetchers[node.number]
        assert isinstance(node.blobs, _LooseBlobs)
        context = NodeWorkContext(
            member, node.identity, roles=ROLES, blobs=node.blobs, fetcher=fetcher, directory=directory
        )
        self.contexts[node.number] = context
        diary = self.diaries.setdefault(node.number, [])
        worker = SimulatedWorkshop(chance, directory, diary)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(context.run)
            nursery.start_soon(
                work_for_the_swarm, context, member, gossip, worker, _Checker(self, node.number, worker), "simulated"
            )

    async def _live(self, node: SimulatedNode) -> None:
        if not isinstance(node.blobs, _LooseBlobs):
            node.blobs = _LooseBlobs(self.directory / f"blobs{node.number}")
        await super()._live(node)

    def works(self, node: SimulatedNode) -> int:
        """How many jobs it began, checks aside."""
        return sum(job["job"] != "check" for job in self.diaries[node.number])

    def ripe(self) -> list[bytes]:
        return [one.id for one in ledger_of(self.nodes[0]).candidates() if one.ripe is not None]

    def votes(self, candidate: bytes) -> int:
        found = ledger_of(self.nodes[0]).candidate(candidate)
        return 0 if found is None else len(found.ballots)


class _Checker:
    """A workshop in which checks are held up."""

    def __init__(self, town: WorkingTown, number: int, inner: SimulatedWorkshop) -> None:
        self._town, self._number, self._inner = town, number, inner

    async def perform(self, job: Mapping[str, Any], report: Callable[..., None]) -> Mapping[str, Any]:
        while self._number in self._town.undecided:
            await trio.sleep(0.5)
        return await self._inner.perform(job, report)

    async def aclose(self) -> None:
        await self._inner.aclose()


Make = Callable[..., WorkingTown]


@pytest.fixture
async def make(tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery) -> AsyncIterator[Make]:
    yield lambda count, seed, **options: WorkingTown(count, seed, tmp_path, **options)
    nursery.cancel_scope.cancel()


def promotion_of(ledger: Ledger, candidate: bytes) -> Any:
    return next((one for one in ledger.promotions() if one.candidate == candidate), None)


async def certified(town: WorkingTown, nodes: list[SimulatedNode], candidate: bytes) -> Any:
    """The promotion, when all these nodes can show its certificate; which an auditor believes."""
    await until(lambda: all(
        (found := promotion_of(ledger_of(node), candidate)) is not None and certificate(found, ledger_of(node))
        for node in nodes
    ), 300)  # fmt: skip
    made = {certificate(promotion_of(ledger_of(node), candidate), ledger_of(node)) for node in nodes}
    assert len(made) == 1
    verified = verify(made.pop() or b"", town.genesis.digest)
    promotion = promotion_of(ledger_of(nodes[0]), candidate)
    assert verified.roster.digest == ledger_of(nodes[0]).roster_of(promotion).digest
    return promotion


async def test_a_voter_leaves_and_the_votes_of_the_others_are_enough(
    make: Make, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Three of five have approved; of the four that stay, three are more than two thirds."""
    town = make(5, 31)
    town.undecided = {3, 4}
    await nursery.start(town.run)
    await until(lambda: len(town.ripe()) == 1 and town.votes(town.ripe()[0]) == 3, 300)
    (candidate,) = town.ripe()
    epoch = member_of(town.nodes[0]).replica.number
    gone = town.nodes[4]
    assert promotion_of(ledger_of(town.nodes[0]), candidate) is None
    await agree(town, Change("leave", gone.identity.id), town.nodes[:4])
    await until(lambda: in_force(town.nodes[:4], gone.identity.id, present=False))
    promotion = await certified(town, town.nodes[:4], candidate)
    assert promotion.roster_version >= 2, "sealed by the roster that decided it"
    assert gone.identity.id not in [entry.author for entry in promotion.seals[: promotion.certified]]
    assert [kind for kind, _, when in town.effects if kind == "promotion" and when == epoch] == []
    done = town.works(gone)
    town.undecided = set()
    await until(lambda: len(ledger_of(town.nodes[0]).promotions()) >= 2, 300)
    assert town.works(gone) <= done + 1, "who has left does no more work"
    Honesty(town).inspect()


async def test_a_newcomer_votes_on_a_candidate_that_was_ripe_before_it_came(
    make: Make, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    town = make(4, 32)
    town.undecided = {2, 3}
    await nursery.start(town.run)
    await until(lambda: len(town.ripe()) == 1 and town.votes(town.ripe()[0]) == 2, 300)
    (candidate,) = town.ripe()
    new = town.enlist(nursery, town.nodes[1])
    await town.start(new)
    change = Change("join", new.identity.id, weight=1, address=town.home(new))
    await agree(town, change, town.nodes[:4])
    await until(lambda: town.votes(candidate) == 3, 200)
    found = ledger_of(town.nodes[0]).candidate(candidate)
    assert found is not None
    assert new.identity.id in [ballot.author for ballot in found.ballots], "three of five: not enough yet"
    town.undecided = {3}
    promotion = await certified(town, [*town.nodes[:4], new], candidate)
    assert promotion.roster_version == 2
    await until(lambda: any(
        entry.author == new.identity.id for entry in promotion_of(ledger_of(new), candidate).seals
    ), 60)  # fmt: skip
    Honesty(town).inspect()


@pytest.mark.slow
async def test_weights_decide_as_they_are_when_it_is_counted(
    make: Make, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Four of seven have approved, which is not enough; with more weight on three of them it is."""
    town = make(7, 33)
    town.undecided = {4, 5, 6}
    await nursery.start(town.run)
    await until(lambda: len(town.ripe()) == 1 and town.votes(town.ripe()[0]) == 4, 300)
    (candidate,) = town.ripe()
    for number in (0, 1, 2):
        assert promotion_of(ledger_of(town.nodes[0]), candidate) is None
        await agree(town, Change("weight", town.nodes[number].identity.id, weight=2), town.nodes[:6])
        await until(lambda number=number: all(
            member_of(node).replica.roster.weights[town.nodes[number].identity.id] == 2 for node in town.nodes
        ))  # fmt: skip
    promotion = await certified(town, town.nodes, candidate)
    assert ledger_of(town.nodes[0]).roster_of(promotion).total_weight == 10
    Honesty(town).inspect()


@pytest.mark.slow
async def test_a_member_goes_on_under_another_key(make: Make, nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """While the old key goes on, too, as if nothing had happened: what it says counts for nothing."""
    town = make(4, 34)
    await nursery.start(town.run)
    old = town.nodes[3]
    await until(lambda: len(ledger_of(town.nodes[0]).promotions()) >= 1, 300)
    heir = town.enlist(nursery, town.nodes[0])
    await town.start(heir)
    change = Change("key", old.identity.id, key=heir.identity.id, address=town.home(heir))
    await agree(town, change, [old, *town.nodes[1:3]])  # the old key asks for it itself
    await until(lambda: in_force([*town.nodes[:3], heir], heir.identity.id), 60)
    await until(lambda: in_force(town.nodes[:3], old.identity.id, present=False), 60)
    since = len(town.effects)
    before = len(ledger_of(town.nodes[0]).promotions())

    def acts(kind: str, node: SimulatedNode) -> int:
        return sum((what, who) == (kind, node.identity.id) for what, who, _ in town.effects[since:])

    await until(lambda: len(ledger_of(town.nodes[0]).promotions()) >= before + 2, 600)
    await until(lambda: acts("seal", heir) > 0 and acts("vote", heir) > 0 and acts("games", heir) > 0, 600)
    assert {who for _, who, _ in town.effects[since:]}.isdisjoint({old.identity.id})
    assert any(shard.author == heir.identity.id for shard in ledger_of(heir).shards("hex8-2"))
    assert all(not ledger_of(node).claims_of(old.identity.id) for node in town.nodes[:3])
    Honesty(town).inspect()


async def test_the_others_find_a_member_that_moves(
    make: Make, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """It comes back elsewhere, and asks nobody: they ask it."""
    town = make(4, 35)
    await nursery.start(town.run)
    moving, others = town.nodes[3], town.nodes[:3]
    await until(lambda: member_of(moving).replica.ledger.round > 5)
    town.ports[3] = 42
    await agree(town, Change("address", moving.identity.id, address=town.home(moving)), others)
    await until(lambda: all(town.couriers[node.number].addresses[moving.identity.id] == town.home(moving)
                            for node in others))  # fmt: skip
    town.crash(moving)
    town.leaves("10.0.0.1:7003")
    await trio.sleep(5)
    town.deaf.add(moving.identity.id)
    await town.start(moving)
    await until(lambda: not member_of(moving).status().listening, 60)
    rounds = member_of(moving).replica.ledger.round
    done = len(town.effects)
    await until(lambda: member_of(moving).replica.ledger.round > rounds + 10, 60)
    await until(lambda: any(who == moving.identity.id for _, who, _ in town.effects[done:]), 120)
    assert ledger_of(moving).roster_version == 1, "who decides has not changed"
    town.deaf.clear()
    Honesty(town).inspect()


async def approve(town: WorkingTown, voter: SimulatedNode, change: Change) -> None:
    """Says yes when it is proposed."""
    found: list[bytes] = []
    while not found:
        await trio.sleep(0.1)
        found = [one.id for one in ledger_of(voter).proposals() if one.change == change]
    context = town.contexts[voter.number]
    await context.submit(t.Ballot(context.next_id(), found[0], True))


RULES = replace(WORK, membership=MembershipSettings(absence_s=60, expel=1))


async def test_who_is_away_for_long_and_who_lies_are_proposed_to_leave_by_the_genesis(
    make: Make, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    town = make(7, 36, settings=RULES)
    liar, away = town.nodes[6], town.nodes[5]
    liar.behaviour, liar.honest = Behaviour([KINDS["fork"](36)]), False
    liar.make_member = make_liar(liar.behaviour.ways)
    await nursery.start(town.run)
    others = town.nodes[:5]
    await until(lambda: any(kind == "claim" for kind, _, _ in town.effects))
    town.crash(away)

    def proposed(node: SimulatedNode) -> bool:
        wanted = Change("leave", node.identity.id)
        return any(one.author is None and one.change == wanted for one in ledger_of(others[0]).proposals())

    for node in (liar, away):
        await until(lambda node=node: proposed(node), 300)
        change = Change("leave", node.identity.id)
        for voter in others:
            await approve(town, voter, change)
        await until(lambda node=node: in_force(others, node.identity.id, present=False), 120)
    before = len(ledger_of(others[0]).promotions())
    await until(lambda: len(ledger_of(others[0]).promotions()) > before, 600)
    await until(lambda: all(one.certified for one in ledger_of(others[0]).promotions()), 120)
    for promotion in ledger_of(others[0]).promotions():
        data = certificate(promotion, ledger_of(others[0]))
        assert data is not None
        verify(data, town.genesis.digest)
    assert len(ledger_of(others[0]).roster) == 5
