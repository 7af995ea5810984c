"""Registers, stack and code size of the kernels in a cubin, read from the ELF file without a GPU or NVIDIA's tools.

Sources: ELF-64 as the System V ABI defines it; the attributes of section `.nv.info` as `cuobjdump -elf` names them
(a byte of format, a byte of attribute, two bytes of size, then symbol and value for those used here); the limits of
a multiprocessor from the CUDA C++ Programming Guide, "Compute Capabilities"; its four partitions with a register
file each from NVIDIA's white papers on the A100 and the H100.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_EM_CUDA = 190
_SIZED = 4  # format: the two bytes are a size, and that many bytes follow
_REGISTERS, _STACK = 0x2F, 0x12  # EIATTR_REGCOUNT, EIATTR_MIN_STACK_SIZE
_HEADER = "<16xHHIQQQIHHHHHH"
_SECTION = "<IIQQQQIIQQ"
_SYMBOL = 24

# The limits of a multiprocessor, the same on sm_80 and sm_90.
_PARTITIONS = 4
_REGISTER_FILE = 16384  # registers of a partition
_REGISTER_UNIT = 256  # a warp is given registers in multiples of this
_WARPS, _BLOCKS, _WARP = 64, 32, 32  # warps and blocks of a multiprocessor; threads of a warp


@dataclass(frozen=True)
class KernelUse:
    """What a thread of a kernel needs, and the size of the kernel's code."""

    name: str  # of the dialect kernel
    registers: int
    stack: int  # bytes of local memory: spilled and saved registers, since the dialect has no arrays
    code: int  # bytes


def resident_warps(registers: int, block: int) -> int:
    """Return how many warps, at most 64, a multiprocessor of sm_80 or sm_90 holds in blocks of `block` threads."""
    warps = -(-block // _WARP)
    each = -(-registers * _WARP // _REGISTER_UNIT) * _REGISTER_UNIT
    return warps * min(_BLOCKS, min(_WARPS, _PARTITIONS * (_REGISTER_FILE // each)) // warps)


def read_kernels(path: Path) -> list[KernelUse]:
    """Return the kernels of a cubin, in the order of their names.

    Raises:
        ValueError: the file is not a cubin.
    """
    data = path.read_bytes()
    if len(data) < 64 or data[:5] != b"\x7fELF\x02" or struct.unpack_from("<H", data, 18)[0] != _EM_CUDA:
        raise ValueError(f"{path} is not a cubin (an ELF-64 file for CUDA)")
    sections = _sections(data)
    symbols, strings = sections[".symtab"][0], sections[".strtab"][0]
    found: dict[str, dict[int, int]] = {}
    for attribute, symbol, value in _attributes(data, *sections[".nv.info"]):
        (name,) = struct.unpack_from("<I", data, symbols + _SYMBOL * symbol)
        found.setdefault(_text(data, strings + name), {})[attribute] = value
    return sorted(_kernels(found, sections), key=lambda kernel: kernel.name)


def _kernels(found: Mapping[str, Mapping[int, int]], sections: Mapping[str, tuple[int, int]]) -> Iterator[KernelUse]:
    for symbol, values in found.items():
        name, marker, _ = symbol.partition("_cuda_kernel_forward")
        if marker and not symbol.startswith("$"):  # names with "$" are functions that a kernel calls
            code = sections[f".text.{symbol}"][1]
            # Warp appends a hash to the name
            yield KernelUse(name.rpartition("_")[0], values[_REGISTERS], values[_STACK], code)


def _sections(data: bytes) -> dict[str, tuple[int, int]]:
    """Return offset and size of each section, by name."""
    header = struct.unpack_from(_HEADER, data)
    start, size, count, names = header[5], header[10], header[11], header[12]
    rows = [struct.unpack_from(_SECTION, data, start + size * place) for place in range(count)]
    return {_text(data, rows[names][4] + row[0]): (row[4], row[5]) for row in rows}


def _attributes(data: bytes, start: int, size: int) -> Iterator[tuple[int, int, int]]:
    """Yield attribute, symbol and value of each entry that has a symbol and a value."""
    place = start
    while place < start + size:
        kind, attribute, length = struct.unpack_from("<BBH", data, place)
        place += 4
        if kind == _SIZED:
            if length == 8:
                yield attribute, *struct.unpack_from("<II", data, place)
            place += length


def _text(data: bytes, start: int) -> str:
    return data[start : data.index(b"\0", start)].decode()
