"""Other versions of this program, and swarms in which some nodes run one of them."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio

from node.demo.processes import NodeProcess, start_node
from node.system.imports import python_command
from tests.integration.processes import Processes

ROOT = Path(__file__).parents[2]
COMMIT_VARIABLE = "RINGRIFT_EARLIER_COMMIT"
"""Names the version to test against. Default: the newest commit on the first-parent line with another program."""

_PACKAGES = ("consensus", "engine", "node", "training")
_FURTHEST = 200  # commits back


def earlier_commit() -> str:
    """Return the commit of the earlier version; skip the test where there is none."""
    wanted = os.environ.get(COMMIT_VARIABLE)
    if wanted:
        return wanted
    listed = _git("rev-list", "--first-parent", f"--max-count={_FURTHEST}", "HEAD")
    if listed.returncode != 0:
        pytest.skip("this is no clone of a repository, so there is no earlier version")
    for commit in listed.stdout.decode().split():
        if _git("diff", "--quiet", commit, "--", *_PACKAGES).returncode == 1:
            return commit
    pytest.skip("no earlier version is in this clone; git fetch --unshallow fetches all")


def unpack(commit: str, directory: Path) -> Path:
    """Write the sources of a commit into a directory, and return it; skip the test if this clone lacks it."""
    archive = _git("archive", commit)
    if archive.returncode != 0:
        pytest.skip(f"{commit}: {archive.stderr.decode().strip()}; git fetch --unshallow fetches all")
    directory.mkdir()
    subprocess.run(["tar", "-x", "-C", str(directory)], input=archive.stdout, check=True)
    return directory


def _git(*words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True)


def environment(program: Path) -> dict[str, str]:
    """Return the environment in which Python imports the program whose packages are in this folder."""
    return {**os.environ, "PYTHONPATH": str(program)}


async def run_version(program: Path, *words: str) -> tuple[int, str]:
    """Run `ringrift-node` of a version to its end; return its exit status and output."""
    command = python_command("node.cli", *words)
    result = await trio.run_process(
        command, check=False, capture_stdout=True, capture_stderr=True, env=environment(program)
    )
    return result.returncode, (result.stdout + result.stderr).decode(errors="replace")


@dataclass
class MixedProcesses(Processes):
    """Nodes of which each runs the program in a folder of its own choice; without one, the present program."""

    programs: dict[int, Path] = field(default_factory=dict)

    def program(self, number: int) -> Path:
        """Return the folder with the program of a node."""
        return self.programs.get(number, ROOT)

    async def open(self, number: int) -> NodeProcess:
        """Return the process of a node that was started now, with its program."""
        where: Mapping[str, str] = environment(self.program(number))
        return await start_node(self.commands[number], environment=where)

    async def change_program(self, number: int, program: Path) -> None:
        """Do with a node what an operator does: check the other version, drain the node, start that version."""
        command = self.commands[number]
        data = ("--data", str(command.data))
        said = await run_version(program, "upgrade-check", command.arguments[0], *data)
        assert said[0] == 0, said
        said = await run_version(self.program(number), "drain", *data)
        assert said[0] == 0, said
        process = self.running.pop(number).process
        with trio.fail_after(30):
            assert await process.wait() == 0
        self.programs[number] = program
        await self.start(number)
        await self.ready(number)


def make_later(directory: Path) -> Path:
    """Write a version of the present program that has one more setting, `steering.coming_s`; return its folder."""
    for package in _PACKAGES:
        shutil.copytree(ROOT / package, directory / package, ignore=shutil.ignore_patterns("__pycache__"))
    places = (
        ('    NAME = "steering"\n', "    coming_s: int = 7\n"),
        ('            "rules": 0,\n', '            "coming_s": 7,\n'),
    )
    for place, more in places:
        holding = [path for path in (directory / "consensus" / "settings").glob("*.py") if place in path.read_text()]
        assert len(holding) == 1, place
        text = holding[0].read_text()
        assert text.count(place) == 1, place
        holding[0].write_text(text.replace(place, place + more))
    return directory
