"""Single lines for people on the standard streams, in which text of others is made harmless, and words from people."""

import contextlib
import json
import os
import sys

from node.config.toml import ConfigError
from node.text.harmless import harmless


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
