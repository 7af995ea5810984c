"""Different versions of the program side by side in one swarm of real processes, changed node by node, both ways."""

import re
import sys
from collections import defaultdict
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import trio

from consensus.settings import SteeringSettings
from node.config.founding import Founded
from node.config.identity import load_identity
from node.demo.preparation import free_ports
from tests.integration.processes import QUICK, Processes, commands_on, ending, node_commands
from tests.integration.test_processes import require_no_forks
from tests.integration.versions import (
    ROOT,
    MixedProcesses,
    earlier_commit,
    environment,
    make_later,
    run_version,
    unpack,
)

pytestmark = pytest.mark.slow

_FOUND = """
import sys
from dataclasses import replace
from pathlib import Path
from consensus.settings import SteeringSettings, TimingSettings
from node.config.founding import found_swarm
from tests.integration.processes import QUICK
settings = replace(
    QUICK,
    timing=TimingSettings(lease_s=60),
    steering=SteeringSettings(rules=1, custodians=2, custody_s=30),
)
found_swarm(Path(sys.argv[1]), sys.argv[2:], ["hex8-2"], settings=settings)
"""
"""The older program founds the swarm, since the younger one may have settings that it does not know."""

_WORK_S = 400.0  # on a busy machine
_KEPT = ("games", "safe", "candidate", "result", "promotion", "certificate", "decision")
"""Effects that nobody may lose; a version may tell others than these."""


async def found(program: Path, directory: Path, count: int) -> MixedProcesses:
    """Found a swarm on loopback with this program; its nodes are not started yet."""
    ports = free_ports(2 * count)
    addresses = [f"127.0.0.1:{port}" for port in ports[:count]]
    command = [sys.executable, "-P", "-c", _FOUND, str(directory), *addresses]
    await trio.run_process(command, env=environment(program))
    keys = tuple(directory / f"node{number + 1}.key" for number in range(count))
    founded = Founded(directory / "swarm.toml", keys)
    return MixedProcesses(directory, node_commands(founded, directory, ports[count:], "--drain", "10"))


async def until_each_side_works(swarm: MixedProcesses, wanted: str, since: int = 0) -> int:
    """Wait until games of both versions count and there is a `wanted` effect, after effect `since`; return the last.

    A certificate needs games, a training, matches, and votes and seals of more than 2/3, so of both versions.
    """
    sides = defaultdict[Path, set[str]](set)
    for number, command in enumerate(swarm.commands):
        sides[swarm.program(number)].add(load_identity(command.key).text)
    assert len(sides) == 2

    def works(log: list[dict[str, Any]]) -> bool:
        entries = [entry for entry in log if entry["number"] > since]
        authors = {entry["member"] for entry in entries if entry["kind"] == "safe"}
        return any(entry["kind"] == wanted for entry in entries) and all(authors & side for side in sides.values())

    return int((await swarm.until_log(0, works, _WORK_S))[-1]["number"])


def kept(log: list[dict[str, Any]], last: int) -> list[dict[str, Any]]:
    return [entry for entry in log if entry["kind"] in _KEPT and entry["number"] <= last]


async def versions(swarm: Processes, number: int) -> set[str]:
    """The programs of all members, by what a node knows of them."""
    return {entry["version"] for entry in await swarm.ask(number, "/members")}


