"""Real processes whose machines move: they find each other again without a vote."""

from pathlib import Path

import pytest

from node.config.swarm_file import load_config
from tests.integration.processes import QUICK, processes


@pytest.mark.slow
async def test_three_of_four_move_at_once_and_all_are_killed_and_restarted(tmp_path: Path) -> None:
    """The hosts are loopback addresses. Only the first is where the others look for it: it tells them of each other."""
    hosts = [f"127.0.0.{number}" for number in range(1, 5)]
    async with processes(tmp_path, 4, QUICK, "--roles", "none", hosts=hosts) as swarm:
        await swarm.start(0, 1, 2, 3)
        await swarm.ready(0, 1, 2, 3)
        last = (await swarm.round_and_digest(0))[0]
        for number in range(4):
            await swarm.kill(number)
        for number, member in enumerate(load_config(tmp_path / "swarm.toml").members):
            if number > 0:
                swarm.add_options(number, "--listen", f"127.0.1.{number}:{member.address.port}")
        await swarm.start(0, 1, 2, 3)
        for number in range(4):
            await swarm.until(number, "/status", lambda status: status["consensus"]["round"] >= last + 3, 60)
        await swarm.same_digest(1, 2)
        for number in range(4):
            assert (tmp_path / f"data{number}" / "addresses.json").exists()
