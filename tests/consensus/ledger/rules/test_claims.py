"""Claims and leases: the first in order wins, time runs in the order, nothing acts twice."""

from __future__ import annotations

from typing import Any

from consensus.ledger.records import transactions as t
from consensus.settings import Settings, TimingSettings
from tests.consensus.ledger.swarm import SECOND, Swarm, digest_of, settings


def train(swarm: Swarm, member: int, family: str = "c16b2", configuration: str = "hex8-2") -> int:
    number = swarm.next_id(member)
    swarm.act(member, t.TrainClaim(number, configuration, family))
    return number


def test_one_training_claim_per_configuration_and_family() -> None:
    swarm = Swarm(settings=Settings(configurations=("hex8-2", "square8-2")))
    train(swarm, 0)
    assert swarm.refusal() is None
    train(swarm, 1)
    assert swarm.refusal() == "training is taken"
    train(swarm, 1, family="c32b4")
    assert swarm.refusal() is None
    train(swarm, 1, configuration="square8-2")
    assert swarm.refusal() is None
    assert swarm.ledger.refused_counts() == {"training is taken": 1}


def test_the_first_in_order_wins_inside_one_round() -> None:
    swarm = Swarm()
    wishes = [(swarm.id(member), [t.TrainClaim(0, "hex8-2", "c16b2").as_table()]) for member in (2, 0, 1)]
    effects = swarm.order(*wishes)
    assert [effect.kind for effect in effects] == ["claim", "rejected", "rejected"]
    assert effects[0].member == swarm.id(2)


def test_a_lease_runs_out_to_the_second_and_progress_renews_it() -> None:
    swarm = Swarm()
    claim = train(swarm, 0)
    assert [effect.kind for effect in swarm.wait(119)] == ["beacon"]
    swarm.act(0, t.Progress(swarm.next_id(0), claim, 5))
    assert swarm.kinds() == ["expired", "rejected"]
    assert swarm.refusal() == "claim not live"
    claim = train(swarm, 0)
    swarm.wait(118)
    swarm.act(0, t.Progress(swarm.next_id(0), claim, 5))
    assert swarm.kinds() == ["progress"]
    assert "expired" not in [effect.kind for effect in swarm.wait(119)]
    assert [effect.kind for effect in swarm.wait(1)] == ["expired"]
    train(swarm, 1)
    assert swarm.refusal() is None


def test_progress_must_not_shrink_nor_pass_the_amount() -> None:
    swarm = Swarm()
    claim = train(swarm, 0)
    wrong = "no such progress"
    for done, refusal in ((0, None), (7, None), (7, None), (6, wrong), (301, wrong), (300, None)):
        swarm.act(0, t.Progress(swarm.next_id(0), claim, done))
        assert swarm.refusal() == refusal


def test_nobody_sits_on_work_for_ever() -> None:
    swarm = Swarm(settings=settings(timing=TimingSettings(claim_s=600)))
    claim = train(swarm, 0)
    for _ in range(5):
        swarm.wait(100)
        swarm.act(0, t.Progress(swarm.next_id(0), claim, 1))
        assert swarm.refusal() is None
    assert "expired" in [effect.kind for effect in swarm.wait(95)]


def test_an_outage_expires_nothing() -> None:
    """While nothing was ordered, nobody could work: a gap of a year counts as `gap_s`."""
    swarm = Swarm()
    claim = train(swarm, 0)
    swarm.order((swarm.id(1), []), step=365 * 24 * 3600 * SECOND)
    assert swarm.ledger.claim(swarm.id(0), claim) is not None
    assert swarm.ledger.clock == 30 * SECOND


def test_release_frees_at_once_and_only_by_the_author() -> None:
    swarm = Swarm()
    claim = train(swarm, 0)
    swarm.act(1, t.Release(swarm.next_id(1), claim, "not mine"))
    assert swarm.refusal() == "claim not live"
    swarm.act(0, t.Release(swarm.next_id(0), claim, "out of memory"))
    assert swarm.kinds()[-1] == "release"
    train(swarm, 1)
    assert swarm.refusal() is None


def test_self_play_is_never_refused() -> None:
    swarm = Swarm()
    for _ in range(3):
        swarm.act(1, t.SelfplayClaim(swarm.next_id(1), "hex8-2", 10))
        assert swarm.refusal() is None
    assert len(swarm.ledger.claims_of(swarm.id(1))) == 3
    swarm.act(1, t.SelfplayClaim(swarm.next_id(1), "square19-4", 10))
    assert swarm.refusal() == "unknown configuration"


def games(swarm: Swarm, member: int, claim: int, **changes: Any) -> None:
    fields: dict[str, Any] = {
        "configuration": "hex8-2",
        "model": t.UNIFORM,
        "shard": digest_of("shard", swarm.index),
        "size": 1000,
        "games": 10,
        "plies": 800,
        "root": digest_of("root"),
        **changes,
    }
    swarm.act(member, t.Games(swarm.next_id(member), claim=claim, **fields))


