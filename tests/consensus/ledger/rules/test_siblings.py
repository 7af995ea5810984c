"""Siblings: whose model may be the first of which configuration, who waits for it, and what may come of it."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from consensus.ledger.priorities import next_work, training_shards
from consensus.ledger.records import transactions as t
from consensus.ledger.records.entities import Claim, Configuration, Model
from consensus.ledger.records.ratings import Pair, Ratings, Tally
from consensus.ledger.rules.siblings import odds_of, sibling_of
from consensus.ledger.steering.estimates import estimate
from consensus.settings import NEW_SWARM, Settings, TrainingSettings
from engine.config import CONFIGS
from tests.consensus.ledger.steering.rated import STEERED
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


class Family(Swarm):
    """A swarm with the rules, whose configurations get canonical models and results without matches."""

    def __init__(self, *names: str, promotions: int = 4, joint_share: int = 0) -> None:
        steering = replace(STEERED.steering, joint_share=joint_share)
        settings = replace(STEERED, training=_training(promotions), steering=steering)
        super().__init__(4, replace(settings, configurations=tuple(sorted(names))))

    def give(
        self, name: str, promotions: int = 4, points: tuple[int, ...] = (), architecture: str = "c16b2"
    ) -> Configuration:
        """Give a configuration a canonical model with these points of blocks against the heuristic."""
        state = self.ledger._state
        model = Model(digest_of("model", name), {}, architecture, None)
        given = replace(state.configurations[name], model=model, promotions=promotions)
        state.configurations[name] = given
        pair = Pair(name, model.digest, "search", "heuristic", None, self.genesis.settings.match)
        state.ratings[name] = Ratings(name, (), (Tally(pair, 0, points),) if points else ())
        self.ledger._remembered.clear()  # as a round does
        return given

    def best(self, name: str, family: str = "c16b2") -> str | None:
        found = self.ledger.best_sibling(name, family)
        return None if found is None else found.configuration.name


def test_with_the_rules_the_nearest_of_the_experienced_and_then_the_strongest_is_the_sibling() -> None:
    swarm = Family("hex8-2", "hex8-3", "hex8-4", "hexagonal-3", "square8-2", "square8-3")
    assert swarm.best("hex8-3") is None
    swarm.give("square8-3", promotions=9, points=(9, 9))
    assert swarm.best("hex8-3") == "square8-3"  # other board, but nothing else is there
    swarm.give("square8-2", promotions=1, points=(4, 4))
    assert swarm.best("hex8-3") == "square8-3"
    swarm.give("hex8-2", points=(3, 2))
    assert swarm.best("hex8-3") == "hex8-2"  # same board
    swarm.give("hex8-4", points=(4, 4))
    assert swarm.best("hex8-3") == "hex8-2"
    swarm.give("hex8-4", points=(15, 15))
    assert swarm.best("hex8-3") == "hex8-4"  # the same board, and stronger against the heuristic
    swarm.give("hexagonal-3", promotions=3)
    assert swarm.best("hex8-3") == "hex8-4"  # promoted too seldom
    swarm.give("hexagonal-3", promotions=4)
    assert swarm.best("hex8-3") == "hexagonal-3"  # as many players on the same shape
    assert swarm.ledger.training_start("hex8-3", "c16b2") == swarm.ledger.configuration("hexagonal-3").model
    swarm.give("hexagonal-3", architecture="c32b4")
    assert swarm.best("hex8-3") == "hex8-4"  # weights of another shape are of no use
    assert swarm.best("hex8-3", "c32b4") == "hexagonal-3"


def test_the_odds_of_an_equal_player_are_even_and_more_points_are_more() -> None:
    chance = random.Random(5)
    for count in (2, 3, 4):
        assert odds_of((count,) * 9, count) == 1
        blocks = chance.randrange(1, 40)
        results = [tuple(chance.randrange(count * count + 1) for _ in range(blocks)) for _ in range(60)]
        by_odds = sorted(results, key=lambda points: odds_of(points, count))
        assert [sum(points) for points in by_odds] == sorted(sum(points) for points in results)
        values = [estimate(points, count).value for points in by_odds]
        assert values == sorted(values)
        assert all(odds_of(points, count) > odds_of((), count) for points in results)


def test_with_the_rules_nobody_waits_once_an_experienced_sibling_is_there() -> None:
    swarm = Family("hex8-2", "hex8-3", "square8-3")
    swarm.play(1, games=200, configuration="hex8-3")
    assert "hex8-3" not in trained(swarm)
    swarm.give("square8-3")
    assert "hex8-3" in trained(swarm)
    claim = claim_training(swarm, "hex8-3")
    assert claim.model == swarm.ledger.configuration("square8-3").model.digest
    nominate(swarm, claim, claim.model)
    assert swarm.refusal() is None
    (candidacy,) = swarm.ledger.candidates()
    assert candidacy.model.parent == claim.model


def test_without_promotions_that_are_wanted_no_sibling_is_taken() -> None:
    swarm = Family("hex8-2", "hex8-3", promotions=0)
    swarm.give("hex8-2")
    assert swarm.best("hex8-3") is None
    assert claim_training(swarm, "hex8-3").model == t.UNIFORM


def test_no_sibling_is_taken_for_a_configuration_with_a_model() -> None:
    swarm = Family("hex8-2", "hex8-3")
    swarm.give("hex8-2")
    own = swarm.give("hex8-3", promotions=1)
    assert swarm.ledger.training_start("hex8-3", "c16b2") == own.model
    assert swarm.ledger.training_start("hex8-3", "c32b4").digest == t.UNIFORM
