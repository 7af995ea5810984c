"""Dialect functions compiled by Warp, for the CPU and for CUDA, and the executor that runs them on CPU threads.

Warp is imported and started by the first launch or `compile_kernels`, never before. A Python module with
kernels becomes one Warp module. It is compiled with every function that its kernels reach and kept in a cache under
the hash of that code, so only the first process after a change compiles. `engine.backend.cuda` runs on GPUs.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from engine.backend import dialect
from engine.backend.compiling import compiling
from engine.backend.dialect import Kernel
from engine.backend.kernel_cache import drop_damaged, one_process_at_a_time, open_cache, seal
from engine.backend.launches import RecordedLaunch

_NO_DRIVER = b"Could not find or load the NVIDIA CUDA driver"
BLOCK = 32
"""Threads of a CUDA block: one warp, so that few games spread over many multiprocessors (docs/gpu.md)."""
_MOST_REGISTERS = 128
"""Registers of a CUDA thread: with 128, 16 warps fit a multiprocessor; uncapped (212), 8 fit. It costs 120 bytes of
stack."""
# Unrolling and vectorising made nothing faster here, and compilation slower. Grid-stride loops cost CUDA kernels
# up to a fifth more registers and compilation a third more time; they serve launches of more than 2^31 threads.
# The vectors of `engine.backend.matrices` are 512 bits wide; by default, compilers halve them on many processors.
_OPTIONS = {
    "enable_backward": False,
    "max_unroll": 0,
    "default_grid_stride": False,
    "block_dim": BLOCK,
    "cpu_compiler_flags": "-march=native -mprefer-vector-width=512 -fno-vectorize -fno-slp-vectorize",
}
_lock = threading.RLock()


@contextmanager
def _without_driver_warning() -> Iterator[None]:
    """Drop the line that Warp's native part writes to stderr on a machine without a GPU; pass all others on."""
    saved = os.dup(2)
    with open(os.memfd_create("stderr"), "r+b") as held:  # not a file: there may be no folder for temporary ones
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            held.seek(0)
            lines = [line for line in held.read().splitlines(keepends=True) if _NO_DRIVER not in line]
            with suppress(OSError, ValueError, AttributeError):  # stderr may be full, closed or None
                sys.stderr.write(b"".join(lines).decode(errors="replace"))


@cache
def warp() -> ModuleType:
    """Return the module `warp`: imported, started, quiet, and with our cache directory."""
    with _lock:
        import warp as wp

        wp.config.log_level = wp.LOG_ERROR
        wp.config.kernel_cache_dir = str(open_cache())
        wp.config.enable_backward = False
        with _without_driver_warning():
            wp.init()
        return wp


@cache
def _names() -> dict[str, Any]:
    """Return the meaning that each name of `engine.backend.dialect` has under Warp."""
    wp = warp()
    scalars = {"Short": "int16", "Byte": "int8", "Int": "int32", "Long": "int64", "Word": "uint64"}
    scalars["Float"] = "float32"
    bound: dict[str, Any] = {name: getattr(wp, type_name) for name, type_name in scalars.items()}
    kinds = {"Row": "Short", "Byte": "Byte", "Int": "Int", "Long": "Long", "Word": "Word", "Float": "Float"}
    for name, scalar in kinds.items():
        row = name if name == "Row" else f"{name}s"
        table = f"{name}Rows" if name != "Row" else "Rows"
        bound[row] = wp.array(dtype=bound[scalar], ndim=1)
        bound[table] = wp.array(dtype=bound[scalar], ndim=2)
    bound["exp"], bound["log"] = wp.exp, wp.log
    bound["thread"] = wp  # `thread.tid()` in the source is Warp's `wp.tid()`
    return bound


