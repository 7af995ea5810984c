"""Members that only follow the priorities: the swarm gets on, also when some are dead, slow or clumsy."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from consensus.ledger.priorities import Subject, next_work, training_shards, why_rest
from consensus.ledger.records import transactions as t
from consensus.settings import MatchSettings, SelfplaySettings, Settings, SteeringSettings, TrainingSettings
from tests.consensus.ledger.swarm import SECOND, SMALL, Swarm, digest_of, settings
from tests.consensus.ledger.worker import QUICK, ROLES, Worker


class Crowd:
    """Lets the living members do what the priorities say, one event each per turn."""

    def __init__(self, swarm: Swarm, seed: int, dead: tuple[int, ...] = (), strength: float = 0.8) -> None:
        self.swarm = swarm
        self.random = random.Random(seed)
        self.dead = dead
        self.workers = [Worker(key, seed * 100 + number, strength) for number, key in enumerate(swarm.keys)]
        for member, worker in enumerate(self.workers):
            worker.ids = swarm.ids[member]

    def run(self, turns: int, promotions: int = 1) -> None:
        for _ in range(turns):
            if len(self.swarm.ledger.promotions()) >= promotions:
                break
            self.turn()
        for member, worker in enumerate(self.workers):
            self.swarm.ids[member] = worker.ids

    def turn(self) -> None:
        living = [member for member in range(len(self.workers)) if member not in self.dead]
        self.random.shuffle(living)
        ledger = self.swarm.ledger
        events = [
            (self.swarm.id(member), [wish.as_table() for wish in self.workers[member].wishes(ledger)])
            for member in living
        ]
        self.swarm.order(*events, step=2 * SECOND)


@pytest.mark.parametrize(("count", "dead"), [(1, 0), (2, 0), (3, 0), (4, 0), (7, 0), (4, 1), (7, 2)])
def test_a_swarm_promotes(count: int, dead: int) -> None:
    swarm = Swarm(count, QUICK)
    for seed in range(3):
        crowd = Crowd(swarm, seed, tuple(range(dead)))
        crowd.run(2000, promotions=seed + 1)
        assert len(swarm.ledger.promotions()) == seed + 1, swarm.ledger.closed_candidates()
    assert swarm.replayed().digest() == swarm.ledger.digest()


def test_a_dead_holder_of_every_kind_of_claim_is_survived() -> None:
    """A member takes part until it holds claims, then falls silent, again and again."""
    for seed in range(6):
        swarm = Swarm(4, QUICK)
        crowd = Crowd(swarm, seed)
        for turn in range(3000):
            crowd.dead = (0,) if turn % 40 > 20 + seed else ()
            crowd.turn()
            if swarm.ledger.promotions():
                break
        assert swarm.ledger.promotions(), seed


def test_a_weak_candidate_is_rejected_and_training_goes_on() -> None:
    swarm = Swarm(4, QUICK)
    Crowd(swarm, 1, strength=0.4).run(700)
    assert len(swarm.ledger.closed_candidates()) >= 2
    assert {entry.outcome for entry in swarm.ledger.closed_candidates()} <= {"rejected", "limit"}
    Crowd(swarm, 2, strength=0.9).run(700)
    assert swarm.ledger.promotions()


def test_self_play_spreads_over_configurations_and_stops_at_the_ceiling() -> None:
    swarm = Swarm(4, settings(configurations=("hex8-2", "square8-2")))
    for member in range(4):
        work = next_work(swarm.ledger, swarm.id(member), ROLES)
        assert work is not None
        assert work.kind == "selfplay"
        swarm.act(member, work.claim(swarm.next_id(member)))
    claimed = [claim.configuration for claim in swarm.ledger.claims()]
    assert sorted(claimed) == ["hex8-2", "hex8-2", "square8-2", "square8-2"]
    for configuration in ("hex8-2", "square8-2"):
        swarm.play(0, games=512, configuration=configuration)
    assert next_work(swarm.ledger, swarm.id(1), ("match", "selfplay")) is None
    training = next_work(swarm.ledger, swarm.id(1), ROLES)
    assert training is not None
    assert training.kind == "train"


def test_random_games_come_first_many_to_a_claim_and_the_first_training_waits_for_all_of_them() -> None:
    configurations = ("hex8-2", "square19-2")
    own = SelfplaySettings(games=100, random_games=1000, ceiling=200)
    training = TrainingSettings(games=200)
    swarm = Swarm(4, settings(configurations=configurations, selfplay=own, training=training))
    amounts = {}
    for member in range(2):
        work = next_work(swarm.ledger, swarm.id(member), ROLES)
        assert work is not None
        amounts[work.configuration] = work.amount
        swarm.act(member, work.claim(swarm.next_id(member)))
    assert amounts == {"hex8-2": 400, "square19-2": 125}
    swarm.play(2, games=999)
    assert next_work(swarm.ledger, swarm.id(3), ("train",)) is None
    swarm.play(2, games=1)
    work = next_work(swarm.ledger, swarm.id(3), ("train",))
    assert work is not None
    assert work.configuration == "hex8-2"
    play = next_work(swarm.ledger, swarm.id(3), ("selfplay",))
    assert play is not None
    assert play.configuration == "square19-2"  # of the other there are enough
    for _ in range(2):
        swarm.play(2, games=500, configuration="square19-2")
    assert next_work(swarm.ledger, swarm.id(3), ("selfplay",)) is None


def test_a_few_claims_are_enough_for_all_random_games() -> None:
    """With 2 games a claim, 4,096 random ones took nine minutes: one claim after another."""
    swarm = Swarm(4, settings(selfplay=SelfplaySettings(games=2, random_games=4096)))
    work = next_work(swarm.ledger, swarm.id(0), ("selfplay",))
    assert work is not None
    assert work.amount == 512


def test_nobody_plays_at_random_while_the_first_network_is_measured() -> None:
    own = SelfplaySettings(games=100, random_games=1000, ceiling=200)
    swarm = Swarm(4, settings(selfplay=own, training=TrainingSettings(games=200)))
    swarm.play(2, games=500)
    assert next_work(swarm.ledger, swarm.id(3), ("selfplay",)) is not None
    candidate = swarm.nominate(1)
    assert next_work(swarm.ledger, swarm.id(3), ("selfplay",)) is None
    assert swarm.ledger.candidate(candidate) is not None


def test_training_waits_for_games_for_the_open_candidate_and_for_the_trainer() -> None:
    swarm = Swarm(4)
    assert next_work(swarm.ledger, swarm.id(0), ("train",)) is None
    swarm.play(0, games=192)
    work = next_work(swarm.ledger, swarm.id(0), ("train",))
    assert work is not None
    assert (work.kind, work.family, work.amount) == ("train", "c16b2", 300)
    candidate = swarm.nominate(1)
    assert next_work(swarm.ledger, swarm.id(0), ("train",)) is None
    for slot in range(12):
        swarm.play_slot(2 + slot % 2, candidate, slot, score=0) if swarm.ledger.candidates() else None
    swarm.act(0, work.claim(swarm.next_id(0)))
    assert next_work(swarm.ledger, swarm.id(2), ("train",)) is None


def test_members_that_ask_at_once_are_drawn_different_slots() -> None:
    swarm = Swarm(7)
    swarm.nominate(0)
    chosen = [next_work(swarm.ledger, swarm.id(member), ROLES) for member in range(1, 7)]
    swarm.order(
        *(
            (swarm.id(member), [work.claim(swarm.next_id(member)).as_table()])
            for member, work in enumerate(chosen, 1)
            if work is not None and work.kind == "match"
        )
    )
    assert swarm.kinds() == ["claim"] * 6
    swarm.order()
    assert swarm.ledger.waits_for_beacon
    swarm.order()
    assert swarm.kinds() == ["slot"] * 6
    assert len({claim.slot for claim in swarm.ledger.claims()}) == 6
    assert not swarm.ledger.waits_for_beacon


def test_nobody_asks_for_a_slot_that_is_about_to_be_drawn_for_others() -> None:
    swarm = Swarm(4, settings(match=MatchSettings(slot_blocks=2, block_limit=4)))
    candidate = swarm.nominate(0)
    for member in (1, 2):
        assert kind_of_work(swarm, member) == "match"
        swarm.order((swarm.id(member), [t.MatchClaim(swarm.next_id(member), candidate).as_table()]), judges=())
    assert kind_of_work(swarm, 1) == kind_of_work(swarm, 3) == "selfplay"


def kind_of_work(swarm: Swarm, member: int) -> str | None:
    work = next_work(swarm.ledger, swarm.id(member), ROLES)
    return None if work is None else work.kind


def test_the_author_never_evaluates_among_three_or_more() -> None:
    swarm = Swarm(3)
    swarm.nominate(0)
    work = next_work(swarm.ledger, swarm.id(0), ROLES)
    assert work is not None
    assert work.kind == "selfplay"


def test_the_training_window_holds_the_newest_games() -> None:
    swarm = Swarm(4, Settings(training=TrainingSettings(window=100)))
    shards = [swarm.play(0, games=40) for _ in range(5)]
    assert [shard.digest for shard in training_shards(swarm.ledger, "hex8-2")] == shards[2:]


def test_random_games_leave_the_training_window_when_models_have_played_enough() -> None:
    swarm = Swarm(4, settings(training=replace(SMALL.training, window=1000, games=40)))
    random = [swarm.play(0, games=40) for _ in range(3)]
    swarm.promote(0)
    first = swarm.play(0, games=40)
    assert [shard.digest for shard in training_shards(swarm.ledger, "hex8-2")] == [*random, first]
    second = swarm.play(0, games=40)
    assert [shard.digest for shard in training_shards(swarm.ledger, "hex8-2")] == [first, second]
    lost = training_shards(swarm.ledger, "hex8-2", lost={second})
    assert [shard.digest for shard in lost] == [*random, first]


def test_a_member_that_claims_all_self_play_keeps_nobody_from_it() -> None:
    swarm = Swarm(4)
    for _ in range(3):
        swarm.act(3, t.SelfplayClaim(swarm.next_id(3), "hex8-2", 1 << 20))
    work = next_work(swarm.ledger, swarm.id(0), ROLES)
    assert work is not None
    assert (work.kind, work.amount) == ("selfplay", 32)


def test_later_models_play_with_more_simulations() -> None:
    few = SelfplaySettings(games=32, ceiling=512, simulations=8, late_simulations=50, late_promotions=2)
    swarm = Swarm(4, settings(configurations=("hex8-2", "square8-2"), selfplay=few))

    def simulations(configuration: str = "hex8-2") -> int:
        model = swarm.ledger.configuration(configuration).model.digest
        return swarm.ledger.selfplay_settings(configuration, model).simulations

    found = [simulations()]
    for name in ("first", "second", "third"):
        swarm.promote(0, name)
        found.append(simulations())
    assert found == [8, 8, 50, 50]
    assert simulations("square8-2") == 8
    first, second, _ = (entry.model.digest for entry in swarm.ledger.promotions())
    assert swarm.ledger.selfplay_settings("hex8-2", first).simulations == 8  # of a claim that was granted before
    assert swarm.ledger.selfplay_settings("square8-2", second).simulations == 8
    swarm.promote(1, "first")
    assert swarm.ledger.selfplay_settings("hex8-2", first).simulations == 50  # now it is no. 4


def test_with_0_late_promotions_no_model_is_late() -> None:
    swarm = Swarm(4, settings(selfplay=replace(SMALL.selfplay, late_promotions=0)))
    swarm.promote(0)
    model = swarm.ledger.configuration("hex8-2").model.digest
    assert swarm.ledger.selfplay_settings("hex8-2", model).simulations == SMALL.selfplay.simulations


@pytest.mark.parametrize(
    ("configuration", "games"), [("hex8-4", 32), ("square8-2", 32), ("square19-2", 8), ("hexagonal-3", 8)]
)
def test_a_claim_on_a_large_board_has_fewer_games(configuration: str, games: int) -> None:
    swarm = Swarm(1, settings(configurations=(configuration,)))
    work = next_work(swarm.ledger, swarm.id(0), ROLES)
    assert work is not None
    assert (work.kind, work.amount) == ("selfplay", games)


def test_older_shards_take_the_place_of_lost_ones() -> None:
    swarm = Swarm(4, Settings(training=TrainingSettings(window=100)))
    shards = [swarm.play(0, games=40) for _ in range(5)]
    found = training_shards(swarm.ledger, "hex8-2", lost=set(shards[3:]))
    assert [shard.digest for shard in found] == shards[:3]


def test_no_more_shards_are_trained_on_than_a_candidate_may_name() -> None:
    swarm = Swarm(1, Settings(training=TrainingSettings(window=10**6)))
    model = swarm.ledger.configuration("hex8-2").model.digest
    for batch in range(9):
        claim = swarm.next_id(0)
        swarm.act(0, t.SelfplayClaim(claim, "hex8-2", 1 << 20))
        swarm.act(
            0,
            *(
                t.Games(
                    swarm.next_id(0),
                    claim=claim,
                    configuration="hex8-2",
                    model=model,
                    shard=digest_of(batch, number),
                    size=1,
                    games=1,
                    plies=9,
                    root=bytes(32),
                )
                for number in range(500)
            ),
        )
    shards = training_shards(swarm.ledger, "hex8-2")
    assert len(shards) == t.SHARDS_LIMIT
    candidate = swarm.candidate(0)
    swarm.act(0, replace(candidate, shards=tuple(shard.digest for shard in shards)))
    assert swarm.refusal() is None


def test_what_a_member_failed_at_does_not_keep_it_from_other_work() -> None:
    swarm = Swarm(4)
    swarm.play(0, games=192)
    swarm.nominate(0)
    avoided: list[Subject] = []
    kinds = []
    while (work := next_work(swarm.ledger, swarm.id(1), ROLES, avoided)) is not None:
        kinds.append(work.kind)
        avoided.append(work.subject)
    assert kinds == ["match", "train", "selfplay"]


def test_training_of_another_family_keeps_nobody_from_ours() -> None:
    swarm = Swarm(4)
    swarm.play(0, games=192)
    for number in range(100):
        swarm.act(3, t.TrainClaim(swarm.next_id(3), "hex8-2", f"family{number}"))
    assert swarm.refusal() == "too many live claims"
    work = next_work(swarm.ledger, swarm.id(0), ("train",))
    assert work is not None
    swarm.act(0, work.claim(swarm.next_id(0)))
    assert swarm.refusal() is None
    assert next_work(swarm.ledger, swarm.id(1), ("train",)) is None


@pytest.mark.parametrize("rules", [0, 1])
def test_who_trains_is_told_to_train_another_configuration_only_where_the_ledger_grants_it(rules: int) -> None:
    """A node with several worker slots would else claim in vain again and again."""
    steering = SteeringSettings(rules=rules)
    swarm = Swarm(4, settings(configurations=("hex8-2", "square8-2"), steering=steering))
    for configuration in ("hex8-2", "square8-2"):
        swarm.play(1, games=512, configuration=configuration)
    first = next_work(swarm.ledger, swarm.id(0), ("train",))
    assert first is not None
    swarm.act(0, first.claim(swarm.next_id(0)))
    second = next_work(swarm.ledger, swarm.id(0), ("train",))
    assert (second is None) == bool(rules)
    if second is None:
        assert "nobody trains two at once" in why_rest(swarm.ledger, swarm.id(0), ("train",))
    else:
        swarm.act(0, second.claim(swarm.next_id(0)))
        assert swarm.refusal() is None
    assert next_work(swarm.ledger, swarm.id(2), ("train",)) is not None or not rules


def test_who_rests_knows_why() -> None:
    swarm = Swarm(4, SMALL)
    member, everything = swarm.id(0), ("match", "selfplay", "train")
    assert why_rest(swarm.ledger, member, ()) == "it has no work roles"
    assert why_rest(swarm.ledger, member, everything) == ""
    assert why_rest(swarm.ledger, member, ("match",)) == "no candidate is measured"
    assert why_rest(swarm.ledger, member, ("train",)).startswith("hex8-2: 0 new games are too few")
    avoided: set[Subject] = {("selfplay", "hex8-2", None)}
    assert why_rest(swarm.ledger, member, ("selfplay",), avoided) == "its self-play failed lately"
    swarm.play(1, games=SMALL.selfplay.ceiling)
    assert why_rest(swarm.ledger, member, ("selfplay",)) == "enough new games are there, or are played"
    assert why_rest(swarm.ledger, member, ("train",)) == ""
    claim = swarm.next_id(2)
    swarm.act(2, t.TrainClaim(claim, "hex8-2", SMALL.training.architecture))
    reason = "no candidate is measured; hex8-2: it is trained already; enough new games are there, or are played"
    assert why_rest(swarm.ledger, member, everything) == reason
    swarm.nominate(0)
    assert why_rest(swarm.ledger, member, ("match",)) == "no match has a free slot for it"
