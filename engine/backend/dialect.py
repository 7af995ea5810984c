"""The dialect: one set of names that plain Python runs as it stands and that Warp compiles.

A module written in the dialect begins with `from __future__ import annotations`, takes its types from here,
and imports other dialect functions by name. Under plain Python the types below are ordinary Python and rows
are memoryviews of NumPy rows, so a value that does not fit raises instead of wrapping. `engine.backend.cpu`
runs the same code objects through Warp with these names bound to Warp's.

What the dialect allows: scalars, rows and tables as typed parameters; `if`, `while`, `for ... in range`,
early return, tuple returns; no recursion, allocation, exceptions or Python objects. A local that a loop
changes starts as `Int(0)`; reading a row gives `int(row[i])`, writing one takes `row[i] = Short(value)`;
64-bit values are made with `Long` and `Word`, shifts included; `%` and `//` never see a negative number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

Short = int  # int16 in a row
Byte = int  # int8
Int = int  # int32
Long = int  # int64
Float = np.float32


def exp(value: float | Float) -> Float:
    """e to the power of a float32."""
    return Float(np.exp(Float(value)))


class Word(int):
    """uint64: arithmetic that must wrap is wrapped in `Word(...)` after every step that can leave 64 bits."""

    def __new__(cls, value: int) -> Word:
        return super().__new__(cls, value & 0xFFFF_FFFF_FFFF_FFFF)


class _Row(Protocol):
    """A row of integers; negative indices never occur."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def __getitem__(self, index: int) -> int: ...
    def __setitem__(self, index: int, value: int) -> None: ...


class _Table(Protocol):
    """Rows of integers of one length."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def __getitem__(self, index: int) -> Any: ...


class _FloatRow(Protocol):
    """A row of float32."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def __getitem__(self, index: int) -> np.float32: ...
    def __setitem__(self, index: int, value: float | np.float32) -> None: ...


Row = _Row  # int16: a game's record, its tables, scratch
Bytes = _Row  # int8
Ints = _Row  # int32
Longs = _Row  # int64: moves
Words = _Row  # uint64: seeds
Floats = _FloatRow  # float32
Rows = _Table
ByteRows = _Table
IntRows = _Table
LongRows = _Table
WordRows = _Table
FloatRows = _Table

F = TypeVar("F", bound=Callable[..., Any])


class _Thread:
    """Plain Python's answer to `thread.tid()`: the index of the thread that `PLAIN.launch` now runs."""

    def __init__(self) -> None:
        self.index = 0

    def tid(self) -> int:
        return self.index


thread = _Thread()


@overload
def func(function: F) -> F: ...
@overload
def func(*, inline: bool) -> Callable[[F], F]: ...
def func(function: F | None = None, *, inline: bool | None = None) -> F | Callable[[F], F]:
    """Mark a function as one of the dialect's. Plain Python calls it as it is.

    Args:
        inline: False keeps one copy of a long function that is called from several places. That costs no
            speed that could be measured, and made compilation for CUDA four times shorter.
    """

    def mark(marked: F) -> F:
        marked.__dialect__ = {"inline": inline}  # type: ignore[attr-defined]
        return marked

    return mark if function is None else mark(function)


class Kernel:
    """A dialect function that runs once per thread: parameters `first: int`, then arrays and scalars.

    Its thread's number is `first + thread.tid()`, so that a launch can be cut into slices.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        self.function = function
        self.name = f"{function.__module__}.{function.__qualname__}"


def kernel(function: Callable[..., None]) -> Kernel:
    """Mark a function as a kernel, to be run by an executor: `PLAIN.launch(kernel, count, ...)`."""
    return Kernel(function)


class Lanes:
    """An argument of a launch: rows of working memory, of which every thread that runs at once needs one.

    A kernel takes its row as `rows[thread.tid() % rows.shape[0]]`: where threads run one after the other
    there is one row, where all run at once one each.
    """

    def __init__(self, width: int, dtype: type[np.generic]) -> None:
        self.width = width
        self.dtype = dtype


class Executor(Protocol):
    """Where kernels run.

    `launch` returns when all threads have run. Its arguments are the kernel, the number of threads, 0 or
    more, and what follows `first`: NumPy arrays (C-contiguous), integers, `Lanes`. `engine.backend.cuda.Device` takes
    arrays of its own besides, and does not wait where there are no others.
    """

    def launch(self, kernel: Kernel, count: int, *arguments: Any) -> None: ...


class _PlainRows:
    """A two-dimensional NumPy array whose rows are memoryviews."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.shape = array.shape
        self._array = array

    def __getitem__(self, index: int) -> memoryview:
        return memoryview(self._array[index])


def _plain_argument(argument: Any) -> Any:
    if isinstance(argument, Lanes):
        argument = np.zeros((1, argument.width), argument.dtype)
    if isinstance(argument, np.ndarray):
        return plain_row(argument) if argument.ndim == 1 else _PlainRows(argument)
    return argument


def plain_row(array: NDArray[Any]) -> Row:
    """A one-dimensional NumPy array as plain dialect functions want it; writes go to the array."""
    return memoryview(array)  # type: ignore[arg-type, return-value]


class _Plain:
    """Runs kernels as plain Python, one thread after the other: slow, checked, and without Warp."""

    def launch(self, kernel: Kernel, count: int, *arguments: Any) -> None:
        values = [_plain_argument(argument) for argument in arguments]
        for index in range(count):
            thread.index = index
            kernel.function(0, *values)


PLAIN: Executor = _Plain()
