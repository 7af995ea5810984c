"""A whole node in this process: what nobody foresaw ends one part of it, and only the order ends it all."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from structlog.testing import capture_logs

from consensus.ledger.records.decisions import OutdatedError, SteeringChange
from consensus.ledger.records.transactions import Propose
from consensus.settings import Settings, SteeringSettings
from node.api.endpoint import TOKEN_HEADER, read_token, read_url
from node.app.node import run_node
from node.config.address import Address
from node.config.founding import found_swarm
from node.config.identity import load_identity
from node.config.swarm_file import RunOptions, load_config
from node.gossip.selection import PeerSelection
from node.member.member import Member
from node.report.effect_log import EffectLog
from node.store import StoreError
from node.store.sqlite import SqliteStore
from node.system import supervision
from node.system.clock import SystemClock
from node.system.exception_groups import leaves
from node.system.supervision import VitalPartError
from node.work import lifecycle


class Place:
    """A swarm of one in a folder."""

    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        founded = found_swarm(folder, ["127.0.0.1:1"], ["hex8-2"], settings=settings)
        self.config, (self.key,), self.data = load_config(founded.config), founded.keys, folder / "data"

    async def run(self, drain_command: str | None = None) -> None:
        any_port = Address("127.0.0.1", 0)
        options = RunOptions(
            listen=any_port,
            http=any_port,
            roles=("match",),
            keep_epochs=None,
            log_json=False,
            drain_command=drain_command,
        )
        await run_node(self.config, self.key, self.data, options)

    async def ask(self, path: str) -> Any:
        async with httpx.AsyncClient(trust_env=False) as client:
            return json.loads((await client.get(f"{read_url(self.data)}{path}")).content)

    async def newest_own(self) -> int:
        """The number of the last own event, while no node runs."""
        identity = load_identity(self.key)
        store = SqliteStore(self.data, genesis=self.config.genesis.digest, member=identity.id)
        try:
            return await store.newest_own()
        finally:
            await store.aclose()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the node; it has written where it serves."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.run)
            with trio.fail_after(20):
                while read_url(self.data) is None:
                    await trio.sleep(0.01)
            yield
            nursery.cancel_scope.cancel()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "swarm")


class Faulty:
    """Fails at some of its calls, and does what `original` does at the others."""

    def __init__(self, original: Any, *failing: int) -> None:
        self._original, self._failing, self.calls = original, failing, 0

    def method(self) -> Any:
        """Return a function to be put in the place of a method."""

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            if self.calls in self._failing:
                raise LookupError("nobody\nforesaw \x1b this")
            return self._original(*args, **kwargs)

        return call


@pytest.mark.parametrize(
    ("owner", "name", "part"),
    [
        (EffectLog, "observe", "effect log"),
        (PeerSelection, "choose", "gossip"),
        (lifecycle, "seal_all", "sealing"),
        (lifecycle, "vote_on_all", "voting"),
        (lifecycle, "work_on", "working"),
    ],
)
async def test_a_fault_in_one_part_is_told_and_the_part_starts_again(
    place: Place, owner: Any, name: str, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "_FIRST_PAUSE_S", 0.2)
    faulty = Faulty(getattr(owner, name), 1)
    monkeypatch.setattr(owner, name, faulty.method())
    with capture_logs() as logs:
        async with place.running():
            with trio.fail_after(20):
                while not (failures := (await place.ask("/status"))["failures"]):
                    await trio.sleep(0.05)
                while (await place.ask("/status"))["failures"][0]["again_in_s"] is not None or faulty.calls < 2:
                    await trio.sleep(0.05)
                while not (await place.ask("/ready"))["ready"]:
                    await trio.sleep(0.05)
    assert (failures[0]["part"], failures[0]["count"]) == (part, 1)
    assert failures[0]["reason"] == "LookupError: nobody foresaw \x1b this"
    assert [entry["part"] for entry in logs if entry["event"] == "part failed"] == [part]


async def test_a_part_that_waits_to_start_again_makes_the_node_not_ready(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "_FIRST_PAUSE_S", 60.0)
    monkeypatch.setattr(PeerSelection, "choose", Faulty(None, *range(9)).method())
    async with place.running():
        with trio.fail_after(20):
            while not (await place.ask("/status"))["failures"]:
                await trio.sleep(0.05)
            while "failed" not in (answer := await place.ask("/ready"))["reason"]:
                await trio.sleep(0.05)
    assert not answer["ready"]
    assert answer["reason"] == "gossip failed and starts again soon: LookupError: nobody foresaw \x1b this"


async def test_a_fault_in_the_order_ends_the_node_with_one_line(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Member, "_observe_attached", Faulty(Member._observe_attached, 4).method())
    with capture_logs(), pytest.raises(ExceptionGroup) as ended, trio.fail_after(20):
        await place.run()
    (error,) = leaves(ended.value)
    assert isinstance(error, VitalPartError)
    assert str(error).startswith("the order failed (LookupError: nobody foresaw ")
    assert "\n" not in str(error)


async def test_a_store_that_fails_ends_the_node_whatever_part_finds_out(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise StoreError("store.db: disk I/O error; check the disk")

    monkeypatch.setattr(SqliteStore, "read_snapshot", fail)
    monkeypatch.setattr("node.app.peers.prune_epochs", fail)
    with pytest.raises(ExceptionGroup) as ended, trio.fail_after(20):
        await place.run()
    assert [type(error) for error in leaves(ended.value)] == [StoreError]


async def test_what_this_program_does_not_know_ends_the_node_in_the_round_in_which_it_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is put forward after that, nor by the next start, until a newer program knows what was decided."""
    place = Place(tmp_path / "swarm", Settings(steering=SteeringSettings(rules=1)))
    change = SteeringChange("set", setting="steering.coming", value="7")
    proposal = Propose(10**6, change, "whatever it is").as_table()
    members, made = list[Member](), list[int]()

    class Watched(Member):
        def __init__(self, **parts: Any) -> None:
            super().__init__(**parts)
            members.append(self)

    monkeypatch.setattr("node.app.ordering.Member", Watched)

    async def start_and_propose() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(place.run)
            while read_url(place.data) is None:
                await trio.sleep(0.01)
            members[0].submit([proposal])

    for start in (start_and_propose, place.run):
        with capture_logs(), pytest.raises(ExceptionGroup) as ended, trio.fail_after(20):
            await start()
        (error,) = leaves(ended.value)
        assert isinstance(error, OutdatedError)
        assert re.fullmatch(
            r"the swarm has set steering\.coming from round \d+ on, which this program does not know; "
            r"install a newer version of it and start again",
            str(error),
        )
        made.append(await place.newest_own())
    assert made[0] == made[1] > 0


