"""Whether a new version of the program can take over: settings, open proposals, data folder, versions of members."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from node.cli import main
from node.config.founding import Founded, found_swarm
from node.config.identity import load_identity
from node.config.swarm_file import SwarmConfig, load_config
from node.preflight.finding import Finding
from node.preflight.upgrade import check_upgrade
from node.store.schema import open_database
from node.system.version import source_digest
from tests.node.fake_source import FakeSource


@pytest.fixture
def founded(tmp_path: Path) -> Founded:
    return found_swarm(tmp_path / "swarm", ["127.0.0.1:7400"], ["hex8-2"])


@pytest.fixture
def config(founded: Founded) -> SwarmConfig:
    return load_config(founded.config)


@pytest.fixture
def data(founded: Founded, config: SwarmConfig, tmp_path: Path) -> Path:
    """The data folder of a node that has run."""
    folder = tmp_path / "data"
    folder.mkdir()
    member = load_identity(founded.keys[0]).id
    database, _ = open_database(folder / "events.sqlite", genesis=config.genesis.digest, member=member)
    database.close()
    return folder


def told(config: SwarmConfig) -> Any:
    source = FakeSource()
    source.values["swarm"]["genesis"] = config.genesis.digest.hex()
    source.values["decisions"]["changed"] = []
    return source.status(), source.members(), source.proposals()


def faults(findings: list[Finding]) -> list[str]:
    return [f"{finding.subject}: {finding.text}" for finding in findings if finding.level.value == "fault"]


def test_a_version_that_can_take_over(config: SwarmConfig, data: Path) -> None:
    status, members, proposals = told(config)
    members[0]["version"] = source_digest().hex()[:12]
    findings = check_upgrade(config, data, (status, members, proposals))
    assert faults(findings) == []
    texts = [finding.text for finding in findings]
    assert "1 member with the program that this is" in texts
    assert "birch, cedar, <dune>: 0.1.0" in texts
    assert "this program knows 0 decisions in force and 1 open proposal" in texts


def test_settings_and_proposals_that_it_does_not_know(config: SwarmConfig, data: Path) -> None:
    status, members, proposals = told(config)
    decision = {"text": "x.new becomes 7", "setting": "x.new"}
    status["decisions"]["changed"] = [decision, {"text": "match.p1 becomes 3/5", "setting": "match.p1"}]
    proposals.append({**proposals[0], "change": "set", "setting": "selfplay.later", "text": "selfplay.later becomes 2"})
    proposals.append({**proposals[0], "change": "merge", "text": "two swarms become one"})
    ends = "this program does not know that, and its node would end if it passes"
    assert faults(check_upgrade(config, data, (status, members, proposals))) == [
        "decisions: in force: x.new becomes 7; this program does not know that, so its node would end",
        f"decisions: open: selfplay.later becomes 2; {ends}",
        f"decisions: open: two swarms become one; {ends}",
    ]


def test_another_swarm(config: SwarmConfig, data: Path, tmp_path: Path) -> None:
    status, members, proposals = told(config)
    status["swarm"]["genesis"] = "ab" * 32
    (text,) = faults(check_upgrade(config, data, (status, members, proposals)))
    assert text.startswith("swarm: the running node is in a swarm with genesis ababababab")
    other = load_config(found_swarm(tmp_path / "other", ["127.0.0.1:7400"], ["hex8-2"]).config)
    (text,) = faults(check_upgrade(other, data, None))
    assert text.endswith("is of another swarm; give the swarm.toml that the node runs with")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            "UPDATE facts SET value = x'39' WHERE name = 'format'",
            "is of format 9, and this program reads 2; go on with",
        ),
        ("DELETE FROM facts WHERE name = 'member'", "damaged (it has no 'member')"),
        ("DROP TABLE facts", "no such table: facts"),
        (
            "INSERT INTO records VALUES (1, x'00', NULL); INSERT INTO turns VALUES (1, x'00', x'80')",
            "this program does not read the ledger in it",
        ),
    ],
)
def test_data_that_it_does_not_read(config: SwarmConfig, data: Path, change: str, words: str) -> None:
    with sqlite3.connect(data / "events.sqlite") as database:
        database.executescript(change)
    database.close()
    (text,) = faults(check_upgrade(config, data, None))
    assert words in text


def test_the_command_without_a_node(founded: Founded, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["upgrade-check", str(founded.config), "--data", str(data), "--json"]) == 0
    findings = json.loads(capsys.readouterr().out)
    assert [entry["subject"] for entry in findings] == ["program", "swarm", "data", "decisions"]
    (data / "events.sqlite").write_bytes(b"no database" * 100)
    assert main(["upgrade-check", str(founded.config), "--data", str(data)]) == 1
