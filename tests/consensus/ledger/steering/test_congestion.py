"""Evaluation keeps up: nothing more is trained while too many blocks are open, until they are much fewer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consensus.ledger.priorities import next_work, why_rest
from consensus.ledger.records import transactions as t
from consensus.ledger.records.decisions import SteeringChange
from consensus.ledger.steering.congestion import Congestion, congestion
from consensus.settings import SteeringSettings, TrainingSettings
from tests.consensus.ledger.swarm import SMALL, Swarm

NAMES = ("hex8-2", "square8-2", "hex8-3", "square8-3")
RULES = replace(
    SMALL,
    configurations=tuple(sorted(NAMES)),
    training=TrainingSettings(games=8, window=2048),
    steering=SteeringSettings(rules=1, cooldown_s=0),
)


def nominate(swarm: Swarm, author: int, configuration: str, *, is_trained: bool) -> bytes:
    """A candidate whose match has 32 blocks in slots of two."""
    claim = None
    parent: bytes | None = None
    if is_trained:
        claim = swarm.next_id(author)
        swarm.act(author, t.TrainClaim(claim, configuration, "c16b2"))
        live = swarm.ledger.claim(swarm.id(author), claim)
        assert live is not None
        parent = live.model
    name = f"{configuration} {is_trained}"
    model, files = swarm.model(name, parent)
    news = replace(swarm.candidate(author, name, configuration), claim=claim, model=model, files=files, parent=parent)
    swarm.act(author, news)
    assert swarm.refusal() is None
    swarm.order()
    swarm.order()
    return t.candidate_id(swarm.id(author), news.id)


def test_the_load_is_what_trained_candidates_lack_against_two_matches_at_least() -> None:
    swarm = Swarm(7, RULES)
    assert congestion(swarm.ledger).load == 0
    nominate(swarm, 0, "hex8-2", is_trained=False)
    assert congestion(swarm.ledger).load == 0
    nominate(swarm, 1, "hex8-3", is_trained=True)
    found = congestion(swarm.ledger)
    assert (found.open, found.cap, found.load, found.is_congested) == (32, 64, 500, False)


@pytest.mark.parametrize(
    ("now", "peak", "is_congested"),
    [(699, 699, False), (700, 700, True), (350, 700, True), (349, 700, False), (690, 690, False), (350, 699, False)],
)
def test_the_bounds_and_the_memory(now: int, peak: int, is_congested: bool) -> None:
    load = Congestion(open=now, open_at_nomination=peak, cap=1000, congested=700, relieved=350)
    assert load.is_congested == is_congested


def test_evaluators_do_not_lag_where_nothing_is_open() -> None:
    assert not Congestion(open=0, open_at_nomination=900, cap=1000, congested=700, relieved=0).is_congested
    assert not Congestion(open=0, open_at_nomination=0, cap=1000, congested=0, relieved=0).is_congested
    assert Congestion(open=1, open_at_nomination=1, cap=1000, congested=0, relieved=0).is_congested


def test_a_longer_match_in_one_configuration_is_one_match() -> None:
    swarm = Swarm(7, RULES)
    limit = SteeringChange("set", setting="match.block_limit", value="128", configuration="hex8-2")
    swarm.agree(limit, 0, 1, 2, 3, 4)
    nominate(swarm, 0, "hex8-2", is_trained=True)
    found = congestion(swarm.ledger)
    assert (found.open, found.cap, found.is_congested) == (128, 256, False)


def test_training_waits_until_evaluators_have_caught_up() -> None:
    swarm = Swarm(7, RULES)
    for _ in range(4):
        swarm.play(6, games=32, configuration="square8-3")
    matches = [nominate(swarm, author, name, is_trained=True) for author, name in ((0, "hex8-2"), (1, "hex8-3"))]
    trainer = swarm.id(5)
    assert next_work(swarm.ledger, trainer, ("train",)) is None
    assert "evaluators lag behind" in why_rest(swarm.ledger, trainer, ("train",))
    loads = []
    slot = 0
    while next_work(swarm.ledger, trainer, ("train",)) is None:
        loads.append(congestion(swarm.ledger).load)
        candidate = matches[slot % 2]
        claim = swarm.ask(2 + slot // 2 % 2, candidate)
        swarm.order()
        swarm.order()
        live = swarm.ledger.claim(swarm.id(2 + slot // 2 % 2), claim)
        assert live is not None
        assert live.slot is not None
        most = 4 if candidate == matches[0] else 12
        result = swarm.result(2 + slot // 2 % 2, claim, live.slot, most // 2)
        swarm.act(2 + slot // 2 % 2, replace(result, games=live.amount))
        assert swarm.refusal() is None
        slot += 1
    assert loads[0] == 1000
    assert 350 <= loads[-1] <= 420
    assert congestion(swarm.ledger).load < 350
