"""The command line as a whole: help that loads nothing, mistakes in one line, statuses to rely on."""

import subprocess
import sys
from pathlib import Path

import pytest

from node.cli import COMMANDS, main

ROOT = Path(__file__).parents[3]
Output = pytest.CaptureFixture[str]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: Output) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: ringrift-node {command}")
    assert "--json" in text or "CHANGE" in text  # propose has it for each change


def test_help_names_every_command_and_loads_nothing() -> None:
    code = (
        "import sys; from node.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'trio', 'numpy', 'cryptography', 'rich', 'httpx', 'torch', 'warp', 'structlog'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(f"    {command}" in done.stdout for command in COMMANDS)
    assert "exit status" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["bogus"], "ringrift-node: argument COMMAND: invalid choice: 'bogus'"),
        (["--bogus"], "ringrift-node: unrecognized arguments: --bogus; see ringrift-node --help"),
        (["members", "--url", "x"], "ringrift-node members: unrecognized arguments: --url x; see ringrift-node "),
        (["run"], "ringrift-node run: the following arguments are required: SWARM.TOML, --key, --data; see "),
        (["init"], "ringrift-node init: the following arguments are required: DIR; see ringrift-node init --help"),
        (["init", "x", "--members", "two"], "ringrift-node init: argument --members: invalid int value: 'two'; see"),
        (["init", "x", "--members", "2", "--hosts", "a"], "ringrift-node init: argument --hosts: not allowed with"),
        (["verify"], "ringrift-node verify: the following arguments are required: FILE; see"),
    ],
)
def test_mistakes_in_the_command_line_are_one_line(arguments: list[str], words: str, capsys: Output) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    output = capsys.readouterr()
    assert output.err.startswith(words)
    assert output.err.count("\n") == 1
    assert output.out == ""


def test_no_command_is_a_mistake_that_shows_the_help(capsys: Output) -> None:
    assert main([]) == 2
    assert "usage: ringrift-node" in capsys.readouterr().out


def test_version(capsys: Output) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("ringrift-node ")


def test_a_reader_who_has_seen_enough_is_no_crash() -> None:
    command = f"{sys.executable} -m node.cli run --help | head -c 10"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "usage: rin"
    assert "Traceback" not in done.stderr
