"""Swarms whose members change while they work, in virtual time: the real work loop, voting and sealing."""

import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from consensus.certificate.envelope import make_certificate
from consensus.keys import MemberId
from consensus.ledger import Ledger
from consensus.ledger.records import transactions as t
from consensus.ledger.records.changes import Change
from consensus.replica import RoundEffects
from consensus.settings import EpochSettings, MembershipSettings
from node.gossip.rhythm import Rhythm
from node.member.timing import CreationTiming
from node.simulation.byzantine import ATTACKS
from node.simulation.fake_worker import FakeWorker
from node.simulation.invariants import AgreementCheck, HonestMembersCheck
from node.simulation.machine import Instance, SimulatedNode
from node.simulation.working_swarm import ROLES, FileBackedBlobs
from node.work.lifecycle import work_for_the_swarm
from node.work.node_context import NodeWorkContext
from node.work.slots import SlotState, WorkerSlot
from tests.consensus.certificate.both import verify
from tests.integration.open_swarm import OpenSwarm, agree, in_force, ledger_of, member_of, until
from tests.integration.test_work import SETTINGS

WORK = replace(SETTINGS, epoch=EpochSettings(events=400))


class WorkingOpenSwarm(OpenSwarm):
    """An open swarm that works; the votes of some nodes can be held back, and each node's jobs are known."""

    def __init__(self, count: int, seed: int, directory: Path, **options: Any) -> None:
        self.directory = directory
        self.contexts: dict[int, NodeWorkContext] = {}
        self.jobs: dict[int, list[Mapping[str, Any]]] = {}
        self.undecided: set[int] = set()  # nodes whose checks take until they are not in here any more
        self.effects: list[tuple[str, bytes | None, int]] = []  # kind, member, epoch in which it happened
        self.agreement, self._seen = AgreementCheck(), 0
        timing, rhythm = CreationTiming(busy_s=0.4), Rhythm(busy_s=0.2)
        super().__init__(count, seed, observe=self._look, timing=timing, rhythm=rhythm, **{"settings": WORK} | options)

    def _look(self, node: SimulatedNode, decided: RoundEffects) -> None:
        self.agreement.observe(node, decided)
        if decided.round.number > self._seen:
            self._seen = decided.round.number
            epoch = member_of(node).replica.epoch_number - (decided.closed is not None)
            self.effects += [(effect.kind, effect.member, epoch) for effect in decided.effects]

    async def run_services(self, node: SimulatedNode, instance: Instance, chance: random.Random) -> None:
        """See `SimulatedSwarm.run_services`."""
        member, gossip = instance.member, instance.gossip
        directory = self.directory / f"node{node.number}"
        directory.mkdir(exist_ok=True)
        assert isinstance(node.blobs, FileBackedBlobs)
        context = NodeWorkContext(
            member, node.identity, roles=ROLES, blobs=node.blobs, fetcher=instance.fetcher, directory=directory
        )
        self.contexts[node.number] = context
        jobs = self.jobs.setdefault(node.number, [])
        worker = FakeWorker(chance, directory, jobs)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(context.run)
            nursery.start_soon(
                partial(
                    work_for_the_swarm,
                    context,
                    member,
                    gossip,
                    slots=[SlotState(WorkerSlot(1), worker)],
                    checker=_Checker(self, node.number, worker),
                    device="simulated",
                )
            )

    async def _run_node(self, node: SimulatedNode) -> None:
        if not isinstance(node.blobs, FileBackedBlobs):
            node.blobs = FileBackedBlobs(self.directory / f"blobs{node.number}")
        await super()._run_node(node)

    def works(self, node: SimulatedNode) -> int:
        """How many jobs it began, checks aside."""
        return sum(job["job"] != "check" for job in self.jobs[node.number])

    def ripe(self) -> list[bytes]:
        return [one.id for one in ledger_of(self.nodes[0]).candidates() if one.ripe is not None]

    def votes(self, candidate: bytes) -> int:
        found = ledger_of(self.nodes[0]).candidate(candidate)
        return 0 if found is None else len(found.ballots)


class _Checker:
    """A workshop in which checks are held up."""

    def __init__(self, swarm: WorkingOpenSwarm, number: int, inner: FakeWorker) -> None:
        self._swarm, self._number, self._inner = swarm, number, inner

    async def perform(self, job: Mapping[str, Any], report: Callable[..., None]) -> Mapping[str, Any]:
        while self._number in self._swarm.undecided:
            await trio.sleep(0.5)
        return await self._inner.perform(job, report)

    async def aclose(self) -> None:
        await self._inner.aclose()


Make = Callable[..., WorkingOpenSwarm]


@pytest.fixture
async def make(tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery) -> AsyncIterator[Make]:
    yield lambda count, seed, **options: WorkingOpenSwarm(count, seed, tmp_path, **options)
    nursery.cancel_scope.cancel()


