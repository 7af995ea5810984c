"""Text of others as people may see it: what could move a cursor, turn text around or hide in it is shown as an escape.

Host names, reasons, notes, versions and names come from peers, from files and from whatever answers at an address. A
terminal obeys control characters (ESC, the C1 controls), and bidirectional ones let a line read as another. So every
text of others passes through `harmless` before it is shown: in tables, in the log, on the page and in metrics.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

# Printable by Unicode's categories, and drawn as nothing or as a blank: joiners, fillers, variation selectors.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U00016fe4\U0001d159\U000e0100-\U000e01ef]"
)
_MARKS = ("Mn", "Me")  # categories of what is drawn over the letter before it
_MAX_MARKS = 4  # one after the other; more than any language has, and as many as hide no other line


def harmless(text: str) -> str:
    """Return `text` with control, bidirectional and invisible characters as escapes such as \\x1b.

    So are marks that would be drawn over what stands before the text, or high above it. All else stays as it is. A line
    end is a control character: the result is one line.
    """
    if text.isascii() and text.isprintable():
        return text
    shown, marks = [], _MAX_MARKS
    for letter in text:
        marks = marks + 1 if unicodedata.category(letter) in _MARKS else 0
        shown.append(letter if _is_harmless(letter) and marks <= _MAX_MARKS else _escape(letter))
    return "".join(shown)


def harmless_lines(text: str) -> str:
    """Return `text` as `harmless` does, with its line ends as they are."""
    return "\n".join(harmless(line) for line in text.split("\n"))


def harmless_values(value: Any) -> Any:
    """Return a JSON value with every text in it made harmless, those that name fields too."""
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, Mapping):
        return {harmless(name): harmless_values(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [harmless_values(inner) for inner in value]
    return value


def _is_harmless(letter: str) -> bool:
    return letter.isprintable() and not _BLANK.match(letter)


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
