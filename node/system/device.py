"""The device that a node names in its profile, found without loading the libraries that use it."""

import os
import shutil
import subprocess

_TIMEOUT_S = 5.0
_MAX_CHARS = 64


def device_name() -> str:
    """Return the name of the first NVIDIA GPU as its driver gives it, or "cpu" if there is none."""
    tool = shutil.which("nvidia-smi")
    if tool is None or not os.path.isabs(tool):  # PATH may name the working directory, by "." or an empty entry
        return "cpu"
    query = [tool, "--query-gpu=name", "--format=csv,noheader"]
    try:
        found = subprocess.run(query, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return "cpu"
    names = found.strip().splitlines()
    return names[0][:_MAX_CHARS] if names else "cpu"
