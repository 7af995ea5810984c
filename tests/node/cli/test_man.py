"""`ringrift-node man`: the manual page has every command and option, man(7) reads it, and an installation brings it."""

import json
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from node.cli import COMMANDS, main
from node.cli.man import render
from node.cli.parsers import command_parsers, help_text, subcommands

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "ringrift-node.1"
Output = pytest.CaptureFixture[str]


def test_the_page_in_docs_is_as_the_command_prints_it(capsys: Output) -> None:
    assert main(["man"]) == 0
    text = capsys.readouterr().out
    assert PAGE.read_text() == text, "write it anew: ringrift-node man > docs/ringrift-node.1"
    assert main(["man", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"page": text}


def test_an_installation_puts_it_where_man_looks() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    assert tools["setuptools"]["data-files"] == {"share/man/man1": [str(PAGE.relative_to(ROOT))]}


def test_every_command_and_option_is_in_it_as_in_the_help() -> None:
    plain = " ".join(render().replace("\\fB", "").replace("\\fI", "").replace("\\fR", "").replace("\\-", "-").split())
    for command in command_parsers():
        assert f".SS {command.name} " in plain
        for parser in (command.parser, *(each.parser for each in subcommands(command.parser).values())):
            for action in parser._actions:
                if action.option_strings and "--help" not in action.option_strings:
                    assert action.option_strings[-1] in plain
                    assert help_text(action).replace("~", "\\(ti") in plain, action.option_strings
    assert plain.count(".SS ") == len(COMMANDS)


def test_no_option_is_without_help_and_none_ends_as_a_sentence() -> None:
    for command in command_parsers():
        for parser in (command.parser, *(each.parser for each in subcommands(command.parser).values())):
            for action in parser._actions:
                assert help_text(action) or "CHANGE" in str(action.metavar), (command.name, action.dest)
                assert not help_text(action).endswith("."), (command.name, action.dest)


@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
def test_mandoc_finds_nothing_but_that_it_has_no_date() -> None:
    done = subprocess.run(
        ["mandoc", "-Tlint", "-Wwarning"], input=render(), capture_output=True, text=True, check=False
    )
    complaints = [line for line in done.stdout.splitlines() if "missing date" not in line]
    assert complaints == []


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_groff_sets_it_without_a_complaint() -> None:
    command = ["groff", "-man", "-Tutf8", "-ww"]
    done = subprocess.run(command, input=render(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "ringrift-node run" in done.stdout.replace("\x1b[1m", "").replace("\x1b[0m", "")