class _Converter:
    """Copies dialect functions into namespaces in which the dialect's names mean Warp's types and functions."""

    def __init__(self) -> None:
        self._namespaces: dict[str, dict[str, Any]] = {}
        self._functions: dict[FunctionType, Any] = {}
        self._kernels: dict[str, dict[str, Any]] = {}

    def _namespace(self, function: FunctionType) -> dict[str, Any]:
        name = function.__module__
        if name not in self._namespaces:
            space = dict(function.__globals__)
            for word, meaning in _names().items():
                if word in space and space[word] is getattr(dialect, word):
                    space[word] = meaning
            self._namespaces[name] = space
        return self._namespaces[name]

    def _copy(self, function: FunctionType) -> FunctionType:
        space = self._namespace(function)
        for word in function.__code__.co_names:
            used = function.__globals__.get(word)
            if isinstance(used, FunctionType) and hasattr(used, "__dialect__"):
                space[word] = self._function(used)
        copied = FunctionType(function.__code__, space, function.__name__)
        copied.__annotations__ = {k: v for k, v in function.__annotations__.items() if k != "return"}
        copied.__module__, copied.__qualname__ = function.__module__, function.__qualname__
        return copied

    def _function(self, function: FunctionType) -> Any:
        if function not in self._functions:
            name = f"{function.__module__}_{function.__name__}".replace(".", "_")
            options = function.__dialect__  # type: ignore[attr-defined]
            if "code" in options:
                self._functions[function] = warp().func_native(options["code"])(self._copy(options["declared"]))
            else:
                self._functions[function] = warp().func(self._copy(function), name=name, **options)
        return self._functions[function]

    def kernels(self, module: str) -> dict[str, Any]:
        """Return all Warp kernels of a Python module, by function name."""
        if module not in self._kernels:
            wp = warp()
            found = [k for k in vars(sys.modules[module]).values() if isinstance(k, Kernel)]
            own = [k.function for k in found if k.function.__module__ == module]
            self._kernels[module] = {
                function.__name__: wp.kernel(
                    self._copy(function),  # type: ignore[arg-type]
                    module=module,
                    cuda_max_registers=_MOST_REGISTERS,
                )
                for function in own
            }
            wp.get_module(module).options.update(_OPTIONS)
        return self._kernels[module]


@cache
def _converter() -> _Converter:
    return _Converter()


@cache
def compile_kernels(module: str, device: str = "cpu") -> None:
    """Compile all kernels of an imported Python module for a Warp device, or load them from the cache."""
    block = 1 if device == "cpu" else BLOCK
    with _lock, compiling(module), _entry(module, block) as entry:
        is_cached = drop_damaged(entry)
        try:
            _load(module, device, block)
        except Exception:
            if not is_cached:
                raise
            shutil.rmtree(entry, ignore_errors=True)  # what cannot be loaded is made again, once
            _load(module, device, block)


def _load(module: str, device: str, block: int) -> None:
    made = warp().get_module(module)
    try:
        warp().load_module(made, device=device, block_dim=block)
    except Exception:
        made.mark_modified()  # or Warp would repeat its error for ever, though the disk may have room again
        raise


def compile_for_cuda(module: str, architecture: int) -> Path:
    """Compile all kernels of an imported Python module to a cubin, or find it in the cache.

    This needs neither a GPU nor a driver. The file is the one that a GPU of the architecture would load.

    Args:
        architecture: such as 80 or 90 for sm_80 and sm_90.

    Returns:
        The path of the cubin.
    """
    with _lock, _entry(module, BLOCK) as entry:
        drop_damaged(entry)
        wp = warp()
        (made,) = wp.compile_aot_module(wp.get_module(module), arch=architecture, use_ptx=False)
        return Path(made)


@contextmanager
def _entry(module: str, block: int) -> Iterator[Path]:
    """Hold the lock of a module's folder in the cache, for blocks of that many threads; seal what is there then."""
    _converter().kernels(module)
    wp = warp()
    with one_process_at_a_time(module):
        entry = Path(wp.config.kernel_cache_dir, wp.get_module(module).get_module_identifier(block))
        yield entry
        seal(entry)


def warp_kernel(kernel: Kernel, device: str = "cpu") -> Any:
    """Return the Warp kernel of a dialect kernel, compiled and loaded on a device."""
    module = kernel.function.__module__
    compile_kernels(module, device)
    return _converter().kernels(module)[kernel.function.__name__]


class Cpu:
    """An executor for kernels compiled for the CPU; a launch is cut into slices over `threads` threads.

    Several threads may launch through one executor at the same time.
    """

    def __init__(self, threads: int = 1) -> None:
        if threads < 1:
            raise ValueError(f"threads must be at least 1, got {threads}")
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def launch(self, kernel: Kernel, count: int, *arguments: Any) -> None:
        """Run a kernel (see `engine.backend.dialect.Executor`)."""
        if count == 0:
            return
        slices = min(self.threads, count)
        edges = [count * index // slices for index in range(slices + 1)]

        def run(first: int, last: int) -> None:
            _launches.of(kernel, arguments).run(first, last - first, arguments)

        if self._pool is None or slices == 1:
            run(0, count)
        else:
            list(self._pool.map(run, edges[:-1], edges[1:]))


class _Launches(threading.local):
    """The recorded launches of the current thread."""

    def __init__(self) -> None:
        self.recorded: dict[Kernel, RecordedLaunch] = {}

    def of(self, kernel: Kernel, arguments: tuple[Any, ...]) -> RecordedLaunch:
        if kernel not in self.recorded:
            self.recorded[kernel] = RecordedLaunch(warp(), warp_kernel(kernel), arguments)
        return self.recorded[kernel]


_launches = _Launches()


@cache
def cpu(threads: int = 1) -> Cpu:
    """Return the CPU executor with that many threads."""
    return Cpu(threads)
