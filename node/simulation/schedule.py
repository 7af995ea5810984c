"""A run's schedule: who lies, what goes wrong when; drawn from a seed, kept as JSON, the same run every time."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from consensus.settings import EpochSettings
from node.simulation import byzantine

FREQUENCIES = {
    "loss": 1.0,
    "delay": 1.0,
    "duplicate": 0.6,
    "reorder": 1.0,
    "partition": 1.2,
    "oneway": 1.0,
    "split": 1.2,
    "crash": 1.5,
    "flap": 0.5,
    "skew": 0.5,
    "jump": 0.5,
    "slowdisk": 0.7,
    "baddisk": 0.7,
    "join": 0.7,
    "leave": 0.6,
    "rekey": 0.3,
    "move": 0.3,
    "bend": 0.4,
}
"""How often each kind of fault is drawn, relative to the others."""

KINDS = tuple(FREQUENCIES)
LIES = tuple(byzantine.KINDS)

_SECONDS_A_FAULT = 1.6  # of the run, on average
_LONG, _LONGER = 0.25, 2.5  # so many schedules take so much longer
_LIES_AT_MOST = 3  # kinds of malice in one member
_VOTED = ("join", "leave", "rekey", "move")  # they take time: there are votes
_TWINS = ("two-lives",)
_VOTERS = 4  # from so many on, nobody may have a third
_EQUAL, _ANY = 0.6, 0.8
_EPOCHS = (None, 15, 25)  # events of each node until an epoch ends; None: it does not
_OFTEN = {"two-lives": 3.0, "two-faces": 2.0, "fork": 2.0}  # against 1 for the other kinds


class ScheduleError(ValueError):
    """A text that is no schedule; one line that says why."""


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong at `at` and is over `lasts` seconds later. `nodes` are numbers."""

    kind: str
    at: float
    lasts: float
    nodes: tuple[int, ...]
    strength: float  # 0..1; what it means depends on the kind

    def __str__(self) -> str:
        when = f"from {self.at:.2f} s for {self.lasts:.2f} s"
        return f"{self.kind} of {','.join(map(str, self.nodes))} {when}, strength {self.strength:.2f}"


@dataclass(frozen=True)
class Liar:
    """A member that does not keep to the protocol, in these ways."""

    node: int
    kinds: tuple[str, ...]

    def __str__(self) -> str:
        return f"node {self.node} lies: {', '.join(self.kinds)}"


@dataclass(frozen=True)
class Schedule:
    """All that decides a run: the same schedule gives the same run on the same code."""

    seed: int  # of everything that is not listed here: keys, users, the network's chances
    nodes: int
    seconds: float  # virtual, in which users are busy and faults happen
    faults: tuple[Fault, ...] = ()
    liars: tuple[Liar, ...] = ()
    epoch_events: int = EpochSettings.events  # after so many an epoch ends
    weights: tuple[int, ...] = ()  # of the founders; 1 each if there are none

    def encode(self) -> str:
        """As JSON, a line for each fault and liar."""
        table = asdict(self)
        lists = {name: [json.dumps(entry) for entry in table.pop(name)] for name in ("faults", "liars")}
        lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in table.items()]
        for name, entries in lists.items():
            listed = ",\n  ".join(entries)
            lines.append(f'"{name}": [\n  {listed}\n]' if entries else f'"{name}": []')
        return "{" + ",\n".join(lines) + "}\n"


def decode_schedule(text: str) -> Schedule:
    """The schedule that `Schedule.encode` wrote. Raises ScheduleError."""
    try:
        table = json.loads(text)
        faults = tuple(_read(Fault, entry, "nodes") for entry in table.pop("faults", ()))
        liars = tuple(_read(Liar, entry, "kinds") for entry in table.pop("liars", ()))
        weights = tuple(table.pop("weights", ()))
        schedule = Schedule(**table, faults=faults, liars=liars, weights=weights)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ScheduleError(f"not a schedule: {error}") from None
    _check(schedule)
    return schedule


def _read(kind: type[Any], entry: Mapping[str, Any], listed: str) -> Any:
    return kind(**{**entry, listed: tuple(entry[listed])})


def _check(schedule: Schedule) -> None:
    numbers = [number for fault in schedule.faults for number in fault.nodes]
    numbers += [liar.node for liar in schedule.liars]
    if not all(number in range(schedule.nodes) for number in numbers):
        raise ScheduleError(f"a schedule of {schedule.nodes} nodes names one that is not among them")
    if len(schedule.weights) not in (0, schedule.nodes):
        raise ScheduleError(f"a schedule of {schedule.nodes} nodes has {len(schedule.weights)} weights")
    for fault in schedule.faults:
        if fault.kind not in KINDS:
            raise ScheduleError(f"unknown fault {fault.kind!r}; known are {', '.join(KINDS)}")
    for liar in schedule.liars:
        for kind in liar.kinds:
            if kind not in LIES:
                raise ScheduleError(f"unknown malice {kind!r}; known are {', '.join(LIES)}")


