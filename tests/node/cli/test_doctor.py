"""`ringrift-node doctor`, against a real local server."""

import json
from pathlib import Path

import pytest

from tests.node.cli.running import ask
from tests.node.fake_source import FakeSource


async def test_the_command_tells_a_fault_by_its_status(
    data: Path, source: FakeSource, capsys: pytest.CaptureFixture[str]
) -> None:
    source.values["peers"] = []
    source.values["swarm"]["weight"] = 1
    await ask("doctor", "--data", data)
    assert "quorum" in capsys.readouterr().out
    source.values["consensus"]["dissent"] = "the ledger here is another one"
    assert await ask("doctor", "--data", data, "--json") == 1
    findings = json.loads(capsys.readouterr().out)
    assert {"subject": "ledger", "level": "fault", "text": "the ledger here is another one"} in findings
