"""The executor on a Warp device: arrays that live there, launches that do not wait, lanes that fit its memory.

On a GPU a launch is queued and returns at once. A method waits for the device only if its docstring says so. The
same class runs on Warp's device "cpu", where a launch has run when it returns: so everything but the hardware is
tested without a GPU.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.backend.cpu import BLOCK, warp, warp_kernel
from engine.backend.dialect import Kernel, Lanes

DeviceArray = Any
"""A Warp array. Other libraries, torch among them, share its memory by DLPack or `__cuda_array_interface__`."""

_CPU_MEMORY_BYTES = 1 << 30


class DeviceError(RuntimeError):
    """There is no such device, it has too little memory, or an array lies on another device."""


def cuda_devices() -> list[str]:
    """Return Warp's names of the CUDA devices ("cuda:0" ...); none without a GPU or its driver."""
    return [str(device) for device in warp().get_cuda_devices()]


def _find(name: str) -> Any:
    known = ["cpu", *cuda_devices()]
    wanted = "cuda:0" if name == "cuda" else name
    if wanted in known:
        return warp().get_device(wanted)
    if wanted.startswith("cuda") and len(known) == 1:
        raise DeviceError(f"no CUDA device: {name!r} was asked for, but Warp finds no NVIDIA GPU with a driver here")
    raise DeviceError(f"no device {name!r}; the devices here are {', '.join(known)}")


class Device:
    """An executor on one device, with one thread for each game of a batch.

    Args:
        name: "cuda" (the first GPU), "cuda:1" ..., or "cpu".
        memory_bytes: memory that lanes may take; by default a quarter of what is free on a GPU. A launch with more
            threads than lanes is cut into several, which run one after the other.

    Raises:
        DeviceError: there is no such device.
    """

    def __init__(self, name: str = "cuda", *, memory_bytes: int | None = None) -> None:
        self._device = _find(name)
        self.name = str(self._device)
        self.title: str = self._device.name  # the manufacturer's name of it
        self._block = BLOCK if self._device.is_cuda else 1
        self.memory_bytes = memory_bytes or (
            self._device.free_memory // 4 if self._device.is_cuda else _CPU_MEMORY_BYTES
        )
        self._lanes: dict[tuple[int, int, str], DeviceArray] = {}
        self._lock = threading.Lock()

    def empty(self, shape: Sequence[int], dtype: type[np.generic]) -> DeviceArray:
        """Return a new array on the device, with undefined contents."""
        wp = warp()
        return wp.empty(tuple(shape), dtype=wp.dtype_from_numpy(np.dtype(dtype)), device=self._device)

    def zeros(self, shape: Sequence[int], dtype: type[np.generic]) -> DeviceArray:
        """Return a new array of zeros on the device."""
        wp = warp()
        return wp.zeros(tuple(shape), dtype=wp.dtype_from_numpy(np.dtype(dtype)), device=self._device)

    def upload(self, array: NDArray[Any]) -> DeviceArray:
        """Return a copy on the device, after waiting until it is made."""
        wp = warp()
        return wp.array(array, dtype=wp.dtype_from_numpy(array.dtype), device=self._device)

    def download(self, array: DeviceArray) -> NDArray[Any]:
        """Return a copy as a NumPy array, after waiting for everything launched before."""
        return np.array(array.numpy())

    def write(self, target: DeviceArray, array: NDArray[Any]) -> None:
        """Copy a NumPy array of the same shape and type into one on the device, after what was launched before."""
        target.assign(array)

    def share(self, array: Any) -> DeviceArray:
        """Return a Warp array over the memory of another library's array on this device, such as a tensor.

        Raises:
            DeviceError: the array lies on another device.
        """
        wp = warp()
        shared = array if isinstance(array, wp.array) else wp.from_dlpack(array)
        if shared.device != self._device:
            raise DeviceError(f"an array on {shared.device} was given to kernels on {self.name}: move it there first")
        return shared

    def wait(self) -> None:
        """Wait until everything launched so far has run."""
        warp().synchronize_device(self._device)

    def launch(self, kernel: Kernel, count: int, *arguments: Any) -> None:
        """Run a kernel (see `engine.backend.dialect.Executor`) without waiting for its end.

        Arguments may also be arrays on the device. A NumPy array is copied there, and back if it is
        writeable, which waits: use that for tests and single answers, not for play.
        """
        if count == 0:
            return
        compiled = warp_kernel(kernel, self.name)
        copies = [(place, a) for place, a in enumerate(arguments) if isinstance(a, np.ndarray)]
        values = [self._value(argument) for argument in arguments]
        with self._lock:  # threads take turns, since they use the same lanes
            rows = self._give_lanes(values, count)
            slices = -(-count // rows)
            edges = [count * index // slices for index in range(slices + 1)]
            for first, last in pairwise(edges):
                inputs = [first, *values]
                warp().launch(compiled, dim=last - first, inputs=inputs, device=self._device, block_dim=self._block)
        for place, array in copies:
            if array.flags.writeable:
                array[...] = values[place].numpy()

    def repeat(self, work: Callable[[], None]) -> Callable[[], None]:
        """Return a call that does what `work` does: it launches kernels, always the same ones, on the same arrays.

        The first call runs `work` itself, which loads its kernels and takes their lanes. The second records it, as a
        CUDA graph on a GPU; from then on it is repeated without the host's part. The caller keeps the arrays.
        """
        return _Repeated(self, work)

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """Record the launches of `work`, which has run before, and return a call that repeats them."""
        wp = warp()
        with wp.ScopedCapture(device=self._device) as capture:
            work()
        kept = capture.graph, list(self._lanes.values())  # a later launch may replace lanes that the graph uses

        def repeat() -> None:
            wp.capture_launch(kept[0])

        return repeat

    def _value(self, argument: Any) -> Any:
        if isinstance(argument, (int, float, np.number, Lanes)):
            return argument
        return self.upload(argument) if isinstance(argument, np.ndarray) else self.share(argument)

    def _give_lanes(self, values: list[Any], count: int) -> int:
        """Replace each `Lanes` by an array and return how many threads may run at once."""
        wanted = [(place, value) for place, value in enumerate(values) if isinstance(value, Lanes)]
        each = sum(lanes.width * np.dtype(lanes.dtype).itemsize for _, lanes in wanted)
        rows = min(count, self.memory_bytes // each) if each else count
        if rows == 0:
            limit = f"{self.name} may use {self.memory_bytes:,}"
            raise DeviceError(f"one game needs {each:,} bytes of working memory, {limit}")
        for rank, (place, lanes) in enumerate(wanted):
            values[place] = self._lane_array(rank, lanes, rows)
        return rows

    def _lane_array(self, rank: int, lanes: Lanes, rows: int) -> DeviceArray:
        key = (rank, lanes.width, np.dtype(lanes.dtype).name)
        kept = self._lanes.get(key)
        if kept is None or kept.shape[0] < rows:
            if kept is not None:
                self.wait()  # launches that use the old lanes may still be running
            kept = self._lanes[key] = self.empty((rows, lanes.width), lanes.dtype)
        return kept


class _Repeated:
    """Work that runs as it is at first, is then recorded, and repeated."""

    def __init__(self, device: Device, work: Callable[[], None]) -> None:
        self._device, self._work = device, work
        self._has_run = False
        self._recorded: Callable[[], None] | None = None

    def __call__(self) -> None:
        if not self._has_run:
            self._work()
            self._has_run = True
            return
        if self._recorded is None:
            self._recorded = self._device.record(self._work)
        self._recorded()
