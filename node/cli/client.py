"""Finds a running node and asks it over its local HTTP."""

import http.client
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from node.api.endpoint import TOKEN_HEADER, read_token, read_url
from node.config.toml import ConfigError

_DEADLINE_S = 5.0


class Client:
    """Asks one running node. `urls` are where it may be; the first that answers is kept."""

    def __init__(self, urls: list[str], asked_for: str) -> None:
        self._urls = urls
        self._asked_for = asked_for

    def get(self, path: str) -> bytes:
        """Return the body of a good answer. Raise ConfigError if no node answers, or not well."""
        for url in self._urls:
            try:
                status, body = _ask(url, "GET", path)
            except (OSError, http.client.HTTPException):
                continue
            self._urls = [url]
            if status != 200:
                raise ConfigError(f"{url}{path}: the node answered {status}: {_error_text(body)}")
            return body
        raise self._nobody()

    def post(self, path: str, token: str, wish: Mapping[str, Any]) -> Any:
        """Make the node do something; return its JSON answer. Raise ConfigError with its reason if it will not."""
        headers = {"content-type": "application/json", TOKEN_HEADER: token}
        for url in self._urls:
            try:
                status, body = _ask(url, "POST", path, json.dumps(wish).encode(), headers)
            except (OSError, http.client.HTTPException):
                continue
            if status != 200:
                raise ConfigError(_error_text(body))
            return json.loads(body)
        raise self._nobody()

    def _nobody(self) -> ConfigError:
        places = " nor ".join(self._urls)
        return ConfigError(
            f"no node answers at {places} ({self._asked_for}); start it with ringrift-node run, or name another"
        )

    def json(self, path: str) -> Any:
        """Return the answer's JSON."""
        body = self.get(path)
        try:
            return json.loads(body)
        except ValueError:
            raise ConfigError(f"{self._urls[0]}{path}: the answer is not JSON; is this a ringrift-node?") from None


def find_node(url: str | None, data: Path) -> Client:
    """Return a client for `url`, or for the node whose data folder is `data` or lies in it, or whose swarm.toml does.

    Raise ConfigError if the URL is none, or if nothing there says where a node may be.
    """
    if url is not None:
        return Client([_checked(url)], "--node")
    folders = [data, *_with_note(data)]
    urls = [note for folder in folders if (note := read_url(folder)) is not None]
    if urls:
        return Client(urls, f"as {data} says")
    if (swarm := data / "swarm.toml").exists():
        return Client(_default_urls(swarm), f"where {swarm} has it by default")
    raise ConfigError(
        f"{data}: no node runs with its data here (there is no http.json); start one with "
        "ringrift-node run, or say where it is: --data DIR as in run, or --node URL"
    )


def find_own_node(data: Path) -> tuple[Client, str]:
    """Return a client for the one node whose data folder is `data` or lies in it, and the token it obeys.

    Raise ConfigError if no node runs there, more than one does, or the token is not for this user to read.
    """
    folders = [folder for folder in (data, *_with_note(data)) if read_url(folder) is not None]
    if not folders:
        remedy = "start one with ringrift-node run, or say where it is with --data DIR as in run"
        raise ConfigError(f"{data}: no node runs with its data here; {remedy}")
    if len(folders) > 1:
        names = ", ".join(str(folder) for folder in folders)
        what = f"{len(folders)} nodes run with their data here"
        raise ConfigError(f"{data}: {what}; say which one acts with --data: {names}")
    (folder,) = folders
    try:
        token = read_token(folder)
    except OSError as error:
        remedy = "run this as the user who runs the node"
        raise ConfigError(f"{folder}: the node's token cannot be read ({error.strerror}); {remedy}") from None
    return Client([read_url(folder) or ""], f"as {folder} says"), token


def _with_note(data: Path) -> list[Path]:
    return sorted(path.parent for path in data.glob("*/http.json"))


def _default_urls(path: Path) -> list[str]:
    """Where a member of this swarm that runs on this machine serves people, if --http did not say otherwise."""
    from node.config.address import default_http
    from node.config.swarm_file import load_config

    config = load_config(path)
    usual = [default_http(member.address) for member in config.members]
    addresses = usual if config.http is None else [config.http]
    return [f"http://{address}" for address in dict.fromkeys(addresses)]


def _checked(url: str) -> str:
    whole = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(whole)
        if parts.scheme == "http" and parts.hostname and parts.port and not parts.path.strip("/") + parts.query:
            return f"http://{parts.netloc}"
    except ValueError:
        pass
    raise ConfigError(f'--node "{url}": write where the node serves people, such as http://127.0.0.1:8400')


def _ask(
    url: str, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_DEADLINE_S)
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _error_text(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return body[:80].decode(errors="replace").strip() or "nothing"
