"""Checks of what work needs: torch, Warp, the folder of compiled kernels, a GPU."""

import importlib.util
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.backend.kernel_cache import SETTING, cache_directory, trouble_with
from node.preflight.finding import Finding, fault, ok, warning
from node.system.device import device_name
from node.system.imports import python_command

_NEEDED = {"torch": "torch", "warp": "warp-lang", "safetensors": "safetensors"}
_TIMEOUT_S = 120.0  # a first import reads some hundred megabytes
_INSTALL = "pip install 'ringrift-swarm[work]'"


def check_libraries(roles: Sequence[str]) -> Iterator[Finding]:
    """Yield whether this node can do the work that its roles name."""
    if not roles:
        yield ok("work", "no roles: this node orders, votes on nothing that needs games, and serves")
        return
    if missing := missing_libraries():
        yield fault("work", missing)
        return
    yield _kernels()
    yield _torch(device_name())


def missing_libraries() -> str:
    """Return which libraries are missing that all work needs, and the remedy; "" if none is."""
    missing = [name for module, name in _NEEDED.items() if importlib.util.find_spec(module) is None]
    if not missing:
        return ""
    return f"{', '.join(missing)} not installed, so no role can work; {_INSTALL}, or say --roles none"


def _torch(device: str) -> Finding:
    """Return what torch says of itself and of the GPU. It is asked in a child: its import takes seconds."""
    code = "import torch; print(torch.__version__, torch.cuda.is_available())"
    command = [*python_command("x")[:2], "-c", code]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True).stdout
        version, _, has_cuda = answer.strip().partition(" ")
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or [f"exit status {error.returncode}"])[-1]
        return fault("work", f"torch cannot be imported ({reason}); {_INSTALL}")
    except (OSError, subprocess.TimeoutExpired) as error:
        return fault("work", f"torch cannot be imported ({error}); {_INSTALL}")
    text = f"torch {version} on {device}"
    if device != "cpu" and has_cuda != "True":
        return warning("work", f"{text}, but without CUDA; install a build of torch for the driver of this GPU")
    return ok("work", text)


def _kernels() -> Finding:
    try:
        folder = cache_directory()
    except RuntimeError as error:
        return warning("kernels", f"{error}; {SETTING} can name a folder for them")
    if trouble := trouble_with(folder):
        where = f"{folder}: compiled kernels cannot be kept there ({trouble})"
        return warning("kernels", f"{where}; they go into the data folder, or {SETTING} can name another")
    return ok("kernels", f"{folder}: {_how_many(folder)}")


def _how_many(folder: Path) -> str:
    count = sum(1 for _ in folder.rglob("*.sha256"))
    return f"{count} compiled files" if count else "none yet; the first work compiles them for some minutes"
