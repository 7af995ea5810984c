"""Serves people over HTTP/1.1, and writes into the data folder where.

Every wait has a deadline and nothing is shielded from cancellation, so a client that stalls in the middle of a request
or of an answer cannot hold up the node's exit.
"""

import secrets
import socket
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

import h11
import structlog
import trio

from node.api.endpoint import remove_endpoint, write_endpoint, write_token
from node.api.source import StatusSource
from node.config.address import Address, bind_error
from node.play.sessions import PlaySessions
from node.transport.http1 import Hangup, HttpConnection, Malformed
from node.web.control import Actions, Control
from node.web.guard import comes_from_another_site
from node.web.live import MAX_STREAMS, LivePages
from node.web.play import PlayControl
from node.web.records import show_record
from node.web.routes import READ_METHODS, Answer, Routes, error_answer, options_answer

_MAX_CONNECTIONS = 64  # at a time; more are closed at once
_IDLE_S = 30.0  # without a request on an open connection
_REQUEST_S = 10.0  # from the first byte of a request to its last
_ANSWER_S = 10.0  # to send an answer
_DRAIN_S = 1.0  # to read on before closing
_MAX_BODY_BYTES = 64 * 1024  # of a request; those of our commands are far smaller
_MAX_DRAINED_BYTES = 4 * 1024 * 1024  # of what is not read; a client that is still sending loses its answer otherwise
_ACT_METHODS = "POST, OPTIONS"

_log = structlog.get_logger(__name__)


async def serve_local(
    source: StatusSource,
    address: Address,
    data: Path,
    actions: Actions | None = None,
    games: PlaySessions | None = None,
    *,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled. Report the URL once bound, and write it to `data`/http.json.

    On a loopback address only requests for a loopback name are answered; whoever binds another address shows
    everything that can be read to everybody who reaches it, and lets them play `games`. `actions` need the token that
    is written to `data`/http.token. Raise ConfigError if the address cannot be bound.
    """
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(_bind(address)))
    try:
        token = "" if actions is None and games is None else write_token(data)
        play_token = secrets.token_hex(32)
        control = None if actions is None else Control(actions, token, address.host)
        play = None if games is None else PlayControl(games, tokens=(token, play_token), host=address.host)
        routes = Routes(source, only_local=address.is_local, play_token=play_token)
        server = _Server(routes, control, play, games)
        url = f"http://{Address(*listener.socket.getsockname()[:2])}"
        write_endpoint(data, url)
        task_status.started(url)
        await trio.serve_listeners(server.serve, [listener])
    finally:
        remove_endpoint(data)


class _Server:
    """Answers the requests of each connection one after the other."""

    def __init__(
        self,
        routes: Routes,
        control: Control | None,
        play: PlayControl | None = None,
        games: PlaySessions | None = None,
    ) -> None:
        self._routes = routes
        self._games = games
        self._pages = LivePages(routes.source)
        self._control = control
        self._play = play
        self._connections = 0

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one connection; trio closes it afterwards, whatever happened."""
        if self._connections >= _MAX_CONNECTIONS:
            return
        self._connections += 1
        try:
            await self._converse(HttpConnection(stream, h11.SERVER))
        except (Hangup, trio.TooSlowError):
            pass  # the client is gone, or too slow to wait for
        except Exception:
            _log.exception("connection failed")  # an error here must not stop the node
        finally:
            self._connections -= 1

    async def _converse(self, connection: HttpConnection) -> None:
        while True:
            with trio.fail_after(_IDLE_S):
                await connection.wait()
            try:
                with trio.fail_after(_REQUEST_S):
                    request, body = await _read_request(connection)
            except Malformed as error:
                await _send(connection, error_answer(error.status, f"this is not HTTP/1.1: {error.reason}"))
                break
            await self._respond(connection, request, body)
            if not connection.reuse():
                break
        with trio.fail_after(_DRAIN_S):
            await connection.end(_MAX_DRAINED_BYTES)

    async def _respond(self, connection: HttpConnection, request: h11.Request, body: bytes) -> None:
        method, target = request.method.decode(), request.target.decode()
        given = {name.decode(): value.decode("latin-1") for name, value in request.headers}
        answer = await self._answer(method, target, given, body)
        is_whole = answer.page is None and answer.record is None
        if is_whole or method == "HEAD":
            await _send(connection, answer, has_body=method != "HEAD")
        elif comes_from_another_site(given, given.get("host", "")):
            await _send(connection, error_answer(403, "this node does that for its own pages only"))
        elif answer.record is not None:
            await _send(connection, await show_record(self._games, answer.record))
        elif self._pages.is_full:
            reason = f"{MAX_STREAMS} pages are open already; close one, or reload this one now and then"
            await _send(connection, error_answer(503, reason))
        elif answer.page is not None:
            await self._follow(connection, answer, answer.page)

    async def _follow(self, connection: HttpConnection, answer: Answer, page: str) -> None:
        """Send the changes of a page until the client leaves, or the page is no longer there."""

        async def send(part: h11.Event) -> None:
            with trio.fail_after(_ANSWER_S):
                await connection.send_part(part)

        async def follow() -> bytes:
            await send(h11.Response(status_code=answer.status, headers=[*answer.headers.items()]))
            await self._pages.serve(page, lambda data: send(h11.Data(data=data)))
            await send(h11.EndOfMessage())
            return b""

        await connection.run_unless_hangup(follow)

    async def _answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if len(body) > _MAX_BODY_BYTES:
            return error_answer(413, f"the body is larger than {_MAX_BODY_BYTES} bytes")
        if self._play is not None and method == "POST" and self._play.acts_at(target):
            return await self._play.answer(target, headers, body)
        if self._control is not None and method == "POST":
            return await self._control.answer(target, headers, body)
        answer = self._routes.answer(method, target, headers.get("host", ""))
        if not self._acts_at(target) or answer.status not in (200, 404, 405):
            return answer
        is_page = self._routes.has(target)
        methods = f"{READ_METHODS}, POST" if is_page else _ACT_METHODS
        if method == "OPTIONS":
            return options_answer(methods)
        return answer if is_page else error_answer(405, "this path takes POST only", allow=methods)

    def _acts_at(self, target: str) -> bool:
        return any(part is not None and part.acts_at(target) for part in (self._control, self._play))


async def _send(connection: HttpConnection, answer: Answer, *, has_body: bool = True) -> None:
    reason = HTTPStatus(answer.status).phrase.encode()
    head = h11.Response(status_code=answer.status, headers=_headers(answer, connection), reason=reason)
    with trio.fail_after(_ANSWER_S):
        await connection.send(head, answer.body if has_body else b"")


async def _read_request(connection: HttpConnection) -> tuple[h11.Request, bytes]:
    """Return a request and its body, cut off where it is larger than allowed."""
    request = await connection.receive()
    if not isinstance(request, h11.Request):
        raise Hangup("no request")
    await connection.invite_body()
    body = bytearray()
    while len(body) <= _MAX_BODY_BYTES and isinstance(event := await connection.receive(), h11.Data):
        body += event.data
    return request, bytes(body)


def _headers(answer: Answer, connection: HttpConnection) -> list[tuple[str, str]]:
    headers = [*answer.headers.items(), ("content-length", str(len(answer.body)))]
    if not connection.has_read_message:
        headers.append(("connection", "close"))
    return headers


def _bind(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((address.host, address.port))
        bound.listen()
    except OSError as error:
        bound.close()
        raise bind_error(f"--http {address}", address, error, "choose another with --http HOST:PORT") from None
    return bound
