"""What a run is measured by: use of machines, floors, leases, regressions, stalls, the ledger's size, invariants."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from consensus.keys import MemberId
from consensus.ledger import Effect, Ledger
from consensus.ledger.records.entities import ClaimKey
from consensus.ledger.steering.velocity import Learning
from node.simulation.agents.curves import Turn
from node.simulation.agents.models import Models
from node.simulation.agents.timeline import Timeline

FLOOR = 0.02
"""The share of all self-play, by its cost, below which no configuration should be."""

WINDOW_S = 4 * 3600.0
"""The time over which that is looked at."""

STALL_GAIN = 50.0
"""Who truly gained so many points in a window has not stalled, as members understand it (`velocity.SLOW`)."""

STALL_WINDOWS = 2
"""A stall that lasted for fewer of the ledger's windows, since its beginning or a jump or regression in it, cannot be
told from chance: on large boards four hours are the time of a few trainings."""

_GRACE_S = 30.0  # from the end of a lease until an ordered event has ended the claim


class Usage:
    """How long honest machines could work, and how long they had a claim on which they did."""

    def __init__(self) -> None:
        self.capable_s = self.granted_s = 0.0
        self.wasted_s = 0.0  # of work on claims that ended before it was done
        self._capable_since: dict[MemberId, float] = {}
        self._granted_since: dict[MemberId, float] = {}
        self.ignored: set[MemberId] = set()  # liars

    def begin_capable(self, member: MemberId, now_s: float) -> None:
        """Count the time of a machine that is up, from now on."""
        if member not in self.ignored:
            self._capable_since.setdefault(member, now_s)

    def end_capable(self, member: MemberId, now_s: float) -> None:
        """Count no more of it: it is away, takes no more work, or hangs."""
        self.capable_s += now_s - self._capable_since.pop(member, now_s)

    def begin_grant(self, member: MemberId, now_s: float) -> None:
        """Count the time of a claim, from its grant on."""
        if member not in self.ignored:
            self._granted_since.setdefault(member, now_s)

    def end_grant(self, member: MemberId, now_s: float) -> None:
        """Count no more of it."""
        self.granted_s += now_s - self._granted_since.pop(member, now_s)

    def waste(self, member: MemberId, seconds: float) -> None:
        """Count work that came to nothing."""
        self.wasted_s += 0.0 if member in self.ignored else seconds

    def end(self, now_s: float) -> None:
        """End everything that is being counted."""
        for member in list(self._capable_since):
            self.end_capable(member, now_s)
        for member in list(self._granted_since):
            self.end_grant(member, now_s)


class Floors:
    """What was delivered of self-play for each configuration, as the ledger counts costs, by windows of `WINDOW_S`."""

    def __init__(self, configurations: Iterable[str]) -> None:
        self._configurations = tuple(configurations)
        self._delivered: dict[int, Counter[str]] = defaultdict(Counter)

    def observe_games(self, configuration: str, cost: float, now_s: float) -> None:
        """Take in games that were announced."""
        self._delivered[int(now_s // WINDOW_S)][configuration] += round(cost)

    def shares(self, window: int) -> dict[str, float]:
        """Return the share of each configuration in a window."""
        delivered = self._delivered[window]
        total = sum(delivered.values())
        return {name: delivered[name] / total if total else 0.0 for name in self._configurations}

    def violations(self, until_s: float) -> int:
        """Return in how many (configuration, whole window) the share was below the floor."""
        windows = range(int(until_s // WINDOW_S))
        return sum(share < FLOOR for window in windows for share in self.shares(window).values())


class Leases:
    """The claims whose holders are dead or hang, which may live no longer than a lease; and those that liars hold."""

    def __init__(self, timeline: Timeline) -> None:
        self.over = 0
        self.idle_s = 0.0  # for how long liars held trainings and slots on which they did nothing
        self.ledger: Callable[[], Ledger] | None = None
        self._timeline = timeline
        self._watched: set[ClaimKey] = set()

    def watch(self, key: ClaimKey, now_s: float) -> None:
        """Look after a lease whether a claim still lives, whose holder died or began to hang now."""
        if key in self._watched or self.ledger is None:
            return
        self._watched.add(key)
        lease_s = self.ledger().settings.timing.lease_s
        self._timeline.at(now_s + lease_s + _GRACE_S, lambda: self._look(key))

    def _look(self, key: ClaimKey) -> None:
        self._watched.discard(key)
        if self.ledger is not None and self.ledger().claim(*key) is not None:
            self.over += 1


@dataclass(frozen=True)
class _Regression:
    turn: Turn
    before: frozenset[bytes]  # the models that had been canonical


class Progress:
    """The promotions: how many, what they were worth, and what became of regressions and stalls."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self.promotions = 0
        self.regressions: dict[Turn, str] = {}  # that got canonical: the configuration
        self.rolled_back: set[Turn] = set()
        self.long_stalls: set[Turn] = set()  # that lasted for `STALL_WINDOWS`
        self.noticed: set[Turn] = set()  # stalls
        self.stall_alarms = 0  # all times that a configuration began to count as stalled
        self.false_stall_alarms = 0  # those at which it had truly gained `STALL_GAIN` or more in the window
        self.nominations = 0  # of models that had been canonical
        self._stalled: set[str] = set()
        self._began: dict[str, tuple[Turn, int]] = {}  # the last stall, and the cost of all self-play when it began
        self._was_canonical: set[tuple[str, bytes]] = set()
        self._open: dict[str, _Regression] = {}  # the last one that is not rolled back, by configuration

    def observe_promotion(self, effect: Effect) -> None:
        """Take in a promotion."""
        name, model = effect.fields["configuration"], effect.fields["model"]
        assert isinstance(name, str)
        assert isinstance(model, bytes)
        self.promotions += 1
        turn, last = self._models.turn(name, model), self._open.get(name)
        if last is not None and model in last.before:
            self.rolled_back.add(last.turn)
            del self._open[name]
        elif turn is not None and turn.kind == "regress" and turn not in self.regressions:
            self.regressions[turn] = name
            before = frozenset(earlier for other, earlier in self._was_canonical if other == name)
            self._open[name] = _Regression(turn, before)
        if turn is not None:
            self._began.pop(name, None)
        self._was_canonical.add((name, model))

    def observe_candidate(self, effect: Effect) -> None:
        """Take in a nomination."""
        self.nominations += (effect.fields["configuration"], effect.fields["model"]) in self._was_canonical

    def observe_learning(self, found: Learning, now_s: float, gained: float) -> None:
        """Take in what the ledger's view of velocity says of a configuration now, such as that it has stalled.

        `gained` is what the canonical model has truly gained in the same window.
        """
        configuration = found.configuration
        stall = self._models.curves[configuration].stall_at(now_s)
        if stall is not None:
            self._observe_stall(stall, found)
        if not found.is_stalled:
            self._stalled.discard(configuration)
            return
        is_new = configuration not in self._stalled
        self.stall_alarms += is_new
        self.false_stall_alarms += is_new and gained >= STALL_GAIN
        self._stalled.add(configuration)
        if stall is not None:
            self.noticed.add(stall)

    def _observe_stall(self, stall: Turn, found: Learning) -> None:
        """Take in that a stall lasts. A jump or a regression in it ends what was seen of it so far."""
        known, cost = self._began.get(found.configuration, (None, 0))
        if known != stall:
            self._began[found.configuration] = stall, found.cost
        elif found.cost >= cost + STALL_WINDOWS * found.window:
            self.long_stalls.add(stall)


class Measures:
    """Everything that is measured in a run."""

    def __init__(self, timeline: Timeline, models: Models, configurations: Iterable[str]) -> None:
        self.usage = Usage()
        self.floors = Floors(configurations)
        self.leases = Leases(timeline)
        self.progress = Progress(models)
        self.snapshot_bytes = 0
        self.epochs = 0

    def observe_close(self, snapshot: bytes) -> None:
        """Take in the ledger's snapshot at the close of an epoch."""
        self.epochs += 1
        self.snapshot_bytes = max(self.snapshot_bytes, len(snapshot))
