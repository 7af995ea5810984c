"""`ringrift-node unit` and `completion`: what systemd and shells read, held by these programs where they are here."""

import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from node.cli import COMMANDS, main
from node.cli.completion import SHELLS, render
from node.config.founding import found_swarm

Output = pytest.CaptureFixture[str]


def lines_of(unit: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in unit.splitlines() if not line.startswith("#"))
    return {name: value for name, sign, value in pairs if sign}


def test_a_unit_runs_the_node_with_the_same_options(tmp_path: Path, capsys: Output) -> None:
    founded = found_swarm(tmp_path / "50% of it", ["127.0.0.1:7400"], ["hex8-2"])
    where = [str(founded.config), "--key", str(founded.keys[0]), "--data", str(tmp_path / "my data")]
    more = ["--roles", "selfplay", "--keep-epochs", "2", "--keep-blobs", "--http", "127.0.0.1:9000", "--slots", "3"]
    assert main(["unit", *where, *more, "--user", "ringrift"]) == 0
    text = capsys.readouterr().out
    unit = lines_of(text)
    command = [word.replace("%%", "%") for word in shlex.split(unit["ExecStart"])]
    assert Path(command[0]).is_absolute()
    assert command[command.index("run") + 1 :][:5] == where
    assert {"selfplay", "2", "--keep-blobs", "127.0.0.1:9000", "--slots", "3"} <= set(command)
    assert (unit["Type"], unit["NotifyAccess"], unit["User"]) == ("notify", "main", "ringrift")
    assert int(unit["WatchdogSec"]) > 60
    if shutil.which("systemd-analyze"):
        (tmp_path / "ringrift-node.service").write_text(text)
        check = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "ringrift-node.service")]
        done = subprocess.run(check, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "ringrift-node.service" not in done.stderr
    assert main(["unit", *where, "--own", "--json"]) == 0
    own = json.loads(capsys.readouterr().out)
    assert "User" not in lines_of(own["unit"])
    assert own["file"].startswith("~/.config/systemd/user/")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_learns_every_command_and_option(shell: str, capsys: Output) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(command in script for command in COMMANDS)
    assert "follow" in script, "options, too"
    if shutil.which(shell):
        checked = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")


def test_bash_completes_commands_options_choices_and_files(tmp_path: Path) -> None:
    (tmp_path / "swarm.toml").touch()
    typed = [("up",), ("logs", "--f"), ("propose", "we"), ("run", "sw")]
    asked = [
        f"COMP_WORDS=(ringrift-node {' '.join(words)}); COMP_CWORD={len(words)}; _ringrift_node; echo ${{COMPREPLY[*]}}"
        for words in typed
    ]
    script = "\n".join([render("bash"), *asked])
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.splitlines() == ["upgrade-check", "--follow", "weight", "swarm.toml"]
