"""How a node deals with a ledger that is not the others': it computes it again once, and says so."""

from collections.abc import Callable, Iterable

import pytest
from structlog.testing import capture_logs

from consensus.event import Event
from consensus.keys import SigningKey
from consensus.outcome import ClosedEpoch, RoundEffects
from consensus.replica import Replica
from node.member.divergence import Divergence
from node.member.recomputation import Recomputation
from node.member.recovery import Recovery
from node.member.verification import CachingVerifier
from node.store.memory import MemoryDisk, MemoryStore
from tests.consensus.gossip import Gossip


async def recomputed(
    swarm: Gossip, divergence: Divergence, replica: Replica, kind: type[Recovery] = Recovery
) -> tuple[Replica, list[RoundEffects]]:
    """What member 0 computes again in place of the replica, from a store with all events of the first epoch."""
    store = MemoryStore(MemoryDisk())
    await store.append(swarm.replicas[0].dag.events)
    recovery = kind(store, CachingVerifier(), swarm.genesis)
    return await Recomputation(divergence, recovery, swarm.keys[0]).recompute_ledger(replica)


def compared(swarm: Gossip, change: Callable[[Replica], None]) -> tuple[Divergence, Replica]:
    """The divergence of member 0, whose ledger was changed after half of the rounds, with its replica."""
    replica = Replica.found(swarm.genesis, swarm.keys[0])
    divergence = Divergence(swarm.keys[0].id)
    events = swarm.replicas[0].dag.events
    for start in range(0, len(events), 10):
        if start == len(events) // 20 * 10:
            change(replica)
        divergence.observe_events(replica.insert(events[start : start + 10]))
        for decided in replica.advance():
            divergence.observe_round(decided)
        divergence.update(replica.roster)
    return divergence, replica


def spoil(replica: Replica) -> None:
    replica.ledger._state.accepted["claim"] = 10**6


async def test_what_was_wrong_is_computed_again_and_named() -> None:
    swarm = Gossip(4, seed=1).run(300).settle()
    divergence, replica = compared(swarm, spoil)
    assert divergence.verdict.agreement == "minority"
    assert divergence.wants_recomputation()
    with capture_logs() as logs:
        cured, _ = await recomputed(swarm, divergence, replica)
    assert cured.ledger.digest() == swarm.replicas[1].ledger.digest()
    assert (divergence.verdict.agreement, divergence.dissent) == ("agree", "")
    (line,) = [entry for entry in logs if "computed again" in entry["event"]]
    assert line["entries"] == "accepted claim"
    assert line["round"] > 1


async def test_all_rounds_come_out() -> None:
    swarm = Gossip(4, seed=1).run(300).settle()
    divergence, replica = compared(swarm, spoil)
    told = Replica.found(swarm.genesis, swarm.keys[0])
    told.insert(swarm.replicas[0].dag.events[:150])
    told.advance()
    _, rounds = await recomputed(swarm, divergence, told)
    assert [decided.round.number for decided in rounds] == list(range(1, replica.ledger.round + 1))


async def test_what_comes_out_the_same_is_computed_once_and_stays_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others name another ledger, and ours is changed in the same way when it is computed again."""
    swarm = Gossip(4, seed=2).run(300).settle()
    divergence, replica = compared(swarm, spoil)

    class Same(Recovery):
        async def resume(self, key: SigningKey) -> tuple[Replica, ClosedEpoch | None]:
            again, closed = await super().resume(key)
            spoil_at_half(again, swarm, monkeypatch)
            return again, closed

    with capture_logs() as logs:
        await recomputed(swarm, divergence, replica, kind=Same)
    assert divergence.verdict.agreement == "minority"
    assert "does not vote or work" in divergence.dissent
    assert not divergence.wants_recomputation()
    assert any("the ledger is the same" in entry["event"] for entry in logs)


def spoil_at_half(replica: Replica, swarm: Gossip, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes the ledger as `compared` did, after as many events."""
    insert, advance, half = replica.insert, replica.advance, len(swarm.replicas[0].dag.events) // 20 * 10
    spoiled: list[RoundEffects] = []

    def spoiling(events: Iterable[Event]) -> list[Event]:
        events = list(events)
        insert(events[:half])
        spoiled.extend(advance())
        spoil(replica)
        return insert(events[half:])

    def advancing() -> list[RoundEffects]:
        before, spoiled[:] = list(spoiled), []
        return [*before, *advance()]

    monkeypatch.setattr(replica, "insert", spoiling)
    monkeypatch.setattr(replica, "advance", advancing)
