"""The command line `ringrift-node`: finds the command, loads what it needs, turns mistakes into one line."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from node.cli.lines import failure, say_error
from node.config.toml import ConfigError
from node.system.imports import leave_out_working_directory
from node.system.streams import prepare_streams, settle_output

PROGRAM = "ringrift-node"
_OUTPUT = "standard output"  # what fails with no name of a file


@dataclass(frozen=True)
class Command:
    """A command: the module that has its `add_arguments(parser)` and `main(options) -> int`, and its purpose."""

    module: str
    purpose: str


COMMANDS = {
    "init": Command("node.cli.init", "found a swarm: write swarm.toml and a key for each member"),
    "run": Command("node.cli.run", "run one node"),
    "check": Command("node.cli.check", "find what would keep a node from working; takes the arguments of run"),
    "doctor": Command("node.cli.doctor", "find what is wrong with a running node and its swarm, why, and what to do"),
    "upgrade-check": Command("node.cli.upgrade_check", "tell whether this version can take over a running node"),
    "unit": Command("node.cli.unit", "print a systemd unit for a node; takes the arguments of run"),
    "completion": Command("node.cli.completion", "print what makes a shell complete commands and options"),
    "man": Command("node.cli.man", "print the manual page of all commands"),
    "debug": Command(
        "node.cli.debug", "write one archive for whoever is to help: all that a node tells, without secrets"
    ),
    "demo": Command("node.demo.command", "run a whole swarm on this machine until a model is promoted"),
    "status": Command("node.cli.status", "show how a running node and its swarm are doing"),
    "members": Command("node.cli.members", "show the members as a running node sees them"),
    "work": Command("node.cli.work", "show who works on what, and how the candidates are doing"),
    "why": Command("node.cli.why", "show what the members would do next, and every number that this follows from"),
    "top": Command("node.cli.top", "show the members and their work live, in a table that is redrawn"),
    "logs": Command("node.cli.logs", "show what the order brought; -f goes on with what happens"),
    "models": Command("node.cli.models", "show the canonical models and their history"),
    "ratings": Command("node.cli.ratings", "show how strong the models are, with errors"),
    "certificates": Command("node.cli.certificates", "show the certificates, or save one to a file"),
    "faults": Command("node.cli.faults", "show the results that were proven wrong, or save a proof to a file"),
    "proposals": Command("node.cli.proposals", "show the proposals, and their votes"),
    "propose": Command("node.cli.propose", "propose a change of the roster, of a setting or of the configurations"),
    "pause": Command("node.cli.pause", "propose that work pauses: all, one kind of it, one configuration"),
    "resume": Command("node.cli.resume", "propose that paused work goes on"),
    "vote": Command("node.cli.vote", "vote on a proposal as the node on this machine"),
    "drain": Command("node.cli.drain", "let the node on this machine end its work, and then end"),
    "nominate": Command("node.cli.nominate", "nominate an earlier model again, as the node on this machine"),
    "verify": Command("node.cli.verify", "check a certificate, or the proof of a wrong result, offline"),
    "export": Command("node.cli.export", "write a model for others: safetensors, a model card, its certificate, ONNX"),
    "import": Command("node.cli.import_command", "keep games of others that are sound, or nominate a model of others"),
    "keygen": Command("node.cli.keygen", "make a key for one more member and print its id and anchor"),
    "replay": Command("node.cli.replay.command", "show recorded games: moves, positions, pictures"),
    "play": Command("node.cli.play.command", "play a game against a model in the terminal"),
    "arena": Command("node.cli.arena", "let players play each other, and rate them"),
    "id": Command("node.cli.id", "print the id and anchor of a key, as a [[member]] of swarm.toml has them"),
}


_EPILOG = f"""\
exit status: 0 done; 1 the answer is no (verify refuses, a proposal is not agreed on, the demo fails); 2 a mistake
in the command line, in a file or in an address, with one line that says what, where and what to do; 130 after Ctrl-C.
Each command takes --json: it prints JSON, and a mistake is an object with "what", "where" and "remedy".
Help for one command: {PROGRAM} COMMAND --help
"""


class _UsageError(ConfigError):
    """A mistake in the command line, which the place names."""


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line; the usage is in --help."""

    def error(self, message: str) -> NoReturn:
        raise _UsageError(f"{message}; see {self.prog} --help", self.prog)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Parse as argparse does, but let the command itself refuse what it does not know, with its own help."""
        known, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return known, rest


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status (2 after a mistake in the input, with one line on stderr).

    When the reader of our output has gone, such as `head`, the command ends quietly: with its own status if it was
    done, else with 1. Raise SystemExit after --help, and after a mistake in the command line.
    """
    if arguments is None:
        leave_out_working_directory()
    prepare_streams()
    failed, ended = None, None
    try:
        status = _status(sys.argv[1:] if arguments is None else list(arguments))
    except SystemExit as end:  # of argparse, whose codes are numbers
        status, ended = int(end.code or 0), end
    finally:
        failed = settle_output()
    if failed is not None and not isinstance(failed, BrokenPipeError) and not status:
        status = _refuse(failure(failed, _OUTPUT))
        settle_output()
        return status
    if ended is not None:
        raise ended
    return status


def _status(arguments: list[str]) -> int:
    as_json = "--json" in arguments
    try:
        return _run(arguments)
    except _UsageError as mistake:
        say_error("", mistake, as_json=as_json)
        raise SystemExit(2) from None
    except ConfigError as mistake:
        return _refuse(mistake, as_json=as_json)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1
    except OSError as error:
        return _refuse(failure(error, _OUTPUT), as_json=as_json)


def _refuse(mistake: ConfigError, *, as_json: bool = False) -> int:
    say_error(PROGRAM, mistake, as_json=as_json)
    return 2


def _run(arguments: list[str]) -> int:
    parser = _Parser(
        prog=PROGRAM,
        description="A node of a swarm that trains RingRift players and proves every promotion.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    # Only the command that was asked for is imported, so that every command starts quickly.
    wanted = arguments[0] if arguments else None
    module = None
    for name, command in COMMANDS.items():
        subparser = commands.add_parser(name, help=command.purpose, description=_sentence(command.purpose))
        if name == wanted:
            module = importlib.import_module(command.module)
            module.add_arguments(subparser)
    options = parser.parse_args(arguments)
    if options.version:
        from node.system.version import version

        print(f"{PROGRAM} {version()}")
        return 0
    if module is None:
        parser.print_help()
        return 2
    status: int = module.main(options)
    return status


def _sentence(purpose: str) -> str:
    return purpose[0].upper() + purpose[1:] + "."
