"""Reads and checks swarm.toml, and holds what it and the options of `ringrift-node run` say."""

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from consensus.genesis import EARLIER_VERSION, Genesis, GenesisError, make_genesis
from consensus.keys import MemberId, id_text, parse_id
from consensus.roster import WEIGHT_LIMIT, RosterMember
from consensus.settings import LONGEST_S, SECTIONS, Settings, SettingsError
from engine.config import CONFIGS
from node.config.address import ANYWHERE, Address, bind_error, parse_address
from node.config.archive import (
    DEFAULT_REGION,
    ArchiveAccess,
    ArchivePlace,
    aws_endpoint,
    parse_endpoint,
    parse_place,
    parse_region,
)
from node.config.toml import ConfigError, Table, parse_toml, read_toml

ROLES = ("selfplay", "train", "match")
MIN_KEPT_EPOCHS = 2
IDLE_AFTER_S = 900
MIN_IDLE_S = 60
DRAIN_S = 30
_LONGEST_DRAIN_S = 3600
MAX_SLOTS = 60
"""Worker slots of one node: a member may have 64 live claims, and those of an earlier life count."""
MAX_TRAINING_PROCESSES = 16
"""Of one training, as `training.team` has at most."""

_ARCHIVE_DETAILS = ("archive_endpoint", "archive_region", "archive_keys")
_LARGEST_COST = 10**9  # of an hour, thousandths

_T = TypeVar("_T")
_U = TypeVar("_U")

_ABSENT = "write one with: ringrift-node init DIR --members 4"
_ANCHOR = re.compile("[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,30}[A-Za-z0-9])?")
_MAX_EXPONENT = 300  # of a decimal; 1e-999999999 as a fraction would take for ever


@dataclass(frozen=True, kw_only=True)
class SwarmMember:
    """One [[member]] of swarm.toml. `line` is where its address (or the table) stands in the file."""

    id: MemberId
    name: str
    address: Address
    weight: int
    anchor: bytes | None  # of its preimages; without one it adds nothing to seeds
    line: int


