"""The note in a node's data folder that says where it serves people."""

import json
import os
from pathlib import Path

_NOTE = "http.json"


def write_note(data: Path, url: str) -> None:
    """Note where this process serves people, for the commands that read a node by its data folder."""
    temporary = data / f".{_NOTE}.new"
    temporary.write_text(json.dumps({"url": url, "pid": os.getpid()}) + "\n")
    temporary.replace(data / _NOTE)


def remove_note(data: Path) -> None:
    """Take the note away: this process serves nobody any more."""
    (data / _NOTE).unlink(missing_ok=True)


def read_note(data: Path) -> str | None:
    """Return the URL from a data folder's note, or None if there is no (readable) note."""
    try:
        note = json.loads((data / _NOTE).read_text())
    except (OSError, ValueError):
        return None
    return str(note["url"]) if isinstance(note, dict) and "url" in note else None
