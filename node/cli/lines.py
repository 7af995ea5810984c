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


def words(argument: str) -> str:
    """Return an argument that is text, not a path, as it was typed in UTF-8, whatever the locale decoded it with."""
    return os.fsencode(argument).decode("utf-8", "surrogateescape")
