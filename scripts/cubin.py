"""Print the registers, local memory, code size and resident warps of every kernel on a GPU, read from its cubin."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from importlib import import_module
from typing import Any

from rich.console import Console
from rich.table import Table

import engine
from engine.backend.cpu import BLOCK, compile_for_cuda
from engine.backend.cubin import read_kernels, resident_warps
from training.warm import KERNEL_MODULES


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/cubin", description=__doc__)
    parser.add_argument("--architecture", type=int, default=90, help="80 for sm_80, 90 for sm_90 (the default)")
    parser.add_argument("--block", type=int, default=BLOCK, help="threads of a block, for the resident warps")
    parser.add_argument("--json", action="store_true", help="print one object for programs")
    return parser.parse_args(argv)


def measure(module: str, architecture: int, block: int) -> list[dict[str, Any]]:
    """Return one entry for each kernel of a module."""
    import_module(module)
    return [
        {"module": module, **asdict(kernel), "warps": resident_warps(kernel.registers, block)}
        for kernel in read_kernels(compile_for_cuda(module, architecture))
    ]


def show(results: list[dict[str, Any]]) -> None:
    table = Table("kernel", "registers", "stack, bytes", "code, KiB", "warps of 64")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in results:
        numbers = row["registers"], row["stack"], round(row["code"] / 1024), row["warps"]
        table.add_row(f"{row['module'].removesuffix('kernels')}{row['name']}", *map(str, numbers))
    Console().print(table)


def main(argv: list[str]) -> int:
    arguments = parse(argv)
    modules = [*engine.KERNEL_MODULES, *KERNEL_MODULES]
    results = [row for module in modules for row in measure(module, arguments.architecture, arguments.block)]
    if arguments.json:
        print(json.dumps({"results": results}))
    else:
        show(results)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
