"""Settings by ballot, further configurations, pauses: what passes, what is refused, and from when on it holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from consensus.certificate.envelope import make_certificate
from consensus.certificate.verification import verify
from consensus.ledger import Ledger
from consensus.ledger.priorities import next_work
from consensus.ledger.records import transactions as t
from consensus.ledger.records.changes import Change
from consensus.ledger.records.decisions import OutdatedError, SteeringChange
from consensus.ledger.records.fields import MalformedError
from consensus.ledger.records.parsing import parse_transaction
from consensus.ledger.state.decisions import HISTORY_KEPT
from consensus.ledger.state.snapshot import decode_snapshot
from consensus.settings import SteeringSettings, TrainingSettings, find_setting
from tests.consensus.ledger.swarm import SMALL, Swarm

STEERED = replace(SMALL, steering=SteeringSettings(rules=1))
ROLES = ("match", "selfplay", "train")


def setting(name: str, value: str, configuration: str | None = None) -> SteeringChange:
    return SteeringChange("set", setting=name, value=value, configuration=configuration)


def add(name: str) -> SteeringChange:
    return SteeringChange("add", configuration=name)


def swarm_of(*configurations: str, **changes: Any) -> Swarm:
    return Swarm(4, replace(STEERED, configurations=configurations or ("hex8-2",), **changes))


def detail(swarm: Swarm) -> object:
    return next(effect.fields["detail"] for effect in swarm.last if effect.kind == "rejected")


def through_a_close(swarm: Swarm) -> Ledger:
    """The ledger as whoever joins now reads it."""
    state = swarm.ledger._state
    state.epoch.size = state.settings.epoch.bytes + 1
    closing = swarm.ledger.close(swarm.rounds[-1])
    restored = Ledger.restore(swarm.genesis, closing.record, closing.snapshot)
    assert restored.digest() == swarm.ledger.digest()
    return restored


def test_a_setting_holds_from_the_place_on_where_it_passes() -> None:
    swarm = swarm_of()
    proposal = swarm.propose(0, setting("selfplay.games", "64"))
    swarm.act(1, t.Ballot(swarm.next_id(1), proposal, approve=True))
    assert swarm.kinds() == ["ballot"]
    assert (swarm.ledger.settings.selfplay.games, swarm.ledger.settings_version) == (32, 0)
    claim = t.SelfplayClaim(swarm.next_id(2), "hex8-2", 32)
    ballot = t.Ballot(swarm.next_id(2), proposal, approve=True)
    later = t.SelfplayClaim(swarm.next_id(2), "hex8-2", 64)
    swarm.act(2, claim, ballot, later)
    assert swarm.kinds() == ["claim", "ballot", "decision", "claim"]
    assert dict(swarm.last[2].fields) == {
        "proposal": proposal, "change": "set", "setting": "selfplay.games", "value": "64", "configuration": None,
        "work": None, "version": 1, "before": None,
    }  # fmt: skip
    assert [entry.settings_version for entry in swarm.ledger.claims()] == [0, 1]
    assert swarm.ledger.closing is None  # no epoch has to end for it
    assert swarm.ledger.settings_on("hex8-2").selfplay.games == 64
    assert swarm.ledger.settings_on("hex8-2", 0).selfplay.games == 32
    (entry,) = swarm.ledger.settings_history()
    assert (entry.author, entry.approved) == (swarm.id(0), (swarm.id(0), swarm.id(1), swarm.id(2)))
    assert (entry.place.round, entry.proposal) == (swarm.ledger.round, proposal)
    assert swarm.replayed().digest() == swarm.ledger.digest()
    restored = through_a_close(swarm)
    assert restored.settings_history() == (entry,)
    assert restored.settings == swarm.ledger.settings


def test_what_is_made_says_which_settings_held_when_it_was_claimed_nominated_and_promoted() -> None:
    swarm = swarm_of()
    first = swarm.promote(0)
    swarm.agree(setting("match.p1", "3/5"), 0, 1, 2)
    swarm.play(1)
    candidate = swarm.nominate(0, "second")
    swarm.agree(setting("selfplay.games", "64"), 0, 1, 2)
    second = swarm.promote_candidate(candidate, 0)
    versions = [(entry.match_version, entry.settings_version) for entry in swarm.ledger.promotions()]
    assert (first, second) == tuple(entry.digest for entry in swarm.ledger.promotions())
    assert versions == [(0, 0), (1, 2)]
    assert [entry.settings_version for entry in swarm.ledger.shards("hex8-2")][-1] == 1


def test_a_configuration_can_have_its_own_value() -> None:
    swarm = swarm_of("hex8-2", "hexagonal-2")
    swarm.agree(setting("selfplay.games", "48", "hexagonal-2"), 0, 1, 2)
    assert swarm.ledger.settings_on("hexagonal-2").selfplay.games == 48  # as it is, not a quarter of it
    assert swarm.ledger.settings_on("hex8-2").selfplay.games == 32
    swarm.agree(setting("selfplay.games", "64"), 0, 1, 2)
    assert swarm.ledger.settings_on("hexagonal-2").selfplay.games == 48
    assert swarm.ledger.settings_on("hexagonal-2", 1).selfplay.games == 48
    assert swarm.ledger.settings_on("hexagonal-2", 0).selfplay.games == 8
    assert [entry.version for entry in swarm.ledger.changed_settings()] == [2, 1]


def test_a_configuration_can_lose_the_value_of_its_own() -> None:
    swarm = swarm_of("hex8-2", "square8-2")
    for value in ("48", None):
        swarm.agree(SteeringChange("set", setting="selfplay.games", value=value, configuration="hex8-2"), 0, 1, 2)
    assert (swarm.ledger.settings_version, swarm.last[-1].fields["before"]) == (2, "48")
    swarm.agree(setting("selfplay.games", "64"), 0, 1, 2)
    games = [swarm.ledger.settings_on("hex8-2", version).selfplay.games for version in range(4)]
    assert games == [32, 48, 32, 64]
    swarm.propose(0, SteeringChange("set", setting="selfplay.games", configuration="hex8-2"))
    assert detail(swarm) == "selfplay.games has no value of its own on hex8-2"
    swarm.agree(setting("selfplay.ceiling", "2000", "hex8-2"), 0, 1, 2)
    swarm.agree(setting("training.games", "1000", "hex8-2"), 0, 1, 2)
    swarm.propose(0, SteeringChange("set", setting="selfplay.ceiling", configuration="hex8-2"))
    assert detail(swarm) == "settings.selfplay.ceiling: must be training.games (1000) or more, not 512"
    assert swarm.replayed().digest() == swarm.ledger.digest()
    assert through_a_close(swarm).settings_on("hex8-2") == swarm.ledger.settings_on("hex8-2")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (setting("timing.lease_s", "10"), "timing.lease_s holds as long as the swarm does"),
        (setting("steering.rules", "0"), "steering.rules holds as long as the swarm does"),
        (setting("membership.anything", "1"), "membership.anything holds as long as the swarm does"),
        (setting("selfplay.games", "none"), "settings.selfplay.games: must be a whole number of 1 or more, not 'none'"),
        (setting("selfplay.games", "32"), "it would change nothing"),
        (setting("selfplay.games", "064"), "settings.selfplay.games: must be a whole number of 1 or more, not '064'"),
        (setting("match.p1", "0.60"), "match.p1: write 3/5, not 0.60"),
        (setting("match.p1", "1/2"), "settings.match.p1: must be above p0 = 1/2, not 1/2"),
        (
            setting("match.block_limit", "4096"),
            "settings.match.block_limit: must be 64 x slot_blocks = 128 or less, not 4096",
        ),
        (setting("steering.slot_s", "29"), "settings.steering.slot_s: must be 30 or more, not 29"),
        (
            setting("training.games", "4096"),
            "settings.selfplay.ceiling: must be training.games (4096) or more, not 512",
        ),
        (
            setting("training.architecture", "c16-b2"),
            "settings.training.architecture: must name a network c<4..256>b<1..20>, such as c16b2, not 'c16-b2'",
        ),
        (setting("selfplay.games", "64", "hex8-4"), "hex8-4 is not played here"),
        (
            setting("steering.floor", "10", "hex8-2"),
            "steering.floor has one value in the whole swarm; leave the configuration out",
        ),
        (add("hex8-2"), "hex8-2 is played already"),
        (SteeringChange("pause", configuration="hex8-3"), "hex8-3 is not played here"),
        (SteeringChange("resume"), "nothing is paused there"),
    ],
)
def test_what_does_not_fit_is_refused(change: SteeringChange, why: str) -> None:
    swarm = swarm_of()
    swarm.propose(0, change)
    assert (swarm.refusal(), detail(swarm)) == ("change does not fit", why)
    with pytest.raises(Exception, match="change does not fit"):
        swarm.ledger.require_fit(change)


def test_what_no_longer_fits_with_what_else_was_decided_is_dropped_when_it_passes() -> None:
    swarm = swarm_of("hex8-2", "square8-2")
    first = swarm.propose(0, setting("selfplay.ceiling", "200"))
    swarm.agree(setting("training.games", "300"), 1, 2, 3)
    for member in (1, 2):
        swarm.act(member, t.Ballot(swarm.next_id(member), first, approve=True))
    assert swarm.kinds() == ["ballot", "shelved"]
    why = "settings.selfplay.ceiling: must be training.games (300) or more, not 200"
    assert swarm.last[1].fields["reason"] == f"no longer possible: {why}"
    swarm.agree(setting("training.games", "400", "square8-2"), 0, 1, 2)
    swarm.propose(0, setting("selfplay.ceiling", "350"))  # too small for square8-2 alone
    assert detail(swarm) == "settings.selfplay.ceiling: must be training.games (400) or more, not 350"


def test_a_third_of_the_weight_keeps_a_setting() -> None:
    swarm = swarm_of()
    proposal = swarm.propose(0, setting("selfplay.games", "64"))
    for member in (1, 2):
        swarm.act(member, t.Ballot(swarm.next_id(member), proposal, approve=False))
    assert swarm.kinds() == ["ballot", "shelved"]
    assert swarm.ledger.settings_version == 0


def test_a_configuration_is_added_and_played() -> None:
    swarm = swarm_of()
    swarm.agree(add("square8-3"), 0, 1, 2)
    assert swarm.ledger.settings.configurations == ("hex8-2", "square8-3")
    assert swarm.ledger.settings_version == 1
    swarm.play(0, configuration="square8-3")
    assert [shard.settings_version for shard in swarm.ledger.shards("square8-3")] == [1]
    for number in range(4):
        swarm.play(number)
    work = next_work(swarm.ledger, swarm.id(0), ("selfplay",))
    assert work is not None
    assert work.configuration == "square8-3"
    restored = through_a_close(swarm)
    assert restored.configurations() == swarm.ledger.configurations()
    assert restored.shards("square8-3") == swarm.ledger.shards("square8-3")


def test_a_paused_swarm_grants_nothing_and_goes_on_with_all_else() -> None:
    swarm = swarm_of("hex8-2", "square8-2", training=TrainingSettings(games=32, window=64))
    swarm.play(0)
    claim = swarm.next_id(1)
    swarm.act(1, t.SelfplayClaim(claim, "hex8-2", 32))
    swarm.agree(SteeringChange("pause"), 0, 1, 2)
    for transaction in (
        t.SelfplayClaim(swarm.next_id(0), "hex8-2", 1),
        t.TrainClaim(swarm.next_id(0), "hex8-2", "c16b2"),
    ):
        swarm.act(0, transaction)
        assert swarm.refusal() == "work is paused"
    assert next_work(swarm.ledger, swarm.id(3), ROLES) is None
    swarm.act(1, t.Progress(swarm.next_id(1), claim, 3))
    assert swarm.kinds() == ["progress"]
    swarm.agree(setting("selfplay.games", "16"), 0, 1, 2)
    assert swarm.ledger.settings_version == 1  # a pause is no setting
    assert through_a_close(swarm).pauses() == swarm.ledger.pauses()
    swarm.agree(SteeringChange("resume"), 0, 1, 2)
    assert swarm.ledger.pauses() == ()
    assert next_work(swarm.ledger, swarm.id(3), ROLES) is not None


def test_one_kind_of_work_and_one_configuration_can_pause() -> None:
    swarm = swarm_of("hex8-2", "square8-2", training=TrainingSettings(games=32, window=64))
    swarm.play(0)
    swarm.agree(SteeringChange("pause", work="train"), 0, 1, 2)
    swarm.agree(SteeringChange("pause", work="selfplay", configuration="square8-2"), 0, 1, 2)
    work = next_work(swarm.ledger, swarm.id(3), ROLES)
    assert work is not None
    assert (work.kind, work.configuration) == ("selfplay", "hex8-2")
    swarm.propose(0, SteeringChange("pause", work="train", configuration="hex8-2"))
    assert detail(swarm) == "that is paused already"
    swarm.agree(SteeringChange("pause"), 0, 1, 2)
    swarm.agree(SteeringChange("resume", configuration="square8-2"), 0, 1, 2)
    assert [entry.change.scope for entry in swarm.ledger.pauses()] == [("", ""), ("train", "")]
    swarm.agree(SteeringChange("resume"), 0, 1, 2)
    assert swarm.ledger.pauses() == ()


def test_no_match_is_idle_while_it_is_paused() -> None:
    swarm = swarm_of()
    candidate = swarm.nominate(0)
    swarm.agree(SteeringChange("pause", work="match"), 0, 1, 2)
    swarm.wait(2000)
    assert swarm.ledger.candidate(candidate) is not None
    swarm.agree(SteeringChange("resume", work="match"), 0, 1, 2)
    swarm.wait(800)
    assert swarm.ledger.candidate(candidate) is not None
    swarm.wait(200)
    assert swarm.ledger.candidate(candidate) is None


@pytest.mark.parametrize("change", [setting("steering.coming", "7"), setting("coming.all", "x"), add("hex12-2")])
def test_a_change_that_this_program_does_not_know_is_kept_and_ends_it_when_it_passes(change: SteeringChange) -> None:
    swarm = swarm_of()
    proposal = swarm.propose(0, change)
    assert swarm.kinds() == ["proposal"]
    swarm.act(1, t.Ballot(swarm.next_id(1), proposal, approve=True))
    restored = through_a_close(swarm)
    kept = restored.proposal(proposal)
    assert kept is not None
    assert kept.change == change
    swarm = swarm_of()
    proposal = swarm.propose(0, change)
    swarm.act(1, t.Ballot(swarm.next_id(1), proposal, approve=True))
    with pytest.raises(OutdatedError, match=r"which this program does not know; install a newer version"):
        swarm.act(2, t.Ballot(swarm.next_id(2), proposal, approve=True))


def test_an_unknown_change_that_does_not_pass_ends_nothing() -> None:
    swarm = swarm_of()
    proposal = swarm.propose(0, setting("steering.coming", "7"))
    for member in (1, 2):
        swarm.act(member, t.Ballot(swarm.next_id(member), proposal, approve=False))
    assert swarm.kinds() == ["ballot", "shelved"]


def test_a_program_that_knows_a_later_setting_has_the_same_ledger_until_it_passes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What nobody can check without the setting, nobody checks before it passes; then one ends, the other goes on."""
    monkeypatch.setattr("consensus.settings.SelfplaySettings.UNCHECKED", frozenset({"games"}))
    newer = swarm_of()
    for member, value in enumerate(("junk", "-1", "32", "64")):
        newer.propose(member, setting("selfplay.games", value))
        assert newer.kinds() == ["proposal"]
    junk, negative, _, right = newer.ledger.proposals()
    for member in (0, 2, 3):  # a vote that fails
        newer.act(member, t.Ballot(newer.next_id(member), negative.id, approve=False))
    for member in (0, 1):
        newer.act(member, t.Ballot(newer.next_id(member), right.id, approve=True))
    assert newer.kinds() == ["ballot", "decision"]
    passed = newer.ledger.round
    for member in (1, 2):
        newer.act(member, t.Ballot(newer.next_id(member), junk.id, approve=True))
    assert newer.kinds() == ["ballot", "shelved"]
    again = Ledger.found(newer.genesis)
    digests = [(again.apply_round(decided), again.digest())[1] for decided in newer.rounds]
    assert digests[-1] == newer.ledger.digest()
    real = find_setting

    def find(name: str) -> Any:
        return real("steering.coming" if name == "selfplay.games" else name)

    for module in ("consensus.settings.settings", "consensus.ledger.rules.decisions"):
        monkeypatch.setattr(f"{module}.find_setting", find)
    older = Ledger.found(newer.genesis)
    for decided, digest in zip(newer.rounds, digests, strict=True):
        if decided.number == passed:
            with pytest.raises(OutdatedError, match=rf"has set selfplay\.games from round {passed} on"):
                older.apply_round(decided)
            break
        older.apply_round(decided)
        assert older.digest() == digest


