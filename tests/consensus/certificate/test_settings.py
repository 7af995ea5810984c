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


def changed(edit: Callable[[dict[str, Any]], object]) -> str:
    """Why the second certificate is refused with another statement that members have sealed."""
    promotion = SWARM.ledger.promotions()[1]
    table = json.loads(promotion.statement)
    edit(table["predicate"])
    statement = canonical_json(table)
    seals = [(SWARM.id(member), SWARM.keys[member].sign(pae(statement))) for member in (0, 1, 2)]
    with pytest.raises(CertificateError) as error:
        verify(make_envelope(statement, seals, [SWARM.genesis.raw]))
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
            lambda it: it["settings"]["match"].update(changed={"match.coming": "1"}),
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
