"""Simulated people and liars decide on settings and pauses: the checks notice what differs, and nobody is harmed."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from consensus.ledger.records.decisions import SteeringChange
from consensus.ledger.rules.decisions import is_known
from consensus.settings import Settings, SteeringSettings
from node.simulation import invariants, made_up
from node.simulation.byzantine import STEERED_ATTACKS
from node.simulation.decisions import SENSIBLE, Decisions
from node.simulation.invariants import SettingsCheck, Violation, check_certificates
from node.simulation.run import simulate
from node.simulation.schedule import ATTACK_KINDS, Liar, Schedule, decode_schedule, draw_schedule
from node.simulation.workload import STEERED
from tests.consensus.ledger.swarm import SMALL, Swarm

NODE: Any = SimpleNamespace(number=1)


def decided_swarm() -> tuple[Swarm, SettingsCheck]:
    """Return a swarm that has set a value, and a check that has seen each of its rounds."""
    swarm = Swarm(4, replace(SMALL, steering=SteeringSettings(rules=1)))
    swarm.agree(SteeringChange("set", setting="selfplay.games", value="64"), 0, 1, 2)
    check = SettingsCheck()
    for decided in swarm.rounds:
        effects = swarm.last if decided is swarm.rounds[-1] else ()
        check.observe(SimpleNamespace(round=decided, effects=effects))  # type: ignore[arg-type]
    return swarm, check


def test_settings_that_follow_from_the_decisions_pass() -> None:
    swarm, check = decided_swarm()
    check.inspect(NODE, swarm.ledger)
    assert check.version == 1


def test_settings_that_do_not_follow_from_the_decisions_are_noticed() -> None:
    swarm, check = decided_swarm()
    swarm.ledger._state.decisions.adopted.clear()
    with pytest.raises(Violation, match="do not follow"):
        check.inspect(NODE, swarm.ledger)


@pytest.mark.parametrize("name", ["settings", "pauses", "version"])
def test_two_nodes_with_other_settings_after_a_round_are_noticed(name: str) -> None:
    swarm, check = decided_swarm()
    check.inspect(NODE, swarm.ledger)
    tables = swarm.ledger._state.decisions
    (entry,) = tables.history
    others = {"settings": Settings(), "pauses": {("", ""): entry}, "version": 2}
    setattr(tables, name, others[name])
    with pytest.raises(Violation, match="other settings after round 3"):
        check.inspect(NODE, swarm.ledger)


def test_a_certificate_that_does_not_verify_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger: Any = SimpleNamespace(
        genesis=SimpleNamespace(digest=bytes(32)),
        promotions=lambda: [SimpleNamespace(configuration="hex8-2", number=1)],
    )
    monkeypatch.setattr(invariants, "make_certificate", lambda promotion, ledger: b"{}\n")
    with pytest.raises(Violation, match=r"hex8-2 no\. 1: not a certificate"):
        check_certificates(ledger)
    monkeypatch.setattr(invariants, "make_certificate", lambda promotion, ledger: None)
    assert check_certificates(ledger) == 0


def test_half_of_the_schedules_are_steered_and_nothing_else_is_drawn_otherwise() -> None:
    drawn = [draw_schedule(seed, 7, 30) for seed in range(200)]
    assert 70 < sum(schedule.steered for schedule in drawn) < 130
    before = [draw_schedule(seed, 7, 30, attacks=ATTACK_KINDS[: -len(STEERED_ATTACKS)]) for seed in range(200)]
    for schedule, plain in zip(drawn, before, strict=True):
        liars = tuple(
            replace(liar, kinds=tuple(kind for kind in liar.kinds if kind not in STEERED_ATTACKS))
            for liar in schedule.liars
        )
        assert replace(schedule, liars=liars) == plain
        assert schedule.steered or liars == schedule.liars
        assert decode_schedule(schedule.encode()) == schedule


def test_people_propose_what_this_program_knows_and_approve_of_nothing_else() -> None:
    swarm = Swarm(4, STEERED)
    user = Decisions(1, 0)
    proposed = [change for _ in range(3000) for change in user.proposes(swarm.ledger, swarm.id(0))]
    assert {change.kind for change in proposed} == {"set", "add", "pause"}
    assert all(is_known(change) for change in proposed)
    unknown = SteeringChange("set", setting="selfplay.moonlight", value="7")
    assert not any(user.approves(unknown) for _ in range(100))
    assert not user.approves(SteeringChange("add", configuration="hexagonal-9"))
    assert user.proposes(Swarm(4).ledger, Swarm(4).id(0)) == []


def test_every_value_that_people_propose_can_be_set_alone() -> None:
    for setting, values in SENSIBLE.items():
        for value in values:
            if setting != "match.slot_blocks":
                assert STEERED.with_values({setting: value}).text_of(setting) == value


def test_what_is_missing_is_not_wrong() -> None:
    digest = made_up.make_missing(b"\1" * 32)
    assert made_up.is_missing(digest)
    assert not made_up.is_missing(b"\1" * 32)


def test_a_liars_decisions_and_false_findings_harm_nothing() -> None:
    attacks = ("false-decisions", "false-findings")
    report = simulate(Schedule(seed=4, nodes=4, seconds=9.0, liars=(Liar(3, attacks),), steered=True))
    assert report.effects["shelved"] > 0
    assert report.rounds > 5


def test_a_swarm_that_changes_its_settings_certifies_what_can_be_verified() -> None:
    report = simulate(Schedule(seed=2, nodes=4, seconds=18.0, steered=True))
    assert report.settings > 0
    assert report.verified > 0
