"""`python -m training.warm`: compile every kernel that a worker uses, so that its first job starts at once."""

import sys
from importlib import import_module

import engine

KERNEL_MODULES = ("training.kernels", "training.device_kernels", "training.playing_kernels")
CPU_MODULES = ("training.inference_kernels", "training.gradient_kernels")
"""Modules whose kernels run on CPUs alone."""


def main() -> int:
    """Compile the kernels, or load them from the cache; print one line for each module."""
    engine.warm(lambda name, place, total: print(f"{place} of {total} {name}", flush=True))
    from engine.backend.cpu import compile_kernels

    for name in (*KERNEL_MODULES, *CPU_MODULES):
        print(name, flush=True)
        import_module(name)
        compile_kernels(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
