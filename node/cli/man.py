"""`ringrift-node man`: prints the manual page, in the language of man(7), from the parsers of the commands."""

import argparse
import textwrap
from collections.abc import Iterator, Sequence

from node.cli.parsers import CommandParser, command_parsers, help_text, subcommands
from node.cli.reading import print_json

_WIDTH_CHARS = 79  # of a line of the source
_MANY = 5  # options in common with a command before, from which on that command is named in their place
_HEAD = """\
.\\" Written by ringrift-node man. Do not edit: change the help of the commands, and run it again.
.TH RINGRIFT\\-NODE 1 "" "RingRift Swarm" "User Commands"
.SH NAME
ringrift\\-node \\- a node of a swarm that trains RingRift players and proves every promotion
.SH SYNOPSIS
.B ringrift\\-node
.I COMMAND
.RI [ ARGUMENT ...]
.br
.B ringrift\\-node \\-\\-version
.br
.B ringrift\\-node
.RI [ COMMAND ]
.B \\-\\-help
.SH DESCRIPTION
Every machine of a swarm runs this program.
There is no coordinator: the nodes exchange signed events, compute the same
order of them, and see from it who works on what and which model is canonical.
.B init
founds a swarm; each of its machines then says
.BR check ,
and
.BR run .
The other commands read a running node, make it act, or work on files.
.PP
Most of them find the node on this machine by its data folder
.RB ( \\-\\-data ),
and one elsewhere by the URL of its page
.RB ( \\-\\-node ).
"""
_TAIL = """\
.SH EXIT STATUS
.TP
.B 0
Done.
.TP
.B 1
The answer is no: a check finds a fault, a certificate is refused, a proposal
is not agreed on, the demonstration fails.
.TP
.B 2
A mistake in the command line, in a file or in an address.
One line on standard error says what, where and what to do; with
.B \\-\\-json
it is an object with "what", "where" and "remedy".
.TP
.B 130
Ended with Ctrl\\-C.
.SH ENVIRONMENT
.TP
.B RINGRIFT_KERNEL_CACHE
The folder of compiled kernels (default: ringrift/kernels in the user's cache).
.TP
.B CUDA_VISIBLE_DEVICES
Which GPUs a node uses (default: all that nvidia\\-smi lists).
.TP
.BR AWS_ACCESS_KEY_ID ", " AWS_SECRET_ACCESS_KEY ", " AWS_SESSION_TOKEN
The keys to an archive, if swarm.toml names no file of them.
.SH FILES
.TP
.I swarm.toml
The swarm: its members, the settings that all agree on, and in the table [node]
what differs from host to host.
.TP
.I NAME.key
The secret key of one member. Only its own node needs it.
.TP
.I DIR
The data folder of a node: events, models, games and certificates, and in
http.json where the node serves people.
.SH EXAMPLES
A swarm of four nodes on four hosts:
.PP
.EX
ringrift\\-node init my\\-swarm \\-\\-hosts alpha.example,beta.example,gamma.example,delta.example
.EE
.PP
What would keep a node from working, the node itself, and how it is:
.PP
.EX
ringrift\\-node check swarm.toml \\-\\-key alpha.key \\-\\-data data
ringrift\\-node run swarm.toml \\-\\-key alpha.key \\-\\-data data
ringrift\\-node doctor \\-\\-data data
.EE
.PP
A game against its newest model:
.PP
.EX
ringrift\\-node play hex8\\-2 \\-\\-data data
.EE
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `man`."""
    parser.add_argument("--json", action="store_true", help="print the page as one JSON object")
    parser.epilog = (
        "To read it: ringrift-node man | man -l -. To install it where it is missing: ringrift-node man > "
        "~/.local/share/man/man1/ringrift-node.1. An installation with pip has it in share/man/man1 beside bin."
    )


def main(options: argparse.Namespace) -> int:
    """Print the page; return 0."""
    page = render()
    if options.json:
        print_json({"page": page})
    else:
        print(page, end="")
    return 0


def render() -> str:
    """Return the manual page."""
    lines = [".SH COMMANDS"]
    before: list[CommandParser] = []
    for command in command_parsers():
        lines += _command_lines(command, before)
        before.append(command)
    return _HEAD + "".join(f"{line}\n" for line in lines) + _TAIL


