"""Tells observers which kernels are being compiled or loaded, which can take minutes in which nothing else happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Observer = Callable[[str], None]
"""Called with the name of a module before its kernels are compiled, and with "" afterwards."""

_observers: list[Observer] = []


@contextmanager
def observing_compiling(observer: Observer) -> Iterator[None]:
    """Tell `observer` what is compiled in this process until the end of the `with` block."""
    _observers.append(observer)
    try:
        yield
    finally:
        _observers.remove(observer)


@contextmanager
def compiling(module: str) -> Iterator[None]:
    """Say to all observers that the kernels of a module are compiled in this `with` block."""
    _tell(module)
    try:
        yield
    finally:
        _tell("")


def _tell(module: str) -> None:
    for observer in tuple(_observers):
        observer(module)
