"""Clocks that are set anew by a year: events, order and leases go on as if nothing had happened."""

import re
import time
from pathlib import Path
from typing import Any

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from consensus.dag import LATEST_NS
from consensus.event import MAX_INT
from consensus.ledger import Ledger
from consensus.settings import Settings, TimingSettings
from node.gossip.rhythm import Rhythm
from node.member.member import Member
from node.member.timing import CreationTiming
from node.simulation.invariants import AgreementCheck, HonestMembersCheck
from node.simulation.swarm import SimulatedNode, SimulatedSwarm
from node.system.clock import SimulatedClock, SteadyClock, SystemClock, wait_until_set

YEAR_NS = 365 * 86_400 * 10**9
ROOT = Path(__file__).parents[3]


async def test_a_steady_clock_follows_the_wall_clock_and_never_goes_back(autojump_clock: MockClock) -> None:
    wall = SimulatedClock()
    steady = SteadyClock(wall)
    start = steady.time_ns()
    assert start == wall.time_ns()
    await trio.sleep(3)
    assert steady.time_ns() == wall.time_ns()
    wall.skew_ns = YEAR_NS
    ahead = steady.time_ns()
    assert ahead == wall.time_ns()
    wall.skew_ns = -YEAR_NS
    for _ in range(5):
        await trio.sleep(7.5)
    assert steady.time_ns() - ahead == pytest.approx(37.5e9, abs=1000)
    wall.skew_ns = 2 * YEAR_NS
    assert steady.time_ns() == wall.time_ns()


async def test_a_steady_clock_goes_on_from_what_was_reached(autojump_clock: MockClock) -> None:
    wall = SimulatedClock()
    steady = SteadyClock(wall)
    reached = wall.time_ns() + 5 * YEAR_NS
    steady.reach(reached)
    steady.reach(reached - YEAR_NS)
    await trio.sleep(2)
    assert steady.time_ns() - reached == pytest.approx(2e9, abs=1000)
    steady.reach(MAX_INT)
    assert steady.time_ns() < reached + YEAR_NS, "events would soon have no room for a later time"


async def test_a_wall_clock_before_1970_makes_no_time_that_events_cannot_hold(autojump_clock: MockClock) -> None:
    assert SteadyClock(SimulatedClock(-(10**18))).time_ns() == 0


@pytest.mark.parametrize("wrong_ns", [MAX_INT, LATEST_NS, -(20 * YEAR_NS)])
async def test_a_clock_that_cannot_be_right_is_not_followed(wrong_ns: int, autojump_clock: MockClock) -> None:
    wall = SimulatedClock()
    steady = SteadyClock(wall)
    before = steady.time_ns()
    wall.skew_ns = wrong_ns - wall.time_ns()
    await trio.sleep(3)
    assert steady.time_ns() - before == pytest.approx(3e9, abs=1000)
    steady.reach(LATEST_NS)
    assert steady.time_ns() - before == pytest.approx(3e9, abs=1000), "own events would be refused by everybody"
    wall.skew_ns = 0
    await trio.sleep(1)
    assert steady.time_ns() == wall.time_ns()


@pytest.mark.parametrize(("wrong_ns", "shown"), [(LATEST_NS, "2116-02-20"), (-(19 * YEAR_NS), "1951-01-06")])
async def test_a_node_waits_until_its_clock_is_set(wrong_ns: int, shown: str, autojump_clock: MockClock) -> None:
    wall = SimulatedClock()
    right_ns, wall.skew_ns = wall.time_ns(), wrong_ns - wall.time_ns()
    with capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_until_set, wall)
            await trio.sleep(1000)
            (line,) = logs
            assert line["event"] == "waiting for the clock"
            assert line["shows"].startswith(shown)
            wall.skew_ns += right_ns - wall.time_ns()
            with trio.fail_after(2):
                while len(logs) < 2:
                    await trio.sleep(0.1)
    assert logs[1]["event"] == "the clock is set"
    with capture_logs() as logs:
        await wait_until_set(wall)
    assert not logs


def test_the_system_s_clock_is_the_system_s() -> None:
    assert abs(SystemClock().time_ns() - time.time_ns()) < 10**9


