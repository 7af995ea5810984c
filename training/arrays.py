"""Files of named arrays with a JSON header, in safetensors form and named by their SHA-256. They are never trusted."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from engine.files import read_regular

FILE_MAX_BYTES: Final = 64 * 1024 * 1024
"""The largest file that is read."""

_KEY: Final = "ringrift"  # only one key: safetensors writes several in an order that changes from run to run

Arrays = Mapping[str, NDArray[Any]]


class DataError(ValueError):
    """A file is not what it claims to be. The message is one line: the file's name if it is known, and `fault`."""

    def __init__(self, fault: str, file: str = "") -> None:
        super().__init__(f"{file}: {fault}" if file else fault)
        self.fault = fault


@dataclass(frozen=True)
class Stored:
    """A written file: its path and the SHA-256 of its bytes."""

    path: Path
    digest: bytes


def write_arrays(directory: Path, kind: str, header: Mapping[str, Any], arrays: Arrays) -> Stored:
    """Write `arrays` to `directory` under the file's digest; equal input gives equal bytes.

    `kind` names the file's kind and version ("shard/1"); `header` holds JSON values.
    """
    text = json.dumps({"kind": kind, **header}, sort_keys=True, separators=(",", ":"))
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return write_named(directory, save(contiguous, metadata={_KEY: text}), ".safetensors")


def write_named(directory: Path, data: bytes, suffix: str) -> Stored:
    """Write `data` to `directory` as <SHA-256><suffix>, either completely or not at all."""
    digest = hashlib.sha256(data).digest()
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{digest.hex()}{suffix}"
    temporary = path.with_suffix(".partial")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    return Stored(path, digest)


def read_arrays(path: Path, kind: str, dtypes: Mapping[str, type]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return header and arrays of a file, which must hold exactly the one-dimensional arrays of `dtypes`.

    Raise DataError if the file is missing, too large, damaged, of another kind, or holds other arrays.
    """
    data = read_limited(path)
    try:
        arrays = load(data)
        header = json.loads(_metadata(data)[_KEY])
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"not a readable safetensors file ({error})", path.name) from None
    if not isinstance(header, dict) or header.get("kind") != kind:
        raise DataError(f"its header does not name the kind {kind!r}", path.name)
    if set(arrays) != set(dtypes):
        raise DataError(f"holds the arrays {sorted(arrays)}, expected {sorted(dtypes)}", path.name)
    for name, dtype in dtypes.items():
        if arrays[name].dtype != np.dtype(dtype) or arrays[name].ndim != 1:
            found = f"{arrays[name].dtype}{list(arrays[name].shape)}"
            raise DataError(f"array {name!r} is {found}, expected {np.dtype(dtype)}[n]", path.name)
    return header, arrays


def read_header(path: Path) -> dict[str, Any]:
    """Return the header of a file of arrays of any kind, with the kind. Raise DataError if it has none."""
    data = read_limited(path)
    try:
        header = json.loads(_metadata(data)[_KEY])
    except (ValueError, KeyError, TypeError, RecursionError):
        header = None
    if not isinstance(header, dict) or not isinstance(header.get("kind"), str):
        raise DataError("not a file of arrays written by this program", path.name)
    return header


def read_kind(path: Path) -> str:
    """Return the kind that a file of arrays names, such as "shard/1".

    Raise DataError if it is not a file that `write_arrays` made.
    """
    kind: str = read_header(path)["kind"]
    return kind


def read_limited(path: Path) -> bytes:
    """Return the bytes of a file. Raise DataError if it cannot be read or is larger than FILE_MAX_BYTES."""
    try:
        return read_regular(path, FILE_MAX_BYTES)
    except OSError as error:
        fault = error.strerror if error.errno == errno.EFBIG else f"cannot be read ({error.strerror})"
        raise DataError(str(fault), path.name) from None


def _metadata(data: bytes) -> dict[str, str]:
    length = int.from_bytes(data[:8], "little")
    metadata: dict[str, str] = json.loads(data[8 : 8 + length])["__metadata__"]
    return metadata
