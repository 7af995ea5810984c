"""Nothing that counted is lost with the machine that played it, and a machine behind NAT plays its part."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from consensus.keys import MemberId
from consensus.ledger import Ledger
from consensus.ledger.records.entities import Shard
from consensus.ledger.steering.custody import lacks
from consensus.settings import SteeringSettings
from node.config.identity import load_identity
from node.gossip.rhythm import Rhythm
from node.member.timing import CreationTiming
from node.simulation.invariants import AgreementCheck
from node.simulation.run import make_deterministic
from node.simulation.working_swarm import WorkingSwarm
from tests.integration.processes import QUICK, processes
from tests.integration.test_work import SETTINGS

VANISHES, HIDDEN = 1, 3
LIMIT_S = 600.0
CUSTODY = SteeringSettings(rules=1, custodians=2, custody_s=30)


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():
        await trio.sleep(0.2)


def test_what_counted_outlives_its_author_and_who_cannot_be_reached_takes_part(tmp_path: Path) -> None:
    make_deterministic(3)
    agreement = AgreementCheck()
    options: dict[str, Any] = {
        "timing": CreationTiming(busy_s=0.8),
        "rhythm": Rhythm(busy_s=0.4),
        "observe": agreement.observe,
        "settings": replace(SETTINGS, steering=CUSTODY),
    }
    swarm = WorkingSwarm(4, 3, tmp_path, **options)
    gone, hidden = swarm.nodes[VANISHES], swarm.nodes[HIDDEN].identity.id
    swarm.network.hidden = [hidden]

    def ledger() -> Ledger:
        return swarm.contexts[0].ledger

    def counted(author: MemberId) -> list[Shard]:
        return [entry for entry in ledger().shards("hex8-2") if entry.author == author and entry.standing == "counted"]

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(swarm.run)
            with trio.fail_after(LIMIT_S):
                await until(lambda: bool(counted(gone.identity.id)))
                swarm.crash(gone)
                await until(lambda: gone.identity.id not in ledger().present_members() and not lacks(ledger()))
                await until(lambda: bool(counted(hidden) and ledger().promotions()))
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    living = [node for node in swarm.nodes if node is not gone]
    for shard in (*counted(gone.identity.id), *counted(hidden)):
        copies = [node.number for node in living if node.blobs.size(shard.digest) is not None]
        assert len(copies) >= 2
        assert any(number != HIDDEN for number in copies), "others can fetch it"


@pytest.mark.slow
async def test_what_counted_outlives_a_process_that_is_killed_and_loses_its_disk(tmp_path: Path) -> None:
    async with processes(tmp_path, 4, replace(QUICK, steering=CUSTODY)) as swarm:
        await swarm.start(0, 1, 2, 3)
        log = await swarm.until(0, "/log", lambda entries: any(entry["kind"] == "safe" for entry in entries), 120)
        safe = next(entry for entry in log if entry["kind"] == "safe")
        names = [load_identity(command.key).text for command in swarm.commands]
        victim = names.index(safe["member"])
        await swarm.kill(victim)
        shutil.rmtree(swarm.commands[victim].data)
        living = [number for number in range(4) if number != victim]
        await swarm.until(living[0], "/status", lambda status: not status["custody"]["short"], 120)
        digest = safe["fields"]["shard"]
        places = [swarm.commands[number].data / "blobs" / digest[:2] / digest for number in living]
        copies = [sha256(place.read_bytes()).hexdigest() for place in places if place.exists()]
        assert len(copies) >= 2
        assert set(copies) == {digest}
