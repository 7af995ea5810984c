"""Nodes that tell each other where members are, in swarms in memory and in virtual time."""

import random
from collections.abc import Callable, Sequence

import pytest
import trio
from trio.testing import MockClock

from node.gossip.rhythm import Rhythm
from node.member.timing import CreationTiming
from node.membership.address_exchange import OLD_VERSION_S
from node.membership.address_messages import ADDRESS_PATH, AddressNews, Hint
from node.membership.claims import make_claim
from node.membership.contacts import Contacts, log_while_cut_off
from node.simulation.invariants import AgreementCheck
from node.simulation.machine import Instance, SimulatedNode
from node.simulation.swarm import SimulatedSwarm
from node.transport import Refused, Transport
from node.transport.router import Router


class WatchedSwarm(SimulatedSwarm):
    """Keeps what runs on each machine, and what goes over the path of addresses. Some nodes are of an old version."""

    old: Sequence[int] = ()

    async def run_services(self, node: SimulatedNode, instance: Instance, chance: random.Random) -> None:
        self.instances[node.number] = instance

    def _router(self, node: SimulatedNode, instances: Sequence[Instance]) -> Router:
        router = super()._router(node, instances)
        if node.number in self.old:
            del router._routes[ADDRESS_PATH]
        return router

    instances: dict[int, Instance]


def make_swarm(count: int, seed: int = 3, **options: object) -> WatchedSwarm:
    swarm = WatchedSwarm(
        count,
        seed,
        timing=CreationTiming(busy_s=0.4, prompt_s=0.4),
        rhythm=Rhythm(busy_s=0.2, timeout_s=5.0),
        observe=AgreementCheck().observe,
        **options,  # type: ignore[arg-type]
    )
    swarm.instances = {}
    return swarm


def rounds(swarm: SimulatedSwarm) -> list[int]:
    return [-1 if node.member is None else node.member.replica.ledger.round for node in swarm.nodes]


async def until(condition: Callable[[], bool], seconds: float) -> None:
    with trio.fail_after(seconds):
        while not condition():
            await trio.sleep(0.1)


async def restart(swarm: SimulatedSwarm, moved: Sequence[int], *, keep_disk: bool = True) -> None:
    """Let all machines stop; some move; all start again."""
    for node in swarm.nodes:
        swarm.crash(node)
    for number in moved:
        swarm.move(swarm.nodes[number], f"elsewhere{number}:7000")
    for node in swarm.nodes:
        node.remembered = node.remembered if keep_disk else {}
        await swarm.start(node)


async def goes_on(swarm: SimulatedSwarm, seconds: float) -> None:
    """Wait until all nodes have decided some more rounds."""
    before = max(rounds(swarm))
    for node in swarm.nodes:
        if node.member is not None:
            node.member.submit([{"type": "note", "id": 10**6 + before}])
    await until(lambda: min(rounds(swarm)) >= before + 3, seconds)


@pytest.mark.parametrize("keep_disk", [True, False])
@pytest.mark.parametrize(("count", "moved"), [(4, 2), (4, 3), (7, 3), (7, 6)])
async def test_members_that_moved_find_each_other_without_a_vote(
    nursery: trio.Nursery, autojump_clock: MockClock, count: int, moved: int, keep_disk: bool
) -> None:
    """All restart at the same moment, so all have to listen to more than 2/3; only some are where they were."""
    swarm = make_swarm(count)
    await nursery.start(swarm.run)
    await until(lambda: min(rounds(swarm)) >= 2, 60)
    await restart(swarm, range(moved), keep_disk=keep_disk)
    await goes_on(swarm, 30)
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("count", [4, 7])
async def test_all_move_and_each_is_told_of_one_other(
    nursery: trio.Nursery, autojump_clock: MockClock, count: int
) -> None:
    """A person starts each with --peer: the next one in a circle, at its new address."""
    swarm = make_swarm(count)
    await nursery.start(swarm.run)
    await until(lambda: min(rounds(swarm)) >= 2, 60)
    for number, node in enumerate(swarm.nodes):
        following = (number + 1) % count
        node.bootstrap = {swarm.nodes[following].identity.id: f"elsewhere{following}:7000"}
    await restart(swarm, range(count), keep_disk=False)
    await goes_on(swarm, 60)
    nursery.cancel_scope.cancel()


