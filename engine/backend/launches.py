"""Launches on the CPU that are recorded once and then repeated with other arguments.

A launch through `warp.launch` costs 50 us, most of it for Warp's array objects. A recorded launch that is given the
addresses of the arrays costs 4 us, and 2 us for each array that is not the one of the last run.
"""

from __future__ import annotations

import ctypes
import math
import weakref
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.backend.dialect import Lanes

_LINE = 64  # bytes of a cache line, and of the widest vector


def aligned_empty(shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
    """Return a new array whose numbers begin at a cache line."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    room = np.empty(size + _LINE, np.uint8)
    first = -room.ctypes.data % _LINE
    return room[first : first + size].view(dtype).reshape(shape)


class RecordedLaunch:
    """A launch of one kernel, for use by one thread at a time. It keeps its working memory and no other array."""

    def __init__(self, warp: ModuleType, kernel: Any, arguments: tuple[Any, ...]) -> None:
        """Record a launch with the arguments of a first run; later arguments must have the same types."""
        # by place: working memory; a weak reference to the last array; its shape; the type of arrays
        self._kept: list[Any] = [None] * len(arguments)
        self._seen: list[Any] = [_nothing] * len(arguments)
        self._shapes: list[Any] = [None] * len(arguments)
        self._kinds: list[Any] = [None] * len(arguments)
        inputs = [0]
        for place, argument in enumerate(arguments):
            array = self._memory(place, argument) if isinstance(argument, Lanes) else argument
            if isinstance(array, np.ndarray):
                self._kinds[place] = array.dtype, array.ndim
                array = _as_warp(warp, array)
            inputs.append(array)
        self._name = kernel.key
        self._count = 1
        self._launch = warp.launch(kernel, dim=1, inputs=inputs, device="cpu", record_cmd=True)
        # Warp makes this structure anew in each launch; here it is made once, and what changes is written into it
        packed = self._launch.params[1:]
        self._names = [f"argument_{place}" for place in range(len(arguments))]
        fields = [(name, type(value)) for name, value in zip(["first", *self._names], packed, strict=True)]
        self._packed = type("Packed", (ctypes.Structure,), {"_fields_": fields})(*packed)
        self._slots: list[Any] = [getattr(self._packed, name) for name in self._names]  # for arrays: their descriptors

    def run(self, first: int, count: int, arguments: tuple[Any, ...]) -> None:
        """Run threads `first` to `first + count - 1`."""
        if len(arguments) != len(self._kinds):
            raise TypeError(f"{self._name} takes {len(self._kinds)} arguments, got {len(arguments)}")
        self._packed.first = first
        for place, argument in enumerate(arguments):
            if isinstance(argument, Lanes):
                argument = self._memory(place, argument)
            if not isinstance(argument, np.ndarray):
                setattr(self._packed, self._names[place], argument)
            elif self._seen[place]() is not argument or self._shapes[place] != argument.shape:
                self._set_array(place, argument)
        if count != self._count:
            self._launch.set_dim(count)
            self._count = count
        self._launch.hooks.forward(ctypes.byref(self._launch.bounds), ctypes.byref(self._packed))

    def _memory(self, place: int, lanes: Lanes) -> NDArray[Any]:
        kept: NDArray[Any] | None = self._kept[place]
        if kept is None or kept.shape[1] != lanes.width or kept.dtype != lanes.dtype:
            self._kept[place] = kept = aligned_empty((1, lanes.width), lanes.dtype)
        return kept

    def _set_array(self, place: int, array: NDArray[Any]) -> None:
        """Give the launch the address and shape of an array."""
        if (array.dtype, array.ndim) != self._kinds[place]:
            wanted, given = _kind_text(*self._kinds[place]), _kind_text(array.dtype, array.ndim)
            raise TypeError(f"{self._name}: argument {place} is {wanted}, got {given}")
        _check(array)
        slot = self._slots[place]
        slot.data = array.ctypes.data
        if self._shapes[place] != array.shape:
            for axis in range(array.ndim):
                slot.shape[axis], slot.strides[axis] = array.shape[axis], array.strides[axis]
        self._seen[place], self._shapes[place] = weakref.ref(array), array.shape


def _nothing() -> None:
    """Stand for a weak reference to no array."""


def _kind_text(dtype: np.dtype[Any], dimensions: int) -> str:
    return f"{dtype}[{dimensions} dimensions]"


def _check(array: NDArray[Any]) -> None:
    if not array.flags.c_contiguous:
        raise ValueError(f"a kernel needs a C-contiguous array, got strides {array.strides}")


def _as_warp(warp: ModuleType, array: NDArray[Any]) -> Any:
    """Return a Warp array over the memory of a NumPy array."""
    _check(array)
    kind = warp.dtype_from_numpy(array.dtype)
    return warp.array(ptr=array.ctypes.data, dtype=kind, shape=array.shape, device="cpu", copy=False)
