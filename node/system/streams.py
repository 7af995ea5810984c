"""The standard streams, which whoever starts a process may have closed, filled, or given any encoding."""

import codecs
import contextlib
import os
import sys
from typing import TextIO

_NAMES = ("stdin", "stdout", "stderr")  # by number of the descriptor
_PLAIN = {"–": "-", "—": "-", "…": "...", "×": "x", "·": "-", "•": "*"}  # what our own texts have beyond ASCII

SPELL = "ringrift-spell"
"""Name of the error handler that writes what an encoding lacks as plain letters or as an escape such as \\xe9."""


def _spell(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_PLAIN.get(letter) or _escape(letter) for letter in text), error.end


def _escape(letter: str) -> str:
    return letter.encode("ascii", "backslashreplace").decode("ascii")


codecs.register_error(SPELL, _spell)


def prepare_streams() -> None:
    """Make the standard streams fit to be used, whatever they are. To be called before any file is opened.

    A stream that was closed gets its descriptor back, on which reading ends at once and writing fails: otherwise the
    next file that is opened, such as a store, would get the number 1 or 2, and be written to by whatever prints. No
    character fails for the encoding of an output, and no byte for that of the input.
    """
    for number, name in enumerate(_NAMES):
        _keep_open(number)
        stream: TextIO | None = getattr(sys, name)
        errors = SPELL if number else "replace"
        if stream is None:
            mode = "w" if number else "r"
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", errors=errors, closefd=False))
        elif hasattr(stream, "reconfigure"):
            with contextlib.suppress(OSError, ValueError):  # a stream that is closed stays so
                stream.reconfigure(errors=errors)


def settle_output() -> OSError | None:
    """Write out what is left in the buffers; return why that of standard output could not be written, None if it was.

    What cannot be written is thrown away, so that the interpreter does not fail at it when it ends.
    """
    failure = _settle(sys.stdout)
    _settle(sys.stderr)
    return failure


def _settle(stream: TextIO | None) -> OSError | None:
    if stream is None:
        return None
    try:
        stream.flush()
    except ValueError:  # it is closed
        return None
    except OSError as error:
        with contextlib.suppress(OSError, ValueError):
            _discard(stream)
        return error
    return None


def _discard(stream: TextIO) -> None:
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, stream.fileno())
    finally:
        os.close(sink)
    stream.flush()


def _keep_open(number: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        os.open(os.devnull, os.O_RDONLY)  # the lowest free number, which is this one: those below are open
