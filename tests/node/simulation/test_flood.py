"""A member that floods the others while they are too few to decide: they keep little of it, and go on afterwards."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import trio
import trio.testing

from consensus.event import Event, make_event
from consensus.outcome import RoundEffects
from consensus.settings import EpochSettings, Settings
from node.gossip.messages import MAX_EVENTS_BYTES
from node.gossip.rhythm import Rhythm
from node.member.creation import Plan
from node.member.timing import CreationTiming
from node.simulation.byzantine.attack import Attack, ByzantineMember
from node.simulation.invariants import AgreementCheck
from node.simulation.run import make_deterministic
from node.simulation.swarm import SimulatedSwarm
from node.simulation.workload import SETTINGS

_AT_ONCE = 300
AHEAD = 8
_AWAY_S = 20.0


class Deluge(Attack):
    """Signs many events at once: a chain without other-parents, and branches of older events."""

    kind = "deluge"
    branching = 0.0
    has_begun = False

    def sign(self, member: ByzantineMember, plan: Plan) -> Sequence[Event] | None:
        """See `Attack.sign`."""
        if not self.has_begun:
            return None
        events = [member.next_event(plan)]
        own = member.own_events()
        while len(events) < _AT_ONCE:
            after = self.random.choice(own[-9:]) if own and self.random.random() < self.branching else events[-1]
            note = {"type": "note", "id": self.random.getrandbits(60)}
            events.append(member.next_event(Plan((), True), [note], after=after))
        return events


class BranchingDeluge(Deluge):
    """The same with a second branch in each batch, and more."""

    branching = 0.3


def kept(settings: Settings, attack: type[Deluge], seed: int) -> int:
    """How many of the liar's events an honest member takes in a while without a quorum; then all go on again."""
    counts: list[int] = []
    agreement, deluge = AgreementCheck(), attack(seed)

    def observe(node: object, decided: RoundEffects) -> None:
        agreement.observe(node, decided)  # type: ignore[arg-type]

    async def main() -> None:
        swarm = SimulatedSwarm(
            4,
            seed,
            timing=CreationTiming(busy_s=0.4),
            rhythm=Rhythm(busy_s=0.2, timeout_s=5.0),
            observe=observe,
            attacks={3: [deluge]},
            settings=settings,
        )
        honest, liar = swarm.nodes[:3], swarm.nodes[3].identity.id

        def count() -> None:
            assert honest[0].member is not None
            counts.append(sum(event.creator == liar for event in honest[0].member.replica.dag.events))

        async with trio.open_nursery() as nursery:
            await nursery.start(swarm.run)
            await trio.sleep(5)
            for node in honest[1:]:
                swarm.crash(node)
            count()
            deluge.has_begun = True
            await trio.sleep(_AWAY_S)
            count()
            before = max(agreement.rounds, default=0)
            for node in honest[1:]:
                await swarm.start(node)
            with trio.fail_after(60):
                while len(agreement.rounds) < before + 4:
                    await trio.sleep(0.5)
            nursery.cancel_scope.cancel()

    make_deterministic(seed)
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    return counts[1] - counts[0]


@pytest.mark.parametrize(("attack", "seed"), [(Deluge, 1), (BranchingDeluge, 2)])
def test_what_is_kept_of_a_flood_is_bounded_and_the_swarm_goes_on(attack: type[Deluge], seed: int) -> None:
    limit = AHEAD * 4
    bounded = replace(SETTINGS, epoch=EpochSettings(ahead=AHEAD))
    assert kept(bounded, attack, seed) <= 2 * limit


def test_without_the_bound_all_of_it_is_kept() -> None:
    assert kept(SETTINGS, Deluge, 1) > 300


async def test_a_branch_of_a_forker_larger_than_a_message_stops_nobody(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    agreement = AgreementCheck()
    swarm = SimulatedSwarm(
        4,
        1,
        timing=CreationTiming(),
        rhythm=Rhythm(),
        observe=agreement.observe,
        settings=replace(SETTINGS, epoch=EpochSettings(ahead=AHEAD)),
    )
    await nursery.start(swarm.run)
    await trio.sleep(5)
    knowing, *deceived = (node.member for node in swarm.nodes[:3] if node.member is not None)
    swarm.crash(swarm.nodes[3])
    await trio.sleep(12)  # until everybody has its last event, and nobody waits for rounds

    def sign(after: Event, size: int) -> Event:
        return make_event(
            swarm.nodes[3].identity.key,
            epoch=after.epoch,
            seq=after.seq + 1,
            self_parent=after.hash,
            time=after.time + 1,
            transactions=({"type": "note", "id": size, "filling": bytes(size)},),
        )

    newest = knowing.replica.newest(swarm.nodes[3].identity.id)
    assert newest is not None
    branch = [sign(newest, 1)]
    while sum(len(event.raw) for event in branch) < 2 * MAX_EVENTS_BYTES:
        branch.append(sign(branch[-1], 150_000))
    await knowing.insert([branch[0], sign(newest, 2)])
    for member in deceived:
        await member.insert(branch)
    assert knowing.replica.on_demand()
    before = max(agreement.rounds)
    with trio.fail_after(60):
        while len(agreement.rounds) < before + 5:
            await trio.sleep(0.5)
    nursery.cancel_scope.cancel()
