"""Nominations without training: on a regression by one node, and by a person."""

from collections import Counter
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from consensus.ledger.records import transactions as t
from node.member.ledger_client import SubmitError
from node.work.nominating import nominate_on_regressions
from node.work.nominations import NominationError, Nominations
from tests.consensus.ledger.rules.test_rollbacks import EQUAL, STRONG, WEAK, swarm_with
from tests.consensus.ledger.steering.rated import RatedSwarm
from tests.node.work.test_work import OrderContext


def make_context(before: list[int], now: list[int], directory: Path) -> tuple[RatedSwarm, OrderContext]:
    swarm = swarm_with(before, now)
    return swarm, OrderContext(swarm, directory)


async def test_a_node_that_sees_a_regression_nominates_once(
    tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    swarm, context = make_context(STRONG, WEAK, tmp_path)
    nursery.start_soon(context.beat)
    nursery.start_soon(nominate_on_regressions, context)
    await trio.sleep(120)
    nursery.cancel_scope.cancel()
    assert Counter(entry.TYPE for entry in context.said) == {"candidate": 1}
    (candidacy,) = swarm.ledger.candidates()
    assert (candidacy.author, candidacy.model.digest) == (context.me, swarm.model_of("first"))
    assert not candidacy.was_trained
    assert swarm.ledger.refused_counts() == {}


async def test_nobody_nominates_what_somebody_else_has_or_without_a_reason(
    tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    for before, others in ((EQUAL, False), (STRONG, True)):
        swarm, context = make_context(before, EQUAL if not others else WEAK, tmp_path)
        if others:
            swarm.nominate(3, "first")
        async with trio.open_nursery() as inner:
            inner.start_soon(context.beat)
            inner.start_soon(nominate_on_regressions, context)
            await trio.sleep(60)
            inner.cancel_scope.cancel()
        assert context.said == []


async def test_a_person_nominates_by_the_beginning_of_a_digest(tmp_path: Path) -> None:
    swarm, context = make_context(EQUAL, EQUAL, tmp_path)
    first, second = swarm.model_of("first"), swarm.model_of("second")
    nominations = Nominations(context, lambda: (True, "level"))
    answer = await nominations.nominate(first.hex()[:10].upper(), None)
    (candidacy,) = swarm.ledger.candidates()
    assert answer == {
        "candidate": candidacy.id.hex(), "configuration": "hex8-2", "model": first.hex(), "incumbent": second.hex(),
    }  # fmt: skip
    for beginning, configuration, status, message in (
        (first.hex(), None, 409, "it is a candidate already; ringrift-node work shows its match"),
        (second.hex(), None, 409, "it is canonical already"),
        ("", None, 404, "ringrift-node models lists"),
        ("zz", None, 404, "ringrift-node models lists"),
        (first.hex(), "hex8-4", 404, "no model of hex8-4"),
    ):
        with pytest.raises(NominationError, match=message) as refused:
            await nominations.nominate(beginning, configuration)
        assert refused.value.status == status


async def test_a_node_that_cannot_act_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swarm, context = make_context(EQUAL, EQUAL, tmp_path)
    first = swarm.model_of("first").hex()
    with pytest.raises(NominationError, match="not ready: it listens") as refused:
        await Nominations(context, lambda: (False, "it listens")).nominate(first, None)
    assert refused.value.status == 503

    async def full(*_transactions: t.Transaction) -> None:
        await trio.lowlevel.checkpoint()
        raise SubmitError("too much waits")

    monkeypatch.setattr(context, "submit", full)
    with pytest.raises(NominationError, match="too much waits"):
        await Nominations(context, lambda: (True, "level")).nominate(first, None)
