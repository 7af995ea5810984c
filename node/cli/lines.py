"""Single lines for people on the standard streams, in which text of others is made harmless, and words from people."""

import contextlib
import os
import sys

from node.text.harmless import harmless


def print_line(text: str) -> None:
    """Print a line to standard output."""
    print(harmless(text))


def say(text: str) -> None:
    """Print a line to standard error, unless that cannot be written: then there is nobody to tell."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        print(harmless(text), file=sys.stderr, flush=True)


def failure_text(error: OSError, place: object) -> str:
    """Return what failed, where, and what to do; `place` is where, unless the error says that itself."""
    if error.filename is None and "temporary directory" in str(error.strerror):
        return f"{error.strerror}: this needs a folder for temporary files; set TMPDIR to one that can be written"
    where, what = error.filename or place, error.strerror or error
    return f"{where}: {what}; check this path, the free space and the permissions"


def words(argument: str) -> str:
    """Return an argument that is text, not a path, as it was typed in UTF-8, whatever the locale decoded it with."""
    return os.fsencode(argument).decode("utf-8", "surrogateescape")