@dataclass(frozen=True, kw_only=True)
class SwarmConfig:
    """A swarm.toml. Members are in the file's order; the genesis has them sorted by id.

    `http`, `roles`, `keep_epochs` and what follows come from the optional [node] table and are None, or have their
    defaults, where it does not have them.
    `earlier` is the genesis that programs of the version before made of this file; None if it has settings that they
    did not know.
    """

    path: Path
    genesis: Genesis
    earlier: Genesis | None = None
    members: tuple[SwarmMember, ...]
    http: Address | None
    roles: tuple[str, ...] | None
    keep_epochs: int | None
    idle_command: str | None = None
    idle_after_s: int = IDLE_AFTER_S
    life_s: int = 0
    cost: int = 0
    slots: int | None = None
    training_processes: int | None = None
    archive: ArchivePlace | None = None
    drain_s: int = DRAIN_S
    drain_command: str | None = None

    def find(self, member_id: MemberId) -> SwarmMember | None:
        """Return the member of the file with this id, or None."""
        return next((member for member in self.members if member.id == member_id), None)

    def member(self, member_id: MemberId) -> SwarmMember:
        """Return the member of the file with this id. Raise ConfigError if there is none."""
        member = self.find(member_id)
        if member is not None:
            return member
        raise ConfigError(
            f"no [[member]] has the id {id_text(member_id)}; "
            "use the key of a member, or join the swarm: --peer ID@HOST:PORT (a member) --listen HOST:PORT (this node)",
            self.path,
        )

    def listen_error(self, member_id: MemberId, listen: Address, error: OSError) -> ConfigError:
        """Make the error for a failure to listen at `listen`: the member's address in the file, or that of --listen."""
        member = self.find(member_id)
        if member is None or listen != member.address:
            return bind_error(f"--listen {listen}", listen, error, "choose another with --listen HOST:PORT")
        remedy = "change this address, or say --listen HOST:PORT if peers reach it through another"
        return bind_error(f"{self.path}:{member.line}", listen, error, remedy)


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How one node runs, by the command line, else by [node] of swarm.toml, else by default.

    `listen` is where it serves peers (the member's own address, unless the machine is behind a port mapping), `http`
    where it serves people. `roles` are some of ROLES; without any it orders and serves but does no work. `peers` are
    addresses of members, given with --peer, that swarm.toml does not have.
    """

    listen: Address
    http: Address
    roles: tuple[str, ...]
    keep_epochs: int | None  # number of epochs whose events and ledgers stay on disk; None: all
    log_json: bool
    keep_blobs: bool = False  # also those that the ledger no longer needs
    attended: bool = False  # the node ends when its standard input does
    peers: tuple[tuple[MemberId, Address], ...] = ()
    idle_command: str | None = None  # is run once nothing was wanted from the node for `idle_after_s`
    idle_after_s: int = IDLE_AFTER_S
    life_s: int = 0  # for how long the machine is expected to be there; 0: not known
    cost: int = 0  # of an hour of its work, thousandths of a currency unit; 0: nothing
    slots: int | None = None  # jobs at once; None: as the machine has GPUs and cores (`node.work.slots`)
    training_processes: int | None = None  # of one training; None: as the slot is equipped (`node.work.equipment`)
    archive: ArchiveAccess | None = None  # where this node keeps blobs besides
    drain_s: int = DRAIN_S  # for how long the node ends its work before it ends; 0: at once
    drain_command: str | None = None  # is run after that


def load_config(path: Path) -> SwarmConfig:
    """Read and check a swarm.toml. Raise ConfigError, one line that names the file, the line and the remedy."""
    return _check(path, read_toml(path, _ABSENT))


def parse_config(path: Path, text: str) -> SwarmConfig:
    """Check the text of a swarm.toml that is, or is to be, at `path`. Raise ConfigError as `load_config` does."""
    return _check(path, parse_toml(path, text))


def _check(path: Path, document: Table) -> SwarmConfig:
    swarm = document.table("swarm")
    member_tables = document.tables("member")
    settings_table = document.table("settings")
    node = document.table("node")
    document.finish()
    name = swarm.text("name")
    members = _read_members(document, member_tables)
    settings, earlier = _read_settings(swarm, settings_table)
    operators = _read_operators(swarm)
    swarm.finish()
    http = _read_address(node, "http", may_choose=True) if node.has("http") else None
    roles = _checked(node, "roles", parse_roles, node.texts("roles")) if node.has("roles") else None
    keep_epochs = None
    if node.has("keep_epochs"):
        keep_epochs = _checked(node, "keep_epochs", check_keep_epochs, node.integer("keep_epochs"))
    idle_command = node.text("idle_command") if node.has("idle_command") else None
    idle_after_s = _checked(node, "idle_after_s", _check_idle, node.integer("idle_after_s", IDLE_AFTER_S))
    life_s = _checked(node, "life_s", check_life, node.integer("life_s", 0))
    cost = _checked(node, "cost", check_cost, node.integer("cost", 0))
    slots = _checked(node, "slots", check_slots, node.integer("slots")) if node.has("slots") else None
    training_processes = None
    if node.has("training_processes"):
        wished = node.integer("training_processes")
        training_processes = _checked(node, "training_processes", check_training_processes, wished)
    drain_s = _checked(node, "drain_s", check_drain, node.integer("drain_s", DRAIN_S))
    archive = _read_archive(node, path)
    drain_command = node.text("drain_command") if node.has("drain_command") else None
    node.offer("http", "roles", "keep_epochs", "idle_command", "idle_after_s", "life_s", "cost", "slots")
    node.offer("training_processes", "drain_s", "drain_command").finish()
    try:
        listed = [RosterMember(member.id, member.weight, member.anchor) for member in members]
        genesis = make_genesis(name, listed, settings, operators)
    except GenesisError as error:
        raise swarm.error(str(error)) from None
    return SwarmConfig(
        path=path,
        genesis=genesis,
        earlier=None if earlier is None or operators else Genesis(name, genesis.members, earlier, EARLIER_VERSION),
        members=members,
        http=http,
        roles=roles,
        keep_epochs=keep_epochs,
        idle_command=idle_command,
        idle_after_s=idle_after_s,
        life_s=life_s,
        cost=cost,
        slots=slots,
        training_processes=training_processes,
        archive=archive,
        drain_s=drain_s,
        drain_command=drain_command,
    )


def _read_archive(node: Table, path: Path) -> ArchivePlace | None:
    """Take what [node] says of the archive; a relative path of its keys is one beside the file at `path`."""
    node.offer("archive", *_ARCHIVE_DETAILS)
    if not node.has("archive"):
        if found := next((key for key in _ARCHIVE_DETAILS if node.has(key)), None):
            raise node.error(f'{found} is here without an archive; say archive = "s3://BUCKET/PREFIX", too', found)
        return None
    bucket, prefix = _checked(node, "archive", parse_place, node.text("archive"))
    region = _checked(node, "archive_region", parse_region, node.text("archive_region", DEFAULT_REGION))
    endpoint = aws_endpoint(region)
    if node.has("archive_endpoint"):
        endpoint = _checked(node, "archive_endpoint", parse_endpoint, node.text("archive_endpoint"))
    keys = path.parent / node.text("archive_keys") if node.has("archive_keys") else None
    return ArchivePlace(bucket=bucket, prefix=prefix, endpoint=endpoint, region=region, keys_file=keys)


def _check_idle(seconds: int) -> int:
    if not MIN_IDLE_S <= seconds <= LONGEST_S:
        raise ValueError(f"{seconds} must be {MIN_IDLE_S} to {LONGEST_S} seconds")
    return seconds


def check_life(seconds: int) -> int:
    """Return how long a machine is expected to be there, in s. Raise ValueError, which says what is wrong."""
    if not 0 <= seconds <= LONGEST_S:
        raise ValueError(f"{seconds} must be 0 to {LONGEST_S} seconds; 0: not known")
    return seconds


def check_cost(thousandths: int) -> int:
    """Return what an hour of a machine costs, in thousandths. Raise ValueError, which says what is wrong."""
    if not 0 <= thousandths <= _LARGEST_COST:
        raise ValueError(f"{thousandths} must be 0 to {_LARGEST_COST} thousandths of a currency unit per hour")
    return thousandths


def check_drain(seconds: int) -> int:
    """Return for how long a node ends its work, in s. Raise ValueError, which says what is wrong."""
    if not 0 <= seconds <= _LONGEST_DRAIN_S:
        raise ValueError(f"{seconds} must be 0 to {_LONGEST_DRAIN_S} seconds; 0: the node ends at once")
    return seconds


def check_slots(count: int) -> int:
    """Return how many jobs a node does at once. Raise ValueError, which says what is wrong."""
    if not 1 <= count <= MAX_SLOTS:
        raise ValueError(f"{count} must be 1 to {MAX_SLOTS} worker slots; for none, leave out the roles")
    return count


def check_training_processes(count: int) -> int:
    """Return by how many processes a training computes. Raise ValueError, which says what is wrong."""
    if not 1 <= count <= MAX_TRAINING_PROCESSES:
        raise ValueError(f"{count} must be 1 to {MAX_TRAINING_PROCESSES} processes of one training")
    return count


def parse_roles(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the roles of these names, in the order of ROLES. Raise ValueError, which says what is wrong."""
    for name in names:
        if name not in ROLES:
            raise ValueError(f'"{name}" is not a role; roles are {", ".join(ROLES)}')
    return tuple(role for role in ROLES if role in names)


def check_keep_epochs(count: int) -> int:
    """Return `count`. Raise ValueError, which says what is wrong, if these are too few epochs to keep."""
    if count < MIN_KEPT_EPOCHS:
        needed = "the open epoch and the one before are needed"
        raise ValueError(f"{count} is too few: {needed}; keep {MIN_KEPT_EPOCHS} or more, or all by leaving it out")
    return count


def _read_address(table: Table, key: str, *, may_choose: bool = False) -> Address:
    """Take an address from a table."""
    return _checked(table, key, lambda text: parse_address(text, may_choose=may_choose), table.text(key))


def _checked(table: Table, key: str, check: Callable[[_T], _U], value: _T) -> _U:
    try:
        return check(value)
    except ValueError as error:
        raise table.error(f"{key}: {error}", key) from None


def _read_members(document: Table, tables: list[Table]) -> tuple[SwarmMember, ...]:
    if not tables:
        raise document.error("there is no [[member]]; a swarm needs at least one, with id and address")
    members: list[SwarmMember] = []
    for table in tables:
        member = _read_member(table)
        for other in members:
            _check_distinct(table, member, other)
        members.append(member)
    total = sum(member.weight for member in members)
    for table, member in zip(tables, members, strict=True):
        if len(members) >= 4 and 3 * member.weight >= total:
            raise table.error(
                f"weight {member.weight} of {member.name} is a third or more of the {total} of all: "
                "it alone could stop the swarm; give it less, or the others more",
                "weight",
            )
    return tuple(members)


def _read_member(table: Table) -> SwarmMember:
    try:
        member_id = parse_id(table.text("id"))
    except ValueError as error:
        raise table.error(f"id: {error}; copy the 52 characters that `ringrift-node id KEYFILE` prints", "id") from None
    name = table.text("name", id_text(member_id)[:8])
    if not _NAME.fullmatch(name):
        raise table.error(f'name "{name}" must be 1 to 32 letters, digits, ".", "_" or "-"', "name")
    address = _read_address(table, "address")
    if address.host in ANYWHERE:
        raise table.error(
            f"address {address} cannot be reached by peers; write the name or address they use, "
            "and say --listen when you run the node",
            "address",
        )
    weight = table.integer("weight", 1)
    if weight < 1:
        remedy = "leave the member out if it has no vote"
        raise table.error(f"weight {weight} of {name} must be 1 or more; {remedy}", "weight")
    if weight > WEIGHT_LIMIT:
        raise table.error(f"weight {weight} of {name} must be {WEIGHT_LIMIT} or less; only ratios matter", "weight")
    anchor = _read_anchor(table) if table.has("anchor") else None
    table.offer("anchor").finish()
    return SwarmMember(
        id=member_id, name=name, address=address, weight=weight, anchor=anchor, line=table.line("address")
    )


def _read_anchor(table: Table) -> bytes:
    text = table.text("anchor")
    if not _ANCHOR.fullmatch(text):
        shown = text if len(text) <= 80 else text[:77] + "..."
        remedy = "copy the line that `ringrift-node id KEYFILE` prints, or leave it out"
        raise table.error(f'anchor "{shown}" is not 64 of the digits 0-9 and a-f; {remedy}', "anchor")
    return bytes.fromhex(text)


def _check_distinct(table: Table, member: SwarmMember, other: SwarmMember) -> None:
    if member.id == other.id:
        raise table.error(f"this id is also the id of {other.name}; every member has a key of its own", "id")
    if member.anchor is not None and member.anchor == other.anchor:
        raise table.error(f"this anchor is also that of {other.name}; each key has its own", "anchor")
    if member.address == other.address:
        raise table.error(
            f"address {member.address} is also the address of {other.name} (line {other.line}); give each its own port",
            "address",
        )
    if member.name == other.name:
        raise table.error(f'name "{member.name}" is taken (line {other.line}); names tell members apart', "name")


def _read_operators(swarm: Table) -> tuple[MemberId, ...]:
    """Return the ids of the operators, in the order of the file."""
    swarm.offer("operators")
    operators = []
    for text in swarm.texts("operators", ()):
        try:
            operators.append(parse_id(text))
        except ValueError as error:
            remedy = "list ids of members, as `ringrift-node id KEYFILE` prints them"
            raise swarm.error(f"operators: {error}; {remedy}", "operators") from None
    if len(set(operators)) != len(operators):
        raise swarm.error("operators: one is named twice; name each once", "operators")
    return tuple(operators)


def _read_settings(swarm: Table, table: Table) -> tuple[Settings, Settings | None]:
    """Return the settings, and what the version before reads in them; None if it does not know one of them."""
    configurations = swarm.texts("configurations", ("hex8-2",))
    sections: dict[str, dict[str, Any]] = {}
    for section in SECTIONS:
        section_table = table.table(section)
        defaults = {item.name: item.default for item in fields(SECTIONS[section])}  # type: ignore[arg-type]
        values = section_table.offer(*defaults).values()
        section_table.finish()
        sections[section] = {key: _exact(value, defaults[key]) for key, value in values.items()}
    table.finish()
    try:
        settings = Settings.parse(configurations, sections)
    except SettingsError as error:
        if error.section:
            raise table.table(error.section).error(str(error), error.setting) from None
        raise swarm.error(str(error), "configurations") from None
    for name in settings.configurations:
        if name not in CONFIGS:
            message = f"configurations: this program cannot play {name}; it plays {', '.join(CONFIGS)}"
            raise swarm.error(message, "configurations")
    is_earlier = not any(SECTIONS[name].EARLIER.keys() & given.keys() for name, given in sections.items())
    return settings, Settings.parse_earlier(configurations, sections) if is_earlier else None


def _exact(value: Any, default: object) -> Any:
    """Return 0.65 as 13/20 where a fraction is wanted; elsewhere a decimal is a mistake, to be shown as written."""
    if isinstance(default, Fraction) and type(value) is int:
        return Fraction(value)
    if not isinstance(value, Decimal):
        return value
    if isinstance(default, Fraction) and value.is_finite() and abs(value.adjusted()) < _MAX_EXPONENT:
        return Fraction(value)
    return float(value)
