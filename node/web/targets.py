"""What a request asks for, in whichever ordinary way it says that: host, path and query, and the type of its body."""

import re
from email.message import Message
from typing import NamedTuple
from urllib.parse import unquote

from node.config.address import canonical_host, is_loopback

_ABSOLUTE = re.compile(r"https?://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]@/]+))(?::[0-9]*)?")
_UTF_8 = ("", "utf8", "ascii", "usascii")  # without the marks that some write, in lower case


class Target(NamedTuple):
    """Where a request goes: the host, empty if it names none, the path with one slash before it, and the query."""

    host: str
    path: str
    query: str


def parse_target(target: str, host: str = "") -> Target:
    """Return what the target of a request and its Host header mean.

    A target may be a whole URL, as clients send it to a proxy; then its host counts (RFC 9112, section 3.2.2). Slashes
    at the end of the path, or more than one before it, change nothing: proxies add and leave them.
    """
    target = target.partition("#")[0]  # clients should keep to themselves what comes then
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is not None:
        host, target = absolute[1], absolute[2]
    path, _, query = target.partition("?")
    return Target(host.strip(), "/" + unquote(path).strip("/"), query)


def is_local_name(host: str, bound: str = "127.0.0.1") -> bool:
    """Return whether a Host header names a loopback address, or the host `bound` at which this node listens.

    No name of somebody else looks like that, wherever it leads, however the address is spelled.
    """
    parts = _HOST.fullmatch(host)
    if parts is None:
        return False
    name = canonical_host(parts[1] or parts[2])
    return is_loopback(name) or name == canonical_host(bound)


def is_json(content_type: str) -> bool:
    """Return whether a Content-Type header says JSON in UTF-8."""
    message = Message()
    message["content-type"] = content_type
    charset = re.sub("[-_' ]", "", message.get_content_charset() or "")
    return message.get_content_type() == "application/json" and charset in _UTF_8
