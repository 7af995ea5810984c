"""The commands in the tutorials and in the container files are commands of this program, with options that it has."""

import argparse
import importlib
import json
import re
import shlex
from pathlib import Path

import pytest

from node.cli import COMMANDS, main
from node.cli.run import add_run_options, read_run_options

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("first-hour.md", "rented-machines.md")
COMPOSE = DOCS / "container" / "compose.yaml"


class _Strict(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise AssertionError(f"{self.prog}: {message}")


def parse(words: list[str]) -> argparse.Namespace:
    parser = _Strict(prog=words[0])
    importlib.import_module(COMMANDS[words[0]].module).add_arguments(parser)
    return parser.parse_args(words[1:])


def commands() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        lines = (DOCS / page).read_text().splitlines()
        found += [(page, line.strip()) for line in lines if line.startswith("    ringrift-node ")]
    return found


@pytest.mark.parametrize(("page", "line"), commands())
def test_a_command_of_a_tutorial_is_one(page: str, line: str) -> None:
    words = shlex.split(line)[1:]
    if words != ["--version"]:
        parse(words)


def test_the_tutorials_name_most_commands() -> None:
    named = {line.split()[1] for _, line in commands()}
    assert len(named & COMMANDS.keys()) >= 18


def test_four_nodes_of_the_compose_file_find_their_keys(tmp_path: Path) -> None:
    text = COMPOSE.read_text()
    (founding,) = re.findall(r"entrypoint: (\[.*\])", text)
    line = json.loads(founding)[-1].partition("|| ")[2].replace(" /swarm ", f" {tmp_path}/swarm ")
    assert main(shlex.split(line)[1:]) == 0
    runs = [json.loads(command) for command in re.findall(r"command: (\[.*\])", text)]
    parser = argparse.ArgumentParser()
    add_run_options(parser)
    members = set()
    for number, words in enumerate(runs, 1):
        given = [f"{tmp_path}{word}" if word.startswith("/swarm/") else word for word in words[1:]]
        config, identity, options = read_run_options(parser.parse_args(given))
        member = config.member(identity.id)
        assert (member.name, str(options.listen)) == (f"node{number}", f"node{number}:7400")
        assert f'"127.0.0.1:840{number}:{options.http.port}"' in text
        members.add(member.id)
    assert len(members) == 4
    (health,) = re.findall(r"test: (\[.*\])", text)
    assert parse(json.loads(health)[2:]).node == "http://127.0.0.1:8400"


def test_the_image_has_every_package() -> None:
    text = (DOCS / "container" / "Containerfile").read_text()
    for package in ("consensus", "engine", "node", "training"):
        assert f"COPY {package} {package}\n" in text
    assert "'.[work]'" in text
    assert 'ENTRYPOINT ["ringrift-node"]' in text
