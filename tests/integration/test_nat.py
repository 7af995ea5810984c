"""A real host behind real NAT does its part of the work, and when it is gone for good, nothing that counted is."""

import shutil
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from consensus.settings import SteeringSettings, TimingSettings
from node.config.founding import found_swarm
from node.config.identity import load_identity
from node.demo.processes import NodeCommand
from tests.integration.namespaces import (
    BEHIND,
    ROUTER,
    Hosts,
    NamespacedProcesses,
    can_connect,
    hosts_of_which_one_is_behind_nat,
    require_tools,
)
from tests.integration.processes import QUICK, ending

HIDDEN, TRAINER = 3, 0
OTHERS = (0, 1, 2)
PORT, HTTP_PORT = 7400, 8400
SHARE = 10  # one game in so many is of the hidden host, or more
SETTINGS = replace(
    QUICK,
    training=replace(QUICK.training, steps=50),
    timing=TimingSettings(lease_s=60),
    steering=SteeringSettings(rules=1, custodians=2, custody_s=30),
)


def founded_on(hosts: Hosts, directory: Path) -> NamespacedProcesses:
    """A swarm with a member on each host that only plays; not started yet."""
    addresses = [f"{address}:{PORT}" for address in hosts.addresses]
    founded = found_swarm(directory, addresses, ["hex8-2"], settings=SETTINGS)
    url = f"http://127.0.0.1:{HTTP_PORT}"
    commands = []
    for number, key in enumerate(founded.keys):
        data = directory / f"data{number}"
        words = (str(founded.config), "--key", str(key), "--data", str(data), "--roles", "selfplay")
        listen = ("--listen", f"{BEHIND}:{PORT}") if number == HIDDEN else ()
        commands.append(NodeCommand(f"node{number}", key, data, url, (*words, *listen)))
    return NamespacedProcesses(directory, commands, namespaces=hosts.names)


@pytest.mark.slow
async def test_a_host_behind_nat_does_a_tenth_of_the_work_and_is_killed_for_good(tmp_path: Path) -> None:
    require_tools()
    with hosts_of_which_one_is_behind_nat(4) as hosts:
        async with ending(founded_on(hosts, tmp_path)) as swarm:
            await swarm.start(0, 1, 2, 3)
            me = load_identity(swarm.commands[HIDDEN].key).text
            await swarm.until_log(TRAINER, lambda log: does_its_part(log, me), 150)
            for address in (ROUTER, BEHIND):
                assert not can_connect(hosts.names[0], address, PORT), "nobody reaches it"
            assert can_connect(hosts.names[HIDDEN], hosts.addresses[0], PORT), "it reaches others"
            await require_words_about_its_address(swarm)

            await swarm.kill(HIDDEN)
            shutil.rmtree(swarm.commands[HIDDEN].data)
            counted = shards(await swarm.log(TRAINER), me)
            await swarm.until(TRAINER, "/status", lambda status: not status["custody"]["short"], 120)
            for shard in counted:
                copies = [path for number in OTHERS if (path := blob(swarm, number, shard)).exists()]
                assert len(copies) >= 2
                assert {sha256(path.read_bytes()).hexdigest() for path in copies} == {shard}

            await train(swarm, counted)


def does_its_part(log: list[dict[str, Any]], member: str) -> bool:
    """Whether the member has a tenth of the games that count, in two shards or more."""
    games = [entry["fields"]["games"] for entry in log if entry["kind"] == "safe"]
    own = [entry["fields"]["games"] for entry in log if entry["kind"] == "safe" and entry["member"] == member]
    return len(own) >= 2 and SHARE * sum(own) >= sum(games)


def shards(log: list[dict[str, Any]], member: str) -> set[str]:
    """The shards of a member that count."""
    return {entry["fields"]["shard"] for entry in log if entry["kind"] == "safe" and entry["member"] == member}


def blob(swarm: NamespacedProcesses, number: int, digest: str) -> Path:
    return swarm.commands[number].data / "blobs" / digest[:2] / digest


async def require_words_about_its_address(swarm: NamespacedProcesses) -> None:
    """The hidden node says who tried which address, what happened, and the cure; the others have none of that."""
    status = await swarm.until(HIDDEN, "/status", lambda status: bool(status["unreached"]), 60)
    assert f"tried {ROUTER}:{PORT} (" in status["unreached"]
    assert "open that port to the members" in status["unreached"]
    said = await swarm.type_in(HIDDEN, "doctor", "--data", str(swarm.commands[HIDDEN].data))
    assert f"no member reaches this node: {status['unreached'][:20]}" in " ".join(said.split())
    status = await swarm.until(1, "/status", lambda status: bool(status["reach"]), 60)
    assert not status["unreached"]


async def train(swarm: NamespacedProcesses, counted: set[str]) -> None:
    """A member trains, on all games that count, those of the host that is gone included."""
    await swarm.kill(TRAINER)
    swarm.add_options(TRAINER, "--roles", "train")
    await swarm.start(TRAINER)
    log = await swarm.until_log(1, lambda log: any(entry["kind"] == "candidate" for entry in log), 150)
    candidate = next(entry for entry in log if entry["kind"] == "candidate")
    claims = {entry["fields"]["claim"] for entry in log if entry["kind"] == "claim" and entry["name"] == "node1"}
    beacons = [entry for entry in log if entry["kind"] == "beacon" and entry["fields"]["claim"] in claims]
    drawn = max(entry["round"] for entry in beacons if entry["number"] < candidate["number"])
    safe = [entry for entry in log if entry["kind"] == "safe" and entry["round"] <= drawn]
    others = [entry for entry in safe if entry["fields"]["shard"] not in counted]
    assert len(safe) - len(others) == len(counted)
    assert candidate["fields"]["shards"] > len(others), "it learned from games of the host that is gone"
    assert all(blob(swarm, TRAINER, shard).exists() for shard in counted)
