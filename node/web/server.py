"""Serves the local routes over HTTP/1.1 and leaves a note in the data folder that says where."""

import json
import logging
import os
import socket
from pathlib import Path

import trio
from anycorn import Config, serve
from starlette.applications import Starlette

from node.config import Address, address_error
from node.web.routes import make_app
from node.web.source import StatusSource

_NOTE = "http.json"
_GRACE_S = 0.5  # for answers under way when we end


async def serve_local(
    source: StatusSource,
    address: Address,
    data: Path,
    *,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled. Report the URL once bound, and write it to `data`/http.json.

    Raise ConfigError if the address cannot be bound. On a loopback address only requests for a loopback name are
    answered; whoever binds another address opens the (read-only) routes to everybody who reaches it.
    """
    bound = _bind(address)
    config = Config()
    config.bind = [f"fd://{bound.detach()}"]
    config.alpn_protocols = ["http/1.1"]
    config.errorlog = logging.getLogger("anycorn.error")
    config.include_server_header = False
    config.graceful_timeout = _GRACE_S
    app, end = make_app(source, only_local=address.is_local), trio.Event()
    async with trio.open_nursery() as nursery:
        (url,) = await nursery.start(_serve_until, app, config, end)
        try:
            write_note(data, url)
            task_status.started(url)
            await trio.sleep_forever()
        finally:
            (data / _NOTE).unlink(missing_ok=True)
            end.set()


async def _serve_until(
    app: Starlette,
    config: Config,
    end: trio.Event,
    *,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until `end` is set: a cancellation that reaches the server would come back as its failure to shut down."""
    with trio.CancelScope(shield=True):
        await serve(app, config, shutdown_trigger=end.wait, task_status=task_status)


def _bind(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((address.host, address.port))
        bound.listen()
    except OSError as error:
        bound.close()
        raise address_error(f"--http {address}", address, error, "choose another with --http HOST:PORT") from None
    return bound


def write_note(data: Path, url: str) -> None:
    """Note where this process serves people, for the commands that read a node by its data folder."""
    temporary = data / f".{_NOTE}.new"
    temporary.write_text(json.dumps({"url": url, "pid": os.getpid()}) + "\n")
    temporary.replace(data / _NOTE)


def read_note(data: Path) -> str | None:
    """Return the URL from a data folder's note, or None if there is no (readable) note."""
    try:
        note = json.loads((data / _NOTE).read_text())
    except (OSError, ValueError):
        return None
    return str(note["url"]) if isinstance(note, dict) and "url" in note else None
