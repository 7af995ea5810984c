"""Swarms that work, in virtual time: claims, matches, votes and seals by the real code, up to certificates."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import trio
import trio.testing

from consensus.certificate.envelope import make_certificate
from consensus.ledger import Ledger
from consensus.settings import MatchSettings, SelfplaySettings, Settings, TimingSettings, TrainingSettings
from node.gossip.rhythm import Rhythm
from node.member.timing import CreationTiming
from node.simulation.invariants import AgreementCheck, HonestMembersCheck
from node.simulation.run import make_deterministic
from node.simulation.working_swarm import WorkingSwarm
from tests.consensus.certificate.both import verify

SETTINGS = Settings(
    selfplay=SelfplaySettings(games=8, random_games=0, ceiling=64),
    training=TrainingSettings(games=24, window=2048),
    match=MatchSettings(slot_blocks=2, block_limit=32),
    timing=TimingSettings(lease_s=20),
)
LIMIT_S = 900.0
"""Virtual seconds in which the wished promotions must be certified."""


def work(
    count: int,
    seed: int,
    directory: Path,
    promotions: int,
    make: Callable[..., WorkingSwarm] = WorkingSwarm,
    *,
    faults: int = 0,
    **trouble: object,
) -> WorkingSwarm:
    """Run a swarm until all have seen `promotions` certificates and `faults`; checks agreement all along."""
    make_deterministic(seed)
    agreement = AgreementCheck()
    options = {
        "timing": CreationTiming(busy_s=0.4),
        "rhythm": Rhythm(busy_s=0.2),
        "observe": agreement.observe,
        "settings": SETTINGS,
    }
    swarm = make(count, seed, directory, failing=float(str(trouble.get("failing", 0.0))), **options)
    limit = float(str(trouble.get("limit", LIMIT_S)))
    crashes = trouble.get("crashes", ())
    assert isinstance(crashes, Sequence)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(swarm.run)
            for at, number, lasts in crashes:
                nursery.start_soon(crash, swarm, at, number, lasts)
            with trio.fail_after(limit):
                while any(certified(it) < promotions or len(it.faults()) < faults for it in ledgers(swarm)):
                    await trio.sleep(1)
            HonestMembersCheck(swarm).inspect()
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    return swarm


async def crash(swarm: WorkingSwarm, at: float, number: int, lasts: float) -> None:
    await trio.sleep(at)
    swarm.crash(swarm.nodes[number])
    await trio.sleep(lasts)
    await swarm.start(swarm.nodes[number])


def ledgers(swarm: WorkingSwarm) -> list[Ledger]:
    return [swarm.contexts[node.number].ledger for node in swarm.nodes]


def certified(ledger: Ledger) -> int:
    return sum(bool(promotion.certified) for promotion in ledger.promotions())


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> WorkingSwarm:
    """Four nodes that have promoted twice."""
    return work(4, 104, tmp_path_factory.mktemp("four"), promotions=2)


@pytest.mark.parametrize("count", [1, 2, 4, *(pytest.param(count, marks=pytest.mark.slow) for count in (3, 7))])
def test_a_swarm_of_any_size_promotes_and_certifies(count: int, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if count == 4:
        swarm: WorkingSwarm = request.getfixturevalue("four")
    else:
        swarm = work(count, 100 + count, tmp_path, promotions=2)
    for promotion in ledgers(swarm)[0].promotions()[:2]:
        data = make_certificate(promotion, ledgers(swarm)[0])
        assert data is not None
        verify(data, swarm.genesis.digest)


def test_nobody_does_what_another_was_granted(four: WorkingSwarm) -> None:
    blocks = Counter(seed for job in four.jobs if job["job"] == "match" for _, seed in job["blocks"])
    assert len(blocks) >= 2 * SETTINGS.match.slot_blocks
    assert set(blocks.values()) == {1}
    seeds = Counter(job["seed"] for job in four.jobs if job["job"] in ("selfplay", "train"))
    assert set(seeds.values()) == {1}


class _TwoSlots(WorkingSwarm):
    slots = 2


@pytest.mark.slow
def test_nodes_with_two_slots_use_both_and_want_nothing_twice(tmp_path: Path) -> None:
    swarm = work(4, 104, tmp_path, 1, _TwoSlots)
    test_nobody_does_what_another_was_granted(swarm)
    refused = ledgers(swarm)[0].refused_counts()
    assert not {"member has a claim on this match", "too many live claims", "shard is known"} & refused.keys(), refused


def test_a_node_that_drains_leaves_no_claim_behind_and_one_that_stops_does(tmp_path: Path) -> None:
    """Beside each other in one swarm: what node 0 gave back is free at once, what node 1 held until its lease ends."""
    make_deterministic(7)
    swarm = _TwoSlots(
        4,
        7,
        tmp_path,
        settings=SETTINGS,
        timing=CreationTiming(busy_s=0.4),
        rhythm=Rhythm(busy_s=0.2),
        observe=AgreementCheck().observe,
    )
    held: list[list[int]] = []

    def claims() -> list[int]:
        ledger = swarm.contexts[2].ledger
        return [len(ledger.claims_of(swarm.nodes[number].identity.id)) for number in (0, 1)]

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(swarm.run)
            with trio.fail_after(60):
                while 2 not in swarm.contexts or not min(claims()):
                    await trio.sleep(0.5)
            drain = swarm.drains[0]
            drain.begin()
            with trio.fail_after(drain.bound_s - 1):
                await drain.wait_until_done()
            while not claims()[1]:
                await trio.sleep(0.1)
            for number in (0, 1):
                swarm.crash(swarm.nodes[number])
            await trio.sleep(5)
            held.append(claims())
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    seeds = Counter(job["seed"] for job in swarm.jobs if job["job"] in ("selfplay", "train"))
    assert set(seeds.values()) == {1}, "slots of a node, or two nodes, did the same"
    ((drained, stopped),) = held
    assert drained == 0
    assert stopped >= 1


def test_workers_that_keep_dying_only_slow_it_down(tmp_path: Path) -> None:
    """More than a quarter of all jobs fail, and who fails again and again pauses for up to ten minutes."""
    work(4, 8, tmp_path, promotions=1, failing=0.08, limit=4 * LIMIT_S)


def test_nodes_that_crash_and_return_take_part_again(tmp_path: Path) -> None:
    swarm = work(4, 9, tmp_path, promotions=2, crashes=[(30, 0, 40), (90, 1, 5), (100, 2, 30)])
    authors = {shard.author for shard in ledgers(swarm)[3].shards("hex8-2")}
    assert authors == {node.identity.id for node in swarm.nodes}
