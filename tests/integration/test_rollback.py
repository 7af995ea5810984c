"""A swarm that promoted a weaker model notices it by its ratings and goes back, by the real code in virtual time."""

import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from consensus.certificate.envelope import make_certificate
from consensus.ledger import Ledger
from consensus.settings import MatchSettings, SteeringSettings
from node.gossip.rhythm import Rhythm
from node.member.timing import CreationTiming
from node.simulation.fake_worker import FakeWorker
from node.simulation.invariants import AgreementCheck, HonestMembersCheck
from node.simulation.run import make_deterministic
from node.simulation.swarm import SimulatedNode
from node.simulation.working_swarm import WorkingSwarm
from node.work.worker import JobRunner
from tests.consensus.certificate.both import verify
from tests.integration.test_work import SETTINGS, certified

STEERED = replace(SETTINGS, match=MatchSettings(slot_blocks=16, block_limit=32), steering=SteeringSettings(rules=1))
LIMIT_S = 3600.0


class JudgedWorker(FakeWorker):
    """Games whose outcome depends on who plays: the second model wins its match, but plays badly against others."""

    def __init__(self, *arguments: Any, seen: dict[str, int]) -> None:
        super().__init__(*arguments)
        self._seen = seen  # the candidates' models, in the order in which they were first measured

    def _match(self, job: Mapping[str, Any]) -> Mapping[str, Any]:
        if job["job"] == "rate":
            self._strength = {0: 0.9, 1: 0.1}.get(self._number(job["model"]), 0.5)
        else:
            candidate, incumbent = self._number(job["candidate"]), self._number(job["incumbent"])
            self._strength = 0.95 if (candidate, incumbent) in ((0, -1), (1, 0), (0, 1)) else 0.05
        return super()._match(job)

    def _number(self, directory: str | None) -> int:
        return -1 if directory is None else self._seen.setdefault(Path(directory).name, len(self._seen))


class JudgedSwarm(WorkingSwarm):
    """A `WorkingSwarm` with `JudgedWorker`s."""

    def worker(self, node: SimulatedNode, chance: random.Random, directory: Path) -> JobRunner:
        self.seen: dict[str, int] = getattr(self, "seen", {})
        return JudgedWorker(chance, directory, self.jobs, seen=self.seen)


@pytest.mark.parametrize("count", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_an_induced_regression_is_rolled_back_with_a_certificate(count: int, tmp_path: Path) -> None:
    make_deterministic(5)
    agreement = AgreementCheck()
    options: dict[str, Any] = {
        "timing": CreationTiming(busy_s=0.4),
        "rhythm": Rhythm(busy_s=0.2),
        "observe": agreement.observe,
        "settings": STEERED,
    }
    swarm = JudgedSwarm(count, 5, tmp_path, **options)

    def ledgers() -> list[Ledger]:
        return [swarm.contexts[node.number].ledger for node in swarm.nodes]

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(swarm.run)
            with trio.fail_after(LIMIT_S):
                while any(certified(ledger) < 3 for ledger in ledgers()):
                    await trio.sleep(1)
            HonestMembersCheck(swarm).inspect()
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    ledger = ledgers()[0]
    first, second, third = ledger.promotions()
    assert third.model == first.model != second.model
    assert (third.previous, third.number) == (second.model.digest, 3)
    data = make_certificate(third, ledger)
    assert data is not None
    verify(data, swarm.genesis.digest)
    assert [entry.failures for entry in ledger.ratings("hex8-2").milestones] == [0, 0, 0]
