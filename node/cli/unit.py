"""`ringrift-node unit`: prints a systemd unit that runs this node, with the options that `run` gets."""

import argparse
import os
from pathlib import Path

from node.cli.reading import print_json
from node.cli.run import add_run_options, read_run_options
from node.system.imports import python_command

_UNIT = """\
# Before the first start: install -d -o {owner} {data}
[Unit]
Description=RingRift node {name} of the swarm {swarm}
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
{user}Environment=RINGRIFT_KERNEL_CACHE={kernels}
Restart=on-failure
RestartSec=15
WatchdogSec=180
TimeoutStartSec=infinity
TimeoutStopSec=120
LimitNOFILE=65536
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=strict
ReadWritePaths={data}

[Install]
WantedBy={target}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `unit`: those of `run`, and for whom the unit is."""
    add_run_options(parser)
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument("--user", metavar="NAME", help="run the node as this user (default: who is running this)")
    whose.add_argument("--own", action="store_true", help="for systemctl --user, without the rights of root")
    parser.add_argument("--json", action="store_true", help="print the unit and where it belongs as one JSON object")
    parser.epilog = (
        "Give it the arguments that run is to get, and write what it prints to "
        "/etc/systemd/system/ringrift-node.service "
        "(--own: ~/.config/systemd/user/ringrift-node.service). The node tells systemd when it is ready, and that it "
        "lives; one that hangs is started again."
    )


def main(options: argparse.Namespace) -> int:
    """Print the unit; return 0. Raise ConfigError if the node could not run like this."""
    config, identity, _ = read_run_options(options)
    member, data = config.find(identity.id), options.data.absolute()
    owner = _plain(options.user or _user_name())
    text = _UNIT.format(
        name=_plain(identity.text[:8] if member is None else member.name),
        swarm=_plain(config.genesis.swarm),
        command=" ".join(_quote(word) for word in _command(options)),
        owner=owner,
        user="" if options.own else f"User={owner}\n",
        kernels=_quote(str(data / "kernels")),
        data=_quote(str(data)),
        target="default.target" if options.own else "multi-user.target",
    )
    if options.json:
        folder = "~/.config/systemd/user" if options.own else "/etc/systemd/system"
        print_json({"unit": text, "file": f"{folder}/ringrift-node.service"})
    else:
        print(text, end="")
    return 0


def _command(options: argparse.Namespace) -> list[str]:
    """Return the program of this command, and `run` with the same options and whole paths."""
    known = argparse.ArgumentParser()
    add_run_options(known)
    words = [*_program(), "run", str(options.config.absolute())]
    for action in known._actions:
        value = getattr(options, action.dest, None)
        if not action.option_strings or value in (None, action.default, argparse.SUPPRESS):
            continue
        name = action.option_strings[-1]
        given = value if isinstance(value, list) else [value]
        shown = [str(each.absolute() if isinstance(each, Path) else each) for each in given]
        words += [name] if value is True else [text for each in shown for text in (name, each)]
    return words


def _program() -> list[str]:
    command = python_command("node.cli")
    script = Path(command[0]).with_name("ringrift-node")
    return [str(script)] if script.exists() else [*command]


def _user_name() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _quote(word: str) -> str:
    """Return a word as systemd reads it back: see systemd.syntax(7) and "Command lines" in systemd.service(5)."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    is_plain = escaped == word and not any(letter.isspace() or letter in "';" for letter in word)
    return word if is_plain and word else f'"{escaped}"'


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("%", "%%")
