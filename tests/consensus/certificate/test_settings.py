"""What a certificate says about the settings: which held for the match and at the promotion; lies are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consensus.certificate.envelope import make_certificate, make_envelope
from consensus.certificate.settings import SettingsInForce, StatedSettings
from consensus.certificate.verification import CertificateError
from consensus.ledger.records.decisions import SteeringChange
from consensus.ledger.records.entities import Promotion
from consensus.settings import SteeringSettings
from consensus.statement import canonical_json, pae
from tests.consensus.certificate.both import verify
from tests.consensus.ledger.swarm import SMALL, Swarm

STEERED = replace(SMALL, steering=SteeringSettings(rules=1))


def setting(name: str, value: str, configuration: str | None = None) -> SteeringChange:
    return SteeringChange("set", setting=name, value=value, configuration=configuration)


def history() -> Swarm:
    """Three promotions: with the settings of the genesis, in the middle of a change, and with others."""
    swarm = Swarm(4, STEERED)
    swarm.certify(swarm.promote(0, "first"), (0, 1, 2))
    swarm.agree(setting("match.p1", "3/5"), 0, 1, 2)
    candidate = swarm.nominate(1, "second")
    swarm.agree(setting("match.p1", "16/25", "hex8-2"), 0, 1, 2)
    swarm.agree(setting("selfplay.games", "64"), 0, 1, 2)
    swarm.certify(swarm.promote_candidate(candidate, 1), (0, 1, 2))
    swarm.certify(swarm.promote(2, "third"), (0, 1, 2))
    return swarm


SWARM = history()
SECOND = SWARM.ledger.promotions()[1]
GENESIS = SettingsInForce(0, {})
MIDDLE = SettingsInForce(1, {"match.p1": "3/5"})
LAST = SettingsInForce(3, {"match.p1": "16/25", "selfplay.games": "64"})


def test_each_promotion_names_the_settings_of_its_match_and_those_at_its_end() -> None:
    certificates = [make_certificate(entry, SWARM.ledger) or b"" for entry in SWARM.ledger.promotions()]
    found = [verify(data, SWARM.genesis.digest).content.settings for data in certificates]
    assert found == [
        StatedSettings(GENESIS, GENESIS, None),
        StatedSettings(MIDDLE, LAST, None),
        StatedSettings(LAST, LAST, None),
    ]


def test_an_added_configuration_is_one_of_the_swarm() -> None:
    swarm = Swarm(4, replace(STEERED, configurations=("square8-3",)))
    swarm.agree(SteeringChange("add", configuration="hex8-2"), 0, 1, 2)
    swarm.certify(swarm.promote(0), (0, 1, 2))
    found = verify(make_certificate(swarm.ledger.promotions()[0], swarm.ledger) or b"").content
    assert (found.configuration, found.settings) == ("hex8-2", StatedSettings(MIDDLE_OF_ADD, MIDDLE_OF_ADD, 1))


MIDDLE_OF_ADD = SettingsInForce(1, {})


def changed(edit: Callable[[dict[str, Any]], object], swarm: Swarm = SWARM, promotion: Promotion = SECOND) -> str:
    """Why the certificate of a promotion is refused with another statement that members have sealed."""
    table = json.loads(promotion.statement)
    edit(table["predicate"])
    statement = canonical_json(table)
    seals = [(swarm.id(member), swarm.keys[member].sign(pae(statement))) for member in (0, 1, 2)]
    with pytest.raises(CertificateError) as error:
        verify(make_envelope(statement, seals, [swarm.genesis.raw]))
    return str(error.value)


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (lambda it: it.pop("settings"), "statement.predicate: has no field settings"),
        (lambda it: it["settings"].pop("added"), "statement.predicate.settings: has no field added"),
        (
            lambda it: it["settings"]["match"].update(changed={"match.p1": "13/20"}),
            "statement.predicate.match.settings: are not those of the genesis with what members had set",
        ),
        (
            lambda it: it["settings"]["match"].update(changed={}),
            "statement.predicate.match.settings: are not those of the genesis with what members had set",
        ),
        (lambda it: it["settings"]["match"].update(version=4), "statement.predicate.settings: are impossible"),
        (lambda it: it["settings"].update(added=1), "statement.predicate.settings: are impossible"),
        (lambda it: it.update(configuration="hex8-3"), "statement.predicate.settings: are impossible"),
        (
            lambda it: it["settings"]["match"].update(version=0),
            "statement.predicate.settings.match.changed: are more than the version says",
        ),
        (
            lambda it: (
                it["settings"]["match"].update(changed={"match.coming": "1"}),
                it["settings"]["promotion"]["changed"].update({"match.coming": "1"}),
            ),
            "statement.predicate.match.settings: settings.match.coming: is not a setting that this program knows; "
            "verify with a newer version of it",
        ),
        (
            lambda it: it["settings"]["match"].update(changed={"match.p1": "6/10"}),
            "statement.predicate.match.settings: settings.match.p1: must be written 3/5",
        ),
        (
            lambda it: it["match"]["settings"].update(p1="0.6"),
            "statement.predicate.match.settings: are not those of the genesis with what members had set",
        ),
        (
            lambda it: it["settings"]["match"].update(changed=["match.p1"]),
            "statement.predicate.settings.match.changed: must be a map",
        ),
    ],
)
def test_what_cannot_be_is_refused(edit: Callable[[dict[str, Any]], object], why: str) -> None:
    assert changed(edit) == why


IMPOSSIBLE = "statement.predicate.settings: are impossible"
AT_MATCH, AT_END = "statement.predicate.settings.match", "statement.predicate.settings.promotion"


@pytest.mark.parametrize(
    ("moment", "forged", "why"),
    [
        ("match", {"version": 2}, IMPOSSIBLE),  # two settings differ, so two versions lie between
        ("match", {"version": 3}, IMPOSSIBLE),
        ("match", {"version": True}, f"{AT_MATCH}.version: must be a whole number"),
        ("match", {"version": -1}, f"{AT_MATCH}.version: must be a whole number"),
        ("match", {"changed": {"match.p1": 3}}, f"{AT_MATCH}.changed.match.p1: must be text"),
        (
            "match",
            {"changed": {"match.p1": "3/5", "match.p0": "1/2"}},
            f"{AT_MATCH}.changed: are more than the version says",
        ),
        ("promotion", {"version": "3"}, f"{AT_END}.version: must be a whole number"),
        ("promotion", {"version": 1}, f"{AT_END}.changed: are more than the version says"),
        ("promotion", {"version": 2}, IMPOSSIBLE),
        ("promotion", {"changed": None}, f"{AT_END}.changed: must be a map"),
        (
            "promotion",
            {"changed": {"timing.vote_s": "1"}},
            f"{AT_END}.changed.timing.vote_s: is not a setting that members can change",
        ),
        (
            "promotion",
            {"changed": {"steering.rules": "0"}},
            f"{AT_END}.changed.steering.rules: is not a setting that members can change",
        ),
        (
            "promotion",
            {"changed": {"selfplay games": "64"}},
            f"{AT_END}.changed.selfplay games: is not a setting that members can change",
        ),
        (
            "promotion",
            {"changed": {"selfplay.coming": "a b"}},
            f"{AT_END}.changed.selfplay.coming: is not the value of a setting",
        ),
    ],
)
def test_no_ballots_lead_to_what_is_forged(moment: str, forged: dict[str, object], why: str) -> None:
    assert changed(lambda it: it["settings"][moment].update(forged)) == why


@pytest.mark.parametrize("field", ["version", "changed"])
@pytest.mark.parametrize("moment", ["match", "promotion"])
def test_nothing_may_be_left_out(moment: str, field: str) -> None:
    why = f"statement.predicate.settings.{moment}: has no field {field}"
    assert changed(lambda it: it["settings"][moment].pop(field)) == why


@pytest.mark.parametrize(
    ("added", "why"),
    [
        (None, IMPOSSIBLE),
        (0, "added: is impossible"),
        (3, "added: is impossible"),
        ("1", "added: must be a whole number"),
    ],
)
def test_a_configuration_was_added_before_its_match(added: object, why: str) -> None:
    swarm = Swarm(4, replace(STEERED, configurations=("square8-3",)))
    swarm.agree(SteeringChange("add", configuration="hex8-2"), 0, 1, 2)
    swarm.agree(setting("match.p1", "3/5", "hex8-2"), 0, 1, 2)
    swarm.promote(0)
    promotion = swarm.ledger.promotions()[0]
    assert changed(lambda it: it["settings"].update(added=added), swarm, promotion).endswith(why)


def test_without_the_rules_a_statement_says_nothing_of_it() -> None:
    swarm = Swarm(4)
    swarm.certify(swarm.promote(0), (0, 1, 2))
    promotion = swarm.ledger.promotions()[0]
    assert "settings" not in json.loads(promotion.statement)["predicate"]
    assert verify(make_certificate(promotion, swarm.ledger) or b"").content.settings is None


def test_the_example_of_the_page() -> None:
    page = " ".join((Path(__file__).parents[3] / "docs" / "steering.md").read_text().split())
    assert str(SMALL.match.p1) == "13/20"
    assert "`match.p1` is 13/20 in the genesis. Somebody sets 3/5 for the swarm: version 1." in page
    assert "match version 1 with match.p1 3/5, promotion version 2 with match.p1 16/25" in page
    swarm = Swarm(4, STEERED)
    swarm.agree(setting("match.p1", "3/5"), 0, 1, 2)
    candidate = swarm.nominate(0)
    swarm.agree(setting("match.p1", "16/25", "hex8-2"), 0, 1, 2)
    open_ = swarm.ledger.candidate(candidate)
    assert open_ is not None
    assert str(open_.settings.p1) == "3/5"
    swarm.certify(swarm.promote_candidate(candidate, 0), (0, 1, 2))
    found = verify(make_certificate(swarm.ledger.promotions()[0], swarm.ledger) or b"").content.settings
    assert found == StatedSettings(MIDDLE, SettingsInForce(2, {"match.p1": "16/25"}), None)
    following = swarm.ledger.candidate(swarm.nominate(1, "next"))
    assert following is not None
    assert str(following.settings.p1) == "16/25"
