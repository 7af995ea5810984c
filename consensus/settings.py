"""The settings that all nodes of a swarm share. They are part of the genesis and determine what the ledger does."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any, ClassVar, Self

from consensus.architecture import FORM, parse_architecture
from consensus.encoding import Encoded, Value, encode

CONFIGURATION = re.compile(r"(square8|square19|hex8|hexagonal)-([234])")
LARGEST = 2**53 - 1
LONGEST_S = 10**9
SLOTS_LIMIT = 64  # of a match or series with `steering.rules`, of which there are many at once: snapshots have them all
LEAST_HELD_S = 30  # work is held for this long at least, or nobody could finish any
FAMILIES_LIMIT = 8
CUSTODIANS_LIMIT = 8
THOUSAND = 1000  # the whole, of shares, scores and weights in thousandths
SHARD_GAMES = 65_536  # a shard holds no more
ROUNDS_LIMIT = 1 << 17  # of an epoch: each member has this many preimages for it
LEAST_AHEAD = 6  # more than honest members ever make, `node/member/creation.py`: docs/consensus.md says why
EVENTS_LIMIT = ROUNDS_LIMIT - 3  # an epoch of n events has at most n + 3 rounds, each of which needs a preimage


_FRACTION = re.compile(r"[0-9]{1,20}([./][0-9]{1,20})?")  # no exponent: 1e999999999 would take for ever to compute


class SettingsError(ValueError):
    """A setting that cannot be used, as one line that says what it must be.

    `section` and `setting` name it; they are empty if it is the list of configurations.
    """

    def __init__(self, reason: str, section: str = "", setting: str = "") -> None:
        name = ".".join(part for part in ("settings", section, setting) if part)
        super().__init__(f"{name}: {reason}" if section else reason)
        self.section = section
        self.setting = setting


class UnknownSettingError(SettingsError):
    """A setting that this program does not have; a newer one may."""


def format_value(value: object) -> str:
    """Return a value as text for a message, shortened to 80 characters."""
    try:
        text = str(value) if isinstance(value, Fraction) else repr(value)
    except ValueError:  # Python refuses to write integers with that many digits
        text = "a number of very many digits"
    return text if len(text) <= 80 else text[:77] + "..."


@lru_cache(maxsize=64)
def players(configuration: str) -> int:
    """Return the number of players of a configuration such as `hex8-2`. Raise SettingsError if it is malformed."""
    match = CONFIGURATION.fullmatch(configuration)
    if match is None:
        raise SettingsError(f"configuration {format_value(configuration)}: must be board-players, such as hex8-2")
    return int(match[2])


class Section:
    """A table of settings: whole numbers from 1 (some from 0), fractions between 0 and 1, and short texts."""

    NAME: ClassVar[str] = ""
    MAY_BE_ZERO: ClassVar[frozenset[str]] = frozenset()
    MAY_BE_ONE: ClassVar[frozenset[str]] = frozenset()  # fractions
    EARLIER: ClassVar[Mapping[str, int | Fraction | str]] = MappingProxyType({})
    """The settings that genesis version 3 did not have, with the values that mean what it did. Each is the default,
    too, and never changes: the digest of a genesis leaves it out. A better value for new swarms is in `NEW_SWARM`."""
    SWARM_WIDE: ClassVar[frozenset[str]] = frozenset()
    """The settings that have one value in the whole swarm: none of a single configuration can be set."""
    UNCHECKED: ClassVar[frozenset[str]] = frozenset()
    """The settings that came when swarms with `steering.rules` 1 were in use. A program without them cannot check a
    proposal to set one, so no program does before it passes: else their ledgers would differ (docs/steering.md)."""

    def __post_init__(self) -> None:
        for item in fields(self):  # type: ignore[arg-type]  # every Section is a dataclass
            self.check(item.name, item.default, getattr(self, item.name))

    @classmethod
    def check(cls, name: str, default: object, value: object) -> None:
        """Raise SettingsError if a setting, which has this default, cannot have a value whatever the others are."""
        where = cls.NAME, name
        if isinstance(default, Fraction):
            may_be_one = name in cls.MAY_BE_ONE
            if not isinstance(value, Fraction) or not (0 < value < 1 or (may_be_one and value == 1)):
                bounds = "above 0 and at most 1" if may_be_one else "between 0 and 1"
                raise SettingsError(f"must be {bounds}, not {format_value(value)}", *where)
            if max(value.numerator, value.denominator) > LARGEST:
                raise SettingsError("has too many digits", *where)
        elif isinstance(default, str):
            if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", value):
                raise SettingsError(f"must be 1 to 64 of letters, digits and ._-, not {format_value(value)}", *where)
        else:
            least = 0 if name in cls.MAY_BE_ZERO else 1
            if type(value) is not int or not least <= value <= LARGEST:
                raise SettingsError(f"must be a whole number of {least} or more, not {format_value(value)}", *where)

    def table(self) -> dict[str, Value]:
        """Return the section as a CBOR map; a fraction is [numerator, denominator] in lowest terms.

        A setting of `EARLIER` with the value there is left out. So what version 3 digested still has the same digest.
        """
        table: dict[str, Value] = {}
        for item in fields(self):  # type: ignore[arg-type]
            value = getattr(self, item.name)
            if item.name not in self.EARLIER or value != self.EARLIER[item.name]:
                table[item.name] = [value.numerator, value.denominator] if isinstance(value, Fraction) else value
        return table

    @cached_property
    def encoded(self) -> Encoded:
        """The encoding of `table`."""
        return Encoded(encode(self.table()))

    @property
    def is_earlier(self) -> bool:
        """Whether genesis version 3 could say all of this."""
        return all(getattr(self, name) == value for name, value in self.EARLIER.items())

    @classmethod
    def parse_table(cls, table: object) -> Self:
        """Return the section of which `table` returned this map. Raise SettingsError as `parse` does."""
        return cls.parse({**cls.EARLIER, **table} if isinstance(table, Mapping) else table)

    @classmethod
    def parse(cls, table: object) -> Self:
        """Return the section in CBOR values or in a table that a person wrote; absent settings keep their defaults.

        A fraction is given as [numerator, denominator], as text ("0.65", "13/20") or as a Fraction. Raise SettingsError
        for an unknown setting or an unusable value.
        """
        if not isinstance(table, Mapping):
            raise SettingsError("must be a table", cls.NAME)
        defaults = {item.name: item.default for item in fields(cls)}  # type: ignore[arg-type]
        values: dict[str, Any] = {}
        for name in sorted(table, key=str):
            if name not in defaults:
                known = ", ".join(defaults)
                raise SettingsError(f"unknown setting; known are {known}", cls.NAME, str(name)[:80])
            value = table[name]
            values[name] = _fraction(value) if isinstance(defaults[name], Fraction) else value
        return cls(**values)


def _fraction(value: object) -> object:
    try:
        if isinstance(value, str) and _FRACTION.fullmatch(value):
            return Fraction(value)
        if isinstance(value, list) and len(value) == 2 and all(type(part) is int for part in value):
            return Fraction(value[0], value[1])
    except (ValueError, ZeroDivisionError):
        return value
    return value


@dataclass(frozen=True, kw_only=True)
class SelfplaySettings(Section):
    """How self-play games are made."""

    NAME = "selfplay"
    MAY_BE_ZERO = frozenset({"opening_plies", "random_games", "late_promotions", "sparring"})
    EARLIER = MappingProxyType({"random_games": 0, "late_simulations": 64, "late_promotions": 0, "sparring": 0})
    games: int = 256  # requested by one claim
    random_games: int = 4096  # of the built-in model, before the first network is trained; 0: as many as of others
    simulations: int = 16  # of the search, per move
    late_simulations: int = 64  # the same from the promotion `late_promotions` of a configuration on
    late_promotions: int = 8  # 0: never
    considered: int = 8  # root moves that the search considers
    opening_plies: int = 12  # at most so many random plies before the search begins
    sparring: int = 8  # in one game of so many the heuristic has a seat; 0: in none
    ceiling: int = 2048  # enough new games since the last candidate: no more are needed

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.games > SHARD_GAMES:
            raise SettingsError(f"must be {SHARD_GAMES} or less, not {self.games}", "selfplay", "games")

    def simulations_after(self, promotions: int) -> int:
        """Return the simulations for each move of games with a configuration's model of that number."""
        return self.late_simulations if 0 < self.late_promotions <= promotions else self.simulations


