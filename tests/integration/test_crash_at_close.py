"""A node on a real SQLite store that loses power at every point of a close, with own transactions under way."""

import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple

import pytest
import trio
from trio.testing import MockClock

from consensus.encoding import decode
from consensus.event import decode_event
from consensus.replica import RoundEffects
from consensus.settings import EpochSettings, Settings
from node.simulation.invariants import AgreementCheck, HonestMembersCheck
from node.simulation.swarm import SimulatedNode
from node.store import StoreError
from node.store.schema import explain
from node.store.sqlite import SqliteStore
from tests.integration.open_swarm import OpenSwarm, ledger_of, member_of, until

EVENTS = 40
_WRITES = frozenset({"append", "append_own", "begin_epoch", "write_seals", "append_records"})
_SYNCED = frozenset({"append_own", "begin_epoch"})


_T = TypeVar("_T")
_Args = TypeVarTuple("_Args")


class Inline(SqliteStore):
    """Without threads, so that a run is the same every time."""

    async def _run(self, work: Callable[[*_Args], _T], *args: *_Args) -> _T:
        await trio.lowlevel.checkpoint()
        try:
            return work(*args)
        except sqlite3.Error as error:
            raise explain(self._path, error) from None


class Trap:
    """A store in which the power goes before or after a certain write, counted from when the trap was set."""

    def __init__(self, store: SqliteStore, directory: Path) -> None:
        self.store, self.directory = store, directory
        self.left: int | None = None  # writes until it snaps; None: not set
        self.after = False
        self.synced = 0  # bytes of the log that are on the platter for sure
        store._database.execute("PRAGMA wal_autocheckpoint=0")

    def __getattr__(self, name: str) -> Any:
        work = getattr(self.store, name)
        if name not in _WRITES:
            return work

        async def write(*args: Any) -> Any:
            if self.left is not None:
                self.left -= 1
                if self.left < 0 and not self.after:
                    raise StoreError(f"the power goes before {name}")
            result = await work(*args)
            if name in _SYNCED:
                self.synced = self.log.stat().st_size
            if self.left is not None and self.left < 0:
                raise StoreError(f"the power goes after {name}")
            return result

        return write

    @property
    def log(self) -> Path:
        return self.directory / "events.sqlite-wal"


class World(OpenSwarm):
    """Four nodes, the first of them on a real disk; the users of all of them say notes."""

    def __init__(self, seed: int, directory: Path) -> None:
        self.directory, self.chance = directory, random.Random(seed)
        self.agreement, self.placed, self._seen = AgreementCheck(), Counter[tuple[bytes, int]](), 0
        self.trap: Trap | None = None
        self.owed: set[int] = set()  # notes of the first node that are on its disk
        self.lives = 0
        super().__init__(4, seed, observe=self._look, settings=Settings(epoch=EpochSettings(events=EVENTS)))
        self.first = self.nodes[0]
        self.honesty = HonestMembersCheck(self)

    def _look(self, node: SimulatedNode, decided: RoundEffects) -> None:
        self.agreement.observe(node, decided)
        if decided.round.number > self._seen:
            self._seen = decided.round.number
            for place in decided.round.events:
                for entry in place.event.transactions:
                    if entry["type"] == "note":
                        self.placed[place.event.creator, entry["id"]] += 1

    def open_store(self, node: SimulatedNode) -> Any:
        if node is not self.first:
            return super().open_store(node)
        before, directory = self.trap, self.directory / f"life{self.lives}"
        self.lives += 1
        if before is None:
            directory.mkdir()
        else:
            self._lose_power(before, directory)
        store = Inline(directory, genesis=self.genesis.digest, member=node.identity.id)
        self.trap = Trap(store, directory)
        return self.trap

    def _lose_power(self, trap: Trap, directory: Path) -> None:
        """Leaves what was synced, and perhaps some of what was written after that."""
        shutil.copytree(trap.directory, directory, ignore=shutil.ignore_patterns("lock"))
        log = directory / trap.log.name
        if log.exists():
            size = log.stat().st_size
            kept = self.chance.choice((size, trap.synced, self.chance.randint(trap.synced, size)))
            with log.open("r+b") as file:
                file.truncate(kept)
        trap.store._database.close()
        self.owed |= notes_in(directory)

    async def talk(self) -> None:
        """For ever; every tenth of a second somebody says something, the first node more than others."""
        number = 0
        while True:
            await trio.sleep(self.chance.uniform(0.02, 0.2))
            node = self.chance.choice([self.first, self.first, *self.nodes])
            if node.member is not None:
                number += 1
                node.member.submit([{"type": "note", "id": number}])

    def near_the_end(self) -> bool:
        """Of an epoch, at the first node, which takes part."""
        if self.first.member is None or self.first.member.status().listening:
            return False
        return ledger_of(self.first).ordered - member_of(self.first).replica.opening.ordered > EVENTS - 12

    async def crash_once(self, writes: int, after: bool) -> str:
        """At so many writes after the epoch was nearly over; where it was."""
        await until(self.near_the_end)
        assert self.trap is not None
        stops = len(self.first.stops)
        self.trap.left, self.trap.after = writes, after
        await until(lambda: len(self.first.stops) > stops)
        self.honesty.inspect()
        await until(lambda: self.first.member is not None)
        return str(self.first.stops[-1])


def notes_in(directory: Path) -> set[int]:
    """What of a store must not be lost: notes in own events, and those that a turn has kept."""
    with sqlite3.connect(directory / "events.sqlite") as database:
        raws = [raw for (raw,) in database.execute("SELECT raw FROM events WHERE own_seq IS NOT NULL")]
        groups = database.execute("SELECT groups FROM turns ORDER BY number DESC LIMIT 1").fetchall()
    database.close()
    found: set[int] = set()
    for raw in raws:
        parts: Any = decode(raw, limit=len(raw))
        header: Any = decode(parts[0], limit=len(raw))
        found |= {entry["id"] for entry in decode_event(raw, header[1]).transactions if entry["type"] == "note"}
    for (data,) in groups:
        kept: Any = decode(data, limit=len(data))
        found |= {entry["id"] for group in kept for entry in group if entry["type"] == "note"}
    return found


POINTS = [(writes, after) for writes in range(44) for after in (False, True)]


@pytest.mark.parametrize(
    ("seed", "points"), [(1, POINTS[::11]), pytest.param(2, POINTS, marks=pytest.mark.slow)], ids=["some", "all"]
)
async def test_what_is_on_its_disk_acts_once(
    seed: int, points: list[tuple[int, bool]], tmp_path: Path, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    world = World(seed, tmp_path)
    await nursery.start(world.run)
    async with trio.open_nursery() as users:
        users.start_soon(world.talk)
        places = {await world.crash_once(writes, after) for writes, after in points}
        users.cancel_scope.cancel()
    await until(lambda: all(
        node.member is not None and not node.member.status().pending and not node.member.replica.needs_rounds()
        for node in world.nodes
    ))  # fmt: skip
    await until(lambda: len({ledger_of(node).digest() for node in world.nodes}) == 1)
    world.honesty.inspect()
    me = world.first.identity.id
    assert world.owed
    assert {number for number in world.owed if not world.placed[me, number]} == set(), "lost"
    assert {key: times for key, times in world.placed.items() if times > 1} == {}, "acted twice"
    if len(points) == len(POINTS):
        names = {where.split()[-1] for where in places}
        assert names >= {"append", "append_own", "begin_epoch", "write_seals"}, places
    nursery.cancel_scope.cancel()
