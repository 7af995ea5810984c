"""Reads TOML files into checked values, and says in one line what is wrong, where, and how to mend it."""

import difflib
import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from consensus.settings import format_value
from engine.files import read_text

Where = tuple[str | int, ...]  # a path into the document: ("member", 1, "weight")

_MAX_BITS = 1000  # of a whole number
_MAX_BYTES = 1 << 20  # of a file; one of 256 members has 50 KB
_QUOTED = re.compile(r"""\"(?:\\.|[^"\\])*"|'[^']*'|#.*""")  # where any character may be: in strings and comments
_ODD = re.compile(r"[^\t\x20-\x7e]")  # elsewhere TOML has ASCII only; the rest is from word processors and keyboards
_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_POSITION = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


class ConfigError(Exception):
    """A mistake of the person who runs the node, in one line: the place, what is wrong; the remedy.

    `fault` is that line without the `place`, which is a file, a file and line, or an option: `what` is wrong, and the
    `remedy` after a semicolon.
    """

    def __init__(self, fault: str, place: object = "") -> None:
        super().__init__(f"{place}: {fault}" if str(place) else fault)
        self.fault, self.place = fault, str(place)
        self.what, _, self.remedy = fault.partition("; ")


def line_of(text: str, where: Where) -> int | None:
    """Return the number (from 1) of the line that defines `where`, or else the innermost table around it."""
    best, best_length = None, 0
    table: Where = ()
    array_sizes: dict[Where, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.match(line):
            table = _dotted(header[2])
            if header[1] == "[[":
                array_sizes[table] = array_sizes.get(table, 0) + 1
                table = (*table, array_sizes[table] - 1)
            path = table
        elif key := _KEY.match(line):
            path = (*table, *_dotted(key[1]))
        else:
            continue
        if path[: len(where)] == where:
            return number
        if len(path) > best_length and where[: len(path)] == path:
            best, best_length = number, len(path)
    return best


def _dotted(name: str) -> Where:
    return tuple(part.strip().strip("\"'") for part in name.split("."))


class Table:
    """One table of a TOML file, whose keys are taken one by one; `finish` refuses the keys that were not."""

    def __init__(self, path: Path, text: str, where: Where, values: Mapping[str, Any]) -> None:
        self._path = path
        self._text = text
        self._where = where
        self._values = dict(values)
        self._known: list[str] = []

    def error(self, message: str, key: str | None = None) -> ConfigError:
        """Make the error for this table, or for one key in it."""
        where = self._where if key is None else (*self._where, key)
        line = line_of(self._text, where) if where else None
        return ConfigError(message, f"{self._path}:{line}" if line else self._path)

    def text(self, key: str, default: str | None = None) -> str:
        """Take a non-empty string."""
        value = self._take(key, default)
        if not isinstance(value, str):
            raise self.error(f"{key} must be text in quotes, not {_shown(value)}", key)
        if not value.strip():
            raise self.error(f"{key} is empty; write something between the quotes", key)
        return value

    def integer(self, key: str, default: int | None = None) -> int:
        """Take a whole number."""
        value = self._take(key, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.error(f"{key} must be a whole number, not {_shown(value)}", key)
        return value

    def texts(self, key: str, default: Sequence[str] | None = None) -> tuple[str, ...]:
        """Take an array of strings."""
        value = self._take(key, default)
        is_list = isinstance(value, Sequence) and not isinstance(value, str)
        if not is_list or not all(isinstance(item, str) for item in value):
            raise self.error(f'{key} must be a list of strings such as ["a", "b"], not {_shown(value)}', key)
        return tuple(value)

    def table(self, key: str) -> "Table":
        """Take a table, empty if it is absent."""
        value = self._take(key, {})
        if not isinstance(value, dict):
            raise self.error(f"{key} must be a table: write [{self._dotted(key)}] on a line of its own", key)
        return Table(self._path, self._text, (*self._where, key), value)

    def tables(self, key: str) -> list["Table"]:
        """Take an array of tables, empty if it is absent."""
        values = self._take(key, [])
        if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
            raise self.error(f"{key} must be a list of tables: write [[{key}]] before each", key)
        return [Table(self._path, self._text, (*self._where, key, i), value) for i, value in enumerate(values)]

    def has(self, key: str) -> bool:
        """Return whether the file has the key."""
        return key in self._values

    def line(self, key: str) -> int:
        """Return the number of the key's line, or else of the table's."""
        return line_of(self._text, (*self._where, key)) or 1

    def offer(self, *keys: str) -> "Table":
        """Make keys known without taking them, so that `finish` accepts them; return this table."""
        self._known.extend(key for key in keys if key not in self._known)
        return self

    def values(self) -> dict[str, Any]:
        """Return the values of the known keys that the file has."""
        return {key: value for key, value in self._values.items() if key in self._known}

    def finish(self) -> None:
        """Raise ConfigError if the file has a key that is not known."""
        for key in self._values:
            if key in self._known:
                continue
            near = difflib.get_close_matches(key, self._known, 1)
            place = f"in [{self._dotted()}]" if self._where else "at the top level"
            remedy = f'did you mean "{near[0]}"?' if near else f"remove it, or use one of: {', '.join(self._known)}"
            raise self.error(f'unknown key "{key}" {place}; {remedy}', key)

    def _take(self, key: str, default: Any) -> Any:
        self.offer(key)
        if key in self._values:
            return self._values[key]
        if default is None:
            raise self.error(f"[{self._dotted()}] has no {key}; add a line {key} = ... to it")
        return default

    def _dotted(self, *more: str) -> str:
        return ".".join(part for part in (*self._where, *more) if isinstance(part, str))


def _shown(value: object) -> str:
    text = str(value) if isinstance(value, Decimal) else format_value(value)
    return text if len(text) <= 40 else text[:37] + "..."


def read_toml(path: Path, absent: str) -> Table:
    """Read a TOML file; `absent` is the remedy if it does not exist. Raise ConfigError."""
    try:
        text = read_text(path, _MAX_BYTES)
    except FileNotFoundError:
        raise ConfigError(f"there is no such file; {absent}", path) from None
    except ValueError as error:
        raise ConfigError(f"{error}; save the file as UTF-8 text", path) from None
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror}); check the path and its permissions", path) from None
    return parse_toml(path, text)


