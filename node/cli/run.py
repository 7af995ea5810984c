"""`ringrift-node run`: runs one node until a signal, Ctrl-C or an error ends it."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from consensus.keys import MemberId
from node.cli.lines import failure
from node.config.address import Address, bind_error, default_http, parse_address, parse_peer
from node.config.archive import load_access
from node.config.swarm_file import (
    ROLES,
    RunOptions,
    SwarmConfig,
    check_cost,
    check_drain,
    check_keep_epochs,
    check_life,
    check_slots,
    load_config,
    parse_roles,
)
from node.config.toml import ConfigError
from node.store import FILE_NAME as STORE_NAME

if TYPE_CHECKING:
    from node.config.identity import Identity

T = TypeVar("T")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `run`."""
    add_run_options(parser)
    parser.add_argument("--json", action="store_true", help="as --log-json, and say as JSON why it ends")
    parser.epilog = (
        "The environment variable RINGRIFT_KERNEL_CACHE names the folder of compiled kernels (default: ringrift/kernels"
        " in the user's cache; if that cannot be written, kernels in the data folder)."
    )


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which node runs, where and how."""
    parser.add_argument("config", type=Path, metavar="SWARM.TOML", help="the swarm's file")
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="the key of this node")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="where this node keeps everything")
    parser.add_argument(
        "--http", metavar="HOST:PORT", help="where to serve people (default: loopback, the port for peers + 1000)"
    )
    parser.add_argument(
        "--listen", metavar="HOST:PORT", help="where to serve peers, if not at the address in swarm.toml"
    )
    parser.add_argument(
        "--peer", action="append", default=[], metavar="ID@HOST:PORT",
        help="where a member is reached, if swarm.toml does not say; with a key that is not in swarm.toml, the member "
        "to ask to be let in (may be repeated)",
    )  # fmt: skip
    parser.add_argument("--roles", metavar="A,B", help=f"what to work on: {','.join(ROLES)} (the default), or none")
    parser.add_argument(
        "--keep-epochs", metavar="N", help="keep the events of the newest N epochs only (default: keep all)"
    )
    parser.add_argument(
        "--keep-blobs", action="store_true",
        help="keep shards, games and models for ever (default: delete them an hour after the ledger last needed them)",
    )  # fmt: skip
    parser.add_argument(
        "--attended",
        action="store_true",
        help="end when standard input does; for programs that start nodes and hold a pipe to them",
    )
    parser.add_argument(
        "--life", metavar="SECONDS",
        help="for how long this machine is expected to be there; claims are made to fit (default: not known)",
    )  # fmt: skip
    parser.add_argument(
        "--cost", metavar="N",
        help="what an hour of this machine costs, in thousandths of your currency unit; of machines that are equally "
        "fast, the cheaper ones train first (default: 0)",
    )  # fmt: skip
    parser.add_argument(
        "--slots", metavar="N",
        help="how many jobs to do at once (default: one for each GPU, and one for each two of the other cores)",
    )  # fmt: skip
    parser.add_argument(
        "--drain", metavar="SECONDS",
        help="for how long to end the work at SIGTERM or Ctrl-C: no new claims, results delivered, claims given back; "
        "the second signal ends the node at once (default: 30)",
    )  # fmt: skip
    parser.add_argument("--log-json", action="store_true", help="write the log as one JSON object per line")
    parser.add_argument(
        "--log-debug",
        action="store_true",
        help="log also each exchange with a peer, with a trace that is the same in the logs of both",
    )


def main(options: argparse.Namespace) -> int:
    """Run the node; return 0 after SIGTERM or Ctrl-C. Raise ConfigError for what a person can mend."""
    import trio

    from consensus.ledger.records.decisions import OutdatedError
    from node.app.node import run_node
    from node.store import StoreError
    from node.system.exception_groups import leaves
    from node.system.logs import configure_logs, finish_logs
    from node.system.supervision import VitalPartError

    failures: list[ConfigError] = []
    try:
        config, identity, run_options = read_run_options(options)
        if not options.data.exists():
            _require_startable(config, identity, options.key, run_options)
        _make_directory(options.data)
        configure_logs(as_json=options.log_json or options.json, details=options.log_debug)
        run_options = _with_possible_roles(run_options)
        trio.run(run_node, config, options.key, options.data, run_options)
    except* (ConfigError, OutdatedError, StoreError, VitalPartError) as group:
        failures = [error if isinstance(error, ConfigError) else ConfigError(str(error)) for error in leaves(group)]
    except* OSError as group:
        errors = [error for error in leaves(group) if isinstance(error, OSError)]
        failures = [_and_start_again(failure(error, options.data)) for error in errors]
    finally:
        finish_logs()
    if failures:
        raise failures[0]
    return 0


def _with_possible_roles(options: RunOptions) -> RunOptions:
    """Return how the node runs: without roles where nothing is installed that work needs, which is logged."""
    from node.preflight.libraries import missing_libraries

    missing = missing_libraries() if options.roles else ""
    if not missing:
        return options
    import structlog

    structlog.get_logger(__name__).warning("no work roles", wanted=",".join(options.roles), reason=missing)
    return replace(options, roles=())


def _and_start_again(error: ConfigError) -> ConfigError:
    return ConfigError(f"{error.fault}, and start again", error.place)


def read_run_options(options: argparse.Namespace) -> tuple[SwarmConfig, Identity, RunOptions]:
    """Return the swarm's file, the node's key and how it runs. Raise ConfigError."""
    from node.config.identity import load_identity

    config, identity = load_config(options.config), load_identity(options.key)
    return config, identity, _run_options(options, config, identity.id)


def _require_startable(config: SwarmConfig, identity: Identity, key: Path, options: RunOptions) -> None:
    """Refuse a start before the data folder is made, so that it does not stay there. Raise ConfigError.

    The start itself finds the same, and what changes until then.
    """
    from node.config.identity import hold_key
    from node.preflight.host import listen_failure

    os.close(hold_key(key))
    if error := listen_failure(options.listen):
        raise config.listen_error(identity.id, options.listen, error)
    if error := listen_failure(options.http):
        raise bind_error(f"--http {options.http}", options.http, error, "choose another with --http HOST:PORT")


def _make_directory(data: Path) -> None:
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"cannot make this directory ({error.strerror}); choose another with --data DIR"
        raise ConfigError(reason, data) from None


def _run_options(options: argparse.Namespace, config: SwarmConfig, me: MemberId) -> RunOptions:
    peers = tuple(_peer(text) for text in options.peer)
    listen = None if options.listen is None else _address("--listen", options.listen)
    own = _own_address(options.data, config, me, listen if peers else None)
    roles = ROLES if config.roles is None else config.roles
    return RunOptions(
        listen=listen or own,
        http=config.http or default_http(own) if options.http is None else _address("--http", options.http),
        roles=roles if options.roles is None else _roles(options.roles),
        keep_epochs=_whole("--keep-epochs", options.keep_epochs, config.keep_epochs, check_keep_epochs),
        log_json=options.log_json,
        keep_blobs=options.keep_blobs,
        attended=options.attended,
        peers=peers,
        idle_command=config.idle_command,
        idle_after_s=config.idle_after_s,
        life_s=_whole("--life", options.life, config.life_s, check_life),
        cost=_whole("--cost", options.cost, config.cost, check_cost),
        slots=_whole("--slots", options.slots, config.slots, check_slots),
        training_processes=config.training_processes,
        archive=None if config.archive is None else load_access(config.archive),
        drain_command=config.drain_command,
        drain_s=_whole("--drain", options.drain, config.drain_s, check_drain),
    )


def _own_address(data: Path, config: SwarmConfig, me: MemberId, listen: Address | None) -> Address:
    """Return where the node is unless --listen says so: as agreed on by vote, if that is on this machine.

    Else it is as in swarm.toml; for a key that is not there, `listen`. Raise ConfigError if nothing says where.
    """
    from node.preflight.host import is_of_this_machine
    from node.store import StoreError
    from node.store.schema import agreed_address

    member = config.find(me)
    try:
        agreed = agreed_address(data / STORE_NAME, config.genesis.digest, me)
        if agreed and is_of_this_machine(parse_address(agreed)):
            return parse_address(agreed)
    except (StoreError, ValueError):
        pass  # the start itself says what is wrong with the file
    return listen if member is None and listen is not None else config.member(me).address


def _peer(text: str) -> tuple[MemberId, Address]:
    try:
        return parse_peer(text)
    except ValueError as error:
        raise ConfigError(str(error), "--peer") from None


def _roles(text: str) -> tuple[str, ...]:
    try:
        return () if text == "none" else parse_roles(tuple(name.strip() for name in text.split(",")))
    except ValueError as error:
        raise ConfigError(f"{error}, or none", "--roles") from None


def _whole(option: str, text: str | None, otherwise: T, check: Callable[[int], int]) -> int | T:
    """Return the checked number that an option gives, or `otherwise` without the option. Raise ConfigError."""
    if text is None:
        return otherwise
    try:
        if not re.fullmatch("[0-9]{1,10}", text):
            raise ValueError(f'"{text}" is not a whole number')
        return check(int(text))
    except ValueError as error:
        raise ConfigError(str(error), option) from None


def _address(option: str, text: str) -> Address:
    try:
        return parse_address(text, may_choose=option == "--http")
    except ValueError as error:
        raise ConfigError(str(error), option) from None
