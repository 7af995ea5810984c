"""Agents on one ledger: models are promoted, machines come and go, and a seed decides everything."""

from dataclasses import asdict, replace

import pytest

from consensus.settings import Settings
from node.simulation.agents.machines import HONEST, LIARS, Character, Machine
from node.simulation.agents.run import ALL, LedgerReport, ledger_settings, simulate_agents, simulate_machines
from node.simulation.agents.steering import NEUTRAL, with_rules, without, without_neutral

SETTINGS = ledger_settings(("hex8-2", "square8-3"))
ONE = ledger_settings(("hex8-2",))


@pytest.fixture(scope="module")
def report() -> LedgerReport:
    return simulate_agents(1, nodes=5, hours=1.0, settings=SETTINGS)


def test_an_hour_of_five_machines_promotes_and_seals_models(report: LedgerReport) -> None:
    assert report.promotions > 5
    assert report.strength > 400
    assert report.transactions["seal"] > 2 * report.promotions
    assert report.games > 10_000
    assert report.violations == 0


def test_machines_work_most_of_the_time_and_a_newcomer_is_voted_in(report: LedgerReport) -> None:
    assert 0.5 < report.utilisation <= 1.0
    assert (report.members, report.nodes) == (5, 5)
    assert report.transactions["propose"] == 1
    assert report.ledger_bytes_max > 5_000


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(report: LedgerReport) -> None:
    short = [asdict(simulate_agents(seed, nodes=4, hours=0.25, settings=SETTINGS)) for seed in (2, 2, 3)]
    assert short[0] == short[1]
    assert short[0]["trace"] != short[2]["trace"]


def test_all_configurations_are_twelve() -> None:
    assert len(ALL) == len(set(ALL)) == 12
    assert ledger_settings().configurations == tuple(sorted(ALL))


@pytest.mark.parametrize("name", sorted(NEUTRAL))
def test_every_part_of_the_steering_can_be_left_out(name: str) -> None:
    whole = with_rules(SETTINGS, 1)
    left: Settings = without(whole, [name])
    assert getattr(left.steering, name) == NEUTRAL[name] != getattr(whole.steering, name)
    assert replace(left.steering, **{name: getattr(whole.steering, name)}) == whole.steering


def test_what_no_ablation_leaves_out_is_known() -> None:
    settings = SETTINGS.steering.table().keys() | SETTINGS.steering.EARLIER.keys()
    assert settings == {*NEUTRAL, *without_neutral(), "rules", "window_s"}


def servers(*characters: Character) -> list[Machine]:
    """Machines that are alike and stay, the first ones with these characters."""
    return [
        Machine(
            number=number,
            device="server",
            evaluations_per_s=8000.0,
            positions_per_s=4000.0,
            cost=1,
            life_s=1e9,
            tells_life=False,
            character=characters[number] if number < len(characters) else HONEST,
        )
        for number in range(7)
    ]


def character(name: str) -> Character:
    return next(entry for entry in LIARS if entry.name == name)


def test_results_that_do_not_replay_are_proven_wrong_and_their_author_is_voted_out() -> None:
    report = simulate_machines(1, servers(character("results")), 0.5, SETTINGS)
    assert report.faults >= 2
    assert report.members == 6
    assert report.violations == 0


def test_a_fork_is_proven_with_real_signatures_and_its_author_has_no_say_any_more() -> None:
    report = simulate_machines(1, servers(character("forks")), 0.3, ONE)
    assert report.convictions == 1
    assert report.refused.get("no proof", 0) == report.violations == 0


def test_shards_with_false_facts_are_struck_where_the_steering_has_rules() -> None:
    report = simulate_machines(1, servers(character("facts")), 0.4, with_rules(ONE, 1))
    assert report.struck >= 1
    assert report.violations == 0


def test_a_liar_that_holds_claims_stops_nobody_for_longer_than_a_claim_may_live() -> None:
    report = simulate_machines(1, servers(character("holds")), 1.4, with_rules(ONE, 1))
    assert report.idle_hours > 0.5
    assert report.promotions > 0
    assert report.claims_over_lease == 0
