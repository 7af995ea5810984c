"""What a node finds of its machine: the GPUs that it may use, and the cores that it has to itself."""

import os
from pathlib import Path

import pytest

from node.system import device
from node.system.device import Gpu, count_cores, find_gpus, usable_memory_bytes, visible

FIRST, SECOND = Gpu("NVIDIA H200", "GPU-5c0de1a2-77"), Gpu("NVIDIA L4, 24 GB", "GPU-99ffaa00-12")


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ("0,1", (FIRST, SECOND)),
        ("1", (SECOND,)),
        ("", ()),
        ("-1", ()),
        ("NoDevFiles", ()),
        ("1,7,0", (SECOND,)),
        ("0,0", (FIRST,)),
        (" 1 , GPU-5c", (SECOND, FIRST)),
        ("GPU-", ()),
        ("MIG-5c0de1a2", ()),
    ],
)
def test_a_node_uses_no_gpu_that_cuda_would_not_show_it(named: str, found: tuple[Gpu, ...]) -> None:
    assert visible((FIRST, SECOND), {"CUDA_VISIBLE_DEVICES": named}) == found
    assert visible((FIRST, SECOND), {}) == (FIRST, SECOND)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("NVIDIA H200, GPU-5c0de1a2-77\nNVIDIA L4, 24 GB, GPU-99ffaa00-12\n", (FIRST, SECOND)),
        ("", ()),
        ("No devices were found\n", ()),
    ],
)
def test_gpus_are_what_the_driver_lists(
    said: str, found: tuple[Gpu, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\nprintf '{said}'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert find_gpus() == found


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("150000 100000", 1),
        ("50000 100000", 1),
        ("300000 100000", 3),
        ("900000 100000", 4),
        ("max 100000", 4),
        ("-1 100000", 4),
        ("300000 0", 4),
        ("", 4),
        (None, 4),
    ],
)
def test_cores_are_those_of_the_affinity_and_of_the_quota(
    quota: str | None, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = tmp_path / "cfs_quota_us", tmp_path / "cfs_period_us"
    if quota:
        for file, word in zip(files, quota.split(), strict=True):
            file.write_text(f"{word}\n")
    whole = tmp_path / "cpu.max"
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 1, 2, 3})
    monkeypatch.setattr(device, "_QUOTAS", ((whole,), files))
    assert count_cores() == cores
    if quota is not None:
        whole.write_text(f"{quota}\n")
        assert count_cores() == cores


@pytest.mark.parametrize("said", ["max\n", "", None, f"{1 << 62}\n"])
def test_memory_is_that_of_the_machine_or_of_its_container(
    said: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, older = tmp_path / "memory.max", tmp_path / "limit_in_bytes"
    monkeypatch.setattr(device, "_LIMITS", (whole, older))
    machine = usable_memory_bytes()
    if said is not None:
        whole.write_text(said)
    assert usable_memory_bytes() == machine > 1 << 28
    older.write_text("268435456\n")
    assert usable_memory_bytes() == 1 << 28
