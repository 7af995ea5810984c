"""Single lines for people on the standard streams, in which text of others is made harmless, and words from people."""

import contextlib
import json
import os
import sys
import threading
from collections.abc import Iterator

from node.config.toml import ConfigError
from node.text.harmless import harmless

_PATIENCE_S = 2.0  # before a person is told what is waited for


def print_line(text: str) -> None:
    """Print a line to standard output."""
    print(harmless(text))


def say(text: str) -> None:
    """Print a line to standard error, unless that cannot be written: then there is nobody to tell."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        print(harmless(text), file=sys.stderr, flush=True)


def say_error(prefix: str, error: ConfigError, *, as_json: bool) -> None:
    """Say on standard error what is wrong, where, and the remedy, in one line; as one JSON object if that is wanted."""
    if as_json:
        say(json.dumps({"what": error.what, "where": error.place, "remedy": error.remedy}))
    else:
        say(f"{prefix}: {error}" if prefix else str(error))


def is_watched() -> bool:
    """Return whether standard error is a terminal: then a person may want to know what is waited for."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return sys.stderr.isatty()
    return False


@contextlib.contextmanager
def telling_what_lasts(what: str) -> Iterator[None]:
    """Say on standard error what is waited for, if it lasts for two seconds and somebody watches."""
    timer = threading.Timer(_PATIENCE_S, say, [f"{what} ..."])
    timer.daemon = True
    if is_watched():
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def failure(error: OSError, place: object) -> ConfigError:
    """Return what failed, where, and what to do; `place` is where, unless the error says that itself."""
    if error.filename is None and "temporary directory" in str(error.strerror):
        remedy = "this needs a folder for temporary files; set TMPDIR to one that can be written"
        return ConfigError(remedy, error.strerror)
    what = error.strerror or error
    return ConfigError(f"{what}; check this path, the free space and the permissions", error.filename or place)


def words(argument: str) -> str:
    """Return an argument that is text, not a path, as it was typed in UTF-8, whatever the locale decoded it with."""
    return os.fsencode(argument).decode("utf-8", "surrogateescape")
