"""A team of processes on this host that compute gradients together, each of a part of every batch.

They talk through torch.distributed (gloo, over the loopback interface). The process that trains is number 0: it draws
the batches, has the optimizer, and sends the others the weights and their part of each batch (`training.team_member`).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load, save
from torch import Tensor, distributed

from engine.config import Config
from engine.games import Games
from training.batches import Examples
from training.compute import Compute
from training.losses import Weights

MOST_PROCESSES: Final = 16
TIMEOUT_S: Final = 300.0
"""For one message: kernels that are not in the cache are compiled before the first one is answered."""

_INTERFACE: Final = "GLOO_SOCKET_IFNAME"
_STORE: Final = "store"  # a file by which the processes find each other
_END_S: Final = 10.0  # for a member to end by itself
_LOSSES: Final = len(fields(Weights))
_VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
_KERNELS: Final = Compute()
_COMMAND: Final = (sys.executable, "-P", "-m", "training.team_member")


class Team:
    """The side of the process that trains; `size` - 1 others help it. Equal batches give equal bytes for one size."""

    def __init__(
        self, size: int, architecture: str, configs: Sequence[Config], folder: Path, compute: Compute = _KERNELS
    ) -> None:
        """Start the other processes, which find this one by a file in `folder`. `close` ends them."""
        self.size, self.compute = size, compute
        self._configs = [each.name for each in configs]
        self._others: list[subprocess.Popen[bytes]] = []
        try:
            for number in range(1, size):
                how = compute.device, compute.precision
                command = [*_COMMAND, str(number), str(size), str(folder), architecture, *how, *self._configs]
                own = {_VISIBLE: compute.gpus[number]} if compute.gpus else {}
                environment = {**os.environ, **own}
                self._others.append(subprocess.Popen(command, stdin=subprocess.PIPE, cwd=os.sep, env=environment))
            join(0, size, folder)
        except BaseException:
            self.close()
            raise

    def send(self, weights: Tensor, parts: Sequence[Examples], means: Sequence[NDArray[np.float64]]) -> None:
        """Send the others the weights float32[n], and each its part, from the second on, with its means."""
        number = self._configs.index(parts[0].states.config.name)
        for other in range(1, self.size):
            packed = _pack(parts[other], means[other])
            distributed.send(torch.tensor([number, len(packed)]), other)
            distributed.send(weights, other)
            distributed.send(packed, other)

    def receive(self, count: int) -> Iterator[tuple[Tensor, NDArray[np.float64]]]:
        """Yield the gradients float32[count] and the losses float64[4] of each of the others, in their order."""
        for other in range(1, self.size):
            gradients, losses = torch.empty(count), torch.empty(_LOSSES, dtype=torch.float64)
            distributed.recv(gradients, other)
            distributed.recv(losses, other)
            yield gradients, losses.numpy()

    def close(self) -> None:
        """End the others, which the end of their stdin tells; who does not end is killed."""
        for process in self._others:
            assert process.stdin is not None
            process.stdin.close()
        for process in self._others:
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if distributed.is_initialized():  # last: members that see their connections end before stdin complain of it
            distributed.destroy_process_group()


@contextmanager
def team_of(
    size: int, architecture: str, configs: Sequence[Config], compute: Compute = _KERNELS
) -> Iterator[Team | None]:
    """Yield a team of `size` processes, this one included, for as long as the context lasts; None if it is alone.

    Raise ValueError if there are more than MOST_PROCESSES, or none.
    """
    if not 1 <= size <= MOST_PROCESSES:
        raise ValueError(f"{size} processes, expected 1 to {MOST_PROCESSES}")
    if size == 1:
        yield None
        return
    with TemporaryDirectory() as folder:
        team = Team(size, architecture, configs, Path(folder), compute)
        try:
            yield team
        finally:
            team.close()


def join(number: int, size: int, folder: Path) -> None:
    """Make this process number `number` of `size`; return when all are there."""
    os.environ[_INTERFACE] = "lo"
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{folder / _STORE}",
        rank=number,
        world_size=size,
        timeout=timedelta(seconds=TIMEOUT_S),
    )


def receive_part(weights: Tensor) -> tuple[int, dict[str, NDArray[Any]]]:
    """Receive the weights; return the number of a configuration, and the arrays of a part and of its means."""
    header = torch.empty(2, dtype=torch.int64)
    distributed.recv(header, 0)
    number, size = header.tolist()
    distributed.recv(weights, 0)
    packed = torch.empty(size, dtype=torch.uint8)
    distributed.recv(packed, 0)
    return number, load(packed.numpy().tobytes())


def send_gradients(gradients: Tensor, losses: NDArray[np.float64]) -> None:
    """Send the process that trains the gradients float32[n] and losses float64[4] of a part."""
    distributed.send(gradients, 0)
    distributed.send(torch.from_numpy(losses), 0)


def split(examples: Examples, means: NDArray[np.float64], size: int) -> Iterator[tuple[Examples, NDArray[np.float64]]]:
    """Yield `size` parts of examples, as equal as can be, the first ones longer, each with its part of the means."""
    bounds = [len(each) for each in np.array_split(np.arange(len(examples.states)), size)]
    last = 0
    for count in bounds:
        first, last = last, last + count
        moves = slice(int(examples.offsets[first]), int(examples.offsets[last]))
        part = replace(
            examples,
            states=Games(examples.states.config, examples.states.states[first:last]),
            offsets=examples.offsets[first : last + 1] - examples.offsets[first],
            moves=examples.moves[moves],
            policy=examples.policy[moves],
            policy_weight=examples.policy_weight[first:last],
            winner=examples.winner[first:last],
            owners=examples.owners[first:last],
            margin=examples.margin[first:last],
        )
        yield part, means[first:last]


def examples_of(config: Config, arrays: Mapping[str, NDArray[Any]]) -> Examples:
    """Return the part that was sent as arrays."""
    others = {name: array for name, array in arrays.items() if name not in ("states", "means")}
    return Examples(states=Games(config, arrays["states"]), **others)


def _pack(part: Examples, means: NDArray[np.float64]) -> Tensor:
    arrays = {name: np.ascontiguousarray(array) for name, array in vars(part).items() if name != "states"}
    data = save({**arrays, "states": part.states.states, "means": np.ascontiguousarray(means)})
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)
