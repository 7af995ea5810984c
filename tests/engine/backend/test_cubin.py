"""Every kernel compiles for CUDA without a GPU, and what the cubin says of it is what was planned for."""

from importlib import import_module
from pathlib import Path

import pytest

import engine
from engine.backend.cpu import compile_for_cuda
from engine.backend.cubin import KernelUse, read_kernels, resident_warps
from engine.backend.dialect import Kernel
from training.warm import KERNEL_MODULES

MODULES = [*engine.KERNEL_MODULES, *KERNEL_MODULES]


@pytest.fixture(scope="module", params=[pytest.param(80, marks=pytest.mark.slow), 90], ids=["sm_80", "sm_90"])
def compiled(request: pytest.FixtureRequest) -> dict[str, list[KernelUse]]:
    """The kernels of each module; some 40 s per architecture after a change of the kernels, else from the cache.

    The limits are the same on both, so one of them is enough in each run.
    """
    for module in MODULES:
        import_module(module)
    return {module: read_kernels(compile_for_cuda(module, request.param)) for module in MODULES}


def test_every_kernel_is_in_a_cubin(compiled: dict[str, list[KernelUse]]) -> None:
    for module, kernels in compiled.items():
        wanted = sorted(name for name, value in vars(import_module(module)).items() if isinstance(value, Kernel))
        assert [kernel.name for kernel in kernels] == wanted
        assert all(kernel.code > 500 for kernel in kernels)  # the smallest, `advance`, has 768 bytes


def test_no_kernel_takes_more_than_was_planned(compiled: dict[str, list[KernelUse]]) -> None:
    for kernels in compiled.values():
        for kernel in kernels:
            assert 8 <= kernel.registers <= 128
            # more would mean that descriptors of arrays lie in local memory, as they do with -O2
            assert kernel.stack <= 256
    (start,) = (kernel for kernel in compiled["engine.kernels"] if kernel.name == "start_games")
    assert start.stack == 0


@pytest.mark.parametrize(
    ("registers", "block", "warps"),
    [
        (32, 256, 64),
        (32, 32, 32),  # no more blocks than 32
        (128, 32, 16),
        (129, 32, 12),  # 136 registers each: three warps a partition
        (182, 32, 8),  # not 11: the register file is in four parts
        (255, 1024, 0),  # such a block does not fit
    ],
)
def test_how_many_warps_fit_a_multiprocessor(registers: int, block: int, warps: int) -> None:
    assert resident_warps(registers, block) == warps


def test_other_files_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other"
    for data in (b"", b"\x7fELF", Path("/proc/self/exe").read_bytes()[:64]):
        other.write_bytes(data)
        with pytest.raises(ValueError, match="other is not a cubin"):
            read_kernels(other)