async def test_a_member_that_moves_while_all_run_is_found(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    swarm = make_swarm(4)
    await nursery.start(swarm.run)
    await until(lambda: min(rounds(swarm)) >= 2, 60)
    for number in range(3):
        swarm.move(swarm.nodes[number], f"elsewhere{number}:7000")
    await until(lambda: all(knows(swarm, one, other) for one in range(4) for other in range(3) if one != other), 30)
    await goes_on(swarm, 20)
    nursery.cancel_scope.cancel()


def knows(swarm: WatchedSwarm, number: int, other: int) -> bool:
    node = swarm.nodes[other]
    candidates = swarm.instances[number].whereabouts.candidates(node.identity.id)
    return node.address in [candidate.address for candidate in candidates]


async def test_a_swarm_at_rest_tells_each_its_own_word_once(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    swarm = make_swarm(4)
    asked: list[float] = []

    class Counting:
        def __init__(self, inner: Transport) -> None:
            self._inner = inner

        async def ask(self, peer: bytes, path: str, body: bytes, *, timeout_s: float, max_bytes: int = 0) -> bytes:
            asked.append(trio.current_time())
            return await self._inner.ask(peer, path, body, timeout_s=timeout_s, max_bytes=max_bytes)

    await nursery.start(swarm.run)
    for instance in swarm.instances.values():
        instance.exchange._transport = Counting(instance.transport)
    await trio.sleep(60)
    assert len(asked) == 4 * 3
    swarm.move(swarm.nodes[0], "elsewhere:7000")
    await trio.sleep(60)
    needed = len(asked)  # it tells three, who miss it, ask each other some times, and tell each other
    assert needed <= 4 * 3 + 3 + 3 * 2 + 3 * 2 * 4
    await trio.sleep(60)
    assert len(asked) == needed
    nursery.cancel_scope.cancel()


async def test_who_forgets_where_members_are_is_told_again(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    """It forgets what it has just heard, and it reaches nobody who could remind it: all others have moved."""
    swarm = make_swarm(4)
    await nursery.start(swarm.run)
    await until(lambda: min(rounds(swarm)) >= 2, 60)
    forgetful = swarm.nodes[3]
    remembered = forgetful.remembered
    for number in range(3):
        swarm.move(swarm.nodes[number], f"elsewhere{number}:7000")
    await until(lambda: all(knows(swarm, one, other) for one in range(4) for other in range(3) if one != other), 30)
    await trio.sleep(20)  # all has been passed on
    before = swarm.instances[3]
    swarm.crash(forgetful)
    forgetful.remembered = remembered
    await swarm.start(forgetful)
    await until(lambda: swarm.instances[3] is not before, 1)
    assert not any(knows(swarm, 3, other) for other in range(3))
    await until(lambda: all(knows(swarm, 3, other) for other in range(3)), 40)
    nursery.cancel_scope.cancel()


async def test_nodes_of_an_old_version_are_left_alone_and_disturb_nobody(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """They answer 404; the new ones find each other all the same, and the old ones by the vote as before."""
    swarm = make_swarm(5)
    swarm.old = (4,)
    await nursery.start(swarm.run)
    await until(lambda: min(rounds(swarm)) >= 2, 60)
    old = swarm.nodes[4].identity.id
    exchange = swarm.instances[0].exchange
    assert exchange._ask_at[old] >= trio.current_time() + OLD_VERSION_S - 60
    peers = swarm.instances[0].gossip.peers
    assert peers[old].error == ""
    swarm.move(swarm.nodes[1], "elsewhere1:7000")
    swarm.move(swarm.nodes[2], "elsewhere2:7000")
    await until(lambda: knows(swarm, 0, 1) and knows(swarm, 1, 2) and knows(swarm, 2, 1), 30)
    await goes_on(swarm, 60)
    nursery.cancel_scope.cancel()


async def test_who_sends_a_claim_that_is_not_signed_is_not_listened_to(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    swarm = make_swarm(4)
    await nursery.start(swarm.run)
    await until(lambda: min(rounds(swarm)) >= 2, 60)
    liar, victim = swarm.nodes[3].identity, swarm.nodes[1].identity
    forged = make_claim(liar.key, swarm.genesis.digest, 2**61, ["elsewhere:1"])
    news = AddressNews([type(forged)(victim.id, forged.number, forged.addresses, forged.signature)])
    body = news.encode_request([])
    with pytest.raises(Refused, match="400: an address claim is not signed"):
        await swarm.instances[3].transport.ask(swarm.nodes[0].identity.id, ADDRESS_PATH, body, timeout_s=5)
    with pytest.raises(Refused, match="429: not listening to you for now"):
        await swarm.instances[3].transport.ask(swarm.nodes[0].identity.id, ADDRESS_PATH, body, timeout_s=5)
    nursery.cancel_scope.cancel()


async def test_a_member_in_back_off_is_asked_soon_where_it_is_said_to_be(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    """Nobody else can tell: it asks nobody itself, as its own requests get lost."""
    swarm = make_swarm(4)
    await nursery.start(swarm.run)
    await until(lambda: min(rounds(swarm)) >= 2, 60)
    away = swarm.nodes[3]
    swarm.crash(away)
    await trio.sleep(120)
    peer = swarm.instances[0].gossip.peers[away.identity.id]
    assert peer.backoff.penalty_s >= 16
    swarm.network.cut([away.identity.id], [node.identity.id for node in swarm.nodes[:3]])
    peer.backoff.ask_at = trio.current_time() + 30
    news = AddressNews([], [Hint(away.identity.id, "elsewhere:7000")])
    body = news.encode_request([])
    await swarm.instances[1].transport.ask(swarm.nodes[0].identity.id, ADDRESS_PATH, body, timeout_s=5)
    assert peer.backoff.ask_at <= trio.current_time() + 1
    nursery.cancel_scope.cancel()


async def test_an_epoch_ends_the_pause_of_whoever_did_not_answer(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    swarm = make_swarm(4)
    await nursery.start(swarm.run)
    await until(lambda: min(rounds(swarm)) >= 2, 60)
    swarm.crash(swarm.nodes[3])
    await trio.sleep(120)
    peers = swarm.instances[0].gossip.peers
    silent, bad = peers[swarm.nodes[3].identity.id], peers[swarm.nodes[2].identity.id]
    assert silent.backoff.penalty_s >= 16
    bad.observe_misbehaviour(ValueError("nonsense"), trio.current_time())
    for peer in (silent, bad):
        peer.observe_epoch(trio.current_time())
    assert silent.backoff.may_ask(trio.current_time())
    assert silent.backoff.penalty_s == 0
    assert not bad.backoff.may_ask(trio.current_time())
    assert not bad.backoff.may_listen(trio.current_time())
    nursery.cancel_scope.cancel()


async def test_a_member_that_is_cut_off_says_whom_it_tried(
    nursery: trio.Nursery, autojump_clock: MockClock, capsys: pytest.CaptureFixture[str]
) -> None:
    swarm = make_swarm(4)
    await nursery.start(swarm.run)
    await until(lambda: min(rounds(swarm)) >= 2, 60)
    for node in swarm.nodes[1:]:
        swarm.crash(node)
    instance = swarm.instances[0]
    contacts = Contacts(
        me=instance.member.id, whereabouts=instance.whereabouts, gossip=instance.gossip, is_outside=lambda: False
    )
    assert contacts.tried() == "nobody yet"
    nursery.start_soon(log_while_cut_off, contacts, instance.gossip.is_cut_off)
    await trio.sleep(150)
    assert instance.gossip.is_cut_off()
    assert sorted(contacts.tried().split(", ")) == [f"m{number} (connection refused)" for number in range(1, 4)]
    said = capsys.readouterr().out
    assert 1 <= said.count("m1 (connection refused)") <= 3
    assert "--peer" in said
    nursery.cancel_scope.cancel()
