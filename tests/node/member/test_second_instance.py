"""A copy of a member's key does not start, or the process that ran before stops; and nothing else looks like one."""

import random
from collections.abc import Sequence
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from consensus.event import Event
from consensus.keys import MemberId
from consensus.replica import RoundEffects
from node.config.identity import IdentityError
from node.gossip.rhythm import Rhythm
from node.member.inbox import Delivery
from node.member.member import Member
from node.member.timing import CreationTiming
from node.simulation.machine import SimulatedNode
from node.simulation.swarm import SimulatedSwarm
from node.store.memory import MemoryDisk
from node.system.exception_groups import leaves
from node.transport import MAX_ANSWER_BYTES, Refused, Unreachable
from node.transport.memory import Network
from node.transport.router import Refusal, Router

TIMING = CreationTiming()
OURS = 1  # the number of the node whose key is copied


class DirectTransport:
    """The transport of a copy, which no cut of the links of `ours` hinders."""

    def __init__(self, network: Network, me: MemberId) -> None:
        self._network, self._me = network, me

    async def ask(
        self, peer: bytes, path: str, body: bytes, *, timeout_s: float, max_bytes: int = MAX_ANSWER_BYTES
    ) -> bytes:
        await trio.sleep(0.005)
        host = self._network._hosts.get(peer)
        if host is None:
            raise Unreachable("connection refused")
        try:
            return await host.router.answer(self._me, path, body)
        except Refusal as refusal:
            raise Refused(refusal.status, refusal.reason) from None