def _check_architecture(name: str, section: str, setting: str) -> None:
    if parse_architecture(name) is None:
        raise SettingsError(f"must name a network {FORM}, not {format_value(name)}", section, setting)


@dataclass(frozen=True, kw_only=True)
class TrainingSettings(Section):
    """When and how a model is trained."""

    NAME = "training"
    MAY_BE_ZERO = frozenset({"rejections", "first_steps", "measured_blocks", "sibling_promotions"})
    EARLIER = MappingProxyType(
        {"rejections": 0, "first_steps": 0, "first_networks": 1, "measured_blocks": 0, "sibling_promotions": 0}
    )
    games: int = 1024  # new games since the last candidate before the next one is trained
    window: int = 8192  # newest games to train on
    steps: int = 300  # optimizer steps
    batch: int = 256  # positions in a step
    architecture: str = "c16b2"  # also the model family
    learning_rate: Fraction = Fraction(1, 500)
    first_networks: int = 2  # networks that are trained first, of which the best is kept
    first_steps: int = 600  # optimizer steps of each of these; 0: as many as later
    sibling_promotions: int = 0  # of the sibling, after which its model may be a configuration's first; 0: never
    measured_blocks: int = 12  # of games by which the trainer measures what search adds; 0: none
    rejections: int = 4  # after this many in a row training starts from the canonical model again; 0: always

    def __post_init__(self) -> None:
        """Refuse a network that no program trains: the swarm would play at random for ever."""
        super().__post_init__()
        _check_architecture(self.architecture, "training", "architecture")


