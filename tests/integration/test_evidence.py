"""A member that equivocates, in whole swarms in virtual time: found, proven, without a say, and voted out."""

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from consensus.ledger.records import transactions as t
from consensus.ledger.records.changes import Change
from consensus.replica import RoundEffects
from consensus.settings import MembershipSettings, Settings
from node.gossip.rhythm import Rhythm
from node.member.timing import CreationTiming
from node.simulation.byzantine import ATTACKS
from node.simulation.run import make_deterministic
from node.simulation.swarm import SimulatedNode, SimulatedSwarm
from tests.integration.open_swarm import ledger_of, member_of


def in_virtual_time(
    seed: int, count: int, settings: Settings, scenario: Callable[[SimulatedSwarm], Awaitable[None]], way: str = "fork"
) -> None:
    make_deterministic(seed)
    rounds: dict[int, bytes] = {}

    def watch(node: SimulatedNode, effects: RoundEffects) -> None:
        """Honest nodes tell the same of every round."""
        if node.honest:
            known = rounds.setdefault(effects.round.number, effects.digest)
            assert known == effects.digest

    async def main() -> None:
        swarm = SimulatedSwarm(
            count, seed, timing=CreationTiming(busy_s=0.4), rhythm=Rhythm(busy_s=0.2, timeout_s=5.0), settings=settings,
            observe=watch, attacks={count - 1: [ATTACKS[way](seed)]},
        )  # fmt: skip
        async with trio.open_nursery() as nursery:
            await nursery.start(swarm.run)
            for node in swarm.nodes:
                nursery.start_soon(chat, node)
            with trio.fail_after(120):
                await scenario(swarm)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


async def chat(node: SimulatedNode) -> None:
    for number in range(1000):
        await trio.sleep(1.0)
        member_of(node).submit([{"type": "note", "id": number}])


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await trio.sleep(0.2)


@pytest.mark.parametrize(
    ("seed", "count", "way"),
    [(1, 4, "fork"), (2, 7, "fork"), (3, 4, "branches"), (4, 4, "late-branch"), (5, 7, "two-faces")],
)
def test_an_equivocator_loses_its_say_and_the_swarm_goes_on(seed: int, count: int, way: str) -> None:
    async def scenario(swarm: SimulatedSwarm) -> None:
        liar, honest = swarm.nodes[-1].identity.id, swarm.honest
        await until(lambda: all(ledger_of(node).convictions() for node in honest))
        await until(lambda: all(member_of(node).status().epoch >= 1 for node in honest))
        for node in honest:
            assert [entry.member for entry in ledger_of(node).convictions()] == [liar]
            assert {member.id: member.weight for member in ledger_of(node).roster.members} == {
                other.identity.id: int(other.honest) for other in swarm.nodes
            }
        before = max(ledger_of(node).round for node in honest)
        await until(lambda: all(ledger_of(node).round > before + 10 for node in honest))
        assert all(ledger_of(node).sealed is not None for node in honest)
        assert all(len(ledger_of(node).convictions()) == 1 for node in honest)

    in_virtual_time(seed, count, Settings(), scenario, way)


def test_the_genesis_has_it_proposed_to_leave_and_it_is_gone_after_the_vote() -> None:
    async def scenario(swarm: SimulatedSwarm) -> None:
        liar, honest = swarm.nodes[-1].identity.id, swarm.honest
        await until(lambda: all(ledger_of(node).proposals() for node in honest))
        (proposal,) = ledger_of(honest[0]).proposals()
        assert (proposal.author, proposal.change) == (None, Change("leave", liar))
        for number, node in enumerate(honest):
            member_of(node).submit([t.Ballot(10**6 + number, proposal.id, approve=True).as_table()])
        await until(lambda: all(liar not in ledger_of(node).roster for node in honest))
        before = max(ledger_of(node).round for node in honest)
        await until(lambda: all(ledger_of(node).round > before + 10 for node in honest))

    in_virtual_time(4, 5, Settings(membership=MembershipSettings(expel=1)), scenario)