def test_games_need_a_live_claim_of_the_same_kind_model_and_configuration() -> None:
    swarm = Swarm(settings=Settings(configurations=("hex8-2", "square8-2")))
    claim = swarm.next_id(0)
    swarm.act(0, t.SelfplayClaim(claim, "hex8-2", 25))
    games(swarm, 1, claim)
    assert swarm.refusal() == "claim not live"
    games(swarm, 0, claim, model=bytes(32))
    assert swarm.refusal() == "games of another claim"
    games(swarm, 0, claim, configuration="square8-2")
    assert swarm.refusal() == "games of another claim"
    shard = digest_of("one")
    games(swarm, 0, claim, shard=shard)
    assert swarm.refusal() is None
    games(swarm, 0, claim, shard=shard)
    assert swarm.refusal() == "shard is known"
    games(swarm, 0, claim)
    games(swarm, 0, claim)
    assert swarm.refusal() is None
    assert swarm.ledger.claims() == ()  # 30 of 25 games are there
    games(swarm, 0, claim)
    assert swarm.refusal() == "claim not live"
    other = train(swarm, 0)
    games(swarm, 0, other)
    assert swarm.refusal() == "games of another claim"
    configuration = swarm.ledger.configuration("hex8-2")
    assert (configuration.shards, configuration.games, configuration.plies) == (3, 30, 2400)


def test_games_of_a_claim_from_before_a_promotion_still_count() -> None:
    swarm = Swarm()
    claim = swarm.next_id(1)
    swarm.act(1, t.SelfplayClaim(claim, "hex8-2", 100))
    swarm.promote(0)
    games(swarm, 1, claim)
    assert swarm.refusal() is None
    later = swarm.next_id(1)
    swarm.act(1, t.SelfplayClaim(later, "hex8-2", 100))
    live = swarm.ledger.claim(swarm.id(1), later)
    assert live is not None
    assert live.model == swarm.ledger.configuration("hex8-2").model.digest != t.UNIFORM


def test_a_transaction_acts_once() -> None:
    swarm = Swarm()
    claim = t.SelfplayClaim(swarm.next_id(0), "hex8-2", 10)
    swarm.act(0, claim)
    swarm.act(0, claim)
    assert swarm.refusal() == "id was used before"
    swarm.act(0, t.TrainClaim(claim.id, "hex8-2", "c16b2"))
    assert swarm.refusal() == "id was used before"
    swarm.act(1, claim)
    assert swarm.refusal() is None  # ids are unique to their author


def test_a_refused_transaction_has_used_its_id() -> None:
    swarm = Swarm()
    train(swarm, 0)
    wish = t.TrainClaim(5, "hex8-2", "c16b2")
    swarm.act(1, wish)
    swarm.wait(200)
    swarm.act(1, wish)
    assert swarm.refusal() == "id was used before"


def test_ids_in_any_order_and_a_bound_on_what_is_remembered() -> None:
    swarm = Swarm()
    for number in (5, 3, 4, 0, 1, 2):
        swarm.act(0, t.SelfplayClaim(number, "hex8-2", 1))
        assert swarm.refusal() is None
    sparse = [t.SelfplayClaim(number, "hex8-2", 1).as_table() for number in range(10, 4010, 2)]
    swarm.order((swarm.id(0), sparse))
    swarm.act(0, t.SelfplayClaim(11, "hex8-2", 1))
    assert swarm.refusal() == "id was used before"  # forgotten gaps are closed
    swarm.wait(120)
    swarm.act(0, t.SelfplayClaim(4007, "hex8-2", 1))
    assert swarm.refusal() is None


def test_strangers_and_nonsense_are_counted() -> None:
    swarm = Swarm()
    swarm.order((bytes(32), [t.SelfplayClaim(0, "hex8-2", 1).as_table()]))
    swarm.order((swarm.id(0), [{"type": "claim", "id": 0}]))
    swarm.order((swarm.id(0), [{"type": "weather", "id": 1}]))
    assert swarm.last == ()
    swarm.order((swarm.id(0), [{"type": "weather", "id": 1}]))
    assert swarm.ledger.refused_counts() == {"id was used before": 1, "malformed": 1, "not a member": 1}
    assert swarm.rounds[-1].number == 4


def test_the_latest_profile_counts() -> None:
    swarm = Swarm()
    for device in ("cpu", "cuda"):
        profile = t.Profile(
            swarm.next_id(2),
            roles=("match", "train"),
            device=device,
            software=bytes(32),
            rates={"plies": 5},
            cost=0,
            life=0,
        )
        swarm.act(2, profile)
    assert swarm.ledger.profiles()[swarm.id(2)].device == "cuda"
    assert swarm.last[0].fields == {"roles": "match train", "device": "cuda"}
