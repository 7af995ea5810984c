"""Swarms that steer themselves, in virtual time: all is real but the games, and all configurations get theirs."""

from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

from consensus.ledger import Ledger
from consensus.ledger.records.decisions import SteeringChange
from consensus.ledger.records.transactions import Ballot, Propose
from consensus.settings import SelfplaySettings, SteeringSettings
from node.gossip.rhythm import Rhythm
from node.member.timing import CreationTiming
from node.simulation.invariants import AgreementCheck, HonestMembersCheck
from node.simulation.run import make_deterministic
from node.simulation.working_swarm import WorkingSwarm
from tests.integration.test_work import SETTINGS, ledgers

ALL = tuple(f"{board}-{players}" for board in ("hex8", "hexagonal", "square19", "square8") for players in (2, 3, 4))
SMALL = ("hex8-2", "hex8-3", "square8-2")


def run_steered(count: int, configurations: tuple[str, ...], seconds: float, directory: Path) -> WorkingSwarm:
    """Run a swarm for so many virtual seconds; after half of them its members change a setting by ballot."""
    make_deterministic(7)
    agreement = AgreementCheck()
    settings = replace(
        SETTINGS,
        configurations=configurations,
        selfplay=SelfplaySettings(games=8, random_games=24, ceiling=64),
        steering=SteeringSettings(rules=1, window_s=1800, cooldown_s=5),
    )
    swarm = WorkingSwarm(
        count,
        7,
        directory,
        timing=CreationTiming(busy_s=0.4),
        rhythm=Rhythm(busy_s=0.2),
        observe=agreement.observe,
        settings=settings,
    )

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(swarm.run)
            await trio.sleep(seconds / 2)
            change = SteeringChange("set", setting="selfplay.games", value="16")
            await vote_for(swarm, change)
            await trio.sleep_until(seconds)
            HonestMembersCheck(swarm).inspect()
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    return swarm


async def vote_for(swarm: WorkingSwarm, change: SteeringChange) -> None:
    """Let the first member propose a change, and all others vote for it as soon as they see the proposal."""
    first, *others = swarm.contexts.values()
    number = first.next_id()
    await first.submit(Propose(number, change, "more at a time"))
    await first.wait_until_ordered(number)
    (proposal,) = first.ledger.proposals()
    async with trio.open_nursery() as nursery:
        for context in others:
            nursery.start_soon(partial(context.submit, Ballot(context.next_id(), proposal.id, approve=True)))
    with trio.fail_after(30):
        while first.ledger.settings.selfplay.games != 16:
            await trio.sleep(0.5)


def delivered(ledger: Ledger) -> dict[str, int]:
    return {entry.name: entry.games for entry in ledger.configurations()}


def test_every_configuration_is_played_and_a_ballot_changes_how(tmp_path: Path) -> None:
    swarm = run_steered(4, SMALL, 240.0, tmp_path)
    ledger = ledgers(swarm)[0]
    assert min(delivered(ledger).values()) > 0
    assert {promotion.configuration for promotion in ledger.promotions()} == set(SMALL)
    sizes = Counter(job["games"] for job in swarm.jobs if job["job"] == "selfplay" and job["model"] is not None)
    assert sizes[8] > 0
    assert sizes[16] > 0
    assert ledger.settings_version == 1


@pytest.mark.slow
def test_ten_nodes_with_all_configurations_for_an_hour(tmp_path: Path) -> None:
    swarm = run_steered(10, ALL, 3600.0, tmp_path)
    ledger = ledgers(swarm)[0]
    games = delivered(ledger)
    assert min(games.values()) > 0, games
    assert {promotion.configuration for promotion in ledger.promotions()} == set(ALL)
    assert not ledger.faults()