def test_a_snapshot_with_a_setting_that_this_program_does_not_know_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    swarm = swarm_of()
    swarm.agree(setting("selfplay.games", "64"), 0, 1, 2)
    swarm.ledger._state.epoch.size = swarm.ledger.settings.epoch.bytes + 1
    closing = swarm.ledger.close(swarm.rounds[-1])
    decode_snapshot(swarm.genesis, closing.record, closing.snapshot)
    monkeypatch.setattr("consensus.settings.names.SECTIONS", {})
    with pytest.raises(OutdatedError, match=r"has set selfplay\.games"):
        decode_snapshot(swarm.genesis, closing.record, closing.snapshot)


def test_without_the_rules_all_of_it_is_malformed_as_ever() -> None:
    swarm = Swarm(4)
    swarm.propose(0, setting("selfplay.games", "64"))
    assert swarm.refusal() == "malformed"
    assert detail(swarm) == "field kind must be one of join, leave, weight, key, address"
    assert swarm.ledger.settings == swarm.genesis.settings


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (SteeringChange("set", setting="selfplay.games"), "value is missing"),
        (SteeringChange("set", value="1"), "setting is missing"),
        (SteeringChange("add"), "configuration is missing"),
        (SteeringChange("add", configuration="hex8-2", value="1"), "value has no place"),
        (SteeringChange("pause", setting="a.b"), "setting has no place"),
        (SteeringChange("set", setting="games", value="1"), "setting has text that is not allowed"),
        (SteeringChange("set", setting="a.b", value="two words"), "value has text that is not allowed"),
    ],
)
def test_a_malformed_change_is_refused(change: SteeringChange, why: str) -> None:
    with pytest.raises(MalformedError, match=why):
        parse_transaction(t.Propose(0, change, "").as_table())


