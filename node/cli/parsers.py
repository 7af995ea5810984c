"""The parsers of all commands, for what is made from them: completion of a shell, and the manual page."""

import argparse
import importlib
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class CommandParser:
    """A command: its name after the program's, what it is for, and what can follow it."""

    name: str
    purpose: str
    parser: argparse.ArgumentParser


def command_parsers() -> Iterator[CommandParser]:
    """Yield every command, in the order of the help. Load all their modules."""
    from node.cli import COMMANDS

    for name, command in COMMANDS.items():
        parser = argparse.ArgumentParser(prog=name)
        importlib.import_module(command.module).add_arguments(parser)
        yield CommandParser(name, command.purpose, parser)


def subcommands(parser: argparse.ArgumentParser) -> dict[str, CommandParser]:
    """Return the commands below a command, such as the changes of `propose`; none for most."""
    found: dict[str, CommandParser] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            purposes = {each.dest: help_text(each) for each in action._choices_actions}
            found |= {name: CommandParser(name, purposes[name], each) for name, each in action.choices.items()}
    return found


def help_text(action: argparse.Action) -> str:
    """Return the help of an option or argument, in one line."""
    return " ".join((action.help or "").replace("%%", "%").split())