async def test_two_versions_work_side_by_side_and_each_node_goes_over_to_the_other(tmp_path: Path) -> None:
    earlier = unpack(earlier_commit(), tmp_path / "earlier")
    async with ending(await found(earlier, tmp_path / "swarm", 4)) as swarm:
        swarm.programs.update({0: earlier, 1: earlier})
        await swarm.start(0, 1, 2, 3)
        await swarm.ready(0, 1, 2, 3)
        last = await until_each_side_works(swarm, "certificate")
        assert len(await versions(swarm, 0)) == len(await versions(swarm, 3)) == 2
        await swarm.same_digest(0, 3)
        before = kept(await swarm.log(0), last)

        for number, program in ((0, ROOT), (2, earlier), (1, ROOT), (3, earlier)):
            await swarm.change_program(number, program)
            await swarm.same_digest(number, (number + 1) % 4)
        last = await until_each_side_works(swarm, "candidate", last)

        logs = [kept(await swarm.log(number), last) for number in range(4)]
        assert all(log == logs[0] for log in logs)
        assert logs[0][: len(before)] == before
        config = swarm.commands[0].arguments[0]
        for number in range(4):
            (certificate, *_) = sorted((swarm.commands[number].data / "certificates").glob("*.json"))
            said = await run_version(swarm.program(number), "verify", str(certificate), "--genesis", config)
            assert said[0] == 0, said
        safe = {entry["fields"]["shard"] for entry in before if entry["kind"] == "safe"}
    require_no_forks(swarm)
    for digest in safe:
        assert len(copies(swarm, digest)) >= 2


def copies(swarm: Processes, digest: str) -> list[int]:
    """The nodes that have a shard, unharmed."""
    places = {number: command.data / "blobs" / digest[:2] / digest for number, command in enumerate(swarm.commands)}
    return [
        number
        for number, place in places.items()
        if place.exists() and sha256(place.read_bytes()).hexdigest() == digest
    ]


async def test_a_ballot_for_a_setting_ends_the_version_that_does_not_know_it_before_it_takes_effect(
    tmp_path: Path,
) -> None:
    """Three of four have a version with one more setting; the fourth has the present one, and goes over afterwards."""
    later = make_later(tmp_path / "later")
    settings = replace(QUICK, steering=SteeringSettings(rules=1))
    directory = tmp_path / "swarm"
    commands = commands_on(directory, 4, settings, "--roles", "none")
    async with ending(MixedProcesses(directory, commands)) as swarm:
        swarm.programs.update({0: later, 1: later, 2: later})
        await swarm.start(0, 1, 2, 3)
        await swarm.ready(0, 1, 2, 3)
        await swarm.same_digest(0, 3)
        data = [("--data", str(command.data)) for command in swarm.commands]
        said = await run_version(later, "propose", "set", "steering.coming_s", "9", "--reason", "so", *data[0])
        assert said[0] == 0, said
        (proposal,) = await swarm.until(3, "/proposals", bool, 30)
        (unknown,) = (await swarm.until(3, "/status", lambda found: found["decisions"]["unknown"], 30))["decisions"][
            "unknown"
        ]
        assert "steering.coming_s becomes 9" in unknown
        config = swarm.commands[3].arguments[0]
        said = await run_version(ROOT, "upgrade-check", config, *data[0])
        assert said[0] == 1
        assert "this program does not know that, and its node would end if it passes" in said[1]

        for number in (1, 2):
            said = await run_version(later, "vote", proposal["proposal"][:12], "yes", *data[number])
            assert said[0] == 0, said
        ended = swarm.running.pop(3)
        with trio.fail_after(60):
            assert await ended.process.wait() == 2
        line = (ended.data / "node.log").read_text().splitlines()[-1]
        found = re.fullmatch(
            r"ringrift-node: the swarm has set steering\.coming_s from round (\d+) on, which this program does not "
            r"know; install a newer version of it and start again",
            line,
        )
        assert found is not None, line
        at = int(found[1])
        log = await swarm.until(0, "/log", lambda log: any(entry["kind"] == "decision" for entry in log), 60)
        assert at == next(entry["round"] for entry in log if entry["kind"] == "decision")
        me = load_identity(swarm.commands[3].key).text
        assert not [entry for entry in log if entry["member"] == me and entry["round"] > at], (
            "it did nothing after that"
        )

        swarm.programs[3] = later
        await swarm.start(3)
        await swarm.ready(3)
        await swarm.same_digest(3, 0)
        for number in range(4):
            changed = (await swarm.ask(number, "/status"))["decisions"]["changed"]
            assert [entry["setting"] for entry in changed] == ["steering.coming_s"]
    require_no_forks(swarm)
