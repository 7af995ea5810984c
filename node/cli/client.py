"""Finds a running node and asks it over its local HTTP."""

import http.client
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from node.api.endpoint import TOKEN_HEADER, read_token, read_url
from node.config.toml import ConfigError

_TIMEOUT_S = 5.0
_NO_ANSWER = (OSError, http.client.HTTPException, ValueError)  # ValueError: a damaged http.json names no place at all
_MAX_ANSWER_BYTES = 256 * 1024 * 1024


class Client:
    """Asks one running node over HTTP."""

    def __init__(self, urls: list[str], origin: str) -> None:
        """Ask the first of `urls` that answers; `origin` tells people where these come from."""
        self._urls = urls
        self._named_by = origin

    @property
    def origin(self) -> str:
        """Where the node is that answered last, or is asked next."""
        return self._urls[0]

    def get(self, path: str) -> bytes:
        """Return the answer to a GET request. Raise ConfigError if no node answers, or with an error."""
        for url in self._urls:
            try:
                status, body = _ask(url, "GET", path)
            except _NO_ANSWER:
                continue
            self._urls = [url]
            if status != 200:
                raise ConfigError(f"the node answered {status}: {_error_text(body)}", f"{url}{path}")
            return body
        raise self._no_answer()

    def json(self, path: str) -> Any:
        """Return the JSON answer to a GET request. Raise ConfigError as `get` does, or if it is not JSON."""
        body = self.get(path)
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise self._not_json(path) from None

    def post(self, path: str, token: str, request: Mapping[str, Any]) -> Any:
        """Make the node do something and return its JSON answer. Raise ConfigError with its reason if it refuses."""
        headers = {"content-type": "application/json", TOKEN_HEADER: token}
        for url in self._urls:
            try:
                status, body = _ask(url, "POST", path, json.dumps(request).encode(), headers)
            except _NO_ANSWER:
                continue
            if status != 200:
                raise ConfigError(_error_text(body))
            try:
                return json.loads(body)
            except (ValueError, RecursionError):
                raise self._not_json(path) from None
        raise self._no_answer()

    def _not_json(self, path: str) -> ConfigError:
        return ConfigError("the answer is not JSON; is this a ringrift-node?", f"{self.origin}{path}")

    def _no_answer(self) -> ConfigError:
        places = " or ".join(self._urls)
        return ConfigError(
            f"no node answers at {places} ({self._named_by}); start it with ringrift-node run, or name another"
        )


def find_node(url: str | None, data: Path) -> Client:
    """Return a client for `url`, or for the node whose data folder or swarm.toml is in or just below `data`.

    Raise ConfigError if `url` is not one, or if nothing there says where a node may be.
    """
    if url is not None:
        return Client([_checked(url)], "--node")
    urls = [found for folder in folders_of_nodes(data) if (found := read_url(folder)) is not None]
    if urls:
        return Client(urls, f"as {data} says")
    if (swarm := data / "swarm.toml").exists():
        return Client(_default_urls(swarm), f"the default of {swarm}")
    raise ConfigError(
        "no node runs with its data here (there is no http.json); start one with "
        "ringrift-node run, or say where it is: --data DIR as in run, or --node URL",
        data,
    )


def find_own_node(data: Path) -> tuple[Client, str]:
    """Return a client for the one node whose data folder is `data` or just below it, and the token it obeys.

    Raise ConfigError if no node runs there, more than one does, or this user may not read the token.
    """
    folders = folders_of_nodes(data)
    if not folders:
        remedy = "start one with ringrift-node run, or say where it is with --data DIR as in run"
        raise ConfigError(f"no node runs with its data here; {remedy}", data)
    if len(folders) > 1:
        names = ", ".join(str(folder) for folder in folders)
        what = f"{len(folders)} nodes run with their data here"
        raise ConfigError(f"{what}; say which one acts with --data: {names}", data)
    (folder,) = folders
    try:
        token = read_token(folder)
    except OSError as error:
        remedy = "run this as the user who runs the node"
        raise ConfigError(f"the node's token cannot be read ({error.strerror}); {remedy}", folder) from None
    except ValueError:
        raise ConfigError("the node's token is damaged; start the node again", folder) from None
    return Client([read_url(folder) or ""], f"as {folder} says"), token


def folders_of_nodes(data: Path) -> list[Path]:
    """Return the folders, `data` itself and those just below it, in which a node says where it serves people."""
    folders = (data, *sorted(path.parent for path in data.glob("*/http.json")))
    return [folder for folder in folders if read_url(folder) is not None]


def _default_urls(path: Path) -> list[str]:
    """Return where each member of a swarm.toml would serve people on this machine, if --http does not say otherwise."""
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
        if parts.scheme == "http" and parts.hostname and parts.port and not parts.query + parts.fragment:
            return f"http://{parts.netloc}{parts.path.rstrip('/')}"
    except ValueError:
        pass
    raise ConfigError(f'--node "{url}": not where a node serves people; write it like http://127.0.0.1:8400')


def _ask(
    url: str, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
    try:
        connection.request(method, parts.path + path, body, dict(headers or {}))
        answer = connection.getresponse()
        body = answer.read(_MAX_ANSWER_BYTES + 1)
        if len(body) > _MAX_ANSWER_BYTES:
            what = f"the answer is larger than {_MAX_ANSWER_BYTES} bytes"
            raise ConfigError(f"{what}; is this a ringrift-node?", f"{url}{path}")
        return answer.status, body
    finally:
        connection.close()


def _error_text(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return body[:80].decode(errors="replace").strip() or "nothing"