async def test_a_used_up_pool_of_threads_stops_neither_the_order_nor_the_page(place: Place) -> None:
    """Reading blobs from a slow disk can use up the threads that everybody shares. The store has its own."""
    async with place.running():
        threads = trio.to_thread.current_default_thread_limiter()
        while threads.available_tokens:
            threads.acquire_on_behalf_of_nowait(object())
        with trio.fail_after(20):
            before = (await place.ask("/status"))["consensus"]
            while (now := (await place.ask("/status"))["consensus"])["round"] < before["round"] + 2:
                await trio.sleep(0.1)
        assert now["events"] > before["events"]


async def test_nothing_is_made_before_the_clock_is_set(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    right = SystemClock.time_ns
    monkeypatch.setattr(SystemClock, "time_ns", lambda _: -(10**18))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(place.run)
        await trio.sleep(0.3)
        assert not place.data.exists()
        monkeypatch.setattr(SystemClock, "time_ns", right)
        with trio.fail_after(20):
            while read_url(place.data) is None:
                await trio.sleep(0.05)
        nursery.cancel_scope.cancel()


async def test_a_node_that_is_told_to_drain_tells_it_runs_the_command_and_ends(place: Place) -> None:
    made = place.data / "made"
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(place.run, f"echo drained > {made}; sleep 0.2")
            while (url := read_url(place.data)) is None or not (await place.ask("/ready"))["ready"]:
                await trio.sleep(0.05)
            token = read_token(place.data)
            async with httpx.AsyncClient(trust_env=False) as client:
                answer = await client.post(f"{url}/drain", json={}, headers={TOKEN_HEADER: token})
            assert answer.json() == {"bound_s": 30}
            assert (await place.ask("/status"))["node"]["draining"]
    assert made.read_text() == "drained\n"
    assert read_url(place.data) is None