def test_an_operator_pauses_and_resumes_alone_and_nothing_else() -> None:
    swarm = swarm_of()
    newcomer = swarm.enlist(9)
    swarm.genesis = replace(swarm.genesis, operators=tuple(sorted((swarm.id(1), swarm.id(newcomer)))))
    swarm.ledger = Ledger.found(swarm.genesis)
    swarm.propose(1, SteeringChange("pause"))
    assert swarm.kinds() == ["proposal", "decision"]
    assert [(entry.author, entry.approved) for entry in swarm.ledger.pauses()] == [(swarm.id(1), (swarm.id(1),))]
    swarm.propose(1, setting("selfplay.games", "64"))
    assert swarm.kinds() == ["proposal"]
    resume = swarm.propose(0, SteeringChange("resume"))
    assert swarm.kinds() == ["proposal"]
    swarm.propose(newcomer, SteeringChange("resume"))
    assert swarm.refusal() == "not a member"
    swarm.agree(Change("join", swarm.id(newcomer), weight=0, address="host:1"), 0, 2, 3)
    swarm.close()
    swarm.propose(newcomer, SteeringChange("resume"))  # others have proposed the same, and it does not wait for them
    assert swarm.kinds() == ["proposal", "decision"]
    assert swarm.ledger.pauses() == ()
    for member in (1, 2):
        swarm.act(member, t.Ballot(swarm.next_id(member), resume, approve=True))
    assert swarm.kinds() == ["ballot", "shelved"]
    assert swarm.replayed().digest() == swarm.ledger.digest()


