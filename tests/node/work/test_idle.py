"""The idle hook: once after the stated time without wanted work, again only after work, and never a crash."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from node.work.idle import IdleHook
from node.work.lifecycle import _why_idle
from tests.consensus.ledger.swarm import Swarm
from tests.node.work.test_work import SETTINGS, OrderContext


class Counting(IdleHook):
    """A hook that counts instead of running anything."""

    runs = 0

    async def _perform(self, reason: str) -> None:
        assert reason
        self.runs += 1


async def test_it_runs_once_for_each_time_of_idleness(
    tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    hook, reason = Counting("true", 600, tmp_path / "idle.log"), ""
    nursery.start_soon(hook.run, lambda: reason)
    await trio.sleep(10_000)
    assert hook.runs == 0
    reason = "enough new games"
    await trio.sleep(590)
    assert hook.runs == 0
    await trio.sleep(20)
    assert hook.runs == 1
    await trio.sleep(10_000)
    assert hook.runs == 1
    reason = ""
    await trio.sleep(20)
    reason = "enough new games"
    await trio.sleep(590)
    reason = ""
    await trio.sleep(10)
    reason = "enough new games"
    await trio.sleep(590)
    assert hook.runs == 1
    await trio.sleep(30)
    assert hook.runs == 2
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("command", ["echo done > {0}; echo said", "exit 3", "/nothing/there"])
async def test_a_real_command_is_run_and_its_words_and_end_are_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    log, made = tmp_path / "idle.log", tmp_path / "made"
    hook = IdleHook(command.format(made), 600, log)
    with trio.fail_after(20):
        await hook._perform("nothing is wanted")
        while command.startswith("echo") and not (log.exists() and log.read_text() == "said\n"):
            await trio.sleep(0.01)
    assert made.exists() == command.startswith("echo")
    status = {"e": 0 if command.startswith("echo") else 3, "/": 127}[command[0]]
    assert f"exit status {status}" in capsys.readouterr().out


def test_a_node_is_idle_when_nothing_is_wanted_and_it_holds_no_claim(tmp_path: Path) -> None:
    swarm = Swarm(4, SETTINGS)
    context = OrderContext(swarm, tmp_path, roles=("selfplay",))
    assert _why_idle(context) == ""
    swarm.play(1, games=SETTINGS.selfplay.ceiling)
    assert _why_idle(context) == "enough new games are there, or are played"
