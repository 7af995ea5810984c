"""The settings of the swarm itself: how long things may take, when an epoch ends, and how members come and go."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from consensus.settings.errors import SettingsError
from consensus.settings.section import LONGEST_S, Section

ROUNDS_LIMIT = 1 << 17  # of an epoch: each member has this many preimages for it
LEAST_AHEAD = 6  # more than honest members ever make, `node/member/creation.py`: docs/consensus.md says why
EVENTS_LIMIT = ROUNDS_LIMIT - 3  # an epoch of n events has at most n + 3 rounds, each of which needs a preimage


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
    MAY_BE_ZERO = frozenset({"absence_s", "expel", "faults", "names"})
    EARLIER = MappingProxyType({"names": 0})
    vote_s: int = 86_400  # a proposal without enough ballots
    absence_s: int = 0  # this long without an ordered event proposes that a member leaves; 0: never
    expel: int = 0  # 1: a proven equivocation proposes that the member leaves
    faults: int = 2  # this many proven wrong match results, and each further one, propose it too; 0: never
    names: int = 0  # 1: a member can get a name with the vote by which it, or its new key, joins

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("vote_s", "absence_s"):
            if getattr(self, name) > LONGEST_S:
                raise SettingsError(f"must be {LONGEST_S} or less", "membership", name)
        for name in ("expel", "names"):
            if getattr(self, name) > 1:
                raise SettingsError(f"must be 0 or 1, not {getattr(self, name)}", "membership", name)
