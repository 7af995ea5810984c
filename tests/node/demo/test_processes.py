"""The demo's processes: none outlives the demo, however that ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from node.config.founding import found_swarm
from node.demo.preparation import free_ports

ROOT = Path(__file__).parents[3]

HOLDER = """
import sys, trio
from pathlib import Path
from node.demo.processes import NodeCommand, node_processes

async def hold():
    name, key, data, url, *arguments = sys.argv[1:]
    command = NodeCommand(name, Path(key), Path(data), url, tuple(arguments))
    async with node_processes([command]) as nodes:
        print(nodes[0].process.pid, flush=True)
        await trio.sleep_forever()

trio.run(hold)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_demo_leaves_no_node(tmp_path: Path, number: signal.Signals) -> None:
    peers, http = free_ports(2)
    founded = found_swarm(tmp_path, [f"127.0.0.1:{peers}"], ["hex8-2"])
    key, data, url = str(founded.keys[0]), tmp_path / "data", f"127.0.0.1:{http}"
    arguments = [str(founded.config), "--key", key, "--data", str(data), "--http", url, "--roles", "none", "--log-json"]
    command = [sys.executable, "-c", HOLDER, "node1", key, str(data), f"http://{url}", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as demo:
        assert demo.stdout is not None
        node = int(demo.stdout.readline())
        try:
            _until(lambda: _last_reason(data, "running") is not None)
            demo.send_signal(number)
            demo.wait(60)
            _until(lambda: not _is_alive(node))
            assert _last_reason(data, "ending") == "standard input has ended"
        finally:
            demo.kill()
            if _is_alive(node):
                os.kill(node, signal.SIGKILL)


def _until(holds: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def _last_reason(data: Path, event: str) -> str | None:
    """Return the reason in the last log entry of this event, "" if it has none; None without such an entry."""
    log = data / "node.log"
    lines = log.read_text().splitlines(keepends=True) if log.exists() else []
    found = [entry for entry in (json.loads(line) for line in lines if line.endswith("\n")) if entry["event"] == event]
    return found[-1].get("reason", "") if found else None


def _is_alive(process: int) -> bool:
    """Return whether the process exists and has not ended; nobody here waits for it."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
