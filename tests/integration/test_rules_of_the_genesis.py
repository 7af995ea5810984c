"""Real processes: what the genesis proposes by itself, and a member that moves to another port."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from consensus.settings import MembershipSettings
from node.demo.preparation import free_ports
from node.demo.processes import NodeCommand, NodeProcess, run_to_end
from node.system.imports import python_command
from tests.integration.processes import QUICK, Processes, processes
from tests.integration.test_membership import NO_WORK, agree

ROOT = Path(__file__).resolve().parents[2]
RULES = replace(QUICK, membership=MembershipSettings(absence_s=30, expel=1))


async def proposed_by_the_genesis(swarm: Processes, number: int, name: str, seconds: float) -> str:
    """The id of the proposal that this member leaves."""

    def which(found: Any) -> list[str]:
        return [
            entry["proposal"]
            for entry in found
            if (entry["by"], entry["change"], entry["name"], entry["state"]) == (None, "leave", name, "open")
        ]

    return which(await swarm.until(number, "/proposals", lambda found: bool(which(found)), seconds))[0]


async def vote(swarm: Processes, numbers: tuple[int, ...], proposal: str) -> None:
    """All say yes; where just enough members run, a node is not level with them at every moment."""
    for number in numbers:
        await swarm.until(number, "/proposals", lambda found: any(one["proposal"] == proposal for one in found), 30)
        words = ("vote", proposal[:12], "yes", "--data", str(swarm.commands[number].data))
        with trio.fail_after(60):
            while (said := await run_to_end(words))[0] != 0:
                assert "this node is not ready" in said[1], said
                await trio.sleep(0.5)


async def until_members(swarm: Processes, numbers: tuple[int, ...], count: int) -> None:
    for number in numbers:
        await swarm.until(number, "/status", lambda status: status["swarm"]["members"] == count, 60)


@pytest.mark.slow
async def test_who_is_away_and_who_runs_twice_are_voted_out(tmp_path: Path) -> None:
    """A machine is copied with its key and its data, and both run on without a guard against that: they sign twice."""
    async with processes(tmp_path, 5, RULES, *NO_WORK) as swarm:
        await swarm.start(0, 1, 2, 3, 4)
        await swarm.ready(0, 1, 2, 3, 4)
        await swarm.kill(4)
        await vote(swarm, (0, 1, 2, 3), await proposed_by_the_genesis(swarm, 0, "node5", 120))
        await until_members(swarm, (0, 1, 2, 3), 4)
        await swarm.kill(3)
        copy = clone(swarm, 3, tmp_path)
        for number in (3, copy):
            swarm.running[number] = await start_careless(swarm.commands[number])
        await swarm.ready(3, copy)
        with trio.fail_after(120):
            for attempt in range(100):
                async with trio.open_nursery() as nursery:
                    for number, port in ((3, 7001 + attempt), (copy, 8001 + attempt)):
                        nursery.start_soon(wish, swarm, number, f"127.0.0.1:{port}")
                if any(one["by"] is None and one["name"] == "node4" for one in await swarm.ask(0, "/proposals")):
                    break
        proposal = await proposed_by_the_genesis(swarm, 0, "node4", 30)
        assert "equivocation" in next(
            one["reason"] for one in await swarm.ask(1, "/proposals") if one["proposal"] == proposal
        )
        await vote(swarm, (0, 1, 2), proposal)
        await until_members(swarm, (0, 1, 2), 3)
        await swarm.same_digest(0, 2)
        found = await swarm.ask(0, "/members")
        assert [entry["standing"] for entry in found] == ["founder"] * 3 + ["left"] * 2


def clone(swarm: Processes, number: int, directory: Path) -> int:
    """A second machine with the key and the data of a node that does not run; its number."""
    command = swarm.commands[number]
    data, key = directory / "copy", directory / "copy.key"
    shutil.copytree(command.data, data)
    shutil.copy2(command.key, key)
    peers, http = free_ports(2)
    arguments = (
        command.arguments[0], "--key", str(key), "--data", str(data), "--http", f"127.0.0.1:{http}",
        "--listen", f"127.0.0.1:{peers}", *NO_WORK,
    )  # fmt: skip
    swarm.commands = (*swarm.commands, NodeCommand("copy", key, data, f"http://127.0.0.1:{http}", arguments))
    return len(swarm.commands) - 1


async def start_careless(command: NodeCommand) -> NodeProcess:
    process = await trio.lowlevel.open_process(
        python_command("tests.integration.careless_node", "run", "--attended", *command.arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    return NodeProcess(command.name, command.data, command.url, process)


async def wish(swarm: Processes, number: int, address: str) -> None:
    """Something that makes the node create an event now, whether it is heard or not."""
    words = ("propose", "address", "node1", address, "--reason", "x", "--data", str(swarm.commands[number].data))
    await run_to_end(words)


@pytest.mark.slow
async def test_a_member_moves_and_nobody_else_restarts(tmp_path: Path) -> None:
    async with processes(tmp_path, 4, QUICK, *NO_WORK) as swarm:
        await swarm.start(0, 1, 2, 3)
        await swarm.ready(0, 1, 2, 3)
        (port,) = free_ports(1)
        place = f"127.0.0.1:{port}"
        said = await agree(swarm, (3, 0, 1), "address", "node4", place)
        assert said == "in force: epoch 1, roster version 1, 4 members"
        await swarm.kill(3)
        command = swarm.commands[3]
        moved = replace(command, arguments=(*command.arguments, "--listen", place))
        swarm.commands = (*swarm.commands[:3], moved)
        await swarm.start(3)
        await swarm.ready(3)
        members = {entry["name"]: entry for entry in await swarm.ask(0, "/members")}
        assert members["node4"]["address"] == place
        me = members["node4"]["id"]

        def reached(status: Any) -> bool:
            (peer,) = [one for one in status["peers"] if one["id"] == me]
            return bool(peer["state"] == "ok")

        for number in (0, 1, 2):
            await swarm.until(number, "/status", reached, 60)
        await agree(swarm, (0, 1, 3), "weight", "node3", "0")  # it takes the one that moved
        await swarm.same_digest(0, 3)
