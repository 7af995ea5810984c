"""`ringrift-node init`: founds a swarm in a directory."""

import argparse
import shlex
from pathlib import Path

from node.cli.lines import words
from node.config.founding import DEFAULT_PORT, Founded, found_swarm
from node.config.swarm_file import SwarmConfig, load_config
from node.config.toml import ConfigError
from node.text.formatting import fragility, plural


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `init`."""
    parser.add_argument("directory", type=Path, metavar="DIR", help="where to write swarm.toml and the keys")
    who = parser.add_mutually_exclusive_group()
    who.add_argument(
        "--members",
        type=int,
        default=1,
        metavar="N",
        help=f"a swarm of N nodes on this machine, on ports {DEFAULT_PORT}, {DEFAULT_PORT + 1}, ... (default 1)",
    )
    who.add_argument(
        "--hosts",
        metavar="A,B,C",
        help=f"one node on each of these hosts: HOST or HOST:PORT (default port {DEFAULT_PORT})",
    )
    parser.add_argument("--name", type=words, default="swarm", help="the swarm's name (default swarm)")
    parser.add_argument(
        "--configurations",
        default="hex8-2",
        metavar="C,D",
        help="what is played, such as hex8-2,square8-3 (default hex8-2)",
    )


def main(options: argparse.Namespace) -> int:
    """Write the files, say how to go on, and return 0."""
    names = None
    if options.hosts is None:
        if not 1 <= options.members <= 256:
            raise ConfigError(f"--members {options.members}: a swarm has 1 to 256 members; choose such a number")
        addresses = [f"127.0.0.1:{DEFAULT_PORT + number}" for number in range(options.members)]
    else:
        addresses = [_with_port(host.strip()) for host in options.hosts.split(",")]
        names = _names(addresses)
    configurations = [name.strip() for name in options.configurations.split(",")]
    founded = found_swarm(options.directory, addresses, configurations, names=names, name=options.name)
    _print_next_steps(options.directory, founded, elsewhere=options.hosts is not None)
    return 0


def _fragility(config: SwarmConfig) -> str:
    """Return which members the swarm of this file cannot do without, and the remedy; "" if there are none."""
    indispensable = {member.id for member in config.genesis.roster.indispensable}
    return fragility([member.name for member in config.members if member.id in indispensable])


def _with_port(host: str) -> str:
    has_port = "]:" in host if host.startswith("[") else ":" in host
    return host if has_port else f"{host}:{DEFAULT_PORT}"


def _names(addresses: list[str]) -> list[str] | None:
    """Return the first labels of the host names, or None where these are not names or do not tell the hosts apart."""
    labels = [address.partition(":")[0].partition(".")[0] for address in addresses]
    usable = all(label and not label.isdecimal() and label[0].isalnum() and len(label) <= 32 for label in labels)
    return labels if usable and len(set(labels)) == len(labels) else None


def _print_next_steps(directory: Path, founded: Founded, *, elsewhere: bool) -> None:
    print(f"{founded.config}: {plural(len(founded.keys), 'member')}")
    if weak := _fragility(load_config(founded.config)):
        print(f"One member can stop this swarm: {weak}.")
    for key in founded.keys:
        print(f"{key}: a secret key; only its own node needs it")
    if elsewhere:
        print("Copy swarm.toml to every host, and each key to its own host. Then start each node:")
        print("  ringrift-node run swarm.toml --key NAME.key --data DIR")
        return
    print("Start each node in a terminal of its own:" if len(founded.keys) > 1 else "Start the node:")
    for key in founded.keys:
        data = directory / key.stem
        words = [str(founded.config), "--key", str(key), "--data", str(data)]
        print(f"  ringrift-node run {shlex.join(words)}")
