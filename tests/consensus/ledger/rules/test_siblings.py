"""Siblings: whose model may be the first of which configuration, who waits for it, and what may come of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consensus.ledger.priorities import next_work, training_shards
from consensus.ledger.records import transactions as t
from consensus.ledger.records.entities import Claim
from consensus.ledger.rules.siblings import sibling_of
from consensus.settings import NEW_SWARM, Settings, TrainingSettings
from engine.config import CONFIGS
from tests.consensus.ledger.swarm import SMALL, Swarm, digest_of

ALL = tuple(sorted(CONFIGS))


def swarm_of(*names: str, promotions: int = 1) -> Swarm:
    return Swarm(4, replace(SMALL, configurations=names, training=_training(promotions)))


def _training(promotions: int) -> TrainingSettings:
    return replace(SMALL.training, sibling_promotions=promotions)


def claim_training(swarm: Swarm, name: str, family: str = "c16b2") -> Claim:
    number = swarm.next_id(0)
    swarm.act(0, t.TrainClaim(number, name, family))
    claim = swarm.ledger.claim(swarm.id(0), number)
    assert claim is not None
    swarm.order()
    swarm.order()
    return claim


def nominate(swarm: Swarm, claim: Claim, parent: bytes) -> None:
    files = {"weights.safetensors": digest_of("weights", claim.id)}
    model = t.model_digest(files, "c16b2", parent)
    news = swarm.candidate(0, configuration=claim.configuration)
    swarm.act(0, replace(news, claim=claim.id, model=model, files=files, parent=parent))


def promote(swarm: Swarm) -> None:
    """The open candidate wins its match."""
    (candidacy,) = swarm.ledger.candidates()
    swarm.order()
    swarm.order()
    swarm.ripen(candidacy.id, (1, 2))
    for voter in range(4):
        if swarm.ledger.candidates():
            swarm.vote(voter, candidacy.id)


def trained(swarm: Swarm) -> list[str]:
    """The configurations that would be trained now, the next one first."""
    avoided: list[tuple[str, str, None]] = []
    while (work := next_work(swarm.ledger, swarm.id(0), ("train",), avoided)) is not None:  # type: ignore[arg-type]
        avoided.append(("train", work.configuration, None))
    return [name for _, name, _ in avoided]


@pytest.mark.parametrize(
    ("name", "sibling"),
    [
        ("hex8-2", None),
        ("square8-2", "hex8-2"),
        ("hex8-3", "hex8-2"),
        ("square8-4", "square8-2"),
        ("square19-2", "square8-2"),
        ("square19-4", "square8-4"),
        ("hexagonal-3", "hex8-3"),
    ],
)
def test_the_nearest_configuration_with_shorter_games_is_the_sibling(name: str, sibling: str | None) -> None:
    assert sibling_of(name, ALL) == sibling


@pytest.mark.parametrize(
    ("name", "played", "sibling"),
    [
        ("square19-3", ("square19-2", "square19-3", "square8-2"), "square8-2"),
        ("square19-3", ("hex8-3", "square19-2", "square19-3"), "hex8-3"),
        ("square19-3", ("square19-2", "square19-3"), "square19-2"),
        ("square19-2", ("square19-2", "square19-3"), None),
        ("hex8-3", ("hex8-3", "hex8-4", "square8-3"), None),
    ],
)
def test_only_what_the_swarm_plays_can_be_a_sibling(name: str, played: tuple[str, ...], sibling: str | None) -> None:
    assert sibling_of(name, played) == sibling


def test_no_configuration_waits_for_itself_in_a_circle() -> None:
    for name in ALL:
        chain = [name]
        while (sibling := sibling_of(chain[-1], ALL)) is not None:
            chain.append(sibling)
            assert len(set(chain)) == len(chain)
        assert chain[-1] == "hex8-2"


def test_a_first_training_begins_with_the_siblings_canonical_model() -> None:
    swarm = swarm_of("hex8-2", "square8-2")
    assert claim_training(swarm, "square8-2").model == t.UNIFORM  # as long as there is none
    swarm.wait(4000)
    swarm.promote(1)
    canonical = swarm.ledger.configuration("hex8-2").model.digest
    assert claim_training(swarm, "square8-2").model == canonical
    assert claim_training(swarm, "square8-2", family="c32b4").model == t.UNIFORM  # weights of another shape
    assert claim_training(swarm_of("hex8-2", "square8-2", promotions=0), "square8-2").model == t.UNIFORM


@pytest.mark.parametrize("wins", [True, False])
def test_the_candidate_is_the_sibling_or_a_network_without_parent(wins: bool) -> None:
    swarm = swarm_of("hex8-2", "square8-2")
    swarm.promote(1)
    claim = claim_training(swarm, "square8-2")
    nominate(swarm, claim, digest_of("some other model"))
    assert swarm.refusal() == "candidate with another parent"
    nominate(swarm, claim, claim.model if wins else t.UNIFORM)
    assert swarm.refusal() is None
    (candidacy,) = swarm.ledger.candidates()
    assert swarm.ledger.training_start("square8-2", "c16b2") == candidacy.model  # its lineage has begun
    assert swarm.replayed().digest() == swarm.ledger.digest()


def test_a_configuration_with_a_model_has_its_own_lineage() -> None:
    swarm = swarm_of("hex8-2", "square8-2")
    swarm.promote(1)
    nominate(swarm, claim_training(swarm, "square8-2"), t.UNIFORM)
    (candidacy,) = swarm.ledger.candidates()
    promote(swarm)
    assert swarm.ledger.configuration("square8-2").model == candidacy.model
    assert claim_training(swarm, "square8-2").model == candidacy.model.digest


@pytest.mark.parametrize("wins", [True, False])
def test_random_games_are_not_trained_on_after_a_sibling(wins: bool) -> None:
    swarm = swarm_of("hex8-2", "square8-2")
    random = swarm.play(1, games=40, configuration="square8-2")
    swarm.promote(1)
    claim = claim_training(swarm, "square8-2")
    nominate(swarm, claim, claim.model if wins else t.UNIFORM)
    names = [shard.digest for shard in training_shards(swarm.ledger, "square8-2")]
    assert names == [random]  # its match may be lost
    promote(swarm)
    own = swarm.play(1, games=40, configuration="square8-2")
    names = [shard.digest for shard in training_shards(swarm.ledger, "square8-2")]
    assert names == ([own] if wins else [random, own])


def test_the_first_training_waits_for_promotions_of_the_sibling() -> None:
    swarm = swarm_of("hex8-2", "square8-2", promotions=2)
    for name in ("hex8-2", "square8-2"):
        swarm.play(1, games=200, configuration=name)
    assert trained(swarm) == ["hex8-2", "square8-2"]  # who fails at the sibling's training does not wait for it
    for number in range(2):
        work = next_work(swarm.ledger, swarm.id(0), ("train",))
        assert work is not None
        assert work.configuration == "hex8-2"
        swarm.promote(1, f"no. {number}")
    swarm.play(1, games=200, configuration="square8-2")  # more new games than there are of the other one
    work = next_work(swarm.ledger, swarm.id(0), ("train",))
    assert work is not None
    assert work.configuration == "square8-2"


def test_a_sibling_that_is_never_promoted_is_not_waited_for_any_longer() -> None:
    swarm = swarm_of("hex8-2", "square8-2", promotions=1)
    swarm.play(1, games=200, configuration="square8-2")
    for number in range(4):
        assert next_work(swarm.ledger, swarm.id(0), ("train",)) is None
        candidate = swarm.nominate(1, f"no. {number}")
        swarm.wait(4000)
        assert swarm.ledger.candidate(candidate) is None
    work = next_work(swarm.ledger, swarm.id(0), ("train",))
    assert work is not None
    assert (work.configuration, work.model) == ("square8-2", t.UNIFORM)


def test_files_of_before_mean_what_they_meant_and_new_swarms_have_siblings() -> None:
    assert Settings.parse(["hex8-2"], {"training": {"games": 192}}).training.sibling_promotions == 0
    assert NEW_SWARM.training.sibling_promotions > 0
