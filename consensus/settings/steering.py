"""The settings of the steering: what decides which work is wanted most."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from consensus.settings.errors import SettingsError, format_value
from consensus.settings.section import LONGEST_S, Section
from consensus.settings.work import check_architecture

LEAST_HELD_S = 30  # work is held for this long at least, or nobody could finish any
FAMILIES_LIMIT = 8
CUSTODIANS_LIMIT = 8
THOUSAND = 1000  # the whole, of shares, scores and weights in thousandths


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
            "custodians", "custody_s", "custody_disk_gib",
        }
    )  # fmt: skip
    MAY_BE_ZERO = frozenset(
        {"rules", "cooldown_s", "regression_permille", "custodians", "custody_disk_gib", *IN_THOUSANDTHS}
        - {"quota", "full_share"}
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
            "custody_disk_gib": 0,
        }
    )
    UNCHECKED = frozenset({"custody_disk_gib"})
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
    custody_disk_gib: int = 0  # free disk of who is to hold shards; with more of it one holds more; 0: does not count

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
            check_architecture(name, "steering", "families")
        if self.regression_permille > 500:
            where = "steering", "regression_permille"
            raise SettingsError(f"must be 500 or less, not {self.regression_permille}", *where)

    @property
    def family_names(self) -> tuple[str, ...]:
        """The architectures that are trained; empty: `training.architecture` alone."""
        return () if self.families == "none" else tuple(self.families.split("."))
