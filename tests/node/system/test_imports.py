"""Nothing is imported from the working directory by accident: not by our programs, and not by their children."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from node.member.verification_worker import _COMMAND
from node.system.device import device_name
from node.system.imports import leave_out_working_directory, python_command
from node.work.worker import WORKER

ROOT = Path(__file__).parents[3]
TRAPS = ("random", "json", "cbor2", "numpy", "structlog", "trio", "training", "node", "consensus", "engine")


@pytest.fixture
def trapped(tmp_path: Path) -> Path:
    """A folder of modules with the names of ours and of others', which leave a file when they are imported."""
    for name in TRAPS:
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write({name!r} + ' ')\n")
    return tmp_path


def run(command: tuple[str, ...], folder: Path, **environment: str) -> None:
    """Run a program to the end of its empty input, in a folder, and check that it imported nothing from there."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=folder, env={**kept, **environment}, stdin=subprocess.DEVNULL, timeout=60)
    assert not (folder / "ran").exists(), (folder / "ran").read_text()
    assert done.returncode == 0


PROGRAM = str(Path(sys.executable).parent / "ringrift-node")
COMMANDS = {
    "worker": WORKER,
    "signatures": _COMMAND,
    "demo's node": python_command("node.cli", "--version"),
    "program": (PROGRAM, "--version"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_programs_and_children_import_nothing_from_the_working_directory(trapped: Path, command: str) -> None:
    run(COMMANDS[command], trapped)


TELL = """
import os, sys
from node.system.device import device_name
from node.system.imports import leave_out_working_directory
leave_out_working_directory()
if len(sys.argv) > 1:
    import random, subprocess
    assert not os.environ.get("PYTHONPATH", "x").startswith(os.pathsep)
    subprocess.run([sys.executable, __file__], check=True)
"""


def test_an_empty_entry_of_pythonpath_does_not_count(tmp_path: Path) -> None:
    program, folder = tmp_path / "tell.py", tmp_path / "here"
    program.write_text(TELL)
    folder.mkdir()
    (folder / "random.py").write_text(f"open({str(folder / 'ran')!r}, 'a')\n")
    run((sys.executable, str(program), "children too"), folder, PYTHONPATH=f":{tmp_path / 'lib'}")


def left(monkeypatch: pytest.MonkeyPatch, folder: Path, path: list[str], named: str) -> tuple[list[str], str | None]:
    """Return the path and PYTHONPATH that are left of those given, in a folder."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", path)
    monkeypatch.setenv("PYTHONPATH", named)
    leave_out_working_directory()
    return sys.path, os.environ.get("PYTHONPATH")


def test_the_working_directory_is_left_out_unless_somebody_names_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here = str(tmp_path)
    assert left(monkeypatch, tmp_path, [here, "/lib"], "") == (["/lib"], None)
    assert left(monkeypatch, tmp_path, [here, here, "/lib"], ":/lib") == (["/lib"], "/lib")
    assert left(monkeypatch, tmp_path, [here, here, "/lib"], f"{here}:") == ([here, "/lib"], here)
    assert left(monkeypatch, tmp_path, ["/bin", here], ".") == (["/bin", here], here)
    assert left(monkeypatch, tmp_path, ["/bin"], "lib:/lib/") == (["/bin"], f"{here}/lib:/lib")
    assert left(monkeypatch, tmp_path, ["/bin", here, "/lib"], "/lib:") == (["/bin", "/lib"], "/lib")


def test_a_working_directory_that_was_deleted_is_left_out_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.setattr(sys, "path", ["/bin", "", "/lib"])
    monkeypatch.setenv("PYTHONPATH", ":lib:/lib")
    leave_out_working_directory()
    assert (sys.path, os.environ["PYTHONPATH"]) == (["/bin", "/lib"], "/lib")


@pytest.mark.parametrize("command", COMMANDS)
def test_programs_and_children_run_in_a_folder_that_was_deleted(tmp_path: Path, command: str) -> None:
    shell = ("bash", "-c", 'mkdir gone && cd gone && rmdir ../gone && exec "$@"', "bash")
    run((*shell, *COMMANDS[command]), tmp_path)


def test_a_bare_checkout_runs_from_its_own_folder_and_its_children_find_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert left(monkeypatch, ROOT, [str(ROOT), "/lib"], "") == ([str(ROOT), "/lib"], str(ROOT))


def test_every_python_that_we_start_has_the_safe_path() -> None:
    parts = ("node", "training", "engine", "consensus", "scripts")
    paths = [path for part in parts for path in (ROOT / part).rglob("*.py")]
    lines = [line.strip() for path in paths for line in path.read_text().splitlines() if "sys.executable" in line]
    assert len(lines) >= 3
    assert all('sys.executable, "-P"' in line for line in lines), lines


@pytest.mark.parametrize("script", sorted(path.name for path in (ROOT / "scripts").iterdir() if path.suffix == ""))
def test_scripts_start_python_on_a_file_of_ours_or_without_the_working_directory(script: str) -> None:
    path = ROOT / "scripts" / script
    if path.is_dir():
        return
    text = path.read_text()
    for line in text.splitlines():
        starts = any(f'"${name}"' in line for name in ("python", "base", "candidate"))
        if starts and (" -m " in line or " -c " in line):
            assert " -P " in line or " -I " in line or 'cd "$root"' in text, f"{script}: {line}"


@pytest.mark.parametrize("path", [".", "", ".:/nowhere"])
def test_no_program_of_the_working_directory_is_asked_for_the_device(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", path)
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 'a fine device'\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    assert device_name() == "cpu"
