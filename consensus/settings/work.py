"""The settings of the work: how games are made, models trained, and candidates measured."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

from consensus.architecture import FORM, parse_architecture
from consensus.settings.errors import SettingsError, format_value
from consensus.settings.section import Section

SHARD_GAMES = 65_536  # a shard holds no more


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


def check_architecture(name: str, section: str, setting: str) -> None:
    """Raise SettingsError if a setting does not name a network that this program can train."""
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
        check_architecture(self.architecture, "training", "architecture")


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
