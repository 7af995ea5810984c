"""Compilation: many processes, one cache; nothing on stdout."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine import KERNEL_MODULES
from engine.backend.cpu import Cpu, cpu
from engine.backend.dialect import Kernel

PROGRAM = """
import engine, hashlib, sys
from engine.config import config
from engine.games import Games
seen = []
engine.KERNEL_MODULES = sys.argv[1:]
engine.warm(lambda name, place, total: seen.append((name, place, total)))
assert seen[0] == ("engine.kernels", 0, len(seen) - 1), seen
assert seen[-1] == ("", len(seen) - 1, len(seen) - 1), seen
games = Games.new(config("hex8-2"), 5)
games.play_randomly(seed=1, steps=50)
sys.stderr.write(hashlib.sha256(games.states.tobytes()).hexdigest())
"""


@pytest.mark.parametrize(
    ("modules", "processes"),
    [(KERNEL_MODULES[:1], 2), pytest.param(KERNEL_MODULES, 3, marks=pytest.mark.slow)],
    ids=["one module", "all modules"],
)
def test_processes_that_start_together_share_one_cold_cache(
    modules: tuple[str, ...], processes: int, tmp_path: Path
) -> None:
    environment = {**os.environ, "RINGRIFT_KERNEL_CACHE": str(tmp_path / "new" / "cache")}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *modules],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(processes)
    ]
    results = [process.communicate(timeout=300) for process in started]
    assert [process.returncode for process in started] == [0] * processes, results
    assert {out for out, _ in results} == {b""}, "something was written to stdout"
    digests = {err for _, err in results}
    assert len(digests) == 1, results
    assert len(next(iter(digests))) == 64, f"something besides was written to stderr: {digests}"


def test_executors_are_made_once_and_need_a_thread() -> None:
    assert cpu(2) is cpu(2)
    with pytest.raises(ValueError, match="threads must be at least 1, got 0"):
        Cpu(0)


def test_every_kernel_is_in_the_module_that_is_warmed() -> None:
    from engine import kernels

    names = [value.name for value in vars(kernels).values() if isinstance(value, Kernel)]
    assert names
    assert all(name.startswith("engine.kernels.") for name in names)
