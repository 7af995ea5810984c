"""What a hostile member may write into the order: the ledger counts or refuses it, and never breaks."""

from __future__ import annotations

from dataclasses import replace

from consensus.ledger.records import transactions as t
from tests.consensus.ledger.swarm import Swarm, digest_of


def test_counts_that_lie_cannot_grow_beyond_what_can_be_encoded() -> None:
    swarm = Swarm()
    largest = 2**63 - 1
    for _ in range(4):
        claim = swarm.next_id(3)
        swarm.act(3, t.SelfplayClaim(claim, "hex8-2", 1))
        model = swarm.ledger.configuration("hex8-2").model.digest
        news = t.Games(
            swarm.next_id(3),
            claim=claim,
            configuration="hex8-2",
            model=model,
            shard=digest_of("shard", claim),
            size=1,
            games=1,
            plies=largest,
            root=bytes(32),
        )
        swarm.act(3, news)
        assert swarm.refusal() == "malformed"
        swarm.act(3, replace(news, id=swarm.next_id(3), plies=1 << 32))
        assert swarm.refusal() is None
    assert swarm.ledger.configuration("hex8-2").plies == 4 << 32


def test_a_refused_type_of_any_length_is_told_in_short() -> None:
    swarm = Swarm()
    swarm.order((swarm.id(3), [{"type": "x" * 100_000, "id": 0}, {"type": "x" * 100_000, "id": 0}]))
    assert swarm.refusal() == "id was used before"
    assert len(str(swarm.last[0].fields["type"])) <= 64


def test_one_member_cannot_make_all_count_its_claims() -> None:
    swarm = Swarm()
    for _ in range(2):
        swarm.act(3, *(t.SelfplayClaim(swarm.next_id(3), "hex8-2", 1) for _ in range(1000)))
    assert len(swarm.ledger.claims()) == 64
    assert swarm.ledger.refused_counts() == {"too many live claims": 1936}
    swarm.play(0)
    assert swarm.refusal() is None
    swarm.wait(120)
    swarm.act(3, t.SelfplayClaim(swarm.next_id(3), "hex8-2", 1))
    assert swarm.refusal() is None
