"""Addresses as people write them, host and port, and what to say when one cannot be bound."""

import errno
import re
from dataclasses import dataclass

from consensus.keys import MemberId, parse_id
from node.config.toml import ConfigError

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"  # RFC 1123; other labels make the resolver raise
_HOST = re.compile(rf"\[[0-9A-Fa-f:.]+\]|{_LABEL}(?:\.{_LABEL})*")
_HTTP_PORT_OFFSET = 1000  # from the port for peers to the one for people, unless somebody says otherwise


@dataclass(frozen=True)
class Address:
    """A host (name, IPv4, or IPv6 without brackets) and a TCP port; port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")


def parse_address(text: str, *, may_choose: bool = False) -> Address:
    """Parse "host:port" (IPv6 in brackets). `may_choose` admits port 0. Raise ValueError, which says what is wrong."""
    host, colon, port = text.rpartition(":")
    if not colon or not _HOST.fullmatch(host):
        raise ValueError(f'"{text}" is not host:port; write it like 127.0.0.1:7400 or [::1]:7400')
    least = 0 if may_choose else 1
    if not re.fullmatch("[0-9]{1,5}", port) or not least <= int(port) <= 65535:
        raise ValueError(f'"{port}" in "{text}" is not a port; use a number from {least} to 65535')
    return Address(host.strip("[]"), int(port))


def parse_peer(text: str) -> tuple[MemberId, Address]:
    """Parse "ID@HOST:PORT". Raise ValueError, which says what is wrong."""
    member, at, address = text.partition("@")
    if not at:
        raise ValueError(f'"{text}" is not ID@HOST:PORT; ringrift-node members --json shows whole ids')
    return parse_id(member), parse_address(address)


def default_http(address: Address) -> Address:
    """Return where a node that serves peers at `address` serves people by default: on loopback, at port + 1000."""
    port = address.port + _HTTP_PORT_OFFSET
    return Address("127.0.0.1", port if port <= 65535 else address.port - _HTTP_PORT_OFFSET)


def bind_error(where: str, address: Address, error: OSError, remedy: str) -> ConfigError:
    """Make the error for a failure to bind `address`, which `where` (a file and line, or an option) asked for."""
    if error.errno == errno.EADDRINUSE:
        what = f"port {address.port} is in use on {address.host}"
        who = "stop the program that has it (perhaps this node runs already)"
        return ConfigError(f"{where}: {what}; {who}, or {remedy}")
    if error.errno == errno.EACCES:
        what = f"this user may not listen on port {address.port} (1024 and above are allowed)"
        return ConfigError(f"{where}: {what}; {remedy}")
    if error.errno == errno.EADDRNOTAVAIL:
        return ConfigError(f"{where}: {address.host} is not an address of this machine; {remedy}")
    return ConfigError(f"{where}: cannot listen on {address} ({error.strerror or error}); {remedy}")
