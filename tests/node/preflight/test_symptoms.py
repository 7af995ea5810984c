"""What the doctor finds in a running node: each cause with its remedy, and nothing where all is well."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from consensus.keys import id_text
from node.config.founding import found_swarm
from node.config.identity import load_identity
from node.preflight.finding import Finding
from node.preflight.running import examine
from node.preflight.symptoms import find_symptoms
from node.transport.router import Router
from node.transport.server import PeerServer
from node.transport.tls import Credentials
from tests.node.fake_source import NAMES, FakeSource

Change = Callable[[Any, list[Any]], None]


def healthy() -> tuple[Any, Any]:
    """What a node says where all is well."""
    source = FakeSource()
    status: Any = source.status()
    members: Any = source.members()
    for peer in status["peers"]:
        peer["state"] = "ok"
    for member in members:
        member["error"] = ""
    for entry in status["conduct"]:
        entry.update(equivocated=None, silenced=False, wrong_results=0)
    status["failures"], status["decisions"]["paused"], status["node"]["scarce"] = [], [], []
    return status, members


def told(findings: list[Finding], level: str) -> list[str]:
    return [f"{finding.subject}: {finding.text}" for finding in findings if finding.level.value == level]


def test_a_healthy_node_has_no_symptom() -> None:
    findings = find_symptoms(*healthy())
    assert told(findings, "warning") == told(findings, "fault") == []


def two_are_silent(status: Any, members: list[Any]) -> None:
    for peer in status["peers"][1:]:
        peer.update(state="silent")
    status["swarm"].update(quorum=f"2 of 4 weight, 3 needed; silent: {NAMES[2]}, {NAMES[3]}")
    members[3].update(error="Connection refused")


def one_is_silent(status: Any, members: list[Any]) -> None:
    status["peers"][2].update(state="never")


def is_turned_away(status: Any, members: list[Any]) -> None:
    status["peers"][0].update(state="refused")


def is_unreached(status: Any, members: list[Any]) -> None:
    status.update(unreached="birch tried 10.0.0.5:7400 (Connection refused); open that port")


def stalls(status: Any, members: list[Any]) -> None:
    status["consensus"].update(round_age_s=70.0, pending=3)


def lacks_memory(status: Any, members: list[Any]) -> None:
    status["node"].update(scarce=["85% of 8.0 GiB of memory are used: the youngest job is ended"])


def differs(status: Any, members: list[Any]) -> None:
    status["consensus"].update(dissent="the ledger here is another one")


def is_not_ready(status: Any, members: list[Any]) -> None:
    status.update(ready=False, ready_reason="another process has this node's key")


def makes_no_events(status: Any, members: list[Any]) -> None:
    status["consensus"].update(ailment="the disk is full")


def has_a_failed_part(status: Any, members: list[Any]) -> None:
    failure = {"part": "work", "reason": "KeyError", "count": 3, "ago_s": 2.0, "again_in_s": 4.0}
    status.update(failures=[failure])


def loses_log_lines(status: Any, members: list[Any]) -> None:
    status["node"].update(lost_log_lines=7)


def is_convicted(status: Any, members: list[Any]) -> None:
    status["conduct"][0].update(equivocated=4, silenced=True)


def another_is_convicted(status: Any, members: list[Any]) -> None:
    status["conduct"][1].update(equivocated=4, silenced=True)


def is_outdated(status: Any, members: list[Any]) -> None:
    members[0].update(version="0.0.9")


def another_is_outdated(status: Any, members: list[Any]) -> None:
    members[3].update(version="0.0.9")


def knows_no_proposal(status: Any, members: list[Any]) -> None:
    status["decisions"].update(unknown=["x.y becomes 4"])


def is_paused(status: Any, members: list[Any]) -> None:
    status["decisions"].update(paused=[{"text": "training pauses", "round": 7}])


@pytest.mark.parametrize(
    ("change", "level", "words"),
    [
        (two_are_silent, "fault", f"quorum: 2 of 4 weight, 3 needed; silent: {NAMES[2]}, {NAMES[3]}; nothing is"),
        (two_are_silent, "warning", f"members: {NAMES[3]} at 127.0.0.1:7403 is silent (Connection refused), last"),
        (one_is_silent, "warning", "quorum: 3 of 4 weight, 3 needed; no further member may fall silent"),
        (one_is_silent, "warning", f"members: {NAMES[3]} at 127.0.0.1:7403 is silent, last contact never"),
        (
            is_turned_away,
            "warning",
            "members: birch at 127.0.0.1:7401 turns this node away; if this node was voted out",
        ),
        (
            is_unreached,
            "warning",
            "address: no member reaches this node: birch tried 10.0.0.5:7400 (Connection refused); open",
        ),
        (stalls, "fault", "order: round 1187, decided 1 min ago, while 3 own transactions wait; if the quorum"),
        (differs, "fault", "ledger: the ledger here is another one"),
        (is_not_ready, "fault", "node: anvil, version 0.1.0, runs for 1 h 15 min; not ready: another process has"),
        (makes_no_events, "fault", "events: this node makes none for now: the disk is full"),
        (has_a_failed_part, "fault", "parts: work failed 3 times, last 2.0 s ago: KeyError; this is a fault of the"),
        (loses_log_lines, "warning", "log: 7 lines lost; let somebody read the log"),
        (is_convicted, "fault", "conduct: this node signed two events in one place in epoch 4, has no say"),
        (another_is_convicted, "warning", "conduct: birch signed two events in one place in epoch 4, has no say"),
        (is_outdated, "warning", "version: this node runs 0.0.9; 3 members with 0.1.0: install that here"),
        (another_is_outdated, "warning", f"version: 3 members with 0.1.0, but {NAMES[3]} runs 0.0.9"),
        (knows_no_proposal, "warning", "version: x.y becomes 4: this program does not know that"),
        (lacks_memory, "warning", "room: 85% of 8.0 GiB of memory are used: the youngest job is ended; end what else"),
        (is_paused, "warning", "work: training pauses, by ballot since round 7; ringrift-node resume"),
    ],
)
def test_each_cause_is_named_with_its_remedy(change: Change, level: str, words: str) -> None:
    status, members = healthy()
    members[2].update(weight=1)
    change(status, members)
    assert any(text.startswith(words) for text in told(find_symptoms(status, members), level))


def test_a_node_without_work_says_why() -> None:
    status, members = healthy()
    status.update(work=None, rest="enough games are there")
    texts = told(find_symptoms(status, members), "ok")
    assert "work: nothing now: enough games are there; ringrift-node why says more" in texts


async def test_who_answers_at_the_members_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=1e8))
    founded = found_swarm(tmp_path / "swarm", [f"127.0.0.1:{7400 + number}" for number in range(3)], ["hex8-2"])
    keys = [load_identity(key) for key in founded.keys]
    status, members = healthy()

    async with trio.open_nursery() as nursery:
        server = PeerServer(Credentials(keys[0], [key.id for key in keys]).server, Router([], {}))
        there = f"127.0.0.1:{await nursery.start(server.serve, '127.0.0.1', 0)}"

        async def look(number: int, state: str, address: str) -> list[Finding]:
            member: Any = {**members[0], "id": id_text(keys[number].id), "state": state, "address": address}
            return await examine(status, [member], tmp_path)

        assert f"address: this node answers at {there}, seen from this machine" in told(
            await look(0, "self", there), "ok"
        )
        found = await look(1, "self", there)
        assert any("a node with another key answers there" in text for text in told(found, "fault"))
        assert any(text.startswith("disk:") for text in told(found, "fault"))
        found = await look(0, "never", there)
        assert any("answers this machine, but not the node" in text for text in told(found, "warning"))
        assert len(await look(0, "ok", there)) == len(await look(1, "ok", there)), (
            "nothing to say of who answers the node"
        )
        monkeypatch.setattr("node.preflight.running.check_dates", lambda certificate, now: "40 minutes in the future")
        found = await look(0, "ok", there)
        assert any(text.startswith("clock: ") and "40 minutes in the future" in text for text in told(found, "fault"))
        nursery.cancel_scope.cancel()
    found = await look(0, "self", there)
    assert any(text.startswith("address: ") and "Connection refused; open" in text for text in told(found, "warning"))