@dataclass(frozen=True, kw_only=True)
class MatchSettings(Section):
    """How a candidate is measured; copied into each match when it opens."""

    NAME = "match"
    MAY_BE_ZERO = frozenset({"opening_plies"})
    MAY_BE_ONE = frozenset({"limit_share"})
    EARLIER = MappingProxyType({"p0": Fraction(1, 2), "limit_share": Fraction(1)})
    simulations: int = 16
    considered: int = 8
    opening_plies: int = 8
    slot_blocks: int = 16  # blocks in a slot
    block_limit: int = 64  # after this many blocks a match that is undecided is decided by `limit_share`
    p0: Fraction = Fraction(1, 2)  # share of the points that the test takes for not better
    p1: Fraction = Fraction(3, 5)  # share of the points that the test looks for, against p0
    alpha: Fraction = Fraction(1, 20)  # bound on the test accepting a candidate that scores p0
    beta: Fraction = Fraction(1, 20)  # bound on the test rejecting a candidate that scores p1
    limit_share: Fraction = Fraction(51, 100)  # enough at the block limit; 1: undecided is rejected

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 2 * self.p0 >= 1:
            raise SettingsError(f"must be 1/2 or more, not {self.p0}", "match", "p0")
        if not self.p1 > self.p0:
            raise SettingsError(f"must be above p0 = {self.p0}, not {self.p1}", "match", "p1")
        if not self.limit_share >= self.p0:
            raise SettingsError(f"must be p0 = {self.p0} or more, not {self.limit_share}", "match", "limit_share")
        if self.block_limit % (2 * self.slot_blocks):
            wanted = f"a multiple of 2 x slot_blocks = {2 * self.slot_blocks}"
            raise SettingsError(f"must be {wanted}, not {self.block_limit}", "match", "block_limit")
        if self.block_limit > 4096:
            raise SettingsError(f"must be 4096 or less, not {self.block_limit}", "match", "block_limit")


