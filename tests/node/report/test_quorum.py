"""What is missing for a quorum is said in words, with names: in the reason, in the status, of each member."""

from pathlib import Path
from typing import Any

import trio
import trio.testing

from node.gossip.rhythm import Rhythm
from node.member.timing import CreationTiming
from node.report.effect_log import EffectLog
from node.simulation.run import make_deterministic, short_preimage_chains
from node.simulation.working_swarm import WorkingSwarm
from node.text.formatting import bytes_in_words, quorum
from tests.node.report.simulated import report_of


def test_in_words() -> None:
    assert quorum(2, 4, ["node3", "node4"]) == "2 of 4 weight, 3 needed; silent: node3, node4"
    assert quorum(3, 4, ["node4"]) == ""
    assert quorum(66, 100, []) == "66 of 100 weight, 67 needed"
    assert [bytes_in_words(number) for number in (999, 1000, 123_456_789, 98_765_432_100)] == [
        "999 B", "1.0 kB", "123 MB", "98.8 GB",
    ]  # fmt: skip


def test_a_node_without_a_quorum_names_who_is_silent(tmp_path: Path) -> None:
    make_deterministic(3)
    timing, rhythm = CreationTiming(busy_s=1.0), Rhythm(busy_s=0.5)
    swarm = WorkingSwarm(4, 3, tmp_path, timing=timing, rhythm=rhythm, observe=lambda _, decided: None)
    seen: dict[str, Any] = {}

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(swarm.run)
            await trio.sleep(6)
            report = report_of(swarm, EffectLog(str), tmp_path)
            seen["whole"], seen["whole members"] = report.status(), report.members()
            for node in swarm.nodes[2:]:
                swarm.crash(node)
            await trio.sleep(10)
            seen["soon"] = report.status()["swarm"]["quorum"]
            await trio.sleep(20)
            seen["half"], seen["half members"] = report.status(), report.members()
            nursery.cancel_scope.cancel()

    with short_preimage_chains():
        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    whole, half = seen["whole"], seen["half"]
    assert (whole["ready"], whole["swarm"]["quorum"]) == (True, "")
    gone = [entry["name"] for entry in seen["half members"] if entry["state"] == "silent"]
    assert len(gone) == 2
    missing = f"2 of 4 weight, 3 needed; silent: {', '.join(gone)}"
    assert half["swarm"]["quorum"] == seen["soon"] == missing
    assert half["ready_reason"] == f"not level with members of more than 2/3 of the weight: {missing}"
    for entry in seen["whole members"]:
        if entry["state"] != "self":
            assert (entry["reached"], entry["flaps"], entry["error"]) == (True, 0, "")
            assert entry["asked_s"] is None or entry["asked_s"] < 6
    for entry in seen["half members"]:
        if entry["state"] != "self":
            is_gone = entry["name"] in gone
            assert (entry["reached"], entry["flaps"]) == (not is_gone, int(is_gone))
            assert bool(entry["error"]) == is_gone
    assert whole["node"]["memory_bytes"] > 1_000_000
    assert whole["node"]["disk_free_bytes"] > 0
