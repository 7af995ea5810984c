"""What nobody has: a node says so after trying for two minutes, and approves no model that it does not have."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from consensus.ledger.records import transactions as t
from consensus.ledger.records.entities import Candidacy
from consensus.settings import SteeringSettings
from node.work.absences import MISSING_S
from node.work.voting import vote_on_all
from tests.consensus.ledger.swarm import Swarm
from tests.node.work.test_voting import PlayedSwarm, serve
from tests.node.work.test_work import SETTINGS, OrderContext, worker

MEMBER, LIAR, OTHER, AUTHOR = range(4)


def played_swarm(monkeypatch: pytest.MonkeyPatch, rules: int = 1) -> PlayedSwarm:
    monkeypatch.setattr(
        "tests.node.work.test_voting.SETTINGS", replace(SETTINGS, steering=SteeringSettings(rules=rules))
    )
    return PlayedSwarm()


def others_say(swarm: Swarm, candidate: bytes, slot: int | None, subject: bytes) -> None:
    for member in (OTHER, AUTHOR):
        swarm.act(member, t.Missing(swarm.next_id(member), candidate, slot, subject))


def words(context: OrderContext) -> list[t.Missing]:
    return [entry for entry in context.said if isinstance(entry, t.Missing)]


@pytest.fixture
def start(nursery: trio.Nursery, tmp_path: Path) -> Callable[[PlayedSwarm], OrderContext]:
    def started(swarm: PlayedSwarm) -> OrderContext:
        context = OrderContext(swarm, tmp_path)
        nursery.start_soon(context.beat)
        nursery.start_soon(vote_on_all, context, worker(tmp_path))
        return context

    return started


async def test_games_that_nobody_has_are_called_missing_after_two_minutes(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    autojump_clock: MockClock,
    nursery: trio.Nursery,
    start: Callable[[PlayedSwarm], OrderContext],
) -> None:
    """A liar reports a result without games; the slot is free again within MISSING_S and a pause."""
    swarm = played_swarm(monkeypatch)
    candidate = swarm.nominate(AUTHOR)
    context = start(swarm)
    swarm.play_slot(LIAR, candidate, 0)
    await trio.sleep(MISSING_S - 5)
    assert not words(context)
    await trio.sleep(70)
    about = swarm.report(candidate, 0)
    (word,) = words(context)
    assert (word.candidate, word.slot, word.subject) == (candidate, 0, about.digest)
    others_say(swarm, candidate, 0, about.digest)
    open_ = swarm.ledger.candidate(candidate)
    assert open_ is not None
    assert open_.slots[0].result is None
    await trio.sleep(300)
    assert [word.slot for word in words(context)].count(0) == 1
    nursery.cancel_scope.cancel()


async def test_games_that_come_back_in_time_are_not_missing(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    autojump_clock: MockClock,
    nursery: trio.Nursery,
    start: Callable[[PlayedSwarm], OrderContext],
) -> None:
    swarm = played_swarm(monkeypatch)
    candidate = swarm.nominate(AUTHOR)
    context = start(swarm)
    swarm.play_slot(OTHER, candidate, 0)
    await trio.sleep(MISSING_S - 40)
    serve(context, swarm, tmp_path)
    await trio.sleep(400)
    assert not context.said
    nursery.cancel_scope.cancel()


async def test_a_model_that_nobody_has_is_called_missing_and_dropped(
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
    nursery: trio.Nursery,
    start: Callable[[PlayedSwarm], OrderContext],
) -> None:
    swarm = played_swarm(monkeypatch)
    candidate = swarm.nominate(LIAR)
    context = start(swarm)
    await trio.sleep(2 * MISSING_S - 10)
    assert not words(context)
    await trio.sleep(80)
    (word,) = words(context)
    open_ = swarm.ledger.candidate(candidate)
    assert open_ is not None
    assert (word.candidate, word.slot, word.subject) == (candidate, None, open_.model.digest)
    others_say(swarm, candidate, None, open_.model.digest)
    assert [closed.outcome for closed in swarm.ledger.closed_candidates()] == ["missing"]
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("rules", [0, 1])
async def test_a_model_that_only_its_friends_have_is_not_approved(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    autojump_clock: MockClock,
    nursery: trio.Nursery,
    start: Callable[[PlayedSwarm], OrderContext],
    rules: int,
) -> None:
    """Two liars can play a whole match; then everybody would have to play with a model that they keep to themselves."""
    swarm = played_swarm(monkeypatch, rules)
    candidate = swarm.nominate(AUTHOR)
    swarm.ripen(candidate)
    context = start(swarm)
    serve(context, swarm, tmp_path)
    files = _open(swarm, candidate).model.files.values()
    for digest in files:
        del context.files[digest]
    await trio.sleep(MISSING_S + 70)
    assert [type(entry) for entry in context.said] == [t.Missing] * rules
    context.files |= dict.fromkeys(files, tmp_path)
    await trio.sleep(70)
    assert isinstance(context.said[-1], t.Vote)
    assert context.said[-1].approve
    nursery.cancel_scope.cancel()


def _open(swarm: Swarm, candidate: bytes) -> Candidacy:
    found = swarm.ledger.candidate(candidate)
    assert found is not None
    return found