def draw_schedule(
    seed: int,
    nodes: int,
    seconds: float,
    *,
    faults: Mapping[str, float] | None = None,
    lies: Sequence[str] = LIES,
) -> Schedule:
    """A schedule whose faults are over after `seconds`, with as many liars as the swarm must bear, or fewer.

    One in four is longer, with no more faults: then there are promotions to be lost. `faults` are the kinds with
    their relative frequencies, all by default.
    """
    frequencies = FREQUENCIES if faults is None else faults
    weights = _draw_weights(seed, nodes)
    count = round(seconds / _SECONDS_A_FAULT)
    seconds *= _LONGER if random.Random(f"long {seed}").random() < _LONG else 1
    drawn = _draw_faults(seed, nodes, seconds, frequencies, count)
    liars = _draw_liars(seed, weights or (1,) * nodes, lies)
    if "split" in frequencies and liars and all(liar.kinds == _TWINS for liar in liars):
        long_split = Fault("split", round(0.2 * seconds, 2), round(0.5 * seconds, 2), (0,), 1.0)
        drawn = tuple(sorted((long_split, *drawn[1::2]), key=lambda fault: fault.at))
    events = random.Random(f"epochs {seed}").choice(_EPOCHS)
    long = EpochSettings.events if events is None else events * nodes
    return Schedule(seed, nodes, seconds, drawn, liars, long, weights)


def _draw_weights(seed: int, nodes: int) -> tuple[int, ...]:
    """Mostly equal ones, else any, or one member has as much as it may: just below 1/3."""
    chance = random.Random(f"weights {seed}")
    kind = chance.random()
    if nodes < _VOTERS or kind < _EQUAL:
        return ()
    if kind < _ANY:
        least = 2 if nodes > 5 else 3  # nobody may have a third
        return tuple(chance.randint(least, 4) for _ in range(nodes))
    weights = [2] * nodes
    weights[chance.choice((0, -1))] = nodes - 2  # twice that is less than what the others have
    return tuple(weights)


def _draw_faults(
    seed: int, nodes: int, seconds: float, frequencies: Mapping[str, float], count: int
) -> tuple[Fault, ...]:
    chance = random.Random(f"faults {seed}")
    faults = []
    for _ in range(count if frequencies else 0):
        kind = chance.choices(list(frequencies), list(frequencies.values()))[0]
        at = round(chance.uniform(0, (0.4 if kind in _VOTED else 0.85) * seconds), 2)
        longest = (0.6 if kind == "split" else 0.3) * seconds
        lasts = round(min(chance.uniform(0.3, longest), seconds - at), 2)
        most = max(1, nodes // 2 if chance.random() < 0.8 else nodes)
        some = tuple(sorted(chance.sample(range(nodes), chance.randint(1, most))))
        faults.append(Fault(kind, at, lasts, some, round(chance.random(), 3)))
    return tuple(sorted(faults, key=lambda fault: fault.at))


def _draw_liars(seed: int, weights: Sequence[int], lies: Sequence[str]) -> tuple[Liar, ...]:
    """Some of the last nodes, together below 1/3 of the weight.

    Half of the time they conspire: all lie in the same ways. And now and then all that there may be live twice,
    and wait for a split: it is the strongest attack on the threshold.
    """
    chance = random.Random(f"liars {seed}")
    most = max(count for count in range(len(weights)) if 3 * sum(weights[len(weights) - count :]) < sum(weights))
    numbers = [len(weights) - 1 - place for place in range(most)]
    if _TWINS[0] in lies and chance.random() < 0.1:
        return tuple(Liar(number, _TWINS) for number in numbers)
    numbers = numbers[: chance.randint(min(1, most), most) if lies else 0]
    if chance.random() < 0.5:
        together = _draw_lies(chance, lies)
        return tuple(Liar(number, together) for number in numbers)
    return tuple(Liar(number, _draw_lies(chance, lies)) for number in numbers)


def _draw_lies(chance: random.Random, lies: Sequence[str]) -> tuple[str, ...]:
    weights = [_OFTEN.get(kind, 1.0) for kind in lies]
    drawn = chance.choices(lies, weights, k=chance.randint(1, _LIES_AT_MOST)) if lies else []
    return tuple(sorted(set(drawn)))
