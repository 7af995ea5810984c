"""Schedules: which nodes are Byzantine, what goes wrong when; drawn from a seed, kept as JSON."""

import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from consensus.settings import EpochSettings
from node.simulation.byzantine import ATTACKS, STEERED_ATTACKS

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

FAULT_KINDS = tuple(FREQUENCIES)
ATTACK_KINDS = tuple(ATTACKS)

_FAULT_INTERVAL_S = 1.6  # of the run, on average
SHORTEST_S, LONGEST_S = 5.0, 300.0
"""How long faults last by default, by the seed."""

_LONG_SHARE, _LONG_FACTOR = 0.25, 2.5  # the share of schedules that are longer, and by how much
_NEW_RULES_SHARE = 0.5  # the others run by the rules of swarms that were founded before
_STEERED_SHARE = 0.5  # of the schedules, whatever the other rules are
_HIDDEN_SHARE = 0.3  # the share of schedules in which an honest member can never be reached
_SPARED_SHARE = 0.5  # the share of schedules with changed ledgers that have one liar fewer, to leave room for these
_MAX_ATTACKS = 3  # of one member
_VOTED = ("join", "leave", "rekey", "move")  # they take time, as there are votes
_DUPLICATE = ("two-lives",)
_MIN_LIMITED = 4  # in swarms of so many members and more, none may have a third of the weight
_EQUAL_WEIGHTS, _RANDOM_WEIGHTS = 0.6, 0.8  # cumulative shares of the schedules
_EPOCHS = (None, 15, 25)  # events of each node until an epoch ends; None: it does not
_ATTACK_FREQUENCIES = {"two-lives": 3.0, "two-faces": 2.0, "fork": 2.0}  # 1 for the other kinds


class ScheduleError(ValueError):
    """A text is not a schedule; one line that says why."""


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
    """A Byzantine node, and the names of its attacks."""

    node: int
    kinds: tuple[str, ...]

    def __str__(self) -> str:
        return f"node {self.node} lies: {', '.join(self.kinds)}"


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """All that determines a run: the same schedule gives the same run on the same code.

    The names of the fields are those of the JSON file.
    """

    seed: int  # of all randomness that is not listed here: keys, users, the network
    nodes: int
    seconds: float  # virtual, in which users are busy and faults happen
    faults: tuple[Fault, ...] = ()
    liars: tuple[Liar, ...] = ()
    epoch_events: int = EpochSettings.events  # after which an epoch ends
    weights: tuple[int, ...] = ()  # of the founders; 1 each if empty
    hidden: tuple[int, ...] = ()  # nodes that reach the others and that nobody can reach, to the end
    new_rules: bool = False  # with `timing.by_weight` and `epoch.ahead`
    steered: bool = False  # with `steering.rules`: people decide on settings and pauses, too

    def encode(self) -> str:
        """Return the schedule as JSON, with one line for each fault and liar."""
        table = asdict(self)
        lists = {name: [json.dumps(entry) for entry in table.pop(name)] for name in ("faults", "liars")}
        lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in table.items()]
        for name, entries in lists.items():
            listed = ",\n  ".join(entries)
            lines.append(f'"{name}": [\n  {listed}\n]' if entries else f'"{name}": []')
        return "{" + ",\n".join(lines) + "}\n"


def decode_schedule(text: str) -> Schedule:
    """Parse what `Schedule.encode` returned. Raise ScheduleError."""
    try:
        table = json.loads(text)
        faults = tuple(_read(Fault, entry, "nodes") for entry in table.pop("faults", ()))
        liars = tuple(_read(Liar, entry, "kinds") for entry in table.pop("liars", ()))
        weights, hidden = tuple(table.pop("weights", ())), tuple(table.pop("hidden", ()))
        schedule = Schedule(**table, faults=faults, liars=liars, weights=weights, hidden=hidden)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ScheduleError(f"not a schedule: {error}") from None
    _check(schedule)
    return schedule


def _read(kind: type[Any], entry: Mapping[str, Any], listed: str) -> Any:
    return kind(**{**entry, listed: tuple(entry[listed])})


def _check(schedule: Schedule) -> None:
    numbers = [number for fault in schedule.faults for number in fault.nodes]
    numbers += [*(liar.node for liar in schedule.liars), *schedule.hidden]
    if not all(number in range(schedule.nodes) for number in numbers):
        raise ScheduleError(f"a schedule of {schedule.nodes} nodes names one that is not among them")
    if len(schedule.weights) not in (0, schedule.nodes):
        raise ScheduleError(f"a schedule of {schedule.nodes} nodes has {len(schedule.weights)} weights")
    for fault in schedule.faults:
        if fault.kind not in FAULT_KINDS:
            raise ScheduleError(f"unknown fault {fault.kind!r}; known are {', '.join(FAULT_KINDS)}")
    for liar in schedule.liars:
        for kind in liar.kinds:
            if kind not in ATTACK_KINDS:
                raise ScheduleError(f"unknown malice {kind!r}; known are {', '.join(ATTACK_KINDS)}")


