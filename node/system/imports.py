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
    It stays if PYTHONPATH names it, or if our own packages lie there. Children are told the whole names of folders,
    since they may start in another working directory.
    """
    here = _working_directory()
    entries = os.environ.get(_NAMED, "").split(os.pathsep)
    whole = [os.path.normpath(os.path.join(here, entry)) for entry in entries if entry]
    named = [entry for entry in whole if os.path.isabs(entry)]
    if sys.path[:1] == [here]:
        if Path(here) == _ROOT:
            named.insert(0, here)
        else:
            del sys.path[0]
    if "" in entries and here in sys.path and here not in named:
        sys.path.remove(here)
    if named:
        os.environ[_NAMED] = os.pathsep.join(named)
    else:
        os.environ.pop(_NAMED, None)


def _working_directory() -> str:
    """Return the whole name of the working directory; "" if it was deleted, as `sys.path` has it then."""
    try:
        return os.getcwd()
    except OSError:
        return ""
