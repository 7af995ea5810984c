"""A member that announces false facts is found out by a trainer, and trusted again when it is honest."""

import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import trio
import trio.testing

from consensus.ledger import Ledger
from consensus.settings import SteeringSettings
from node.gossip.rhythm import Rhythm
from node.member.timing import CreationTiming
from node.simulation.fake_worker import FakeWorker
from node.simulation.invariants import AgreementCheck
from node.simulation.run import make_deterministic
from node.simulation.swarm import SimulatedNode
from node.simulation.working_swarm import WorkingSwarm
from node.work.worker import JobRunner
from tests.integration.test_work import SETTINGS

LIAR = 1
LIMIT_S = 1200.0


class LyingOnce(FakeWorker):
    """Its first games are announced as better than they are."""

    lies = 1

    def _play(self, job: Mapping[str, Any]) -> Mapping[str, Any]:
        done = super()._play(job)
        if self.lies:
            self.lies -= 1
            return {**done, "facts": {**done["facts"], "duplicates": 1}}
        return done


class LyingSwarm(WorkingSwarm):
    """A `WorkingSwarm` with one such worker."""

    def worker(self, node: SimulatedNode, chance: random.Random, directory: Path) -> JobRunner:
        kind = LyingOnce if node.number == LIAR else FakeWorker
        return kind(chance, directory, self.jobs)


def test_false_facts_are_struck_and_their_author_is_trusted_again_after_a_check(tmp_path: Path) -> None:
    make_deterministic(7)
    agreement = AgreementCheck()

    def ledger() -> Ledger:
        return swarm.contexts[0].ledger

    options: dict[str, Any] = {
        "timing": CreationTiming(busy_s=0.4),
        "rhythm": Rhythm(busy_s=0.2),
        "observe": agreement.observe,
        "settings": replace(SETTINGS, steering=SteeringSettings(rules=1)),
    }
    swarm = LyingSwarm(4, 7, tmp_path, **options)
    liar = swarm.nodes[LIAR].identity.id

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(swarm.run)
            with trio.fail_after(LIMIT_S):
                while not ledger().fault_counts():
                    await trio.sleep(1)
                while liar in ledger().distrusted:
                    await trio.sleep(1)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    shards = [shard for shard in ledger().shards("hex8-2") if shard.author == liar]
    assert [shard.standing for shard in shards].count("struck") == 1
    assert "waiting" not in [shard.standing for shard in shards]
    assert dict(ledger().fault_counts()) == {liar: 1}
    others = [shard for shard in ledger().shards("hex8-2") if shard.author != liar]
    assert {shard.standing for shard in others} == {"counted"}
    counted = sum(shard.games for shard in (*shards, *others) if shard.standing == "counted")
    assert ledger().configuration("hex8-2").games == counted