class Swarm(SimulatedSwarm):
    """Four members, and copies of the second one."""

    def __init__(self) -> None:
        super().__init__(4, 7, timing=TIMING, rhythm=Rhythm(), observe=self._observe)

    def _observe(self, node: SimulatedNode, decided: RoundEffects) -> None:
        assert not decided.effects or all(effect.kind != "evidence" for effect in decided.effects), decided.effects

    @property
    def ours(self) -> SimulatedNode:
        return self.nodes[OURS]

    def member(self, number: int = OURS) -> Member:
        member = self.nodes[number].member
        assert member is not None
        return member

    async def run_copy(
        self,
        disk: MemoryDisk,
        may_be_copy: bool,
        *,
        task_status: trio.TaskStatus[Member] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Run a second process with the key of `ours`, which asks the others and is asked by nobody."""
        self.ours.make_member = partial(Member, may_be_copy=may_be_copy)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.network, "transport", lambda me: DirectTransport(self.network, me))
            instance = self._make_instance(self.ours, disk, random.Random(5))
        self.ours.make_member = Member
        admission = self._admission(self.ours, instance, Router([], {}))
        async with trio.open_nursery() as nursery:
            await nursery.start(instance.member.run)
            await admission.admit_roster()
            nursery.start_soon(instance.gossip.run)
            task_status.started(instance.member)

    def newest(self, by: Member) -> int:
        newest = by.replica.newest(by.id)
        return -1 if newest is None else newest.seq

    def known(self, by: Member) -> int:
        """The highest number of its events that another node has."""
        others = [node.member for node in self.nodes if node is not self.ours and node.member is not None]
        return max(newest.seq for other in others if (newest := other.replica.newest(by.id)) is not None)

    def fork_free(self, numbers: Sequence[int] = range(4)) -> bool:
        return not any(self.member(number).replica.hashgraph.forkers() for number in numbers)


@pytest.fixture
async def swarm(nursery: trio.Nursery, autojump_clock: MockClock) -> Swarm:
    swarm = Swarm()
    await nursery.start(swarm.run)
    await trio.sleep(20)
    return swarm


async def refusal(swarm: Swarm, disk: MemoryDisk, *, may_be_copy: bool) -> str:
    """What a copy says before it ends, having made no event."""
    said: list[str] = []
    try:
        with trio.fail_after(60):
            await swarm.run_copy(disk, may_be_copy)
    except* IdentityError as group:
        said += [str(error) for error in leaves(group)]
    (line,) = said
    return line


@pytest.mark.parametrize("is_busy", [False, True], ids=["calm", "busy"])
@pytest.mark.parametrize("copied", ["key", "key and disk"])
async def test_a_copy_beside_the_running_node_does_not_start(
    swarm: Swarm, autojump_clock: MockClock, nursery: trio.Nursery, copied: str, is_busy: bool
) -> None:
    async def submit() -> None:
        for number in range(10_000):
            swarm.member().submit([{"type": "note", "id": number}])
            await trio.sleep(2)

    if is_busy:
        nursery.start_soon(submit)
        await trio.sleep(3)
    disk = swarm.ours.disk.copy() if copied == "key and disk" else MemoryDisk()
    said = await refusal(swarm, disk, may_be_copy=copied == "key and disk")
    assert said.startswith("another running node has this node's key: event ")
    assert "\n" not in said
    said = await refusal(swarm, disk, may_be_copy=False)  # a restart: its disk has own events that it did not make
    assert said.startswith("another running node has this node's key: event ")
    assert swarm.member().second_instance.reason == ""
    before = swarm.newest(swarm.member())
    await trio.sleep(20)
    assert swarm.newest(swarm.member()) > before
    assert swarm.fork_free()
    assert swarm.ours.stops == []


async def test_a_node_that_did_not_run_while_its_copy_took_over_stops(
    swarm: Swarm, autojump_clock: MockClock, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """It was stopped, or its machine slept: when it goes on, it hears the others before it makes an event."""
    original, go_on = swarm.member(), trio.Event()
    wait = original._inbox.next

    async def frozen(until: float) -> Delivery | None:
        if not go_on.is_set():
            await go_on.wait()
            return None  # its timer is the first to be noticed
        return await wait(until)

    original.submit([{"type": "note", "id": 1}])
    await trio.sleep(10)
    monkeypatch.setattr(original._inbox, "next", frozen)
    original._inbox.wake()
    await trio.sleep(1)
    copy = await nursery.start(swarm.run_copy, swarm.ours.disk.copy(), True)
    copy.submit([{"type": "note", "id": 2}])
    await trio.sleep(30)
    assert swarm.newest(copy) > swarm.newest(original)
    go_on.set()
    await trio.sleep(30)
    assert original.second_instance.reason.startswith("another process has this node's key: event ")
    assert original.status().ailment == original.status().second_instance == original.second_instance.reason
    assert "no own events any more" in capsys.readouterr().out
    assert copy.second_instance.reason == ""
    before = swarm.newest(original)
    copy.submit([{"type": "note", "id": 3}])
    await trio.sleep(5)
    assert swarm.newest(original) > before  # it goes on taking in what others say, also with its own key
    assert swarm.fork_free()
    assert not original.replica.ledger.is_silenced(original.id)


async def test_a_node_that_was_cut_off_while_its_copy_took_over_stops_and_keeps_its_last_events_back(
    swarm: Swarm, autojump_clock: MockClock, nursery: trio.Nursery, capsys: pytest.CaptureFixture[str]
) -> None:
    """It made events that nobody got; the copy made others with their numbers."""
    original, others = swarm.member(), [node.identity.id for node in swarm.nodes if node is not swarm.ours]
    disk = swarm.ours.disk.copy()
    swarm.network.cut([original.id], others)
    swarm.network.cut(others, [original.id])
    original.submit([{"type": "note", "id": 1}])
    await trio.sleep(30)
    unseen = swarm.newest(original)
    assert {event.seq for event in original.hidden().values()} == set(range(swarm.known(original) + 1, unseen + 1))
    assert original.status().listening  # it makes no more
    assert any("nobody was heard for 10 s" in line for line in capsys.readouterr().out.splitlines())
    copy = await nursery.start(swarm.run_copy, disk, True)
    copy.submit([{"type": "note", "id": 2}])
    await trio.sleep(40)
    assert swarm.newest(copy) > unseen
    swarm.network.heal()
    copy.submit([{"type": "note", "id": 3}])
    await trio.sleep(60)
    assert original.second_instance.reason.startswith("another process has this node's key: event ")
    assert original.second_instance.reason.endswith("; stop one of the two and start the other again")
    assert copy.second_instance.reason == ""
    assert swarm.fork_free([0, 2, 3])
    assert not copy.replica.ledger.is_silenced(copy.id)


async def test_a_machine_that_slept_listens_again(swarm: Swarm, autojump_clock: MockClock) -> None:
    """The clock of its timers stood still meanwhile; that of the wall did not."""
    member = swarm.member()
    swarm.ours.clock.skew_ns += 60 * 10**9
    with trio.fail_after(TIMING.heartbeat_s + 1):
        while not member.status().listening:
            await trio.sleep(0.01)
    with trio.fail_after(10):
        while member.status().listening:
            await trio.sleep(0.01)
    before = swarm.newest(member)
    await trio.sleep(10)
    assert swarm.newest(member) > before


# What looks a little like a second instance, and is none.


async def all_go_on(swarm: Swarm, numbers: Sequence[int], within_s: float = 40) -> None:
    before = [swarm.newest(swarm.member(number)) for number in numbers]
    await trio.sleep(within_s)
    after = [swarm.newest(swarm.member(number)) for number in numbers]
    assert all(now > then for now, then in zip(after, before, strict=True)), (before, after)
    assert all(node.stops == [] for node in swarm.nodes)
    assert all(swarm.member(number).second_instance.reason == "" for number in range(4))
    assert swarm.fork_free()


@pytest.mark.parametrize("off_s", [0.0, 0.5, 30.0])
async def test_a_restart_is_no_second_instance(swarm: Swarm, autojump_clock: MockClock, off_s: float) -> None:
    for _ in range(3):
        swarm.crash(swarm.ours)
        await trio.sleep(off_s)
        await swarm.start(swarm.ours)
        await trio.sleep(3)
        assert not swarm.member().status().listening
    await all_go_on(swarm, [OURS])


async def test_a_restart_while_old_requests_are_on_their_way_is_no_second_instance(
    swarm: Swarm, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """What the process before brought to a peer late comes back as events that are on the disk."""
    instance = swarm._make_instance(swarm.ours, swarm.ours.disk.copy(), random.Random(1))
    await nursery.start(instance.member.run)
    old = [event for event in instance.member.replica.dag.events if event.creator == instance.member.id]
    swarm.crash(swarm.ours)
    await swarm.start(swarm.ours)
    await swarm.member().insert(old)
    await trio.sleep(3)
    await swarm.member().insert(old)
    await all_go_on(swarm, [OURS])


async def test_a_lost_disk_is_no_second_instance(swarm: Swarm, autojump_clock: MockClock) -> None:
    highest = swarm.newest(swarm.member())
    swarm.crash(swarm.ours)
    await trio.sleep(0)
    swarm.ours.disk = MemoryDisk()
    await swarm.start(swarm.ours)
    await trio.sleep(TIMING.quiet_s - 1)
    assert swarm.newest(swarm.member()) == highest
    assert swarm.member().status().listening  # it could have been another process
    await all_go_on(swarm, [OURS])


async def test_a_restart_of_all_is_no_second_instance(swarm: Swarm, autojump_clock: MockClock) -> None:
    for node in swarm.nodes:
        swarm.crash(node)
    await trio.sleep(1)
    for node in swarm.nodes:
        if node is swarm.ours:
            node.disk = MemoryDisk()
        await swarm.start(node)
        await trio.sleep(0.7)
    await all_go_on(swarm, range(4))


async def test_a_moved_address_is_no_second_instance(swarm: Swarm, autojump_clock: MockClock) -> None:
    swarm.crash(swarm.ours)
    swarm.move(swarm.ours, "m9:7000")
    await swarm.start(swarm.ours)
    await all_go_on(swarm, [OURS])


async def test_an_old_backup_is_no_second_instance(swarm: Swarm, autojump_clock: MockClock) -> None:
    backup = swarm.ours.disk.copy()
    await trio.sleep(30)
    swarm.crash(swarm.ours)
    await trio.sleep(1)
    swarm.ours.disk, swarm.ours.make_member = backup, partial(Member, may_be_copy=True)
    await swarm.start(swarm.ours)
    await trio.sleep(TIMING.quiet_s - 1)
    assert swarm.member().status().listening
    await all_go_on(swarm, [OURS])


async def lose_disk_and_withheld(swarm: Swarm, count: int) -> list[Event]:
    """Return own events that went to one dishonest member only, after the disk that had them was lost."""
    replica, clock = swarm.member().replica, swarm.ours.clock
    swarm.crash(swarm.ours)
    await trio.sleep(1)  # by then all that was sent is where it went
    withheld: list[Event] = []
    for _ in range(count):
        withheld.append(replica.create(clock.time_ns()))
        replica.insert(withheld[-1:])
    swarm.ours.disk = MemoryDisk()
    return withheld


async def test_own_events_whose_parents_are_withheld_do_not_keep_a_node_from_starting(
    swarm: Swarm, autojump_clock: MockClock
) -> None:
    first, *others = await lose_disk_and_withheld(swarm, 5)
    for _ in range(3):
        await swarm.start(swarm.ours)
        await trio.sleep(3)
        for event in others:
            await swarm.member().insert([event])
            await trio.sleep(2)
        assert swarm.member().status().listening
        swarm.crash(swarm.ours)
    await swarm.start(swarm.ours)
    await trio.sleep(3)
    await swarm.member().insert([*others, first])
    await all_go_on(swarm, [OURS])


@pytest.mark.parametrize(("count", "refusals"), [(2, 0), (5, 1), (6, 2)])
async def test_own_events_that_are_brought_late_keep_a_node_from_starting_a_few_times_only(
    swarm: Swarm, autojump_clock: MockClock, nursery: trio.Nursery, count: int, refusals: int
) -> None:
    """A third of their number, however often they are brought."""
    withheld = await lose_disk_and_withheld(swarm, count)
    swarm.ours.honest = False  # what stops it is counted
    await swarm.start(swarm.ours)
    for event in withheld:
        await trio.sleep(3)
        while swarm.ours.member is None or not swarm.member().status().listening:
            await trio.sleep(0.5)
        await trio.sleep(3)
        for again in withheld[: withheld.index(event) + 1]:
            nursery.start_soon(swarm.member().insert, [again])
    await trio.sleep(30)
    assert [type(error) for error in swarm.ours.stops] == refusals * [IdentityError]
    swarm.ours.stops.clear()
    await all_go_on(swarm, [OURS])


async def test_no_event_is_made_before_the_own_address_was_asked(autojump_clock: MockClock) -> None:
    swarm = Swarm()
    for node in swarm.nodes:
        node.make_member = partial(Member, asks_own_address=True)
    async with trio.open_nursery() as nursery:
        await nursery.start(swarm.run)
        await trio.sleep(30)
        assert [swarm.newest(swarm.member(number)) for number in range(4)] == [-1] * 4
        for number in range(4):
            swarm.member(number).observe_own_address()
        await trio.sleep(30)
        assert all(swarm.newest(swarm.member(number)) > 0 for number in range(4))
        nursery.cancel_scope.cancel()
