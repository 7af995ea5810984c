"""What a person is told before a node starts: everything that would keep it from working, with the remedy."""

import importlib.util
import json
import shutil
import socket
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio

from node.cli import main
from node.config.address import Address
from node.config.founding import Founded, found_swarm
from node.config.identity import Identity, create_identity, load_identity
from node.config.swarm_file import SwarmMember, load_config
from node.demo.preparation import free_ports
from node.preflight.finding import Finding, Level
from node.preflight.host import check_clock, check_disk, check_limits, check_port
from node.preflight.libraries import check_libraries
from node.preflight.members import check_members
from node.preflight.swarm import check_key, check_swarm
from node.transport.client import greet
from node.transport.router import Router
from node.transport.server import PeerServer
from node.transport.tls import Credentials, check_dates


@pytest.fixture
def founded(tmp_path: Path) -> Founded:
    """A swarm of four on ports that nobody uses."""
    return found_swarm(tmp_path / "swarm", [f"127.0.0.1:{port}" for port in free_ports(4)], ["hex8-2"])


def said(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(finding.level.value, finding.text) for finding in findings]


def arguments(founded: Founded, data: Path) -> list[str]:
    where = ["check", str(founded.config), "--key", str(founded.keys[0]), "--data", str(data)]
    return [*where, "--http", "127.0.0.1:0", "--roles", "none"]


def test_a_host_on_which_all_is_well(founded: Founded, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(founded, tmp_path / "data")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines[:6]] == ["swarm", "key", "clock", "disk", "limits", "port"]
    assert lines[-1].startswith("warning members  none of the 3 other members answers")
    assert not (tmp_path / "data").exists(), "nothing is left behind"


def test_a_fault_is_the_exit_status(founded: Founded, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", load_config(founded.config).members[0].address.port)):
        assert main([*arguments(founded, tmp_path / "data"), "--json"]) == 1
    faults = [entry for entry in json.loads(capsys.readouterr().out) if entry["level"] == "fault"]
    assert [entry["subject"] for entry in faults] == ["port"]
    assert "is in use on 127.0.0.1" in faults[0]["text"]
    assert faults[0]["text"].endswith("choose another with --listen HOST:PORT")


def test_mistakes_in_files_are_one_line_as_at_the_start(
    founded: Founded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    founded.keys[0].chmod(0o644)
    assert main(arguments(founded, tmp_path / "data")) == 2
    assert "the key is open to other users (mode 0644)" in capsys.readouterr().err


def test_the_swarm_and_the_key(founded: Founded, tmp_path: Path) -> None:
    config, identity = load_config(founded.config), load_identity(founded.keys[1])
    assert said(check_key(config, identity)) == [("ok", "node2, weight 1 of 4")]
    assert [level for level, _ in said(check_swarm(config))] == ["ok"]
    stranger = create_identity(tmp_path / "stranger.key")
    assert "is not a member in" in next(check_key(config, stranger)).text
    odd = [replace(config.members[1], anchor=anchor) for anchor in (None, bytes(32))]
    for member, text in zip(odd, ("without an anchor", "the anchor is not this key's"), strict=True):
        findings = said(check_key(replace(config, members=(member,)), identity))
        assert findings[1][0] == "warning"
        assert f"{config.path}:{member.line}: {text}" in findings[1][1]
    small = found_swarm(tmp_path / "small", ["127.0.0.1:7400", "127.0.0.1:7401"], ["hex8-2"])
    assert "one member can stop it" in said(check_swarm(load_config(small.config)))[1][1]


def test_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def free(size: float) -> list[tuple[str, str]]:
        monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=size))
        return said(check_disk(tmp_path / "not" / "there"))

    assert free(7e9) == [("ok", f"{tmp_path}/not/there: 7.0 GB free")]
    assert free(2e9)[0][0] == "warning"
    assert free(1e8)[0][0] == "fault"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    assert said(check_disk(tmp_path / "file")) == [
        ("fault", f"{tmp_path}/file: cannot be written (Not a directory); choose another folder with --data DIR")
    ]


