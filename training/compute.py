"""What gradients are computed with: our kernels on the CPU, or torch on GPUs; by how many processes, how precisely."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import Final

import torch

from training.settings import TrainSettings

CPU: Final = "cpu"
GPU: Final = "cuda"
FLOAT32: Final = "float32"
BFLOAT16: Final = "bfloat16"


@dataclass(frozen=True)
class Compute:
    """How a process computes gradients. As it is by default it does so with our kernels, else with torch.

    `gpus` has the id of the GPU of each process of a team, the first one's first; without ids each takes the first GPU
    that it sees.
    """

    device: str = CPU
    precision: str = FLOAT32
    gpus: tuple[str, ...] = ()

    @property
    def is_by_kernels(self) -> bool:
        """Whether our kernels do it, which are for CPUs and float32 alone."""
        return self.device == CPU and self.precision == FLOAT32


def compute_of(settings: TrainSettings) -> Compute:
    """Return how a training computes gradients. Raise ValueError if it cannot be done so."""
    for name, value, known in (
        ("device", settings.device, (CPU, GPU)),
        ("precision", settings.precision, (FLOAT32, BFLOAT16)),
    ):
        if value not in known:
            raise ValueError(f"setting {name!r} of a training is {value!r}, expected one of {', '.join(known)}")
    gpus = tuple(settings.gpus.split(",")) if settings.gpus else ()
    if gpus and len(gpus) != settings.processes:
        raise ValueError(f"{len(gpus)} GPUs for {settings.processes} processes: each has one")
    return Compute(settings.device, settings.precision, gpus)


def possible(settings: TrainSettings) -> TrainSettings:
    """Return settings that this process can train with: those for the CPU and one process where torch has no GPU."""
    if settings.device != GPU or torch.cuda.is_available():
        return settings
    built = "is built without CUDA" if torch.version.cuda is None else "finds no GPU that it can use"
    print(f"training on the CPU: torch {torch.__version__} {built}", file=sys.stderr)
    usual = TrainSettings()
    return replace(settings, device=usual.device, precision=usual.precision, gpus=usual.gpus, processes=usual.processes)
