"""What members of little or no weight may do to those who do not lie: no crash, no stall, no memory."""

from collections.abc import Iterable

import pytest

from consensus import forks
from consensus.dag import LATEST_NS
from consensus.event import Event
from consensus.ledger import Ledger
from consensus.ledger.records.changes import Change
from consensus.ledger.records.transactions import Evidence, proposal_id
from consensus.settings import EpochSettings, Settings, TimingSettings
from tests.consensus.gossip import Gossip
from tests.consensus.ledger.swarm import Swarm as Orders
from tests.consensus.test_epochs import Swarm
from tests.consensus.test_forks import branches


def test_clocks_at_the_end_of_time_do_not_stop_an_epoch_from_closing() -> None:
    """The median of the times counts judges, not weight: these three, with 3 of 15, are half of them."""
    swarm = Swarm(6, seed=1, settings=Settings(epoch=EpochSettings(events=40)), weights=[4] * 3 + [1] * 3)
    swarm.clocks = dict.fromkeys(range(3, 6), LATEST_NS - 40)  # time for 40 events each, and more in all
    swarm.run(400).settle()
    swarm.agreement()
    assert len(swarm.closed) >= 2
    assert swarm.replicas[0].ledger.time > LATEST_NS


def test_half_of_the_judges_of_little_weight_do_not_move_the_ledger_s_clock() -> None:
    """They move consensus time to the year 2116, but leases and votes go by weight."""
    settings = Settings(timing=TimingSettings(by_weight=1), epoch=EpochSettings(events=60))
    swarm = Swarm(6, seed=1, settings=settings, weights=[4] * 3 + [1] * 3)
    begun = swarm.time
    swarm.clocks = dict.fromkeys(range(3, 6), LATEST_NS - 40)
    swarm.run(400).settle()
    swarm.agreement()
    ledger = swarm.replicas[0].ledger
    assert len(swarm.closed) >= 2
    assert ledger.time > LATEST_NS
    assert (swarm.time - begun) // 2 < ledger.clock <= swarm.time - begun


@pytest.mark.parametrize("kind", ["leave", "key", "join"])
def test_a_silent_member_keeps_no_change_of_the_roster_from_being_sealed(kind: str) -> None:
    """It is one of five, and one of four to six afterwards; all others do their part."""
    swarm = Swarm(5, seed=1, strangers=1)
    subject, new = swarm.keys[3].id, swarm.keys[5].id
    change = {
        "leave": Change("leave", subject),
        "key": Change("key", subject, key=new),
        "join": Change("join", new, weight=1, address=""),
    }[kind]
    awake = [0, 1, 2, 3, 5]
    number = swarm.put(0, "propose", change=change.table(), reason="")
    for member in (1, 2, 3):
        swarm.put(member, "ballot", proposal=proposal_id(swarm.keys[0].id, number), approve=True)
    swarm.pending[1:4], late = [[]] * 3, swarm.pending[1:4]
    while not swarm.replicas[3].ledger.proposals():
        swarm.run(1, awake)
    swarm.pending[1:4] = late
    replica = swarm.replicas[0]
    for _ in range(30):
        swarm.run(30, awake)
        if replica.epoch_number >= 4:
            break
    assert replica.epoch_number >= 4  # epochs follow each other
    assert (subject in replica.roster) == (kind == "join")
    assert (new in replica.roster) == (kind != "leave")


def test_a_time_that_no_order_could_go_on_from_is_refused() -> None:
    swarm = Gossip(4, seed=1).run(20).settle()
    event = swarm.forked(3, [])
    late = branches(swarm, 3)[0]
    assert event.time < late.time < LATEST_NS
    swarm.time = LATEST_NS
    for other in swarm.replicas[:3]:
        assert other.insert(branches(swarm, 3)) == []
        assert other.refused == {"the time is beyond the year 2116": 2}
        assert other.pending_evidence() == []


def test_ids_up_to_the_highest_leave_a_ledger_that_can_be_restored() -> None:
    swarm = Orders(4)
    for start in range(0, 1100, 550):
        notes = [{"type": "note", "id": 2**63 - 1100 + start + number} for number in range(550)]
        swarm.order((swarm.id(3), notes))
    swarm.agree(Change("weight", swarm.id(0), weight=0), 0, 1, 2)
    closing = swarm.close()
    restored = Ledger.restore(swarm.genesis, closing.record, closing.snapshot)
    assert restored.digest() == swarm.ledger.digest()
    assert restored.last_id(swarm.id(3)) == 2**63 - 2
    assert restored.refused_counts() == {"malformed": 1}


def test_forks_of_a_member_without_a_say_are_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it signs: it cannot lose its weight twice, and nobody else has to pay for it."""
    swarm = Gossip(5, seed=3, forkers=(4,), discreet=False).run(300).settle()
    replica = swarm.replicas[0]
    assert replica.ledger.is_silenced(swarm.keys[4].id)
    looks, find_fork = [], forks.find_fork

    def counted(events: Iterable[Event]) -> Evidence | None:
        looks.append(1)
        return find_fork(events)

    monkeypatch.setattr(forks, "find_fork", counted)
    for _ in range(50):
        swarm.turn(4, 0)
        replica.insert(swarm.made[-1:])
        assert replica.pending_evidence() == []
    assert replica.hashgraph.forkers() == (4,)
    assert len(looks) <= 1 + replica.epoch_number
