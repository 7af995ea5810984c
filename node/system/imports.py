"""From where this process and its children import: not from the working directory, unless somebody says so."""

import os
import sys
from pathlib import Path

_ROOT = Path(__file__).parent.parent.parent  # of our packages
_NAMED = "PYTHONPATH"


def python_command(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs a module in a child, which imports nothing from its working directory."""
    return sys.executable, "-P", "-m", module, *arguments


def leave_out_working_directory() -> None:
    """Keep the working directory off the path from which this process and its children import.

    `python -m` puts it there, and so does an empty entry of PYTHONPATH, such as that of `PYTHONPATH=$PYTHONPATH:/lib`.
    It stays if PYTHONPATH names it, or if our own packages lie there; then children are told its name.
    """
    here = os.getcwd()
    entries = os.environ.get(_NAMED, "").split(os.pathsep)
    named = [entry for entry in entries if entry]
    if sys.path[:1] == [here]:
        if Path(here) == _ROOT:
            named.insert(0, here)
        else:
            del sys.path[0]
    if "" in entries and here in sys.path and here not in map(os.path.abspath, named):
        sys.path.remove(here)
    if named:
        os.environ[_NAMED] = os.pathsep.join(named)
    else:
        os.environ.pop(_NAMED, None)