def promotion_of(ledger: Ledger, candidate: bytes) -> Any:
    return next((one for one in ledger.promotions() if one.candidate == candidate), None)


async def certified(swarm: WorkingOpenSwarm, nodes: list[SimulatedNode], candidate: bytes) -> Any:
    """The promotion, when all these nodes can show its certificate; which an auditor believes."""
    await until(lambda: all(
        (found := promotion_of(ledger_of(node), candidate)) is not None and make_certificate(found, ledger_of(node))
        for node in nodes
    ), 300)  # fmt: skip
    made = {make_certificate(promotion_of(ledger_of(node), candidate), ledger_of(node)) for node in nodes}
    assert len(made) == 1
    verified = verify(made.pop() or b"", swarm.genesis.digest)
    promotion = promotion_of(ledger_of(nodes[0]), candidate)
    assert verified.roster.digest == ledger_of(nodes[0]).roster_of(promotion).digest
    return promotion


async def test_a_voter_leaves_and_the_votes_of_the_others_are_enough(
    make: Make, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Three of five have approved; of the four that stay, three are more than two thirds."""
    swarm = make(5, 31)
    swarm.undecided = {3, 4}
    await nursery.start(swarm.run)
    await until(lambda: len(swarm.ripe()) == 1 and swarm.votes(swarm.ripe()[0]) == 3, 300)
    (candidate,) = swarm.ripe()
    epoch = member_of(swarm.nodes[0]).replica.epoch_number
    gone = swarm.nodes[4]
    assert promotion_of(ledger_of(swarm.nodes[0]), candidate) is None
    await agree(swarm, Change("leave", gone.identity.id), swarm.nodes[:4])
    await until(lambda: in_force(swarm.nodes[:4], gone.identity.id, present=False))
    promotion = await certified(swarm, swarm.nodes[:4], candidate)
    assert promotion.roster_version >= 2, "sealed by the roster that decided it"
    assert gone.identity.id not in [entry.author for entry in promotion.seals[: promotion.certified]]
    assert [kind for kind, _, when in swarm.effects if kind == "promotion" and when == epoch] == []
    done, total = swarm.works(gone), sum(map(swarm.works, swarm.nodes))
    swarm.undecided = set()
    await until(lambda: sum(map(swarm.works, swarm.nodes)) >= total + 12, 300)
    assert swarm.works(gone) <= done + 1, "who has left does no more work"
    HonestMembersCheck(swarm).inspect()


async def test_a_newcomer_votes_on_a_candidate_that_was_ripe_before_it_came(
    make: Make, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    swarm = make(4, 32)
    swarm.undecided = {2, 3}
    await nursery.start(swarm.run)
    await until(lambda: len(swarm.ripe()) == 1 and swarm.votes(swarm.ripe()[0]) == 2, 300)
    (candidate,) = swarm.ripe()
    new = swarm.add_newcomer(nursery, swarm.nodes[1])
    await swarm.start(new)
    change = Change("join", new.identity.id, weight=1, address=swarm.address_of(new))
    await agree(swarm, change, swarm.nodes[:4])
    await until(lambda: swarm.votes(candidate) == 3, 200)
    found = ledger_of(swarm.nodes[0]).candidate(candidate)
    assert found is not None
    assert new.identity.id in [ballot.author for ballot in found.ballots], "three of five: not enough yet"
    swarm.undecided = {3}
    promotion = await certified(swarm, [*swarm.nodes[:4], new], candidate)
    assert promotion.roster_version == 2
    await until(lambda: any(
        entry.author == new.identity.id for entry in promotion_of(ledger_of(new), candidate).seals
    ), 60)  # fmt: skip
    HonestMembersCheck(swarm).inspect()


def all_weigh(nodes: Sequence[SimulatedNode], member: MemberId, weight: int) -> bool:
    """Whether the member has this weight in the rosters that these nodes go by."""
    return all(member_of(node).replica.roster.weights[member] == weight for node in nodes)


@pytest.mark.slow
async def test_weights_decide_as_they_are_when_it_is_counted(
    make: Make, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Four of seven have approved, which is not enough; with more weight on three of them it is."""
    swarm = make(7, 33)
    swarm.undecided = {4, 5, 6}
    await nursery.start(swarm.run)
    await until(lambda: len(swarm.ripe()) == 1 and swarm.votes(swarm.ripe()[0]) == 4, 300)
    (candidate,) = swarm.ripe()
    for number in (0, 1, 2):
        assert promotion_of(ledger_of(swarm.nodes[0]), candidate) is None
        await agree(swarm, Change("weight", swarm.nodes[number].identity.id, weight=2), swarm.nodes[:6])
        await until(partial(all_weigh, swarm.nodes, swarm.nodes[number].identity.id, 2))
    promotion = await certified(swarm, swarm.nodes, candidate)
    assert ledger_of(swarm.nodes[0]).roster_of(promotion).total_weight == 10
    HonestMembersCheck(swarm).inspect()


@pytest.mark.slow
async def test_a_member_goes_on_under_another_key(make: Make, nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """While the old key goes on, too, as if nothing had happened: what it says counts for nothing."""
    swarm = make(4, 34)
    await nursery.start(swarm.run)
    old = swarm.nodes[3]
    await until(lambda: len(ledger_of(swarm.nodes[0]).promotions()) >= 1, 300)
    heir = swarm.add_newcomer(nursery, swarm.nodes[0])
    await swarm.start(heir)
    change = Change("key", old.identity.id, key=heir.identity.id, address=swarm.address_of(heir))
    await agree(swarm, change, [old, *swarm.nodes[1:3]])  # the old key asks for it itself
    await until(lambda: in_force([*swarm.nodes[:3], heir], heir.identity.id), 60)
    await until(lambda: in_force(swarm.nodes[:3], old.identity.id, present=False), 60)
    since = len(swarm.effects)
    before = len(ledger_of(swarm.nodes[0]).promotions())

    def acts(kind: str, node: SimulatedNode) -> int:
        return sum((what, who) == (kind, node.identity.id) for what, who, _ in swarm.effects[since:])

    await until(lambda: len(ledger_of(swarm.nodes[0]).promotions()) >= before + 2, 600)
    await until(lambda: acts("seal", heir) > 0 and acts("vote", heir) > 0 and acts("games", heir) > 0, 600)
    assert {who for _, who, _ in swarm.effects[since:]}.isdisjoint({old.identity.id})
    assert any(shard.author == heir.identity.id for shard in ledger_of(heir).shards("hex8-2"))
    assert all(not ledger_of(node).claims_of(old.identity.id) for node in swarm.nodes[:3])
    HonestMembersCheck(swarm).inspect()


async def test_the_others_find_a_member_that_moves(
    make: Make, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """It comes back elsewhere, and asks nobody: they ask it."""
    swarm = make(4, 35)
    await nursery.start(swarm.run)
    moving, others = swarm.nodes[3], swarm.nodes[:3]
    await until(lambda: member_of(moving).replica.ledger.round > 5)
    swarm.ports[3] = 42
    await agree(swarm, Change("address", moving.identity.id, address=swarm.address_of(moving)), others)
    await until(lambda: all(swarm.knows_place(node, moving) for node in others))
    swarm.crash(moving)
    swarm.stop_listening("10.0.0.1:7003")
    await trio.sleep(5)
    swarm.offline.add(moving.identity.id)
    await swarm.start(moving)
    await until(lambda: not member_of(moving).status().listening, 60)
    rounds = member_of(moving).replica.ledger.round
    done = len(swarm.effects)
    await until(lambda: member_of(moving).replica.ledger.round > rounds + 10, 60)
    await until(lambda: any(who == moving.identity.id for _, who, _ in swarm.effects[done:]), 120)
    assert ledger_of(moving).roster_version == 1, "who decides has not changed"
    swarm.offline.clear()
    HonestMembersCheck(swarm).inspect()


async def approve(swarm: WorkingOpenSwarm, voter: SimulatedNode, change: Change) -> None:
    """Says yes when it is proposed."""
    found: list[bytes] = []
    while not found:
        await trio.sleep(0.1)
        found = [one.id for one in ledger_of(voter).proposals() if one.change == change]
    context = swarm.contexts[voter.number]
    await context.submit(t.Ballot(context.next_id(), found[0], True))


RULES = replace(WORK, membership=MembershipSettings(absence_s=60, expel=1))


async def test_who_is_away_for_long_and_who_lies_are_proposed_to_leave_by_the_genesis(
    make: Make, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    swarm = make(7, 36, settings=RULES)
    liar, away = swarm.nodes[6], swarm.nodes[5]
    liar.set_attacks([ATTACKS["fork"](36)])
    await nursery.start(swarm.run)
    others = swarm.nodes[:5]
    await until(lambda: any(kind == "claim" for kind, _, _ in swarm.effects))
    swarm.crash(away)

    def proposed(node: SimulatedNode) -> bool:
        wanted = Change("leave", node.identity.id)
        return any(one.author is None and one.change == wanted for one in ledger_of(others[0]).proposals())

    for node in (liar, away):
        await until(partial(proposed, node), 300)
        change = Change("leave", node.identity.id)
        for voter in others:
            await approve(swarm, voter, change)
        await until(partial(in_force, others, node.identity.id, present=False), 120)
    before = len(ledger_of(others[0]).promotions())
    await until(lambda: len(ledger_of(others[0]).promotions()) > before, 600)
    await until(lambda: all(one.certified for one in ledger_of(others[0]).promotions()), 120)
    for promotion in ledger_of(others[0]).promotions():
        data = make_certificate(promotion, ledger_of(others[0]))
        assert data is not None
        verify(data, swarm.genesis.digest)
    assert len(ledger_of(others[0]).roster) == 5
