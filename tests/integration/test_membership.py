"""Real processes whose owners vote: the commands of docs/membership.md, on a swarm that runs."""

import json
from pathlib import Path

import pytest
import trio

from node.config.identity import create_identity, load_identity
from node.demo.preparation import free_ports
from node.demo.processes import NodeCommand, run_to_end
from tests.integration.processes import QUICK, Processes, processes

NO_WORK = ("--roles", "none")


async def type_in(swarm: Processes, number: int, *words: str) -> str:
    """The output of a command on a member's machine; it must succeed."""
    status, output = await run_to_end((*words, "--data", str(swarm.commands[number].data)))
    assert status == 0, output
    return output


async def agree(swarm: Processes, members: tuple[int, ...], *change: str) -> str:
    """The first member proposes, the others vote; the last one waits until it is in force."""
    first, *others = members
    answer = json.loads(await type_in(swarm, first, "propose", *change, "--reason", "why not", "--json"))
    name = answer["proposal"]
    for number in others:
        await swarm.until(number, "/proposals", lambda found: any(entry["proposal"] == name for entry in found), 30)
        wait = ("--wait",) if number == others[-1] else ()
        said = await type_in(swarm, number, "vote", name[:12], "yes", *wait)
    return said.splitlines()[-1]


@pytest.mark.slow
async def test_weights_addresses_and_a_member_that_leaves(tmp_path: Path) -> None:
    async with processes(tmp_path, 4, QUICK, *NO_WORK) as swarm:
        await swarm.start(0, 1, 2, 3)
        await swarm.ready(0, 1, 2, 3)
        assert await agree(swarm, (0, 1, 2), "weight", "node4", "0") == "in force: epoch 1, roster version 2, 4 members"
        assert await agree(swarm, (3, 0, 1, 2), "address", "node4", "127.0.0.1:9") == (
            "in force: epoch 2, roster version 2, 4 members"
        )
        await swarm.until(1, "/members", lambda found: "127.0.0.1:9" in [entry["address"] for entry in found], 30)
        assert await agree(swarm, (2, 1, 0), "leave", "node4") == "in force: epoch 3, roster version 3, 3 members"
        for number in (0, 1, 2):
            await swarm.until(number, "/status", lambda status: status["consensus"]["epoch"] == 3, 30)
        members = await swarm.ask(1, "/members")
        assert [entry["standing"] for entry in members] == ["founder"] * 3 + ["left"]
        await swarm.until(3, "/ready", lambda answer: "voted" in answer["reason"], 60)
        await swarm.same_digest(0, 2)

        await swarm.kill(1)  # and what was decided outlives a restart
        await swarm.start(1)
        await swarm.ready(0, 1, 2)
        await swarm.same_digest(1, 0)
        assert (await swarm.ask(1, "/status"))["consensus"]["epoch"] == 3


async def test_who_may_not_act_and_what_cannot_be(tmp_path: Path) -> None:
    """The swarm of one: it decides alone, and says why something cannot be."""
    async with processes(tmp_path, 1, QUICK, *NO_WORK) as swarm:
        await swarm.start(0)
        await swarm.ready(0)
        status, output = await run_to_end(
            ("propose", "leave", "node2", "--reason", "x", "--data", str(swarm.commands[0].data))
        )
        assert (status, len(output.splitlines())) == (2, 1)
        assert 'no member has the name "node2"' in output
        with trio.fail_after(60):
            assert await agree_alone(swarm) == "in force: epoch 1, roster version 2, 1 member"


async def agree_alone(swarm: Processes) -> str:
    said = await type_in(swarm, 0, "propose", "weight", "node1", "7", "--reason", "why not", "--wait")
    return said.splitlines()[-1]


@pytest.mark.slow
async def test_a_machine_joins_with_nothing_but_the_genesis_a_key_and_one_address(tmp_path: Path) -> None:
    """The line that the newcomer asks for is typed as it stands; then its key is replaced, with an empty folder."""
    async with processes(tmp_path, 4, QUICK, *NO_WORK) as swarm:
        await swarm.start(0, 1, 2, 3)
        await swarm.ready(0, 1, 2, 3)
        await agree(swarm, (0, 1, 2), "weight", "node4", "0")  # the epoch of the genesis is over
        newcomer = await enlist(swarm, tmp_path, "echo")
        waiting = await swarm.until(newcomer, "/ready", lambda answer: "propose join" in answer["reason"], 60)
        words = waiting["reason"].partition("ringrift-node propose ")[2].split(" --reason ")[0].split()
        assert await agree(swarm, (1, 2, 0), *words) == "in force: epoch 2, roster version 3, 5 members"
        await swarm.ready(newcomer)
        await swarm.same_digest(newcomer, 0)

        heir = await enlist(swarm, tmp_path, "heir", swarm.commands[newcomer].arguments)
        key = load_identity(tmp_path / "heir.key").text
        member = load_identity(tmp_path / "echo.key").text
        await agree(swarm, (0, 1, 2), "key", member[:12], key)
        await swarm.kill(newcomer)
        await swarm.start(heir)
        await swarm.ready(heir)
        await swarm.same_digest(heir, 1)


async def enlist(swarm: Processes, directory: Path, name: str, place: tuple[str, ...] = ()) -> int:
    """One more node, with a key of its own, which knows one address; not started if it takes the `place` of another."""
    create_identity(directory / f"{name}.key")
    peers, http = free_ports(2)
    if place:
        peers, http = (int(place[place.index(option) + 1].rpartition(":")[2]) for option in ("--listen", "--http"))
    (guide, *_) = await swarm.ask(0, "/members")
    arguments = (
        str(directory / "swarm.toml"), "--key", str(directory / f"{name}.key"), "--data", str(directory / name),
        "--http", f"127.0.0.1:{http}", "--listen", f"127.0.0.1:{peers}", "--peer", f"{guide['id']}@{guide['address']}",
        *NO_WORK,
    )  # fmt: skip
    command = NodeCommand(name, directory / f"{name}.key", directory / name, f"http://127.0.0.1:{http}", arguments)
    swarm.commands = (*swarm.commands, command)
    number = len(swarm.commands) - 1
    if not place:
        await swarm.start(number)
    return number
