"""Members that were voted out while they were away: they learn it, from records that they verify themselves."""

import pytest
import trio
from trio.testing import MockClock

from consensus.ledger.records.changes import Change
from consensus.settings import EpochSettings, Settings
from tests.integration.open_swarm import OpenSwarm, agree, in_force, ledger_of, member_of, until


class World:
    """A swarm of five that says nothing by itself, with epochs of 30 events."""

    def __init__(self) -> None:
        self.swarm = OpenSwarm(5, 3, observe=lambda *_: None, settings=Settings(epoch=EpochSettings(events=30)))
        self.gone, *self.others = reversed(self.swarm.nodes)
        self._notes = 0

    async def remove(self) -> None:
        me = self.gone.identity.id
        await agree(self.swarm, Change("leave", me), self.others)
        await until(lambda: in_force(self.others, me, present=False))

    async def epochs(self, more: int) -> None:
        """Lets the swarm go on for this many epochs."""
        end = ledger_of(self.others[0]).epoch_number + more
        with trio.fail_after(240):
            while ledger_of(self.others[0]).epoch_number < end:
                self._notes += 1
                member_of(self.others[self._notes % 4]).submit([{"type": "note", "id": self._notes}])
                await trio.sleep(0.3)


@pytest.fixture
async def world(autojump_clock: MockClock, nursery: trio.Nursery) -> World:
    world = World()
    await nursery.start(world.swarm.run)
    await trio.sleep(5)
    return world


async def test_one_that_was_away_learns_that_it_was_voted_out(world: World, autojump_clock: MockClock) -> None:
    gone = world.gone
    world.swarm.crash(gone)
    await world.remove()
    removed = ledger_of(world.others[0]).record
    assert removed is not None
    await world.epochs(2)
    for node in world.others[:2]:  # also from those that have started anew since
        world.swarm.crash(node)
        await world.swarm.start(node)
    for _ in range(2):  # and it does not forget it
        await world.swarm.start(gone)
        await until(lambda: member_of(gone).removed_by is not None, 60)
        found = member_of(gone).removed_by
        assert found is not None
        assert found.number >= removed.number
        assert gone.identity.id not in found.roster
        assert member_of(gone).replica.epoch_number < removed.number
        world.swarm.crash(gone)


async def test_it_comes_back_when_it_is_voted_in_again(world: World, autojump_clock: MockClock) -> None:
    gone = world.gone
    world.swarm.crash(gone)
    await world.remove()
    await world.epochs(1)
    await world.swarm.start(gone)
    await until(lambda: member_of(gone).removed_by is not None, 60)
    await agree(
        world.swarm, Change("join", gone.identity.id, weight=1, address=world.swarm.address_of(gone)), world.others
    )
    await until(lambda: in_force(world.others, gone.identity.id), 60)
    opened = ledger_of(world.others[0]).epoch_number
    await until(lambda: ledger_of(gone).epoch_number >= opened, 60)
    assert in_force([gone], gone.identity.id)
    assert member_of(gone).removed_by is None
