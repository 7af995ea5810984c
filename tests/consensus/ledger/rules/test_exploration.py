"""Losses outside their band raise exploration, promotions let it decay; it is granted with self-play."""

from __future__ import annotations

import pytest

from consensus.ledger.records import transactions as t
from consensus.ledger.rules.exploration import KEPT, LARGEST_LOSS, anomaly
from consensus.settings import SteeringSettings, TrainingSettings
from tests.consensus.ledger.swarm import Swarm, settings

STEERED = settings(training=TrainingSettings(games=1), steering=SteeringSettings(rules=1, turn_s=1, cooldown_s=0))


def train(swarm: Swarm, member: int, name: str, **losses: int) -> bytes:
    """A trained candidate with these losses, its match begun; its id."""
    swarm.wait(40)  # others go first after a candidate that was rejected
    if swarm.ledger.configuration("hex8-2").games == 0:
        swarm.play(2)  # who failed before trains only when there are games enough
    claim = swarm.next_id(member)
    swarm.act(member, t.TrainClaim(claim, "hex8-2", "c16b2"))
    held = swarm.ledger.claim(swarm.id(member), claim)
    assert held is not None
    model, files = swarm.model(name, held.model)
    number = swarm.next_id(member)
    news = t.Candidate(
        number, claim=claim, configuration="hex8-2", model=model, files=files, architecture="c16b2", parent=held.model,
        incumbent=swarm.ledger.configuration("hex8-2").model.digest, shards=(), losses=losses, measures={}, state=None,
    )  # fmt: skip
    swarm.act(member, news)
    assert swarm.refusal() is None
    for _ in range(2):
        swarm.order()
    return t.candidate_id(swarm.id(member), number)


def lose(swarm: Swarm, candidate: bytes) -> None:
    """Plays the match so that the candidate is rejected."""
    slot = 0
    while swarm.ledger.candidate(candidate) is not None:
        swarm.play_slot((2, 3)[slot % 2], candidate, slot, 0)
        slot += 1


def level(swarm: Swarm) -> int:
    return swarm.ledger.exploration("hex8-2").level


def test_the_band_is_three_mean_deviations_or_a_fiftieth() -> None:
    even = [1000] * 4
    assert [anomaly(even, loss) for loss in (1000, 1020, 980, 1030, 1040, 5000, 960)] == [0, 0, 0, 125, 250, 250, 250]
    spread = [900, 1100, 900, 1100]
    assert [anomaly(spread, loss) for loss in (1300, 1450, 1600)] == [0, 125, 250]
    assert anomaly([1000] * 3, 9000) == 0
    assert anomaly([0] * 4, LARGEST_LOSS) == 250


def test_a_candidate_whose_losses_jump_makes_games_begin_in_more_ways() -> None:
    swarm = Swarm(4, STEERED)
    for number in range(4):
        lose(swarm, train(swarm, number % 2, str(number), policy=600, winner=400))
    assert level(swarm) == 0
    before = swarm.ledger.budget("hex8-2")
    lose(swarm, train(swarm, 0, "odd", policy=900, winner=400))
    assert level(swarm) == 250
    assert swarm.ledger.exploration("hex8-2").losses == (1000, 1000, 1000, 1000, 1300)
    after = swarm.ledger.budget("hex8-2")
    assert (before.opening_plies, before.noise) == (12, 1000)
    assert (after.opening_plies, after.noise) == (15, 1250)
    claim = swarm.next_id(1)
    swarm.act(1, t.SelfplayClaim(claim, "hex8-2", 9))
    held = swarm.ledger.claim(swarm.id(1), claim)
    assert held is not None
    assert (held.opening_plies, held.noise) == (15, 1250)
    assert swarm.replayed().digest() == swarm.ledger.digest()


def test_a_clear_promotion_takes_a_tenth_of_it_away() -> None:
    swarm = Swarm(4, STEERED)
    for number in range(4):
        lose(swarm, train(swarm, number % 2, str(number), policy=1000))
    candidate = train(swarm, 0, "better", policy=2000)
    assert level(swarm) == 250
    swarm.ripen(candidate, (2, 3))
    for voter in range(4):
        if swarm.ledger.candidate(candidate) is not None:
            swarm.vote(voter, candidate)
    assert len(swarm.ledger.promotions()) == 1
    assert level(swarm) == 225


def test_few_losses_are_kept_and_liars_cannot_make_them_large() -> None:
    swarm = Swarm(4, STEERED)
    for number in range(10):
        lose(swarm, train(swarm, number % 2, str(number), policy=2**62, winner=-(2**62)))
    found = swarm.ledger.exploration("hex8-2")
    assert found.losses == (LARGEST_LOSS,) * KEPT
    assert found.level == 0


def test_candidates_without_training_and_swarms_without_the_rules_explore_as_ever() -> None:
    swarm = Swarm(4, STEERED)
    swarm.nominate(0)
    assert swarm.ledger.exploration("hex8-2").losses == ()
    plain = Swarm(4)
    lose(plain, train(plain, 0, "a", policy=5))
    assert plain.ledger._state.explorations == {}


@pytest.mark.parametrize("share", [0, 1001])
def test_a_share_of_positions_is_a_share(share: int) -> None:
    with pytest.raises(ValueError, match="full_share: must be"):
        SteeringSettings(full_share=share)
