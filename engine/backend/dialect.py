"""The dialect of the kernels: names with which one source runs as plain Python and compiles with Warp.

A module written in the dialect begins with `from __future__ import annotations`, takes its types from here,
and imports other dialect functions by name. Under plain Python the types below are ordinary Python and rows
are memoryviews of NumPy rows, so a value that does not fit raises instead of wrapping. `engine.backend.cpu`
gives the same code objects to Warp, with these names bound to Warp's.

What the dialect allows: scalars, rows and tables as typed parameters; `if`, `while`, `for ... in range`,
early return, tuple returns; no recursion, allocation, exceptions or Python objects. A local that a loop
changes starts as `Int(0)`; reading a row gives `int(row[i])`, writing one takes `row[i] = Short(value)`;
64-bit values are made with `Long` and `Word`, shifts included; `%` and `//` never see a negative number.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, Protocol, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

Short = int  # int16 in a row
Byte = int  # int8
Int = int  # int32
Long = int  # int64
Float = np.float32


def exp(value: float | Float) -> Float:
    """Return e to the power of a float32."""
    return Float(np.exp(Float(value)))


def log(value: float | Float) -> Float:
    """Return the natural logarithm of a float32 above 0."""
    return Float(np.log(Float(value)))


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
    """Plain Python's `thread.tid()`: the index of the thread that `PLAIN.launch` runs at the moment."""

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
    """Mark a function as one of the dialect. Plain Python calls it as it is.

    Args:
        inline: False keeps one copy of a long function that is called from several places. That has no measurable
            cost in speed and made compilation for CUDA four times faster.
    """

    def mark(marked: F) -> F:
        marked.__dialect__ = {"inline": inline}  # type: ignore[attr-defined]
        return marked

    return mark if function is None else mark(function)


def native(code: str, plain: F) -> Callable[[F], F]:
    """Make a function of the dialect from a declaration, for what the dialect cannot say: vectors.

    Args:
        code: C++, for CPUs alone unless it says otherwise by `__CUDACC__`; parameters keep their names, and the numbers
            of an array are at `name.data`. What it returns has the type that the declaration returns.
        plain: what plain Python calls; it does the same, up to rounding.
    """

    def mark(declared: F) -> F:
        update_wrapper(plain, declared)
        plain.__dialect__ = {"code": code, "declared": declared}  # type: ignore[attr-defined]
        return plain

    return mark


class Kernel:
    """A dialect function that runs once per thread. Its parameters are `first: int`, then arrays and scalars.

    The number of its thread is `first + thread.tid()`, so that a launch can be cut into slices.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        self.function = function
        self.name = f"{function.__module__}.{function.__qualname__}"


def kernel(function: Callable[..., None]) -> Kernel:
    """Make a kernel of a function, to be run by an executor: `PLAIN.launch(kernel, count, ...)`."""
    return Kernel(function)


class Lanes:
    """An argument of a launch: rows of working memory, one for each thread that runs at the same time.

    A kernel takes its row as `rows[thread.tid() % rows.shape[0]]`: there is one row where threads run one after
    the other, and one for each thread where all run at once.
    """

    def __init__(self, width: int, dtype: type[np.generic]) -> None:
        self.width = width
        self.dtype = dtype


class Executor(Protocol):
    """Where kernels run.

    `launch` returns when all threads have run. Its arguments are the kernel, the number of threads (0 or more) and
    what follows `first`: C-contiguous NumPy arrays, integers, `Lanes`. `engine.backend.cuda.Device` also takes arrays
    on its device, and does not wait if there are no others.
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
    """Return a one-dimensional NumPy array as a row for plain dialect functions; writes go to the array."""
    return memoryview(array)  # type: ignore[arg-type, return-value]


class _Plain:
    """The executor that runs kernels as plain Python, one thread after the other: slow, checked, without Warp."""

    def launch(self, kernel: Kernel, count: int, *arguments: Any) -> None:
        values = [_plain_argument(argument) for argument in arguments]
        for index in range(count):
            thread.index = index
            kernel.function(0, *values)


PLAIN: Executor = _Plain()
