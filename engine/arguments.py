"""Checks of arguments, made before the arguments reach kernels, which check nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def integers(given: ArrayLike, dtype: type[np.integer[Any]], name: str) -> NDArray[Any]:
    """Return the numbers as a C-contiguous array of a type, with unchanged values.

    Raises:
        TypeError: they are not integers; an empty list of any type is accepted.
        ValueError: a number does not fit the type.
    """
    array = np.asarray(given)
    wanted = np.dtype(dtype)
    if array.dtype != wanted and array.size:
        if array.dtype.kind not in "iu":
            raise TypeError(f"{name} must be integers that fit {wanted}, got {array.dtype}")
        limits = np.iinfo(wanted)
        if int(array.min()) < limits.min or int(array.max()) > limits.max:
            raise ValueError(f"{name} must fit {wanted}, got {array.min()} to {array.max()}")
    return np.ascontiguousarray(array, wanted)


def within(given: int, least: int, most: int, name: str) -> int:
    """Return the number, unchanged.

    Raises:
        TypeError: it is not an integer.
        ValueError: it is below `least` or above `most`.
    """
    if isinstance(given, bool) or not isinstance(given, int | np.integer):
        raise TypeError(f"{name} must be an integer, got {given!r}")
    if not least <= given <= most:
        raise ValueError(f"{name} must be {least} to {most}, got {given}")
    return int(given)
