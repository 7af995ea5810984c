"""The routes that people and programs read: plain JSON, Prometheus text, certificates and the page."""

import re
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from node.web.metrics import render_metrics
from node.web.page import render_page
from node.web.source import StatusSource

_HERE = Path(__file__).parent
# Nothing from elsewhere, nothing inline: what a peer wrote into the ledger can never run here.
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
_LOCAL_NAMES = ["localhost", "127.0.0.1", "::1", "[::1]"]

_log = structlog.get_logger("node.web")


def make_app(source: StatusSource, *, only_local: bool = True) -> Starlette:
    """Return the ASGI application over `source`.

    `only_local` answers only requests addressed to a loopback name, so that a web page elsewhere cannot
    point its own name at us (DNS rebinding). Turn it off where a person chose to bind another address.
    """
    names = _LOCAL_NAMES if only_local else ["*"]
    return Starlette(
        routes=_routes(source),
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=names, www_redirect=False)],
        exception_handlers={HTTPException: _http_error, Exception: _failure},
    )


def _routes(source: StatusSource) -> list[Route]:
    def ready() -> Response:
        status = source.status()
        body = {"ready": status["ready"], "reason": status["ready_reason"]}
        return _json(body, 200 if status["ready"] else 503)

    plain: dict[str, Callable[[], Response]] = {
        "/health": lambda: _json({"alive": True}),
        "/ready": ready,
        "/status": lambda: _json(source.status()),
        "/members": lambda: _json(source.members()),
        "/work": lambda: _json(source.work()),
        "/models": lambda: _json(source.models()),
        "/certificates": lambda: _json(source.certificates()),
        "/metrics": lambda: _content(render_metrics(source.status()), CONTENT_TYPE_LATEST),
        "/": lambda: _content(render_page(source).encode(), "text/html; charset=utf-8"),
    }
    routes = [Route(path, _without_request(answer)) for path, answer in plain.items()]
    for name, media_type in (("style.css", "text/css"), ("live.js", "text/javascript")):
        body = (_HERE / name).read_bytes()
        routes.append(Route(f"/{name}", _without_request(partial(_content, body, media_type))))
    routes.append(Route("/certificates/{id}", _certificate_route(source)))
    routes.append(Route("/log", _log_route(source)))
    return routes


def _without_request(answer: Callable[[], Response]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return answer()

    return endpoint


def _certificate_route(source: StatusSource) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        certificate = request.path_params["id"]
        envelope = source.certificate(certificate) if re.fullmatch("[0-9a-f]{64}", certificate) else None
        if envelope is None:
            raise HTTPException(404, "no complete certificate has this id; GET /certificates lists them")
        response = _content(envelope, "application/json")
        response.headers["content-disposition"] = f'inline; filename="{certificate[:16]}.certificate.json"'
        return response

    return endpoint


def _log_route(source: StatusSource) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        after = request.query_params.get("after", "0")
        if not re.fullmatch("[0-9]{1,18}", after):
            raise HTTPException(400, "after must be the number of the last entry you have, such as /log?after=120")
        return _json(source.log(int(after)))

    return endpoint


def _json(body: Any, status: int = 200) -> Response:
    return JSONResponse(body, status, headers=_HEADERS)


def _content(body: bytes, media_type: str) -> Response:
    return Response(body, media_type=media_type, headers=_HEADERS)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, headers={**_HEADERS, **(error.headers or {})})


async def _failure(request: Request, error: Exception) -> Response:
    _log.error("request failed", path=request.url.path, exc_info=error)
    return _json({"error": "the node failed to answer this; its log says why"}, 500)