def test_nothing_but_creation_times_and_certificates_depends_on_the_wall_clock() -> None:
    """Deadlines, backoff, pauses and leases of the work loop run on trio's clock, which nobody can set.

    A check before the start tells people what the clock shows, and whether those of others show the same.
    """
    wall = re.compile(r"\btime\.(time|time_ns|localtime|gmtime|ctime)\(|\bdatetime\.(now|utcnow|today)\(")
    users = {
        str(path.relative_to(ROOT))
        for package in ("consensus", "node", "training", "engine")
        for path in (ROOT / package).rglob("*.py")
        if wall.search(path.read_text())
    }
    assert users == {
        "node/blobs/s3.py",
        "node/cli/debug.py",
        "node/preflight/host.py",
        "node/preflight/members.py",
        "node/preflight/running.py",
        "node/system/clock.py",
        "node/transport/tls.py",
    }


class Swarm(SimulatedSwarm):
    """Four nodes, watched for agreement, honest forks and consensus times that go back."""

    def __init__(self) -> None:
        self.agreement = AgreementCheck()
        timing = TimingSettings(lease_s=24, gap_s=6)
        super().__init__(
            4,
            11,
            timing=CreationTiming(busy_s=0.4, heartbeat_s=2.0, grace_s=2.0),
            rhythm=Rhythm(),
            observe=self.look,
            settings=Settings(timing=timing),
        )
        self.honesty = HonestMembersCheck(self)
        self.times: dict[int, int] = {}

    def look(self, node: SimulatedNode, effects: Any) -> None:
        self.agreement.observe(node, effects)
        for ordered in effects.round.events:
            assert ordered.time > self.times.get(node.number, -1) or node.starts > 1
            self.times[node.number] = ordered.time

    def member(self, number: int) -> Member:
        member = self.nodes[number].member
        assert member is not None
        return member

    def ledger(self) -> Ledger:
        return self.member(0).replica.ledger

    async def claim(self, number: int) -> None:
        """Node 1 claims; returns when the ledger has granted it."""
        table = {"type": "claim", "id": number, "kind": "selfplay", "configuration": "hex8-2", "amount": 8}
        self.member(1).submit([table])
        with trio.fail_after(20):
            while self.ledger().claim(self.nodes[1].identity.id, number) is None:
                await trio.sleep(0.1)

    def lives(self, number: int) -> bool:
        return self.ledger().claim(self.nodes[1].identity.id, number) is not None

    async def restart_all(self) -> None:
        for node in self.nodes:
            self.crash(node)
        await trio.sleep(1)
        for node in self.nodes:
            await self.start(node)
        await trio.sleep(10)


@pytest.mark.parametrize(
    ("nodes", "years", "restart"),
    [
        ((3,), 1, False),
        ((3,), -1, True),
        ((1, 2, 3), 1, True),
        ((1, 2, 3), -1, False),
        ((0, 1, 2, 3), 1, False),
        ((0, 1, 2, 3), 1, True),
        ((0, 1, 2, 3), -1, True),
    ],
)
async def test_clocks_that_jump_by_a_year_and_back_change_nothing(
    nursery: trio.Nursery, autojump_clock: MockClock, nodes: tuple[int, ...], years: int, restart: bool
) -> None:
    swarm = Swarm()
    await nursery.start(swarm.run)
    await trio.sleep(5)
    lease = swarm.genesis.settings.timing.lease_s
    for number, jump in enumerate((years * YEAR_NS, 0)):
        await swarm.claim(number)
        for node in nodes:
            swarm.nodes[node].clock.skew_ns = jump
        if restart:
            await swarm.restart_all()
        await trio.sleep(lease / 4)
        assert swarm.lives(number), "a lease ran out because a clock was set"
        rounds = swarm.ledger().round
        with trio.move_on_after(6 * lease):
            while swarm.lives(number):
                await trio.sleep(1)
        assert not swarm.lives(number), "a lease does not run out since a clock was set"
        assert swarm.ledger().round > rounds
        swarm.honesty.inspect()
    digests = {swarm.member(number).replica.ledger.digest() for number in range(4)}
    assert len(digests) <= 2  # one of them may be a round behind
