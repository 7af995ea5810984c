"""Who may make the node act: requests with a token, addressed to this node, and not sent by a page of somebody else."""

import hmac
import json
from collections.abc import Collection, Mapping
from typing import Any

from node.api.endpoint import TOKEN_HEADER
from node.web.routes import Answer, error_answer
from node.web.targets import is_json, is_local_name


class NotAnObject(Exception):  # noqa: N818 - an answer, not a failure
    """The body of a request is not a JSON object."""


def refuse(
    headers: Mapping[str, str], host: str, *, bound: str, tokens: Collection[str], page_fault: str = ""
) -> Answer | None:
    """Return why a request may not act, or None.

    Args:
        headers: of the request, with names in lower case.
        host: what it is addressed to.
        bound: where the server listens.
        tokens: those that allow to act.
        page_fault: what is wrong with the page that it comes from; empty if nothing is.
    """
    if host and not is_local_name(host, bound):
        return error_answer(400, "this node acts on requests to its own address only")
    if page_fault:
        return error_answer(403, page_fault)
    given = headers.get(TOKEN_HEADER, "").encode()
    if not any(hmac.compare_digest(given, token.encode()) for token in tokens):
        return error_answer(403, "the token is missing, or another node's; say which node acts with --data DIR")
    if not is_json(headers.get("content-type", "")):
        return error_answer(415, "the body must be application/json, in UTF-8")
    return None


def comes_from_a_page(headers: Mapping[str, str]) -> bool:
    """Return whether a browser sends this for a page, whichever it is."""
    return "origin" in headers or headers.get("sec-fetch-site", "none") != "none"


def comes_from_another_site(headers: Mapping[str, str], host: str) -> bool:
    """Return whether a browser sends this for a page that is not of this node, as which `host` it was asked.

    Browsers say so themselves, except where the page has an address without TLS on another machine.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2].lower() != host.lower()


def json_object(body: bytes) -> Mapping[str, Any]:
    """Return the JSON object of a body. Raise NotAnObject."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        request = None
    if not isinstance(request, dict):
        raise NotAnObject("the body must be a JSON object")
    return request
