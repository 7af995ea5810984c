"""Addresses as people write them, host and port, and what to say when one cannot be bound."""

import errno
import ipaddress
import re
import socket
from dataclasses import dataclass
from functools import lru_cache

from consensus.keys import MemberId, parse_id
from node.config.toml import ConfigError

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"  # RFC 1123; other labels make the resolver raise
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_NUMBERS = re.compile(r"[0-9][0-9a-fx.]*")  # what the resolver may take for an IPv4 address, such as 127.1
ANYWHERE = ("0.0.0.0", "::")  # hosts that stand for all addresses of a machine, in their one spelling
_HTTP_PORT_OFFSET = 1000  # from the port for peers to the one for people, unless somebody says otherwise


@dataclass(frozen=True)
class Address:
    """A host (name, IPv4, or IPv6 without brackets) and a TCP port; port 0 lets the system choose.

    The host is kept in its one spelling (`canonical_host`), so that equal addresses are equal.
    """

    host: str
    port: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "host", canonical_host(self.host))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)


@lru_cache(maxsize=1024)  # the same few hosts are read again and again
def canonical_host(host: str) -> str:
    """Return the one spelling of a host, which has no brackets.

    A name is in lower case and has no final dot. An IP address is as `ipaddress` writes it; one of IPv4 that IPv6 only
    wraps, or that is written with fewer numbers or others than decimal ones, is one of IPv4.
    """
    host = host.lower().removesuffix(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _canonical_numbers(host)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _canonical_numbers(host: str) -> str:
    if _NUMBERS.fullmatch(host):
        try:
            return socket.inet_ntoa(socket.inet_aton(host))
        except OSError:
            pass  # a name
    return host


@lru_cache(maxsize=1024)
def parse_address(text: str, *, may_choose: bool = False) -> Address:
    """Parse "host:port" (IPv6 in brackets). `may_choose` admits port 0. Raise ValueError, which says what is wrong."""
    host, colon, port = text.rpartition(":")
    if not colon or not (_is_ipv6(host) if host.startswith("[") else _NAME.fullmatch(host)):
        raise ValueError(f'"{text}" is not host:port; write it like 127.0.0.1:7400 or [::1]:7400')
    least = 0 if may_choose else 1
    if not re.fullmatch("[0-9]{1,5}", port) or not least <= int(port) <= 65535:
        raise ValueError(f'"{port}" in "{text}" is not a port; use a number from {least} to 65535')
    return Address(host.strip("[]"), int(port))


def _is_ipv6(bracketed: str) -> bool:
    try:
        ipaddress.IPv6Address(bracketed.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return bracketed.endswith("]") and "%" not in bracketed  # a zone means something on one machine only


def is_numeric(host: str) -> bool:
    """Return whether a host is an IP address, not a name."""
    return _numeric(host) is not None


def is_loopback(host: str) -> bool:
    """Return whether a host name or numeric address is that of the machine itself, whichever machine it is."""
    address = _numeric(host)
    return canonical_host(host) == "localhost" if address is None else address.is_loopback


def is_for_everybody(host: str) -> bool:
    """Return whether a host leads to the same machine from everywhere in a network, as far as its text shows.

    Loopback, the local link (where providers keep the data of rented machines), groups and reserved ranges do not.
    """
    address = _numeric(host)
    if address is None:
        return not is_loopback(host)
    special = address.is_loopback or address.is_link_local or address.is_multicast or address.is_reserved
    return not special and not address.is_unspecified


def is_private(host: str) -> bool:
    """Return whether a numeric address is one of a private network, which only machines within reach."""
    address = _numeric(host)
    return address is not None and address.is_private and is_for_everybody(host)


@lru_cache(maxsize=1024)
def _numeric(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    address, zone, _ = host.partition("%")
    if zone and ":" not in address:
        return None  # only addresses of IPv6 have zones
    try:
        return ipaddress.ip_address(canonical_host(address))
    except ValueError:
        return None


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
        return ConfigError(f"{what}; {who}, or {remedy}", where)
    if error.errno == errno.EACCES:
        what = f"this user may not listen on port {address.port} (1024 and above are allowed)"
        return ConfigError(f"{what}; {remedy}", where)
    if error.errno == errno.EADDRNOTAVAIL:
        return ConfigError(f"{address.host} is not an address of this machine; {remedy}", where)
    return ConfigError(f"cannot listen on {address} ({error.strerror or error}); {remedy}", where)