def test_pauses_of_an_operator_push_no_change_of_settings_out_of_the_history() -> None:
    """A match goes on meanwhile: its certificate names the settings that held when it was opened."""
    swarm = swarm_of()
    swarm.genesis = replace(swarm.genesis, operators=(swarm.id(1),))
    swarm.ledger = Ledger.found(swarm.genesis)
    swarm.agree(setting("match.p1", "3/5"), 0, 1, 2)
    candidate = swarm.nominate(0)
    swarm.agree(setting("match.p1", "16/25"), 0, 1, 2)
    changes = (SteeringChange("pause", work="train"), SteeringChange("resume"))
    for _ in range(HISTORY_KEPT // 8):
        swarm.act(1, *(t.Propose(swarm.next_id(1), change, "again") for change in changes * 8))
    assert swarm.refusal() is None
    kinds = [entry.change.kind for entry in swarm.ledger.settings_history()]
    assert kinds[:3] == ["set", "set", "pause"]
    assert len(kinds) == 2 + HISTORY_KEPT
    swarm.certify(swarm.promote_candidate(candidate, 0), (0, 1, 2))
    content = verify(make_certificate(swarm.ledger.promotions()[0], swarm.ledger) or b"").content
    assert content.settings is not None
    assert content.settings.match.changed == {"match.p1": "3/5"}
    assert through_a_close(swarm).settings_history() == swarm.ledger.settings_history()
