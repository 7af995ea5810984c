"""Real processes, killed for real: what a swarm must survive, and what it must not do while it cannot decide."""

import shutil
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from consensus.settings import EpochSettings
from node.demo.preparation import free_ports
from node.demo.processes import NodeCommand, start_node
from tests.integration.processes import QUICK, Processes, processes

NO_WORK = ("--roles", "none")


async def test_half_a_swarm_decides_nothing_loses_nothing_and_goes_on_with_one_more(tmp_path: Path) -> None:
    async with processes(tmp_path, 4, QUICK, *NO_WORK) as swarm:
        await swarm.start(0, 1, 2, 3)
        await swarm.ready(0, 1, 2, 3)
        await swarm.until(0, "/status", lambda status: status["consensus"]["round"] >= 3, 60)

        await swarm.kill(2)
        await swarm.kill(3)
        before = await _come_to_rest(swarm, 0)

        await swarm.start(2)
        await swarm.until(0, "/status", lambda status: status["consensus"]["round"] >= before[0] + 3, 60)
        await swarm.same_digest(0, 2)
    require_no_forks(swarm)


@pytest.mark.slow
async def test_a_trainer_killed_at_work_comes_back_and_nobody_waits_for_it(tmp_path: Path) -> None:
    async with processes(tmp_path, 4, QUICK) as swarm:
        await swarm.start(0, 1, 2, 3)
        victim = await _somebody_who_trains(swarm)
        await swarm.kill(victim)
        others = [number for number in range(4) if number != victim]
        await swarm.until(others[0], "/status", lambda status: status["counts"]["promotions"] >= 1, 240)

        await swarm.start(victim)
        await swarm.ready(victim)
        await swarm.same_digest(victim, others[0])
        certificates = await swarm.until(
            victim, "/certificates", lambda found: any(entry["complete"] for entry in found), 60
        )
        assert certificates[0]["configuration"] == "hex8-2"
    require_no_forks(swarm)


@pytest.mark.slow
async def test_a_node_killed_at_a_close_goes_on_in_the_next_epoch(tmp_path: Path) -> None:
    settings = replace(QUICK, epoch=EpochSettings(events=12))
    async with processes(tmp_path, 4, settings, *NO_WORK) as swarm:
        await swarm.start(0, 1, 2, 3)
        await swarm.until(0, "/status", lambda status: status["consensus"]["epoch"] >= 1, 120)
        await swarm.kill(0)
        await swarm.until(1, "/status", lambda status: status["consensus"]["epoch"] >= 2, 120)
        await swarm.start(0)
        status = await swarm.until(0, "/status", lambda status: status["consensus"]["epoch"] >= 2, 60)
        await swarm.until(0, "/status", lambda now: now["consensus"]["round"] > status["consensus"]["round"], 60)
        await swarm.same_digest(0, 1)
    require_no_forks(swarm)


@pytest.mark.slow
async def test_a_node_that_lost_its_disk_jumps_to_the_present(tmp_path: Path) -> None:
    settings = replace(QUICK, epoch=EpochSettings(events=12))
    async with processes(tmp_path, 4, settings, *NO_WORK, "--keep-epochs", "2") as swarm:
        await swarm.start(0, 1, 2, 3)
        await swarm.until(0, "/status", lambda status: status["consensus"]["epoch"] >= 1, 120)
        await swarm.kill(0)
        shutil.rmtree(swarm.commands[0].data)
        await swarm.until(1, "/status", lambda status: status["consensus"]["epoch"] >= 3, 240)
        await swarm.start(0)
        status = await swarm.until(0, "/status", lambda status: status["consensus"]["epoch"] >= 3, 60)
        await swarm.until(0, "/status", lambda now: now["consensus"]["round"] > status["consensus"]["round"], 60)
        await swarm.same_digest(0, 1)
        await swarm.ready(0)
    require_no_forks(swarm)
    assert {event.epoch for event in swarm.stored_events(0)} <= {event.epoch for event in swarm.stored_events(1)}


@pytest.mark.slow
@pytest.mark.parametrize("copied", ["key", "key and data"])
async def test_a_copy_of_a_running_node_ends_and_nobody_is_convicted(tmp_path: Path, copied: str) -> None:
    async with processes(tmp_path, 4, QUICK, *NO_WORK) as swarm:
        await swarm.start(0, 1, 2, 3)
        await swarm.ready(0, 1, 2, 3)
        original, data = swarm.commands[0], tmp_path / "copy"
        key = str(tmp_path / "copy.key")
        shutil.copy(original.key, key)
        if copied == "key and data":
            shutil.copytree(original.data, data)
        ports = [f"127.0.0.1:{port}" for port in free_ports(2)]
        arguments = (original.arguments[0], "--key", key, "--data", str(data), "--http", ports[0], "--listen", ports[1])
        twin = await start_node(NodeCommand("copy", Path(key), data, f"http://{ports[0]}", (*arguments, *NO_WORK)))
        with trio.fail_after(60):
            assert await twin.process.wait() == 2
        last = (data / "node.log").read_text().splitlines()[-1]
        assert last.startswith("ringrift-node: another running node has this node's key: ")
        now = (await swarm.round_and_digest(1))[0]
        status = await swarm.until(1, "/status", lambda status: status["consensus"]["round"] >= now + 2, 60)
        assert {entry["equivocated"] for entry in status["conduct"]} == {None}
        await swarm.ready(0, 1, 2, 3)
    require_no_forks(swarm)


@pytest.mark.slow
async def test_a_node_that_is_told_to_end_at_work_leaves_no_claim_to_wait_for(tmp_path: Path) -> None:
    async with processes(tmp_path, 4, QUICK) as swarm:
        swarm.add_options(0, "--drain", "20")
        await swarm.start(0, 1, 2, 3)
        await swarm.until(0, "/status", lambda status: any(slot["work"] for slot in status["slots"]), 120)
        node, me = swarm.running.pop(0), (await swarm.ask(0, "/status"))["node"]["id"]
        node.process.terminate()
        with trio.fail_after(25):
            assert await node.process.wait() == 0
        log = (node.data / "node.log").read_text()
        assert "draining" in log
        work = await swarm.ask(1, "/work")
        assert [claim for claim in work["claims"] if claim["member"] == me] == []


async def _come_to_rest(swarm: Processes, number: int) -> tuple[int, str]:
    """The round and digest at which a node stays for good, once what was under way is decided.

    The last events of the dead can still complete a round when a heartbeat, seconds apart, joins them; a swarm
    that could go on deciding would do so in every one of these periods.
    """
    for _ in range(5):
        before = await swarm.round_and_digest(number)
        await trio.sleep(8)
        if await swarm.round_and_digest(number) == before:
            return before
    raise AssertionError("two of four members went on deciding rounds")


async def _somebody_who_trains(swarm: Processes) -> int:
    with trio.fail_after(120):
        while True:
            for number in swarm.running:
                status = await swarm.ask(number, "/status")
                if status is not None and status["work"] is not None and status["work"]["kind"] == "train":
                    return number
            await trio.sleep(0.05)


def require_no_forks(swarm: Processes) -> None:
    """No member signed two events with one sequence number, by what all stores together hold."""
    found: dict[tuple[bytes, bytes, int], set[bytes]] = defaultdict(set)
    for number in range(len(swarm.commands)):
        for event in swarm.stored_events(number):
            found[event.epoch, event.creator, event.seq].add(event.hash)
    assert found
    assert all(len(hashes) == 1 for hashes in found.values())
