"""Two files in a node's data folder: where the node serves people, and the token by which it obeys them.

`http.json` has the URL and the process id. `http.token` is readable by the node's user only. Both are there only as
long as the node serves.
"""

import json
import os
import secrets
from pathlib import Path

from engine.files import read_regular

TOKEN_HEADER = "x-ringrift-token"
_ENDPOINT = "http.json"
_TOKEN = "http.token"
_MAX_BYTES = 4096  # of either file


def write_endpoint(data: Path, url: str) -> None:
    """Write where this process serves people, for the commands that find a node by its data folder."""
    temporary = data / f".{_ENDPOINT}.new"
    temporary.write_text(json.dumps({"url": url, "pid": os.getpid()}) + "\n")
    temporary.replace(data / _ENDPOINT)


def remove_endpoint(data: Path) -> None:
    """Remove both files: this process no longer serves."""
    (data / _ENDPOINT).unlink(missing_ok=True)
    (data / _TOKEN).unlink(missing_ok=True)


def write_token(data: Path) -> str:
    """Write a fresh token for this process to a file that only its user can read, and return it."""
    token = secrets.token_hex(32)
    temporary = data / f".{_TOKEN}.new"
    temporary.unlink(missing_ok=True)
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        os.fchmod(file.fileno(), 0o600)  # whatever the umask says
        file.write(token + "\n")
    temporary.replace(data / _TOKEN)
    return token


def read_token(data: Path) -> str:
    """Return the token of the node whose data folder this is. Raise OSError if it cannot be read."""
    return read_regular(data / _TOKEN, _MAX_BYTES).decode().strip()


def read_url(data: Path) -> str | None:
    """Return where the node of a data folder serves people; None if no readable file says so."""
    try:
        endpoint = json.loads(read_regular(data / _ENDPOINT, _MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    return str(endpoint["url"]) if isinstance(endpoint, dict) and "url" in endpoint else None
