"""Hosts in network namespaces of our own: some on a network that all of them reach, one behind NAT. Needs root."""

import ctypes
import json
import os
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
import trio

from node.demo.processes import NodeProcess, start_node
from node.system.imports import python_command
from tests.integration.processes import Processes

T = TypeVar("T")

_NETWORK = "100.64.7"  # carrier-grade addresses: public as far as a program can tell, but routed nowhere
_INSIDE = "192.168.7"
ROUTER = f"{_NETWORK}.1"  # what the world sees of the host behind NAT
BEHIND = f"{_INSIDE}.2"
_CLONE_NEWNET = 0x40000000
_NAT = """
table ip nat {
  chain after { type nat hook postrouting priority srcnat; oifname "world" masquerade; }
}
table ip filter {
  chain through { type filter hook forward priority filter; policy drop;
    ct state established,related accept
    iifname "inside" accept
    iifname "world" oifname "world" accept  # where the kernel filters what passes a bridge, too
  }
}
"""


@dataclass(frozen=True)
class Hosts:
    """The namespaces of hosts and the addresses under which others would look for them; the last is behind NAT."""

    names: tuple[str, ...]
    addresses: tuple[str, ...]


def require_tools() -> None:
    """Skip the test where namespaces or NAT cannot be had."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    for tool, package in (("ip", "iproute2"), ("nft", "nftables")):
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool}; install {package}")


@contextmanager
def hosts_of_which_one_is_behind_nat(count: int) -> Iterator[Hosts]:
    """Make `count` hosts and a router, each in a namespace of its own; remove all of them on leaving."""
    label = f"ringrift{os.getpid()}"
    router, names = f"{label}r", tuple(f"{label}h{number}" for number in range(count))
    try:
        for name in (router, *names):
            made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
            if made.returncode != 0:
                pytest.skip(f"no network namespace can be made here: {made.stderr.strip()}")
            _ip(name, "link set lo up")
        _ip(router, "link add world type bridge")
        _ip(router, f"addr add {ROUTER}/24 dev world")
        _ip(router, "link set world up")
        for number, name in enumerate(names[:-1]):
            _ip(router, f"link add port{number} type veth peer name eth0 netns {name}")
            _ip(router, f"link set port{number} master world up")
            _ip(name, f"addr add {_NETWORK}.{number + 11}/24 dev eth0")
            _ip(name, "link set eth0 up")
        _ip(router, f"link add inside type veth peer name eth0 netns {names[-1]}")
        _ip(router, f"addr add {_INSIDE}.1/24 dev inside")
        _ip(router, "link set inside up")
        _ip(names[-1], f"addr add {BEHIND}/24 dev eth0")
        _ip(names[-1], "link set eth0 up")
        _ip(names[-1], f"route add default via {_INSIDE}.1")
        inside_router = ["ip", "netns", "exec", router]
        subprocess.run([*inside_router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"], check=True)
        subprocess.run([*inside_router, "nft", "-f", "-"], input=_NAT.encode(), check=True)
        yield Hosts(names, (*(f"{_NETWORK}.{number + 11}" for number in range(count - 1)), ROUTER))
    finally:
        for name in (router, *names):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def _ip(namespace: str, words: str) -> None:
    subprocess.run(["ip", "-n", namespace, *words.split()], check=True)


def inside(namespace: str, function: Callable[[], T]) -> T:
    """Call a function whose new sockets are those of a namespace, and return what it does; it blocks."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as before, open(f"/run/netns/{namespace}") as wanted:
        if libc.setns(wanted.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        try:
            return function()
        finally:
            libc.setns(before.fileno(), _CLONE_NEWNET)


def can_connect(namespace: str, address: str, port: int) -> bool:
    """Return whether a TCP connection from a namespace to an address succeeds."""

    def connect() -> bool:
        try:
            with socket.create_connection((address, port), timeout=3):
                return True
        except OSError:
            return False

    return inside(namespace, connect)


@dataclass
class NamespacedProcesses(Processes):
    """Nodes of which each runs in the namespace of its number, and serves people on the loopback there."""

    namespaces: Sequence[str] = field(default_factory=tuple)

    async def open(self, number: int) -> NodeProcess:
        """Return the process of a node that was started now, on its host."""
        return await start_node(self.commands[number], before=("ip", "netns", "exec", self.namespaces[number]))

    async def ask(self, number: int, path: str) -> Any:
        """Return a JSON answer of a node; None while it does not answer."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _AnyStatus())
        url, namespace = self.commands[number].url + path, self.namespaces[number]

        def get() -> Any:
            try:
                with opener.open(url, timeout=5) as answer:
                    return json.load(answer)
            except (OSError, ValueError):
                return None

        return await trio.to_thread.run_sync(inside, namespace, get)

    async def type_in(self, number: int, *words: str) -> str:
        """Run `ringrift-node` with these arguments on a node's host; return what it prints."""
        command = ("ip", "netns", "exec", self.namespaces[number], *python_command("node.cli", *words))
        result = await trio.run_process(command, check=False, capture_stdout=True, capture_stderr=True)
        return (result.stdout + result.stderr).decode()


class _AnyStatus(urllib.request.HTTPErrorProcessor):
    """Takes an answer with any status for one."""

    def http_response(self, request: urllib.request.Request, response: Any) -> Any:
        """Return the answer as it is."""
        return response