@dataclass(frozen=True, kw_only=True)
class TimingSettings(Section):
    """How long things may take, in seconds of the ledger's clock (consensus time without long gaps)."""

    NAME = "timing"
    MAY_BE_ZERO = frozenset({"by_weight"})
    EARLIER = MappingProxyType({"by_weight": 0})
    lease_s: int = 120  # a claim without progress
    claim_s: int = 3600  # a claim at most, whatever its progress: nobody can hold work for ever
    vote_s: int = 600  # a ripe candidate without enough votes
    idle_s: int = 900  # a match without a new result
    gap_s: int = 30  # a longer gap between ordered events counts as this much: an outage expires nothing
    by_weight: int = 0  # 1: that clock is the weighted median of the members' own; 0: it is consensus time

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value in self.table().items():
            if isinstance(value, int) and value > LONGEST_S:  # in ns it has to fit what can be encoded
                raise SettingsError(f"must be {LONGEST_S} or less, not {value}", "timing", name)
        if self.by_weight > 1:
            raise SettingsError(f"must be 0 or 1, not {self.by_weight}", "timing", "by_weight")


@dataclass(frozen=True)
class EpochSettings(Section):
    """When an epoch ends although the roster does not change."""

    NAME = "epoch"
    MAY_BE_ZERO = frozenset({"ahead"})
    EARLIER = MappingProxyType({"ahead": 0})
    events: int = 65_536  # received ones; the epoch closes with the round that exceeds this
    bytes: int = 1 << 28  # of received events, likewise: every member holds all of them in memory
    ahead: int = 0  # events of a member without news of a quorum, for each member of the roster; 0: any number

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ahead and self.ahead < LEAST_AHEAD:
            raise SettingsError(f"must be 0 or {LEAST_AHEAD} and more, not {self.ahead}", "epoch", "ahead")
        if self.events > EVENTS_LIMIT:
            raise SettingsError(f"must be {EVENTS_LIMIT} or less, not {self.events}", "epoch", "events")


@dataclass(frozen=True)
class MembershipSettings(Section):
    """How members join and leave, in seconds of the ledger's clock."""

    NAME = "membership"
    MAY_BE_ZERO = frozenset({"absence_s", "expel", "faults"})
    vote_s: int = 86_400  # a proposal without enough ballots
    absence_s: int = 0  # this long without an ordered event proposes that a member leaves; 0: never
    expel: int = 0  # 1: a proven equivocation proposes that the member leaves
    faults: int = 2  # this many proven wrong match results, and each further one, propose it too; 0: never

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("vote_s", "absence_s"):
            if getattr(self, name) > LONGEST_S:
                raise SettingsError(f"must be {LONGEST_S} or less", "membership", name)
        if self.expel > 1:
            raise SettingsError(f"must be 0 or 1, not {self.expel}", "membership", "expel")