def test_ports(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    assert said(check_port("peers", "--listen", Address("127.0.0.1", port))) == [
        ("ok", f"127.0.0.1:{port} is free, for peers")
    ]
    (finding,) = check_port("peers", "--listen", Address("192.0.2.1", port))
    assert finding.level == Level.FAULT
    assert "192.0.2.1 is not an address of this machine" in finding.text
    (finding,) = check_port("peers", "--listen", Address("no-such-host.invalid", port))
    assert finding.level == Level.FAULT


def test_the_clock_and_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert next(check_clock()).level == Level.OK
    monkeypatch.setattr("time.time_ns", lambda: -1)
    assert next(check_clock()).level == Level.FAULT
    monkeypatch.setattr("resource.getrlimit", lambda kind: (256, 256))
    (finding,) = check_limits()
    assert finding.level == Level.WARNING
    assert "ulimit -n" in finding.text


def test_what_work_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGRIFT_KERNEL_CACHE", str(tmp_path / "kernels"))
    monkeypatch.setattr("node.preflight.libraries.device_name", lambda: "cpu")
    kernels, torch = check_libraries(["selfplay"])
    assert (torch.level, kernels.level) == (Level.OK, Level.OK)
    assert torch.text.startswith("torch 2.")
    assert "none yet" in kernels.text
    (tmp_path / "file").touch()
    monkeypatch.setenv("RINGRIFT_KERNEL_CACHE", str(tmp_path / "file" / "kernels"))
    assert next(check_libraries(["selfplay"])).level == Level.WARNING
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else find(name))
    assert said(check_libraries(["selfplay"])) == [
        ("fault", "torch not installed, so no role can work; pip install 'ringrift-swarm[work]', or say --roles none")
    ]
    assert next(check_libraries([])).level == Level.OK


async def test_who_answers_at_the_members_addresses(founded: Founded) -> None:
    config, identities = load_config(founded.config), [load_identity(key) for key in founded.keys]
    ids = [identity.id for identity in identities]
    there, another, silent = (member for member in config.members if member.id != identities[0].id)

    async def hang_up(stream: trio.SocketStream) -> None:
        await stream.send_all(b"SSH-2.0-not_this\r\n")

    async with trio.open_nursery() as nursery:

        async def serve(identity: Identity, member: SwarmMember) -> None:
            server = PeerServer(Credentials(identity, ids).server, Router([], {}))
            await nursery.start(server.serve, member.address.host, member.address.port)

        by_id = {identity.id: identity for identity in identities}
        await serve(by_id[there.id], there)
        await serve(by_id[silent.id], another)
        found = await check_members(Credentials(identities[0], ids), [there, another, silent])
        assert [(finding.level.value, finding.text.partition(";")[0]) for finding in found] == [
            ("ok", f"{there.name} at {there.address} answers"),
            ("warning", f"{another.name} at {another.address}: a node with another key answers there"),
            ("warning", f"{silent.name} at {silent.address}: Connection refused"),
        ]
        await nursery.start(trio.serve_tcp, hang_up, silent.address.port)
        finding, _ = await check_members(Credentials(identities[0], ids), [silent])
        assert "what answers there is not a ringrift-node" in finding.text
        nursery.cancel_scope.cancel()


async def test_a_certificate_tells_how_far_clocks_are_apart(founded: Founded) -> None:
    """Each member makes one every other day, and its beginning tells by which clock."""
    me, peer = (load_identity(key) for key in founded.keys[:2])
    async with trio.open_nursery() as nursery:
        server = PeerServer(Credentials(peer, [me.id]).server, Router([], {}))
        port = await nursery.start(server.serve, "127.0.0.1", 0)
        certificate = await greet(Credentials(me, [peer.id]), peer.id, f"127.0.0.1:{port}", timeout_s=5)
        nursery.cancel_scope.cancel()
    now = datetime.now(UTC)
    for span in (timedelta(0), timedelta(hours=47), timedelta(minutes=-4)):
        assert check_dates(certificate, now + span) == ""
    assert check_dates(certificate, now - timedelta(minutes=11)).startswith("10 minutes in the future")
    assert check_dates(certificate, now - timedelta(days=400)).startswith("400.0 days in the future")
    assert check_dates(certificate, now + timedelta(days=3)).startswith("3.0 days ago")
