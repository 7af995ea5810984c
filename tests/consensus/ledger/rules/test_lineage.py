"""Lineages: what the next training starts from, after promotions, rejections and odd nominations."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from consensus.ledger.records import transactions as t
from consensus.ledger.records.entities import Lineage, TrainingState
from consensus.ledger.rules.lineage import FAMILIES_KEPT
from consensus.settings import MatchSettings, Settings, TrainingSettings
from tests.consensus.ledger.swarm import Swarm, digest_of, settings

SHORT = MatchSettings(slot_blocks=2, block_limit=4, p1=Fraction(9, 10), alpha=Fraction(1, 4), limit_share=Fraction(1))


def swarm_with(rejections: int) -> Swarm:
    return Swarm(4, settings(match=SHORT, training=TrainingSettings(games=192, rejections=rejections)))


def claim_training(swarm: Swarm, member: int, family: str = "c16b2") -> tuple[int, bytes]:
    """The claim and the model that it starts from."""
    number = swarm.next_id(member)
    swarm.act(member, t.TrainClaim(number, "hex8-2", family))
    claim = swarm.ledger.claim(swarm.id(member), number)
    assert claim is not None
    swarm.order()
    swarm.order()
    return number, claim.model


def trained(
    swarm: Swarm, member: int, claim: int, parent: bytes | None, *, family: str = "c16b2", size: int = 0
) -> t.Candidate:
    """What the trainer nominates; a state of this many bytes comes with it."""
    files = {"weights.safetensors": digest_of("weights", member, claim)}
    state = (digest_of("state", member, claim), size) if size else None
    model = t.model_digest(files, family, parent)
    return replace(
        swarm.candidate(member), claim=claim, model=model, files=files, architecture=family, parent=parent, state=state
    )


def nominate(swarm: Swarm, member: int, family: str = "c16b2", size: int = 0) -> tuple[bytes, bytes]:
    """Claims a training and nominates its model; what it started from, and the model."""
    claim, start = claim_training(swarm, member, family)
    news = trained(swarm, member, claim, start, family=family, size=size)
    swarm.act(member, news)
    assert swarm.refusal() is None
    swarm.order()
    swarm.order()
    return start, news.model


def open_candidate(swarm: Swarm) -> bytes:
    (open_,) = swarm.ledger.candidates()
    return open_.id


def reject(swarm: Swarm) -> None:
    """Members 1 and 2 play the open candidate's match: every point is the incumbent's."""
    candidate = open_candidate(swarm)
    for slot in range(2):
        if swarm.ledger.candidate(candidate) is not None:
            swarm.play_slot(1 + slot, candidate, slot, score=0)
    assert swarm.ledger.closed_candidates()[-1].outcome == "rejected"


def promote(swarm: Swarm) -> None:
    candidate = open_candidate(swarm)
    swarm.ripen(candidate)
    for member in range(4):
        if swarm.ledger.candidate(candidate) is not None:
            swarm.vote(member, candidate)
    assert not swarm.ledger.candidates()


def lineage(swarm: Swarm, family: str = "c16b2") -> Lineage:
    return swarm.ledger.configuration("hex8-2").lineages[family]


def test_training_goes_on_from_the_newest_candidate_promoted_or_not() -> None:
    swarm = swarm_with(4)
    start, first = nominate(swarm, 0)
    assert start == t.UNIFORM
    reject(swarm)
    start, second = nominate(swarm, 0)
    assert start == first
    promote(swarm)
    assert swarm.ledger.promotions()[-1].model.parent == first
    start, third = nominate(swarm, 3)
    assert start == second
    reject(swarm)
    assert claim_training(swarm, 0)[1] == third
    assert swarm.ledger.configuration("hex8-2").model.digest == second


def test_after_so_many_rejections_it_starts_from_the_canonical_model_and_a_new_lineage_begins() -> None:
    swarm = swarm_with(2)
    nominate(swarm, 0)
    promote(swarm)
    canonical = swarm.ledger.configuration("hex8-2").model.digest
    starts = []
    for _ in range(6):
        start, model = nominate(swarm, 0)
        starts.append((start, model))
        reject(swarm)
    models = [model for _, model in starts]
    assert [start for start, _ in starts] == [canonical, models[0], canonical, models[2], canonical, models[4]]
    start, _ = nominate(swarm, 0)
    assert start == canonical
    assert lineage(swarm).rejections == 0


def test_a_promotion_sets_the_count_back() -> None:
    swarm = swarm_with(2)
    for _ in range(3):
        nominate(swarm, 0)
        reject(swarm)
        assert lineage(swarm).rejections == 1
        nominate(swarm, 0)
        promote(swarm)
        assert lineage(swarm).rejections == 0


def test_with_no_rejections_allowed_it_always_starts_from_the_canonical_model() -> None:
    """As in genesis version 3."""
    swarm = swarm_with(0)
    for _ in range(2):
        start, _ = nominate(swarm, 0)
        assert start == t.UNIFORM
        reject(swarm)
    nominate(swarm, 0)
    promote(swarm)
    for _ in range(2):
        start, _ = nominate(swarm, 0)
        assert start == swarm.ledger.configuration("hex8-2").model.digest
        reject(swarm)


def test_only_matches_reject() -> None:
    """Who has no time to vote or to play says nothing about the weights."""
    swarm = swarm_with(1)
    _, first = nominate(swarm, 0)
    swarm.wait(1000)
    assert swarm.ledger.closed_candidates()[-1].outcome == "idle"
    start, second = nominate(swarm, 0)
    assert start == first
    swarm.ripen(open_candidate(swarm))
    for member in (1, 2):
        swarm.vote(member, open_candidate(swarm), approve=False)
    assert swarm.ledger.closed_candidates()[-1].outcome == "votes"
    assert claim_training(swarm, 0)[1] == second


def test_a_candidate_names_as_parent_what_its_claim_starts_from() -> None:
    swarm = swarm_with(4)
    _, first = nominate(swarm, 0)
    reject(swarm)
    claim, start = claim_training(swarm, 0)
    assert start == first
    for parent in (None, digest_of("another"), swarm.model("first")[0]):
        swarm.act(0, trained(swarm, 0, claim, parent))
        assert swarm.refusal() == "candidate with another parent"
    swarm.act(0, trained(swarm, 0, claim, start))
    assert swarm.refusal() is None


def test_where_nobody_has_the_newest_weights_the_canonical_ones_will_do() -> None:
    """Else the swarm would wait for them for ever; a new lineage begins then."""
    swarm = swarm_with(4)
    nominate(swarm, 0)
    promote(swarm)
    canonical = swarm.ledger.configuration("hex8-2").model.digest
    nominate(swarm, 0)
    reject(swarm)
    assert lineage(swarm).rejections == 1
    claim, start = claim_training(swarm, 0)
    assert start != canonical
    assert swarm.ledger.training_fallback("hex8-2", "c16b2").digest == canonical
    news = trained(swarm, 0, claim, canonical)
    swarm.act(0, news)
    assert swarm.refusal() is None
    assert (lineage(swarm).model.digest, lineage(swarm).rejections) == (news.model, 0)


def test_another_family_starts_from_scratch_and_says_so() -> None:
    """Its parent is the built-in model, and not a canonical one of another architecture."""
    swarm = swarm_with(4)
    nominate(swarm, 0)
    promote(swarm)
    start, large = nominate(swarm, 0, "c32b4")
    assert start == t.UNIFORM
    reject(swarm)
    assert claim_training(swarm, 0, "c32b4")[1] == large
    assert claim_training(swarm, 1)[1] == swarm.ledger.configuration("hex8-2").model.digest
    assert swarm.ledger.training_fallback("hex8-2", "c32b4").digest == t.UNIFORM


def test_the_state_of_the_training_goes_with_the_weights() -> None:
    swarm = swarm_with(4)
    nominate(swarm, 0, size=4096)
    first = lineage(swarm).state
    assert first is not None
    assert first.size == 4096
    promote(swarm)
    assert lineage(swarm).state == first
    nominate(swarm, 0)
    assert lineage(swarm).state is None


def test_a_model_that_was_nominated_again_changes_nothing_until_it_is_promoted() -> None:
    swarm = swarm_with(4)
    _, first = nominate(swarm, 0, size=1)
    promote(swarm)
    nominate(swarm, 0)
    promote(swarm)
    _, third = nominate(swarm, 0)
    reject(swarm)
    model = swarm.ledger.promotions()[0].model
    again = replace(
        swarm.candidate(1), model=first, files=model.files, architecture=model.architecture, parent=model.parent
    )
    swarm.act(1, again)
    swarm.order()
    swarm.order()
    assert lineage(swarm).model.digest == third
    swarm.ripen(open_candidate(swarm), (2, 3))
    for member in range(4):
        if swarm.ledger.candidates():
            swarm.vote(member, open_candidate(swarm))
    assert swarm.ledger.configuration("hex8-2").model.digest == first
    assert lineage(swarm) == Lineage(model, None, 0, lineage(swarm).index)
    assert claim_training(swarm, 0)[1] == first


def test_a_rejection_of_what_was_not_trained_does_not_count() -> None:
    swarm = swarm_with(2)
    nominate(swarm, 0)
    reject(swarm)
    swarm.act(3, swarm.candidate(3, "odd"))
    swarm.order()
    swarm.order()
    reject(swarm)
    assert lineage(swarm).rejections == 1


def test_families_that_nobody_asked_for_push_only_each_other_out() -> None:
    swarm = swarm_with(4)
    nominate(swarm, 0)
    reject(swarm)
    families = [f"c{number}b1" for number in range(1, FAMILIES_KEPT + 3)]
    for family in families:
        nominate(swarm, 0, family)
        reject(swarm)
    kept = swarm.ledger.configuration("hex8-2").lineages
    assert sorted(kept) == sorted(["c16b2", *families[2:]])
    assert list(kept) == sorted(kept)


@pytest.mark.parametrize("name", ["hex8-2", "square8-2"])
def test_configurations_have_lineages_of_their_own(name: str) -> None:
    swarm = Swarm(4, Settings(configurations=("hex8-2", "square8-2"), match=SHORT))
    nominate(swarm, 0)
    assert swarm.ledger.training_start(name, "c16b2").digest == (
        lineage(swarm).model.digest if name == "hex8-2" else t.UNIFORM
    )


def test_a_state_is_a_digest_and_a_size() -> None:
    swarm = swarm_with(4)
    nominate(swarm, 0, size=7)
    assert swarm.ledger.candidates()[0].state == lineage(swarm).state
    assert isinstance(lineage(swarm).state, TrainingState)
