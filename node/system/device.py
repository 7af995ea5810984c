"""What this machine's workers run on, found without loading the libraries that use it."""

import shutil
import subprocess


def device_name() -> str:
    """The name of the first NVIDIA GPU as its driver tells it, else "cpu"."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return "cpu"
    query = [tool, "--query-gpu=name", "--format=csv,noheader"]
    try:
        found = subprocess.run(query, capture_output=True, text=True, timeout=5, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return "cpu"
    names = found.strip().splitlines()
    return names[0][:64] if names else "cpu"
