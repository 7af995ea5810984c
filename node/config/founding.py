"""Founds a swarm: writes one swarm.toml and a key for each member into a directory."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from consensus.keys import SigningKey, id_text
from consensus.preimages import Preimages
from consensus.settings import NEW_SWARM, Settings, SettingsError
from node.config.address import Address, parse_address
from node.config.identity import create_identity
from node.config.swarm_file import parse_config
from node.config.template import Listing, render_swarm
from node.config.toml import ConfigError
from node.system.files import sync_directory

CONFIG_NAME = "swarm.toml"
DEFAULT_PORT = 7400


@dataclass(frozen=True)
class Founded:
    """The files of a new swarm: its swarm.toml, and the members' keys in the order of their addresses."""

    config: Path
    keys: tuple[Path, ...]


def found_swarm(
    directory: Path,
    addresses: Sequence[str],
    configurations: Sequence[str],
    *,
    names: Sequence[str] | None = None,
    name: str = "swarm",
    settings: Settings | None = None,
) -> Founded:
    """Write `directory`/swarm.toml and `directory`/NAME.key (mode 0600) for each address ("host:port").

    Members weigh 1 and are called node1, node2, ... unless `names` says otherwise. Nothing that exists is
    overwritten. Raise ConfigError: one line with the remedy.
    """
    config = directory / CONFIG_NAME
    labels = names or [f"node{number}" for number in range(1, len(addresses) + 1)]
    places = check_addresses(addresses)
    rules = _settings(settings or NEW_SWARM, configurations)
    _check_names(config, name, labels, places, rules)
    keys = tuple(directory / f"{label}.key" for label in labels)
    _make_room(directory, (config, *keys))
    identities = [create_identity(key) for key in keys]
    members = [
        Listing(label, identity.text, place, 1, Preimages(identity.key, 0).anchor.hex())
        for label, place, identity in zip(labels, places, identities, strict=True)
    ]
    _write_new(config, render_swarm(name, members, rules))
    return Founded(config, keys)


def _check_names(config: Path, name: str, labels: Sequence[str], places: Sequence[Address], settings: Settings) -> None:
    """Check everything but the ids before the first key is made, so that a mistake leaves nothing behind."""
    placeholders = [
        Listing(label, id_text(SigningKey(number.to_bytes(32)).id), place, 1)
        for number, (label, place) in enumerate(zip(labels, places, strict=True))
    ]
    try:
        parse_config(config, render_swarm(name, placeholders, settings))
    except ConfigError as error:
        raise ConfigError(error.fault) from None  # there is no such file yet


def check_addresses(addresses: Sequence[str]) -> list[Address]:
    """Return the addresses of a new swarm's members. Raise ConfigError if one is none, or is given twice."""
    if not addresses:
        raise ConfigError("a swarm needs at least one member")
    try:
        places = [parse_address(address) for address in addresses]
    except ValueError as error:
        raise ConfigError(str(error)) from None
    for number, place in enumerate(places):
        if place in places[:number]:
            raise ConfigError(f"address {place} is given twice; give each member its own host or port")
    return places


def _settings(settings: Settings, configurations: Sequence[str]) -> Settings:
    try:
        return replace(settings, configurations=tuple(sorted(set(configurations))))
    except SettingsError as error:
        raise ConfigError(str(error)) from None


def _make_room(directory: Path, files: Sequence[Path]) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot make this directory ({error.strerror}); choose another", directory) from None
    for path in files:
        if path.exists():
            raise ConfigError("exists already and is never overwritten; choose another directory", path)


def _write_new(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        sync_directory(path.parent)
    except OSError as error:
        raise ConfigError(f"cannot be written ({error.strerror}); choose another directory", path) from None
