"""Nodes whose ledger is not that of the others: whole swarms in virtual time."""

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from consensus.ledger import transactions as t
from node.gossip import Rhythm
from node.member import Pace
from node.simulation.run import make_deterministic
from node.simulation.swarm import SimulatedSwarm

PACE = Pace(busy=0.4)
RHYTHM = Rhythm(busy=0.2, deadline=5.0)
ROUNDS = 6  # after which a node whose ledger is wrong knows it


def in_virtual_time(seed, scenario, count=4, settings=None, **options):
    """Runs `scenario(swarm, rounds)`; `rounds` collects what each node decides."""
    make_deterministic(seed)
    rounds = [[] for _ in range(count)]

    async def main():
        swarm = SimulatedSwarm(
            count, seed, pace=PACE, rhythm=RHYTHM, settings=settings,
            watch=lambda node, effects: rounds[node.number].append(effects), **options,
        )  # fmt: skip
        async with trio.open_nursery() as nursery:
            await nursery.start(swarm.run)
            for node in swarm.honest:
                nursery.start_soon(chat, node)
            await scenario(swarm, rounds)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


async def chat(node):
    """Claims, so that there is something to be wrong about."""
    for number in range(1000):
        await trio.sleep(1.0)
        node.member.submit([t.SelfplayClaim(number, "hex8-2", 1).as_table()])


async def until(condition, seconds=60):
    with trio.fail_after(seconds):
        while not condition():
            await trio.sleep(0.1)


def ledger_of(node):
    return node.member.replica.ledger


@pytest.mark.parametrize("seed", range(3))
def test_a_node_with_a_wrong_ledger_finds_out_says_so_and_computes_it_again(seed):
    async def scenario(swarm, rounds):
        wrong, *others = swarm.nodes
        await until(lambda: ledger_of(wrong).round >= 10)
        assert wrong.member.standing().dissent == ""
        at = ledger_of(wrong).round
        ledger_of(wrong)._state.accepted["claim"] += 1  # a bit flips
        said = []
        with capture_logs() as logs:
            while not any(entry["event"].startswith("the ledger was wrong") for entry in logs):
                said.append((ledger_of(wrong).round, wrong.member.standing().dissent))
                await trio.sleep(0.05)
                assert ledger_of(wrong).round <= at + ROUNDS
            cured = [entry for entry in logs if entry["event"].startswith("the ledger was wrong")]
        assert cured[0]["round"] == at + 1
        assert cured[0]["entries"] == "accepted claim"
        noticed = [entry for entry in logs if entry["event"] == "the ledgers differ"]
        assert len(noticed) == 1  # nobody else has doubts
        assert noticed[0]["round"] == at + 1
        await trio.sleep(10)
        for node in swarm.nodes:
            assert node.member.standing().dissent == ""
        assert ledger_of(wrong).round >= at + 15
        await until(lambda: ledger_of(wrong).digest() == ledger_of(others[0]).digest())
        check_agreement(rounds, wrong.number, at)

    in_virtual_time(seed, scenario)


def check_agreement(rounds, wrong, at):
    """All tell the same rounds with the same digests, but for those that the wrong node told too early."""
    told = [{entry.round.number: entry.digest for entry in mine} for mine in rounds]
    assert all(len(digests) == len(mine) for digests, mine in zip(told, rounds, strict=True))  # each once
    differing = [number for number in told[wrong] if told[wrong][number] != told[wrong - 1].get(number)]
    last = min(max(digests) for digests in told)
    assert [number for number in differing if number <= last] == sorted(
        number for number in differing if at < number <= at + ROUNDS
    )


def test_a_wrong_node_puts_nothing_forward_until_it_is_cured():
    """Its cure is taken away, so that it stays wrong; what it was told to say waits."""

    async def scenario(swarm, _rounds):
        wrong = swarm.nodes[1]
        wrong.member.divergence.wants_cure = lambda: False
        await until(lambda: ledger_of(wrong).round >= 5)
        ledger_of(wrong)._state.refused["malformed"] = 7
        await until(lambda: wrong.member.standing().dissent)
        assert "does not vote or work" in wrong.member.standing().dissent
        made = len(wrong.member.replica.dag.events)
        await trio.sleep(10)
        events = wrong.member.replica.dag.events[made:]
        mine = [event for event in events if event.creator == wrong.identity.id]
        assert len(mine) > 5  # it goes on ordering with the others
        assert all(event.transactions == () for event in mine)
        assert wrong.member.standing().pending > 5
        del wrong.member.divergence.wants_cure
        await until(lambda: wrong.member.standing().dissent == "")
        await until(lambda: wrong.member.standing().pending <= 3)

    in_virtual_time(4, scenario)


def test_without_a_majority_everybody_says_so():
    async def scenario(swarm, _rounds):
        await until(lambda: all(ledger_of(node).round >= 5 for node in swarm.nodes))
        for node in swarm.nodes[:2]:
            node.member.divergence.wants_cure = lambda: False
            ledger_of(node)._state.refused["malformed"] = 7
        await until(lambda: all(node.member.standing().dissent for node in swarm.nodes))
        assert all("no ledger has the majority" in node.member.standing().dissent for node in swarm.nodes)
        first = swarm.nodes[0].member.standing().round
        await until(lambda: swarm.nodes[3].member.standing().round > first + 3)  # the order needs no ledger

    in_virtual_time(5, scenario)