def _command_lines(command: CommandParser, before: Sequence[CommandParser]) -> Iterator[str]:
    yield f".SS {_escaped(command.name)}"
    yield from _text(f"{command.purpose[0].upper()}{command.purpose[1:]}.")
    twin = next((each for each in before if len(_in_common(command, each)) >= _MANY), None)
    known = [] if twin is None else _in_common(command, twin)
    actions = [action for action in _shown(command.parser) if _identity(action) not in known]
    below = subcommands(command.parser)
    if not below:
        yield from _synopsis(command.name, actions, twin)
        yield from _action_lines(actions)
    if twin is not None:
        yield ".PP"
        yield from _text(f"What else can follow it is described at {twin.name}.")
    for name, change in below.items():
        yield from _synopsis(f"{command.name} {name}", _shown(change.parser), None)
        yield ".RS"
        yield from _text(f"{change.purpose[0].upper()}{change.purpose[1:]}.")
        yield from _action_lines(_shown(change.parser))
        yield ".RE"
    yield from _epilog_lines(command.parser)


def _shown(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return the options of a parser and then its arguments, without --help and what are commands of their own."""
    left_out = (argparse._HelpAction, argparse._SubParsersAction)
    actions = [action for action in parser._actions if not isinstance(action, left_out)]
    return sorted(actions, key=lambda action: not action.option_strings)


def _identity(action: argparse.Action) -> tuple[object, ...]:
    return (*action.option_strings, action.dest, action.help)


def _in_common(command: CommandParser, other: CommandParser) -> list[tuple[object, ...]]:
    others = {_identity(action) for action in _shown(other.parser)}
    return [_identity(action) for action in _shown(command.parser) if _identity(action) in others]


def _synopsis(words: str, actions: Sequence[argparse.Action], twin: CommandParser | None) -> Iterator[str]:
    parts = [f"\\fB{_escaped(f'ringrift-node {words}')}\\fR"]
    if twin is not None:
        parts.append(f"[\\fIas {_escaped(twin.name)}\\fR ...]")
    for action in actions:
        form = f"{_name(action)}{' ...' if _is_repeated(action) else ''}"
        parts.append(form if action.required else f"[{form}]")
    yield ".PP"
    yield " ".join(parts)


def _action_lines(actions: Sequence[argparse.Action]) -> Iterator[str]:
    for action in actions:
        yield ".TP"
        short = "".join(f"\\fB{_escaped(option)}\\fR, " for option in action.option_strings[:-1])
        yield f"{short}{_name(action)}"
        yield from _text(help_text(action))


def _name(action: argparse.Action) -> str:
    """Return an option with its value, or an argument: `--data DIR`, `FILE`."""
    option = f"\\fB{_escaped(action.option_strings[-1])}\\fR" if action.option_strings else ""
    value = "" if action.nargs == 0 else f"\\fI{_escaped(_value(action))}\\fR"
    return f"{option} {value}".strip()


def _value(action: argparse.Action) -> str:
    if action.metavar is not None:
        return str(action.metavar)
    return "|".join(str(choice) for choice in action.choices) if action.choices else action.dest.upper()


def _is_repeated(action: argparse.Action) -> bool:
    return action.nargs in ("+", "*") or isinstance(action, argparse._AppendAction)


def _epilog_lines(parser: argparse.ArgumentParser) -> Iterator[str]:
    if not parser.epilog:
        return
    yield ".PP"
    if parser.formatter_class is argparse.RawDescriptionHelpFormatter:
        yield ".EX"
        yield from map(_line, parser.epilog.rstrip().splitlines())
        yield ".EE"
    else:
        yield from _text(" ".join(parser.epilog.split()))


def _text(text: str) -> Iterator[str]:
    """Yield a text as lines that roff fills."""
    yield from map(_line, textwrap.wrap(text, _WIDTH_CHARS, break_long_words=False, break_on_hyphens=False))


def _line(text: str) -> str:
    """Return a line as roff reads it: one that begins with a control character begins with nothing first."""
    escaped = _escaped(text)
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def _escaped(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti").replace("^", "\\(ha")
