"""The notes in a node's data folder that say where it serves people, and by which token it obeys them."""

import json
import os
import secrets
from pathlib import Path

_NOTE = "http.json"
_TOKEN = "http.token"
TOKEN_HEADER = "x-ringrift-token"


def write_note(data: Path, url: str) -> None:
    """Note where this process serves people, for the commands that read a node by its data folder."""
    temporary = data / f".{_NOTE}.new"
    temporary.write_text(json.dumps({"url": url, "pid": os.getpid()}) + "\n")
    temporary.replace(data / _NOTE)


def remove_note(data: Path) -> None:
    """Take the notes away: this process serves nobody any more."""
    (data / _NOTE).unlink(missing_ok=True)
    (data / _TOKEN).unlink(missing_ok=True)


def write_token(data: Path) -> str:
    """Write a fresh token, of this process alone, to a file that only its user can read, and return it."""
    token = secrets.token_hex(32)
    temporary = data / f".{_TOKEN}.new"
    temporary.unlink(missing_ok=True)
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        os.fchmod(file.fileno(), 0o600)  # whatever the umask says
        file.write(token + "\n")
    temporary.replace(data / _TOKEN)
    return token


def read_token(data: Path) -> str:
    """Return the token of the node whose data folder this is. Raise OSError if there is none for us to read."""
    return (data / _TOKEN).read_text().strip()


def read_note(data: Path) -> str | None:
    """Return the URL from a data folder's note, or None if there is no (readable) note."""
    try:
        note = json.loads((data / _NOTE).read_text())
    except (OSError, ValueError):
        return None
    return str(note["url"]) if isinstance(note, dict) and "url" in note else None
