"""The swarm of a soak: its folder with swarm.toml and keys, and the commands that start its nodes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from node.config.swarm_file import load_config
from node.demo.preparation import free_ports
from node.demo.processes import NodeCommand, run_to_end

CONFIGURATIONS = ("hex8-2", "hex8-3", "square8-2")

SETTINGS: Mapping[str, str] = {
    "steering.window_s": "3600",
    "selfplay.games": "128",
    "selfplay.random_games": "2048",
    "selfplay.ceiling": "1024",
    "training.games": "512",
    "training.window": "4096",
    "training.architecture": '"c8b1"',
    "training.first_networks": "1",
    "training.first_steps": "400",
    "training.measured_blocks": "4",
    "training.sibling_promotions": "1",
    "match.slot_blocks": "8",
    "match.block_limit": "32",
    "epoch.events": "16384",
}
"""What differs from a new swarm: amounts with which two cores make several promotions an
hour in each configuration and see several epochs close."""

KEEP_EPOCHS = 2


class SoakError(Exception):
    """The soak cannot go on; the text is one line with a remedy."""


def edit_settings(text: str, values: Mapping[str, str]) -> str:
    """Return the text of a swarm.toml with these settings, "section.name" to the value as it is written there.

    Raise SoakError if the file lacks one of them.
    """
    lines, section, left = text.splitlines(), "", dict(values)
    for place, line in enumerate(lines):
        if head := re.match(r"\[settings\.(\w+)\]", line):
            section = head[1]
        elif (item := re.match(r"(\w+) = [^#]*", line)) and f"{section}.{item[1]}" in left:
            start = f"{item[1]} = {left.pop(f'{section}.{item[1]}')}"
            lines[place] = f"{start:<28}{line[item.end() :]}".rstrip()
    if left:
        raise SoakError(f"swarm.toml has no setting {', '.join(sorted(left))}; the soak and the program do not fit")
    return "\n".join(lines) + "\n"


async def found(folder: Path, nodes: int, configurations: Sequence[str], settings: Mapping[str, str]) -> Path:
    """Found a swarm in `folder` as a user does, with `ringrift-node init` and an editor; return its swarm.toml."""
    hosts = ",".join(f"127.0.0.1:{port}" for port in free_ports(nodes))
    words = ("init", str(folder), "--name", "soak", "--hosts", hosts, "--configurations", ",".join(configurations))
    status, said = await run_to_end(words)
    if status != 0:
        raise SoakError(f"ringrift-node init: {said.strip()}")
    path = folder / "swarm.toml"
    path.write_text(edit_settings(path.read_text(), settings))
    return path


def commands(config: Path, roles: Sequence[str]) -> list[NodeCommand]:
    """Return the command of each node of a swarm.toml; node k has `roles[k]`, and all of them if there is none."""
    members = load_config(config).members
    found = []
    for number, (member, port) in enumerate(zip(members, free_ports(len(members)), strict=True)):
        key, data = config.parent / f"{member.name}.key", config.parent / member.name
        arguments = [str(config), "--key", str(key), "--data", str(data), "--http", f"127.0.0.1:{port}", "--log-json"]
        arguments += ["--keep-epochs", str(KEEP_EPOCHS)]
        if number < len(roles):
            arguments += ["--roles", roles[number]]
        found.append(NodeCommand(member.name, key, data, f"http://127.0.0.1:{port}", tuple(arguments)))
    return found