def draw_schedule(
    seed: int,
    nodes: int,
    seconds: float | None = None,
    *,
    faults: Mapping[str, float] | None = None,
    attacks: Sequence[str] = ATTACK_KINDS,
) -> Schedule:
    """Draw a schedule whose faults are over after `seconds`, with at most as many liars as a swarm must tolerate.

    One in four is longer, with no more faults, so that models are promoted. Without `seconds` all are drawn from
    `SHORTEST_S` to `LONGEST_S`. `faults` maps the kinds to draw from to their relative frequencies; by default all are
    drawn.
    """
    frequencies = FREQUENCIES if faults is None else faults
    weights = _draw_weights(seed, nodes)
    seconds = _draw_seconds(seed) if seconds is None else seconds
    count = round(seconds / _FAULT_INTERVAL_S)
    seconds *= _LONG_FACTOR if random.Random(f"long {seed}").random() < _LONG_SHARE else 1
    drawn = _draw_faults(seed, nodes, seconds, frequencies, count)
    steered = random.Random(f"steered {seed}").random() < _STEERED_SHARE
    others = [kind for kind in attacks if kind not in STEERED_ATTACKS]
    liars = _draw_liars(seed, weights or (1,) * nodes, others or attacks)
    if any(fault.kind == "bend" for fault in drawn) and random.Random(f"spared {seed}").random() < _SPARED_SHARE:
        liars = liars[:-1]
    if "split" in frequencies and liars and all(liar.kinds == _DUPLICATE for liar in liars):
        long_split = Fault("split", round(0.2 * seconds, 2), round(0.5 * seconds, 2), (0,), 1.0)
        drawn = tuple(sorted((long_split, *drawn[1::2]), key=lambda fault: fault.at))
    events = random.Random(f"epochs {seed}").choice(_EPOCHS)
    return Schedule(
        seed=seed,
        nodes=nodes,
        seconds=seconds,
        faults=drawn,
        liars=_add_steered(seed, liars, attacks) if steered and others else liars,
        epoch_events=EpochSettings.events if events is None else events * nodes,
        weights=weights,
        hidden=_draw_hidden(seed, nodes, liars),
        new_rules=random.Random(f"new rules {seed}").random() < _NEW_RULES_SHARE,
        steered=steered,
    )


def _draw_seconds(seed: int) -> float:
    """Draw a length that may be `_LONG_FACTOR` times as long: short ones are as frequent as long ones."""
    chance = random.Random(f"seconds {seed}")
    return round(math.exp(chance.uniform(math.log(SHORTEST_S), math.log(LONGEST_S / _LONG_FACTOR))), 1)


def _draw_hidden(seed: int, nodes: int, liars: Sequence[Liar]) -> tuple[int, ...]:
    """Draw at most one honest member: of two that cannot talk to each other, each may lack a quorum to listen to."""
    chance = random.Random(f"hidden {seed}")
    honest = sorted(set(range(nodes)) - {liar.node for liar in liars})
    return (chance.choice(honest),) if chance.random() < _HIDDEN_SHARE else ()


def _draw_weights(seed: int, nodes: int) -> tuple[int, ...]:
    """Draw mostly equal weights, else random ones, or ones where a member has the most allowed: just below 1/3."""
    chance = random.Random(f"weights {seed}")
    kind = chance.random()
    if nodes < _MIN_LIMITED or kind < _EQUAL_WEIGHTS:
        return ()
    if kind < _RANDOM_WEIGHTS:
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


def _draw_liars(seed: int, weights: Sequence[int], attacks: Sequence[str]) -> tuple[Liar, ...]:
    """Draw some of the last nodes, together below 1/3 of the weight, with their attacks.

    Half of the time they collude: all have the same attacks. Sometimes as many as there may be run duplicates
    and wait for a split, which is the strongest attack on the threshold.
    """
    chance = random.Random(f"liars {seed}")
    most = max(count for count in range(len(weights)) if 3 * sum(weights[len(weights) - count :]) < sum(weights))
    numbers = [len(weights) - 1 - place for place in range(most)]
    if _DUPLICATE[0] in attacks and chance.random() < 0.1:
        return tuple(Liar(number, _DUPLICATE) for number in numbers)
    numbers = numbers[: chance.randint(min(1, most), most) if attacks else 0]
    if chance.random() < 0.5:
        shared = _draw_attacks(chance, attacks)
        return tuple(Liar(number, shared) for number in numbers)
    return tuple(Liar(number, _draw_attacks(chance, attacks)) for number in numbers)


def _add_steered(seed: int, liars: Sequence[Liar], attacks: Sequence[str]) -> tuple[Liar, ...]:
    """Draw some liars that also attack what only swarms with `steering.rules` have, besides what was drawn for them."""
    chance = random.Random(f"steered liars {seed}")
    extra = tuple(kind for kind in attacks if kind in STEERED_ATTACKS)
    return tuple(
        replace(liar, kinds=tuple(sorted({*liar.kinds, *extra}))) if chance.random() < 0.5 else liar for liar in liars
    )


def _draw_attacks(chance: random.Random, attacks: Sequence[str]) -> tuple[str, ...]:
    weights = [_ATTACK_FREQUENCIES.get(kind, 1.0) for kind in attacks]
    drawn = chance.choices(attacks, weights, k=chance.randint(1, _MAX_ATTACKS)) if attacks else []
    return tuple(sorted(set(drawn)))