def parse_toml(path: Path, text: str) -> Table:
    """Parse the text of the file at `path`. Raise ConfigError."""
    try:
        values = tomllib.loads(text, parse_float=Decimal)
        _require_short(values)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(path, text, str(error)) from None
    except (ValueError, ArithmeticError, RecursionError):  # long numbers; RecursionError: nested too deeply
        what = "a number of very many digits, or brackets in brackets in brackets"
        raise ConfigError(f"cannot be read: {what}; write it as ringrift-node init does", path) from None
    return Table(path, text, (), values)


def _require_short(value: object) -> None:
    """Raise ValueError if a number is too long for Python to write into a message."""
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        raise ValueError
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _require_short(part)


def _syntax_error(path: Path, text: str, message: str) -> ConfigError:
    """Make the error from tomllib's message: its exceptions have no fields before Python 3.14."""
    position = _POSITION.search(message)
    lines = text.removesuffix("\n").split("\n")
    line = int(position[1]) if position and position[1] else len(lines)
    what = _POSITION.sub("", message)
    what = what[:1].lower() + what[1:]
    if re.match("cannot (overwrite|declare|mutate)", what):  # tomllib's words for a repetition
        what, remedy = "this key or table is here twice", "take one away, or write [[...]] before each of several"
    elif odd := _ODD.search(_QUOTED.sub("", lines[line - 1])):
        name = unicodedata.name(odd[0], "no printable character")
        what, remedy = f"U+{ord(odd[0]):04X} ({name}) is here", "delete it, or type the plain ASCII form instead"
    else:
        remedy = "mend this line or the one before"
    return ConfigError(f"not TOML: {what}; {remedy}", f"{path}:{line}")
