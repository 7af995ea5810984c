"""A swarm that works changes a setting, pauses and goes on, by the real code in virtual time."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import trio
import trio.testing

from consensus.certificate.envelope import make_certificate
from consensus.ledger import Ledger
from consensus.ledger.records import transactions as t
from consensus.ledger.records.decisions import SteeringChange
from consensus.settings import SteeringSettings
from node.gossip.rhythm import Rhythm
from node.member.timing import CreationTiming
from node.simulation.invariants import AgreementCheck
from node.simulation.run import make_deterministic
from node.simulation.working_swarm import WorkingSwarm
from tests.consensus.certificate.both import verify
from tests.integration.test_work import SETTINGS

STEERED = replace(SETTINGS, steering=SteeringSettings(rules=1))
BEFORE, AFTER = str(STEERED.selfplay.simulations), "24"
LIMIT_S = 3600.0


class Voters:
    """The people at the nodes of a swarm: one proposes, all others approve."""

    def __init__(self, swarm: WorkingSwarm) -> None:
        self._contexts = swarm.contexts
        self._number = len(swarm.nodes)

    def ledgers(self) -> list[Ledger]:
        return [self._contexts[number].ledger for number in range(self._number)]

    async def agree(self, change: SteeringChange) -> None:
        first = self._contexts[0]
        proposal = t.Propose(first.next_id(), change, "all want it")
        name = t.proposal_id(first.me, proposal.id)
        await first.submit(proposal)
        await self.until(lambda ledger: ledger.proposal(name) is not None)
        for number in range(1, self._number):
            context = self._contexts[number]
            await context.submit(t.Ballot(context.next_id(), name, approve=True))
        await self.until(lambda ledger: any(entry.proposal == name for entry in ledger.settings_history()))

    async def until(self, holds: Callable[[Ledger], object]) -> None:
        while not all(map(holds, self.ledgers())):
            await trio.sleep(0.5)


def test_a_working_swarm_changes_a_setting_pauses_and_goes_on(tmp_path: Path) -> None:
    make_deterministic(7)
    agreement = AgreementCheck()
    options: dict[str, Any] = {
        "timing": CreationTiming(busy_s=0.4),
        "rhythm": Rhythm(busy_s=0.2),
        "observe": agreement.observe,
        "settings": STEERED,
    }
    swarm = WorkingSwarm(2, 7, tmp_path, **options)
    voters = Voters(swarm)
    searched: list[int] = []  # simulations of each job of self-play, when the swarm was told to pause

    async def scenario() -> None:
        await voters.until(lambda ledger: ledger.promotions("hex8-2"))
        assert {str(job["settings"]["simulations"]) for job in swarm.jobs if job["job"] == "selfplay"} == {BEFORE}
        await voters.agree(SteeringChange("set", setting="selfplay.simulations", value=AFTER))
        await voters.until(lambda ledger: ledger.shards("hex8-2")[-1].settings_version == 1)
        await voters.agree(SteeringChange("pause"))
        await voters.until(lambda ledger: not ledger.claims())
        jobs, rounds = len(swarm.jobs), [ledger.round for ledger in voters.ledgers()]
        searched.extend(job["settings"]["simulations"] for job in swarm.jobs if job["job"] == "selfplay")
        await trio.sleep(120)
        assert not any(ledger.claims() for ledger in voters.ledgers())
        assert not [job for job in swarm.jobs[jobs:] if job["job"] in ("selfplay", "train", "match", "rate")]
        assert all(ledger.round > before for ledger, before in zip(voters.ledgers(), rounds, strict=True))
        promoted = len(voters.ledgers()[0].promotions())
        await voters.agree(SteeringChange("resume"))
        await voters.until(
            lambda ledger: len(ledger.promotions()) > promoted and ledger.promotions()[promoted].certified
        )

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(swarm.run)
            with trio.fail_after(LIMIT_S):
                while len(swarm.contexts) < len(swarm.nodes):
                    await trio.sleep(0.1)
                await scenario()
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    ledger = voters.ledgers()[0]
    versions = [shard.settings_version for shard in ledger.shards("hex8-2")]
    assert versions == sorted(versions)
    assert set(versions) == {0, 1}
    assert searched == sorted(searched)
    assert {str(simulations) for simulations in searched} == {BEFORE, AFTER}
    last = next(entry for entry in reversed(ledger.promotions()) if entry.certified)
    found = verify(make_certificate(last, ledger) or b"", swarm.genesis.digest).content.settings
    assert found is not None
    assert (found.promotion.version, dict(found.promotion.changed)) == (1, {"selfplay.simulations": AFTER})
