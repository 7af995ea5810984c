"""The main job in the ledger alone: games, training, a match, votes, a promotion, seals."""

from __future__ import annotations

import json

from consensus.ledger.records import transactions as t
from consensus.ledger.records.beacon import beacon, block_seed, claim_seed
from tests.consensus.ledger.swarm import Swarm


def test_from_self_play_to_certificate() -> None:
    swarm = Swarm()
    shards = tuple(swarm.play(member) for member in range(4))
    assert swarm.ledger.configuration("hex8-2").games == 128
    claim = swarm.next_id(3)
    swarm.act(3, t.TrainClaim(claim, "hex8-2", "c16b2"))
    swarm.act(3, t.Progress(swarm.next_id(3), claim, 100))
    assert swarm.kinds() == ["progress"]
    model, files = swarm.model("first", t.UNIFORM)
    news = t.Candidate(
        swarm.next_id(3),
        claim=claim,
        configuration="hex8-2",
        model=model,
        files=files,
        architecture="c16b2",
        parent=t.UNIFORM,
        incumbent=t.UNIFORM,
        shards=shards,
        losses={"policy": 2_100_000},
        measures={"brier": 190_000, "value_correlation_1": -3},
        state=None,
    )
    swarm.act(3, news)
    assert swarm.kinds() == ["beacon", "candidate"]
    assert swarm.ledger.claims() == ()
    assert swarm.ledger.configuration("hex8-2").new_games == 0
    candidate = t.candidate_id(swarm.id(3), news.id)
    swarm.order()
    swarm.ripen(candidate)
    assert swarm.kinds() == ["result", "ripe"]
    kinds = [swarm.vote(member, candidate)[0].kind for member in range(3)]
    assert kinds == ["vote"] * 3
    assert swarm.kinds() == ["vote", "promotion"]
    (promotion,) = swarm.ledger.promotions()
    assert swarm.ledger.configuration("hex8-2").model.digest == model == promotion.model.digest
    swarm.certify(promotion.digest, (2, 0, 1, 3))
    certified = swarm.ledger.promotion(promotion.digest)
    assert certified is not None
    assert certified.certified == 3
    assert [entry.author for entry in certified.seals] == [swarm.id(member) for member in (2, 0, 1, 3)]
    assert swarm.replayed().digest() == swarm.ledger.digest()
    assert swarm.ledger.refused_counts() == {}


def test_the_statement_says_what_happened() -> None:
    swarm = Swarm()
    swarm.promote(0)
    before = swarm.ledger.configuration("hex8-2").statement
    assert before is not None
    swarm.promote(1, "second")
    promotion = swarm.ledger.promotions("hex8-2")[1]
    predicate = json.loads(promotion.statement)["predicate"]
    assert predicate["incumbent"] == {"model": swarm.model("first")[0].hex(), "statement": before.hex()}
    assert predicate["number"] == 2
    assert predicate["swarm"]["genesis"] == swarm.genesis.digest.hex()
    assert predicate["match"]["scores"] == [4] * 12
    assert predicate["test"] == {
        "blocks": 12,
        "score": 48,
        "llr": "3.148371173610",
        "accept": "2.995732273554",
        "reject": "-2.995732273554",
        "decided_by": "test",
        "limit": {"blocks": 32, "share": "51/100", "risk": "0.993620436379"},
    }


def test_seeds_come_from_the_second_round_after_the_one_that_ordered() -> None:
    swarm = Swarm()
    claim = swarm.next_id(1)
    swarm.act(1, t.SelfplayClaim(claim, "hex8-2", 8))
    news = swarm.candidate(0)
    swarm.act(0, news)
    live = swarm.ledger.claim(swarm.id(1), claim)
    assert live is not None
    assert live.waits
    swarm.order()
    live = swarm.ledger.claim(swarm.id(1), claim)
    assert live is not None
    following = swarm.rounds[2]
    value = beacon(swarm.genesis.digest, following.number, following.judges, ())
    assert live.seed == claim_seed(value, swarm.id(1), claim)
    assert swarm.ledger.waits_for_beacon
    swarm.order()
    assert not swarm.ledger.waits_for_beacon
    (open_,) = swarm.ledger.candidates()
    fourth = swarm.rounds[3]
    assert open_.beacon == beacon(swarm.genesis.digest, fourth.number, fourth.judges, ())
    seeds = {block_seed(open_.beacon, open_.id, block) for block in range(32)}
    assert len(seeds) == 32


def test_a_round_without_judges_fixes_nothing() -> None:
    swarm = Swarm()
    swarm.act(1, t.SelfplayClaim(swarm.next_id(1), "hex8-2", 8))
    rounds = swarm.rounds
    swarm.ledger.apply_round(type(rounds[0])(2, (), ()))
    assert swarm.ledger.waits_for_beacon
