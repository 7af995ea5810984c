"""The GPUs, cores and memory of this machine, found without loading the libraries that use them."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CPU = "cpu"

_TIMEOUT_S = 5.0
_MAX_CHARS = 64
_GROUPS = Path("/sys/fs/cgroup")
_QUOTAS = (
    (_GROUPS / "cpu.max",),
    (_GROUPS / "cpu/cpu.cfs_quota_us", _GROUPS / "cpu/cpu.cfs_period_us"),
)
"""Files of control groups, versions 2 and 1: the quota of all cores together and its period, in microseconds."""
_LIMITS = _GROUPS / "memory.max", _GROUPS / "memory/memory.limit_in_bytes"
"""Files of control groups, versions 2 and 1, that hold the memory of all processes together, in bytes."""


@dataclass(frozen=True)
class Gpu:
    """An NVIDIA GPU: its name as its driver gives it, and the id by which CUDA finds it."""

    name: str
    uuid: str


def find_gpus() -> tuple[Gpu, ...]:
    """Return the NVIDIA GPUs that this process may use, in the driver's order; none without a driver."""
    tool = shutil.which("nvidia-smi")
    if tool is None or not os.path.isabs(tool):  # PATH may name the working directory, by "." or an empty entry
        return ()
    query = [tool, "--query-gpu=name,uuid", "--format=csv,noheader"]
    try:
        found = subprocess.run(query, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True).stdout
    except (OSError, UnicodeError, subprocess.SubprocessError):
        return ()
    return visible(_parse(found), os.environ)


def _parse(text: str) -> tuple[Gpu, ...]:
    """Return the GPUs that `nvidia-smi` lists, one a line: name, comma, id."""
    pairs = (line.rpartition(",") for line in text.splitlines())
    return tuple(Gpu(name.strip()[:_MAX_CHARS], uuid.strip()) for name, _, uuid in pairs if name.strip())


def visible(gpus: tuple[Gpu, ...], environment: Mapping[str, str]) -> tuple[Gpu, ...]:
    """Return those that CUDA_VISIBLE_DEVICES names by number or id, up to the first that is not there, as CUDA does."""
    if "CUDA_VISIBLE_DEVICES" not in environment:
        return gpus
    found: list[Gpu] = []
    for name in environment["CUDA_VISIBLE_DEVICES"].split(","):
        named = [gpu for number, gpu in enumerate(gpus) if _is_named(gpu, number, name.strip())]
        if len(named) != 1 or named[0] in found:
            break
        found += named
    return tuple(found)


def _is_named(gpu: Gpu, number: int, name: str) -> bool:
    return bool(name) and (name == str(number) or (name.startswith("GPU-") and gpu.uuid.startswith(name)))


def device_name() -> str:
    """Return the name of the first NVIDIA GPU as its driver gives it, or "cpu" if there is none."""
    gpus = find_gpus()
    return gpus[0].name if gpus else CPU


def count_cores() -> int:
    """Return how many cores this process may use at once, at least 1: its affinity, and the quota of its container."""
    cores, quota = len(os.sched_getaffinity(0)), _read_quota()
    return cores if quota is None else max(1, min(cores, quota))


def _read_quota() -> int | None:
    """Return the whole cores that the control group allows, in version 2 or 1; None if it sets no limit."""
    for files in _QUOTAS:
        try:
            quota_us, period_us = (int(word) for file in files for word in file.read_text().split())
        except (OSError, ValueError):  # not this version; or "max", which is no limit
            continue
        return quota_us // period_us if quota_us > 0 and period_us > 0 else None
    return None


def usable_memory_bytes() -> int:
    """Return how much memory this machine has, or its container may use if that is less."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in _LIMITS:
        with suppress(OSError, ValueError):  # not this version; or "max", which is no limit
            found.append(int(file.read_text()))
    return min(found)
