"""What a game is: rules, boards, moves, search. Arrays in, arrays out; no torch, no clock, no I/O."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

KERNEL_MODULES = ("engine.kernels", "engine.search.kernels")


def warm(progress: Callable[[str, int, int], None] | None = None) -> None:
    """Compile every kernel for the CPU, or load it from the cache, so that nothing waits for it later.

    Args:
        progress: called before each module with its name, its place and their number, and once at the end
            with ("", n, n).
    """
    from engine.compiled import compile_kernels

    total = len(KERNEL_MODULES)
    for place, name in enumerate(KERNEL_MODULES):
        if progress is not None:
            progress(name, place, total)
        import_module(name)
        compile_kernels(name)
    if progress is not None:
        progress("", total, total)
