"""The settings of each kind of job, with defaults, and how they are read from a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

S = TypeVar("S")


@dataclass(frozen=True)
class SelfPlaySettings:
    """How games for training are played."""

    simulations: int = 16
    """Simulations of each search."""
    considered: int = 8
    """Actions that sequential halving begins with."""
    opening_plies: int = 12
    """Each game begins with 0 to this many random plies."""
    sparring: int = 0
    """In one game of so many the heuristic has a seat (`training.shard.sparring_seats`); 0: in none."""
    concurrency: int = 256
    """Games played at once, which is also the network's largest batch."""
    noise: int = 1000
    """Scale of the noise at the root of each search, in thousandths."""
    full_share: int = 1000
    """So many of a thousand positions are searched fully and recorded; the others get `fast_simulations`."""
    fast_simulations: int = 4
    """Simulations where nothing is recorded."""


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """How a network is trained."""

    architecture: str = "c16b2"
    """The architecture of a network without a parent; others have their parent's."""
    steps: int = 300
    batch: int = 256
    first_steps: int = 600
    """Steps of each first network, which has no parent."""
    first_networks: int = 2
    """First networks to choose from."""
    positions_per_game: int = 16
    """Positions drawn from a game each time it is used."""
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    average_decay: float = 0.995
    processes: int = 1
    """Processes that compute gradients, each of a part of every batch (`training.team`)."""
    device: str = "cpu"
    """Where the network is trained: "cpu", or "cuda", by torch on the first GPU that the process sees."""
    precision: str = "float32"
    """Of the forward and backward pass, or "bfloat16". On the CPU, float32 is by our kernels; all else is by torch."""
    gpus: str = ""
    """The ids of the GPUs of all processes, with commas between; the first is that of the process that trains."""
    measured_blocks: int = 24
    """Blocks of games that measure the new network's policy against its search; half as many compare two searches; 0:
    nothing is measured."""


@dataclass(frozen=True)
class MatchSettings:
    """How a candidate is compared with the incumbent."""

    simulations: int = 16
    considered: int = 8
    opening_plies: int = 8
    concurrency: int = 256


def read_settings(kind: type[S], given: Mapping[str, Any]) -> S:
    """Return an instance of one of the classes above; settings that are not given have their defaults.

    Raise ValueError if a name is unknown or a value has the wrong type.
    """
    known = {field.name: type(getattr(kind, field.name)) for field in fields(kind)}  # type: ignore[arg-type]
    for name, value in given.items():
        if name not in known:
            raise ValueError(f"unknown setting {name!r} of {kind.__name__}: expected one of {sorted(known)}")
        number = known[name] is float and type(value) is int
        if type(value) is not known[name] and not number:
            raise ValueError(f"setting {name!r} of {kind.__name__} is {value!r}, not {known[name].__name__}")
    return kind(**given)
