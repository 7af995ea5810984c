"""`--json` on every command: what it prints is JSON, and a mistake is one object with what, where and remedy."""

import json
from pathlib import Path

import pytest

from node.cli import COMMANDS, main
from node.config.founding import found_swarm
from tests.node.cli.running import ask
from tests.node.fake_source import digest

Output = pytest.CaptureFixture[str]

READING: dict[str, list[str]] = {
    "doctor": [],
    "status": [],
    "members": [],
    "work": [],
    "why": [],
    "top": [],
    "logs": [],
    "models": [],
    "ratings": [],
    "certificates": [],
    "faults": [],
    "proposals": [],
}
"""Commands that read a node, with the arguments that they need."""

MISTAKES = {
    "init": ["IN/swarm", "--members", "0"],
    "run": ["IN/none.toml", "--key", "IN/none.key", "--data", "IN/data"],
    "check": ["IN/none.toml", "--key", "IN/none.key", "--data", "IN/data"],
    "unit": ["IN/none.toml", "--key", "IN/none.key", "--data", "IN/data"],
    "upgrade-check": ["IN/none.toml", "--data", "IN"],
    "completion": ["tcsh"],
    "man": ["7"],
    "debug": ["--data", "IN", "--save", "IN/none/bundle.tar.gz"],
    "demo": ["--dir", "IN/file/below"],
    "propose": ["leave", "node2", "--reason", "gone", "--data", "IN"],
    "pause": ["--reason", "a look", "--data", "IN"],
    "resume": ["--reason", "on", "--data", "IN"],
    "vote": [digest("proposal"), "yes", "--data", "IN"],
    "nominate": [digest("model"), "--data", "IN"],
    "drain": ["--data", "IN"],
    "verify": ["IN/none.json", "--any-swarm"],
    "export": ["hex8-2", "--to", "IN/file"],
    "import": ["IN/none", "--to", "IN/out"],
    "keygen": ["IN/file"],
    "replay": ["IN/none"],
    "play": ["hex8-2", "--strength", "x"],
    "arena": ["--players", "random,heuristic", "--blocks", "0"],
    "id": ["IN/none.key"],
    **{name: [*more, "--data", "IN"] for name, more in READING.items()},
}
"""A mistake in the input of each command; IN is a folder in which no node runs, with a file."""


def test_every_command_is_here() -> None:
    assert MISTAKES.keys() == COMMANDS.keys()


def mistake(text: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(text)
    assert list(found) == ["what", "where", "remedy"]
    assert found["what"]
    assert text.count("\n") == 1
    assert text.isascii()
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_a_mistake_in_the_input_is_one_object(command: str, tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "file").touch()
    arguments = [argument.replace("IN", str(tmp_path)) for argument in MISTAKES[command]]
    try:
        status = main([command, *arguments, "--json"])
    except SystemExit as end:
        status = int(end.code or 0)
    output = capsys.readouterr()
    assert (status, output.out) == (2, "")
    found = mistake(output.err)
    assert found["where"]
    assert found["remedy"] or command in ("play", "arena"), "these say what it must be"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_mistake_in_the_command_line_is_one_object(command: str, capsys: Output) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--bogus", "--json"])
    assert ended.value.code == 2
    found = mistake(capsys.readouterr().err)
    assert found["where"].startswith("ringrift-node")
    assert found["remedy"].startswith("see ringrift-node")


@pytest.mark.parametrize("command", READING)
async def test_what_a_node_tells_is_one_value(command: str, data: Path, capsys: Output) -> None:
    assert await ask(command, *READING[command], "--data", data, "--json") in (0, 1)
    assert json.loads(capsys.readouterr().out)


def test_keys_are_objects(tmp_path: Path, capsys: Output) -> None:
    assert main(["keygen", str(tmp_path / "a.key"), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert set(made) == {"id", "anchor"}
    assert main(["id", str(tmp_path / "a.key"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == made


def test_a_running_node_writes_json_until_its_end(tmp_path: Path, capsys: Output) -> None:
    founded = found_swarm(tmp_path / "swarm", ["127.0.0.1:7400"], ["hex8-2"])
    founded.keys[0].chmod(0o644)
    arguments = [str(founded.config), "--key", str(founded.keys[0]), "--data", str(tmp_path / "data"), "--json"]
    assert main(["run", *arguments]) == 2
    found = mistake(capsys.readouterr().err)
    assert found["where"] == str(founded.keys[0])
    assert found["remedy"] == f"run: chmod 600 {founded.keys[0]}"