@dataclass(frozen=True, kw_only=True)
class SteeringSettings(Section):
    """How the swarm decides what to work on: docs/steering.md. Shares, scores and weights are thousandths."""

    NAME = "steering"
    IN_THOUSANDTHS: ClassVar[tuple[str, ...]] = (
        "floor", "quota", "staleness", "velocity", "curriculum", "quality", "diversity", "information",
        "swing", "early_interval", "early_floor", "full_share",
        "congested", "relieved", "outcome_share", "joint_share",
    )  # fmt: skip
    SWARM_WIDE = frozenset(
        {
            "window_s", "floor", "quota", "starved", "starving", "starved_out", "stall_s", "slot_s", "turn_s",
            "congested", "relieved", "staleness", "velocity", "curriculum", "quality", "diversity", "information",
            "custodians", "custody_s",
        }
    )  # fmt: skip
    MAY_BE_ZERO = frozenset(
        {"rules", "cooldown_s", "regression_permille", "custodians", *IN_THOUSANDTHS} - {"quota", "full_share"}
    )
    EARLIER = MappingProxyType(
        {
            "rules": 0,
            "window_s": 14_400,
            "floor": 20,
            "quota": 300,
            "staleness": 150,
            "velocity": 100,
            "curriculum": 200,
            "quality": 150,
            "diversity": 100,
            "information": 50,
            "starved": 20,
            "starving": 50,
            "starved_out": 200,
            "swing": 500,
            "early_interval": 25,
            "early_floor": 500,
            "cooldown_s": 60,
            "full_share": 1000,
            "fast_simulations": 4,
            "stall_s": 600,
            "slot_s": 900,
            "turn_s": 60,
            "congested": 700,
            "relieved": 350,
            "families": "none",
            "regression_permille": 50,
            "stall_trainings": 8,
            "outcome_share": 125,
            "joint_share": 0,
            "custodians": 0,
            "custody_s": 120,
        }
    )
    rules: int = 0  # 1: by cost, quality and ratings, settings by ballot; 0: by counts of games alone
    # shares of self-play (`consensus.ledger.steering.shares`)
    window_s: int = 14_400  # in which deliveries count, and promotions raise the curriculum of siblings
    floor: int = 20  # least share of a configuration
    quota: int = 300  # largest share of a configuration
    staleness: int = 150  # weight of each signal
    velocity: int = 100
    curriculum: int = 200
    quality: int = 150
    diversity: int = 100
    information: int = 50
    starved: int = 20  # the weight is multiplied so where a fifth of the median cost was delivered, or less
    starving: int = 50  # a tenth
    starved_out: int = 200  # a twentieth
    # when to train (`consensus.ledger.steering.training_due`)
    swing: int = 500  # quality moves the threshold of new games by up to so much of it
    early_interval: int = 25  # the value error is certain within so much of it: training may start early; 0: never
    early_floor: int = 500  # of the threshold, at least so much even then
    cooldown_s: int = 60  # between the end of a match and the next training
    # budget of search (`consensus.ledger.rules.budgets`)
    full_share: int = 1000  # of the positions are searched fully and teach the policy; the others cheaply
    fast_simulations: int = 4  # of these
    # stalls (`consensus.ledger.rules.turns`)
    stall_s: int = 600  # a claim whose progress does not grow; kernels may be compiled for this long
    slot_s: int = 900  # slots of one match that a member holds without a result, in all
    turn_s: int = 60  # others go first for this long after a candidate or training came to nothing, then for twice that
    # evaluation keeps up (`consensus.ledger.steering.congestion`)
    congested: int = 700  # of what evaluators finished lately are open: no more candidates are trained
    relieved: int = 350  # until less than this is
    # architectures (`consensus.ledger.steering.families`)
    families: str = "none"  # such as c16b2.c32b4, by gain per cost; none: training.architecture alone
    # ratings (`consensus.ledger.rules.series`, `consensus.ledger.steering.velocity`)
    regression_permille: int = 50  # risk of an alarm about a promoted model that is not weaker; 0: never an alarm
    stall_trainings: int = 8  # with little gained for the cost of so many: a stall
    # what a training learns from (`consensus.ledger.priorities.window`)
    outcome_share: int = 125  # games of matches and series for each thousand of self-play; 0: none
    joint_share: int = 0  # of the steps are on games of siblings (`consensus.ledger.priorities.joint`)
    # who keeps shards (`consensus.ledger.rules.custody`)
    custodians: int = 0  # members besides the author that hold a shard before its games count
    custody_s: int = 120  # who says nothing for this long is taken for gone; then the next in the order is asked, too

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rules > 1:
            raise SettingsError(f"must be 0 or 1, not {self.rules}", "steering", "rules")
        for name in ("window_s", "cooldown_s", "stall_s", "slot_s", "turn_s", "custody_s"):
            if getattr(self, name) > LONGEST_S:
                raise SettingsError(f"must be {LONGEST_S} or less, not {getattr(self, name)}", "steering", name)
        for name in ("stall_s", "slot_s", "custody_s"):
            if self.rules and getattr(self, name) < LEAST_HELD_S:
                raise SettingsError(f"must be {LEAST_HELD_S} or more, not {getattr(self, name)}", "steering", name)
        for name in self.IN_THOUSANDTHS:
            if getattr(self, name) > THOUSAND:
                raise SettingsError(f"must be {THOUSAND} or less, not {getattr(self, name)}", "steering", name)
        if self.custodians > CUSTODIANS_LIMIT:
            raise SettingsError(f"must be {CUSTODIANS_LIMIT} or less, not {self.custodians}", "steering", "custodians")
        names = self.families.split(".")
        if not all(names) or len(set(names)) < len(names) or len(names) > FAMILIES_LIMIT:
            reason = f"must be up to {FAMILIES_LIMIT} distinct architectures with dots between them"
            raise SettingsError(f"{reason}, or none, not {format_value(self.families)}", "steering", "families")
        for name in self.family_names:
            _check_architecture(name, "steering", "families")
        if self.regression_permille > 500:
            where = "steering", "regression_permille"
            raise SettingsError(f"must be 500 or less, not {self.regression_permille}", *where)

    @property
    def family_names(self) -> tuple[str, ...]:
        """The architectures that are trained; empty: `training.architecture` alone."""
        return () if self.families == "none" else tuple(self.families.split("."))


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that the members agreed on, except who they are."""

    configurations: tuple[str, ...] = ("hex8-2",)  # sorted, distinct
    selfplay: SelfplaySettings = field(default_factory=SelfplaySettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    match: MatchSettings = field(default_factory=MatchSettings)
    timing: TimingSettings = field(default_factory=TimingSettings)
    epoch: EpochSettings = field(default_factory=EpochSettings)
    membership: MembershipSettings = field(default_factory=MembershipSettings)
    steering: SteeringSettings = field(default_factory=SteeringSettings)

    def __post_init__(self) -> None:
        if not self.configurations:
            raise SettingsError("configurations: name at least one, such as hex8-2")
        for configuration in self.configurations:
            players(configuration)
        if self.selfplay.ceiling < self.training.games:
            least = f"training.games ({self.training.games}) or more"
            raise SettingsError(f"must be {least}, not {self.selfplay.ceiling}", "selfplay", "ceiling")
        most_blocks = SLOTS_LIMIT * self.match.slot_blocks
        if self.steering.rules and self.match.block_limit > most_blocks:
            bound = f"{SLOTS_LIMIT} x slot_blocks = {most_blocks} or less"
            raise SettingsError(f"must be {bound}, not {self.match.block_limit}", "match", "block_limit")
        if list(self.configurations) != sorted(set(self.configurations)):
            raise SettingsError("configurations: must be sorted and distinct")

    @property
    def families(self) -> tuple[str, ...]:
        """The architectures that are trained."""
        return self.steering.family_names or (self.training.architecture,)

    def __hash__(self) -> int:
        """Return the hash of everything: computed once, because caches of what follows from settings ask for it."""
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(tuple(getattr(self, item.name) for item in fields(self)))

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields alone: hashes of texts differ from process to process."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def with_values(self, values: Mapping[str, str]) -> Settings:
        """Return the settings with other values, each by its name "section.name" and as text such as "64" or "13/20".

        Raise UnknownSettingError, and SettingsError if a value, or all of them together, cannot be used.
        """
        tables: dict[str, dict[str, Any]] = {}
        for setting, text in values.items():
            kind, name, default = find_setting(setting)
            tables.setdefault(kind.NAME, {})[name] = _read_text(default, text)
        return replace(self, **{section: replace(getattr(self, section), **table) for section, table in tables.items()})

    def text_of(self, setting: str) -> str:
        """Return the value of a setting as the only text of it that `with_values` is to be given.

        Raise UnknownSettingError.
        """
        kind, name, _ = find_setting(setting)
        return str(getattr(getattr(self, kind.NAME), name))

    def table(self) -> dict[str, Value]:
        """Return all settings as a CBOR map; a section of `LATER_SECTIONS` only if it says something."""
        sections = {name: getattr(self, name).table() for name in SECTIONS}
        table: dict[str, Value] = {
            name: section for name, section in sections.items() if section or name not in LATER_SECTIONS
        }
        table["configurations"] = list(self.configurations)
        return table

    @property
    def is_earlier(self) -> bool:
        """Whether genesis version 3 could say all of this."""
        return all(getattr(self, name).is_earlier for name in SECTIONS)

    @classmethod
    def parse(cls, configurations: object, tables: object) -> Settings:
        """Return settings from configurations in any order and from one table per section.

        Raise SettingsError if they cannot be used.
        """
        return _read(configurations, tables, lambda kind, table: kind.parse(table))

    @classmethod
    def parse_earlier(cls, configurations: object, tables: object) -> Settings:
        """Return what genesis version 3 read where `parse` reads settings. Raise SettingsError as it does."""
        return _read(configurations, tables, lambda kind, table: kind.parse_table(table))

    @classmethod
    def parse_table(cls, table: object) -> Settings:
        """Return the settings of which `table` returned this map. Raise SettingsError if they cannot be used."""
        if not isinstance(table, Mapping):
            raise SettingsError("settings: must be tables")
        sections = {name: section for name, section in table.items() if name != "configurations"}
        return cls.parse_earlier(table.get("configurations"), sections)


def _read(configurations: object, tables: object, read: Callable[[type[Section], object], Section]) -> Settings:
    names: Any = configurations
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise SettingsError("configurations: must be a list of names such as hex8-2")
    if not isinstance(tables, Mapping):
        raise SettingsError("settings: must be tables")
    unknown = sorted(str(name) for name in tables if name not in SECTIONS)
    if unknown:
        raise SettingsError(f"unknown table; known are {', '.join(SECTIONS)}", unknown[0][:80])
    sections: dict[str, Any] = {name: read(kind, tables.get(name, {})) for name, kind in SECTIONS.items()}
    return Settings(configurations=tuple(sorted(set(names))), **sections)


SECTIONS: dict[str, type[Section]] = {
    kind.NAME: kind
    for kind in (
        SelfplaySettings,
        TrainingSettings,
        MatchSettings,
        TimingSettings,
        EpochSettings,
        MembershipSettings,
        SteeringSettings,
    )
}
LATER_SECTIONS = frozenset({SteeringSettings.NAME})
"""They came when swarms were in use."""

FIXED = frozenset({TimingSettings.NAME, EpochSettings.NAME, MembershipSettings.NAME, "steering.rules"})
"""Sections and settings about identity, epochs and the rules themselves: they hold as long as the swarm does."""

_WHOLE = re.compile(r"0|[1-9][0-9]{0,15}")


def find_setting(setting: str) -> tuple[type[Section], str, object]:
    """Return the section, the name in it and the default of a setting "section.name". Raise UnknownSettingError."""
    section, _, name = setting.partition(".")
    kind = SECTIONS.get(section)
    for item in fields(kind) if kind is not None else ():  # type: ignore[arg-type]  # every Section is a dataclass
        if kind is not None and item.name == name:
            return kind, name, item.default
    raise UnknownSettingError("is not a setting that this program knows", section[:80], name[:80])


def parse_setting(setting: str, text: str) -> object:
    """Return the value that a text means for a setting "section.name".

    Raise UnknownSettingError, and SettingsError if the setting cannot have it, whatever the others are.
    """
    kind, name, default = find_setting(setting)
    value = _read_text(default, text)
    kind.check(name, default, value)
    return value


def is_fixed(setting: str) -> bool:
    """Return whether a setting, known or not, holds as long as the swarm does."""
    return setting in FIXED or setting.partition(".")[0] in FIXED


def _read_text(default: object, text: str) -> object:
    """Return the value that a text means for a setting with this default; the text where it means none."""
    if isinstance(default, Fraction):
        return _fraction(text)
    return int(text) if type(default) is int and _WHOLE.fullmatch(text) else text


NEW_SWARM = Settings(
    training=TrainingSettings(sibling_promotions=4),
    timing=TimingSettings(by_weight=1),
    epoch=EpochSettings(ahead=8),
    steering=SteeringSettings(rules=1, stall_trainings=16, custodians=2),
)
"""The settings of a new swarm. A setting that came after others were in use is off where a file does not name it, so
that the swarm of that file goes on; new swarms have it on."""
