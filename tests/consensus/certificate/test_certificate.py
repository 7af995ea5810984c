"""A certificate is believed exactly as it was made: whatever is changed, one clear line refuses it."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.dsse import Envelope
from securesystemslib.signer import Key, SSlibKey

from consensus.certificate.envelope import make_certificate, make_envelope
from consensus.certificate.verification import CertificateError, UnreadableError
from consensus.genesis import make_genesis
from consensus.keys import SigningKey, id_text, parse_id
from consensus.ledger.records.beacon import block_seed
from consensus.ledger.rules.promotion_statement import verdict_numbers, votes_digest
from consensus.ledger.rules.scores import results_digest, standing_of
from consensus.roster import RosterMember
from consensus.settings import MatchSettings
from consensus.statement import PAYLOAD_TYPE, canonical_json, pae
from tests.consensus.certificate.both import verify
from tests.consensus.ledger.swarm import Swarm


def promoted(
    count: int = 4, seals: tuple[int, ...] = (2, 0, 1, 3), measures: dict[str, int] | None = None, **options: Any
) -> Swarm:
    swarm = Swarm(count, **options)
    swarm.measures = measures or {}
    statement = swarm.promote(0)
    swarm.certify(statement, seals)
    return swarm


def certificate_of(swarm: Swarm) -> bytes:
    data = make_certificate(swarm.ledger.promotions()[-1], swarm.ledger)
    assert data is not None
    return data


SWARM = promoted(measures={"brier": 190_000, "value_correlation_1": -20_000})
GOOD = certificate_of(SWARM)
STATEMENT = SWARM.ledger.promotions()[0].statement
FILES = SWARM.ledger.promotions()[0].model.files


def changed(**changes: Any) -> bytes:
    """The good certificate with other fields, in canonical form."""
    table = json.loads(GOOD)
    table.update(changes)
    return canonical_json(table) + b"\n"


def resealed(statement: bytes, members: tuple[int, ...] = (0, 1, 2), swarm: Swarm = SWARM) -> bytes:
    """A certificate for any statement, with true seals."""
    seals = [(swarm.id(member), swarm.keys[member].sign(pae(statement))) for member in members]
    return make_envelope(statement, seals, [swarm.genesis.raw])


def refused(data: bytes, **options: Any) -> str:
    with pytest.raises(CertificateError) as error:
        verify(data, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_good_certificate_is_believed() -> None:
    found = verify(GOOD, SWARM.genesis.digest, FILES)
    assert found.sealed_by == tuple(sorted(SWARM.id(member) for member in (2, 0, 1)))
    assert (found.sealed_weight, found.genesis.roster.total_weight, found.files_checked) == (3, 4, 1)
    assert found.content.configuration == "hex8-2"
    assert found.content.model == SWARM.ledger.configuration("hex8-2").model.digest
    assert (found.content.blocks, found.content.score, found.content.most) == (12, 48, 4)
    assert found.content.statement == SWARM.ledger.promotions()[0].digest
    assert found.content.measures == {"brier": 190_000, "value_correlation_1": -20_000}
    assert verify(GOOD).genesis == SWARM.genesis


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_swarms_of_other_sizes(count: int) -> None:
    swarm = promoted(count, tuple(range(count)))
    assert verify(certificate_of(swarm), swarm.genesis.digest).genesis == swarm.genesis


def test_every_node_makes_the_same_bytes_and_later_seals_change_nothing() -> None:
    swarm = promoted(4, (3, 1, 0))
    before = certificate_of(swarm)
    swarm.certify(swarm.ledger.promotions()[0].digest, (2,))
    assert certificate_of(swarm) == before == make_certificate(swarm.replayed().promotions()[0], swarm.ledger)


def test_no_certificate_before_two_thirds() -> None:
    swarm = promoted(4, (0, 1))
    assert make_certificate(swarm.ledger.promotions()[0], swarm.ledger) is None


def test_the_chain_of_certificates_of_a_configuration() -> None:
    swarm = promoted()
    swarm.certify(swarm.promote(1, "second"), (0, 1, 2))
    first, second = (verify(make_certificate(entry, swarm.ledger) or b"") for entry in swarm.ledger.promotions())
    assert first.content.previous is None
    assert second.content.previous == first.content.statement
    assert second.content.incumbent == first.content.model


def test_somebody_else_s_code_verifies_it() -> None:
    keys: list[Key] = []
    for member in SWARM.genesis.members:
        public = {"public": member.id.hex()}
        keys.append(SSlibKey(id_text(member.id), "ed25519", "ed25519", public))
    found = Envelope.from_dict(json.loads(GOOD))
    assert found.payload_type == PAYLOAD_TYPE
    assert len(found.verify(keys, 3)) == 3


@pytest.mark.parametrize("stride", [pytest.param(101, id="sampled"), pytest.param(1, id="all", marks=pytest.mark.slow)])
def test_every_flipped_bit_is_refused(stride: int) -> None:
    """In the file as it lies on a disk; a flip inside a value is damage, not an unreadable file."""
    first_value = GOOD.index(b'["')
    for place in range(0, len(GOOD) * 8, stride):
        flipped = bytearray(GOOD)
        flipped[place // 8] ^= 1 << place % 8
        try:
            verify(bytes(flipped))
        except CertificateError:
            continue
        except UnreadableError:
            assert not first_value < place // 8 < len(GOOD) - 2, place
            continue
        pytest.fail(f"bit {place} flipped, and still believed")


def test_every_flipped_bit_of_the_statement_breaks_every_seal() -> None:
    for place in range(0, len(STATEMENT) * 8, 997):
        flipped = bytearray(STATEMENT)
        flipped[place // 8] ^= 1 << place % 8
        payload = base64.b64encode(bytes(flipped)).decode()
        assert "does not verify over this statement" in refused(changed(payload=payload))


def test_seals() -> None:
    signatures = json.loads(GOOD)["signatures"]
    assert "sealed by weight 2 of 4" in refused(changed(signatures=signatures[:2]))
    assert "sealed by weight 0 of 4" in refused(changed(signatures=[]))
    assert "seals twice" in refused(changed(signatures=[*signatures[:2], signatures[1]]))
    assert "out of order" in refused(changed(signatures=signatures[::-1]))
    swapped = [{**entry, "sig": signatures[number - 1]["sig"]} for number, entry in enumerate(signatures)]
    assert "does not verify" in refused(changed(signatures=swapped))
    stranger = SigningKey(bytes([99]) * 32)
    foreign = {"keyid": id_text(stranger.id), "sig": base64.b64encode(stranger.sign(pae(STATEMENT))).decode()}
    by_id = sorted([*signatures[:2], foreign], key=lambda entry: parse_id(entry["keyid"]))
    assert "is not a member of the swarm" in refused(changed(signatures=by_id))
    assert "is not a member of the swarm" in refused(changed(signatures=[*signatures, foreign][-2:]))


def test_weight_counts_not_heads() -> None:
    swarm = promoted(3, (0, 1, 2), weights=(3, 1, 1))
    statement = swarm.ledger.promotions()[0].statement
    assert verify(resealed(statement, (0, 1), swarm)).sealed_weight == 4
    assert "sealed by weight 3 of 5" in refused(resealed(statement, (0,), swarm))
    assert "sealed by weight 2 of 5" in refused(resealed(statement, (1, 2), swarm))


def test_another_genesis() -> None:
    assert "is of the swarm with genesis" in refused(GOOD, genesis=bytes(32))
    other = make_genesis("other", SWARM.genesis.members, SWARM.genesis.settings)
    seals = [(SWARM.id(member), SWARM.keys[member].sign(pae(STATEMENT))) for member in (0, 1, 2)]
    grafted = make_envelope(STATEMENT, seals, [other.raw])
    assert "another swarm than the genesis in the chain" in refused(grafted)
    heavy = make_genesis("test", [RosterMember(SWARM.id(0), 1)], SWARM.genesis.settings)
    assert "another swarm" in refused(make_envelope(STATEMENT, seals[:1], [heavy.raw]))


def test_model_files() -> None:
    (name,) = FILES
    assert f"file '{name}' does not match" in refused(GOOD, files={name: bytes(32)})
    assert f"file '{name}' of the certified model is missing" in refused(GOOD, files={})
    assert "is not part of the certified model" in refused(GOOD, files={**FILES, "more.bin": bytes(32)})
    manifest = {"manifest.cbor": SWARM.ledger.configuration("hex8-2").model.digest}
    assert verify(GOOD, files={**FILES, **manifest}).files_checked == 2
    assert "does not match" in refused(GOOD, files={**FILES, "manifest.cbor": bytes(32)})


@pytest.mark.parametrize(
    "data",
    [
        changed(payloadType="application/json"),
        changed(more=1),
        changed(chain=[]),
        changed(chain=None),
        changed(chain=[5]),
        changed(chain=["AAAA"]),
        changed(chain=json.loads(GOOD)["chain"] * 2),
        changed(payload=5),
        changed(payload="@@@@"),
        changed(signatures={}),
        changed(signatures=[5]),
        changed(signatures=[{"keyid": 5, "sig": ""}]),
        changed(signatures=[{"keyid": "x", "sig": "", "more": 1}]),
        GOOD[:-1],
        GOOD + b"\n",
        b" " + GOOD,
        GOOD.replace(b'"chain"', b'"chain":[],"chain"'),
        GOOD.replace(b'"payload":', b'"payload": '),
        GOOD.replace(b'"payload":"', b'"payload":"\xff'),
        GOOD.replace(b'"payload":"', b'"payload":""'),
        json.dumps({name: value for name, value in json.loads(GOOD).items() if name != "chain"}).encode(),
    ],
)
def test_refuses_other_forms(data: bytes) -> None:
    refused(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"{}",
        b"[]",
        b"null",
        b'{"payload":1}',
        bytes(100),
        b"\xff" * 50,
        b"[" * 100_000,
        GOOD[:5000],
    ],
)
def test_unreadable_input_is_something_else(data: bytes) -> None:
    with pytest.raises(UnreadableError) as error:
        verify(data)
    assert "\n" not in str(error.value)


def test_too_large_is_unreadable() -> None:
    with pytest.raises(UnreadableError, match="at most"):
        verify(b" " * (5 << 20))


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [leaf for key, entry in items for leaf in leaves(entry, (*path, key))]
    return [path]


def other_value(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if value is None:
        return "00" * 32
    return value[:-1] + ("1" if value[-1] == "0" else "0")


FREE = {"order", "measures", "event", "transaction", "architecture", "number", "ledger", "round", "count"}
"""What nothing else in a statement determines: here the seals alone vouch."""


def test_a_sealed_statement_that_contradicts_itself_is_refused() -> None:
    """Liars with two thirds of the weight must at least be consistent: what can be recomputed is."""
    whole = json.loads(STATEMENT)
    assert resealed(canonical_json(whole)) == resealed(STATEMENT)
    believed = []
    for path in leaves(whole):
        copy = json.loads(STATEMENT)
        part = copy
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = other_value(part[path[-1]])
        try:
            verify(resealed(canonical_json(copy)))
        except CertificateError:
            continue
        believed.append(path)
    surprising = [
        path
        for path in believed
        if not FREE & set(path) and path[:2] not in {("predicate", "incumbent")} and "settings" not in path
    ]
    assert not surprising


def test_statements_that_are_none() -> None:
    for statement in (b"", b"[]", b"{}", b'{"_type": 1}', b"[" * 100_000, b"\xff"):
        refused(resealed(statement))


@pytest.mark.parametrize("value", [None, [], {"brier": 5}, {"brier": "x"}, {"brier": "1" * 21}, {"brier": "٣"}])
def test_measures_are_whole_numbers_as_text(value: Any) -> None:
    whole = json.loads(STATEMENT)
    whole["predicate"]["proposal"]["measures"] = value
    assert "statement.predicate.proposal.measures" in refused(resealed(canonical_json(whole)))


@pytest.mark.parametrize(
    "change",
    [{"simulations": 1}, {"p1": "0.65"}, {"p1": [13, 20]}, {"p1": "26/40"}, {"simulations": None}, {"more": 1}],
)
def test_the_match_was_played_with_the_settings_of_the_genesis(change: dict[str, Any]) -> None:
    """They stand there in one form; what is None is left out."""
    whole = json.loads(STATEMENT)
    settings = {**whole["predicate"]["match"]["settings"], **change}
    whole["predicate"]["match"]["settings"] = {name: value for name, value in settings.items() if value is not None}
    assert refused(resealed(canonical_json(whole))).startswith("statement.predicate.match.settings: ")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("predicate", "results", "slots", 0, "games", "size"), 1 << 63),
        (("predicate", "results", "slots", 0, "games", "size"), 1 << 70),
        (("predicate", "results", "slots", 5, "scores"), [4, 1 << 70]),
        (("predicate", "model", "architecture"), "\ud800"),
        (("subject", 1, "name"), "\udfff"),
    ],
)
def test_what_has_no_digest_is_refused_as_the_rest(path: tuple[Any, ...], value: Any) -> None:
    whole = json.loads(STATEMENT)
    *way, last = path
    part = whole
    for key in way:
        part = part[key]
    part[last] = value
    assert "must be " in refused(resealed(canonical_json(whole)))


def test_values_of_other_types_are_refused() -> None:
    for path in leaves(json.loads(STATEMENT)):
        copy = json.loads(STATEMENT)
        part = copy
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = [{}]
        if not {"event", "transaction", "count", "round"} & set(path) and "order" not in path[:-1]:
            refused(resealed(canonical_json(copy)))


Twist = Callable[[list[Any]], object]


def cheat(holders: list[int], pair: tuple[int, int] = (4, 4), twist: Twist = id, ballots: Twist = id) -> bytes:
    """A sealed statement, right in every digest and number, in which these members played slots with these two scores.

    `twist` changes the list of the slots alone, and `ballots` that of the votes.
    """
    whole = json.loads(STATEMENT)
    predicate = whole["predicate"]
    (slot, *_), match = predicate["results"]["slots"], predicate["match"]
    predicate["results"]["slots"] = [
        {**slot, "slot": number, "member": id_text(SWARM.id(holder)), "scores": [*pair]}
        for number, holder in enumerate(holders)
    ]
    twist(predicate["results"]["slots"])
    blocks, settings = 2 * len(holders), MatchSettings.parse_table(match["settings"])
    candidate, beacon = (bytes.fromhex(text) for text in (predicate["proposal"]["candidate"], match["beacon"]["value"]))
    match["scores"] = [*pair] * len(holders)
    match["seeds"] = [block_seed(beacon, candidate, block).hex() for block in range(blocks)]
    predicate["test"] = verdict_numbers(settings, standing_of(settings, tuple(match["scores"]), 4))
    slots = [
        SlotFacts(
            parse_id(slot["member"]),
            tuple(slot["scores"]),
            bytes.fromhex(slot["root"]),
            bytes.fromhex(slot["games"]["sha256"]),
            slot["games"]["size"],
        )
        for slot in predicate["results"]["slots"]
    ]
    digest = results_digest(candidate, blocks, slots)
    predicate["results"]["digest"] = digest.hex()
    votes = predicate["votes"]
    for vote in votes["cast"]:
        vote["checked"] = digest.hex()
    ballots(votes["cast"])
    rows = [
        (parse_id(vote["member"]), True, bytes.fromhex(vote["checked"]), bytes.fromhex(vote["event"]))
        for vote in votes["cast"]
    ]
    votes["digest"] = votes_digest(rows).hex()
    return resealed(canonical_json(whole))


def test_slots_played_by_whom_the_rules_forbid() -> None:
    assert verify(cheat([1, 2, 1, 3, 2, 1]))
    assert "the author of the candidate played some" in refused(cheat([1, 0, 1, 3, 2, 1]))
    assert "both slots of a pair" in refused(cheat([1, 2, 3, 3, 2, 1]))
    stranger = id_text(SigningKey(b"x" * 32).id)
    assert "somebody who was never a member" in refused(
        cheat([1, 2, 1, 3, 2, 1], twist=lambda slots: slots[3].update(member=stranger))
    )


def test_scores_that_do_not_pass_the_test_or_go_on_after_it() -> None:
    assert "do not make the test accept" in refused(cheat([1, 2, 1, 3, 2, 1], (2, 2)))
    assert "do not make the test accept" in refused(cheat([1, 2, 1, 3, 2, 1, 2, 3]))
    assert "do not make the test accept" in refused(cheat([1, 2, 1, 3, 2]))
    assert "are impossible" in refused(cheat([1, 2, 1, 3, 2], (5, 5)))


def test_scores_that_suffice_at_the_block_limit_and_only_there() -> None:
    holders = [1, 2] * 8
    assert verify(cheat(holders, (3, 2))).content.at_limit
    assert not verify(GOOD).content.at_limit
    assert "nor suffice at the block limit" in refused(cheat(holders[:14], (3, 2)))
    assert "nor suffice at the block limit" in refused(cheat(holders, (2, 2)))
    assert "are impossible" in refused(cheat([*holders, 1, 2], (3, 2)))


def test_a_certificate_says_what_decides_at_the_limit_and_how_large_the_risk_is() -> None:
    test = json.loads(STATEMENT)["predicate"]["test"]
    assert test["decided_by"] == "test"
    assert test["limit"] == {"blocks": 32, "share": "51/100", "risk": "0.993620436379"}


def test_without_a_share_an_undecided_match_is_rejected() -> None:
    """As in genesis version 3, whose statements do not have the setting at all."""
    whole = json.loads(cheated(cheat([1, 2] * 8, (3, 2))))
    for share in ("1/1", None):
        settings = whole["predicate"]["match"]["settings"]
        settings["limit_share"] = share
        if share is None:
            del settings["limit_share"]
        assert "nor suffice at the block limit" in refused(resealed(canonical_json(whole)))


def cheated(certificate: bytes) -> bytes:
    """The statement in a certificate."""
    return base64.b64decode(json.loads(certificate)["payload"])


OLD = Path(__file__).parents[2] / "data" / "version-3"


@pytest.mark.parametrize(
    ("name", "genesis", "statement"),
    [
        ("certificate", "1797c2c5f2cfaff1838a8aff8fafcd96b4d7988d89fcea50695a97601fd2b23b", "c508808e4321"),
        ("played", "2dcd3c59442ec7ceff872222d6d8b40404f7b8323c1a392ba1a09ace67ff7d90", "4cac34d2eda6"),
    ],
)
def test_certificates_of_genesis_version_3_hold_for_ever(name: str, genesis: str, statement: str) -> None:
    data = (OLD / f"{name}.json").read_bytes()
    found = verify(data, bytes.fromhex(genesis))
    assert found.genesis.version == 3
    assert found.content.statement.hex().startswith(statement)
    assert (found.content.at_limit, found.content.measures) == (False, {})
    settings = json.loads(cheated(data))["predicate"]["match"]["settings"]
    assert MatchSettings.parse_table(settings) == found.genesis.settings.match
    assert found.genesis.settings.match.limit_share == 1


def test_votes_twice_by_strangers_or_on_other_results() -> None:
    holders = [1, 2, 1, 3, 2, 1]
    stranger = id_text(SigningKey(b"x" * 32).id)
    assert "distinct members" in refused(cheat(holders, ballots=lambda cast: cast[0].update(member=cast[1]["member"])))
    more = {"member": stranger, "approve": True, "checked": "00" * 32, "event": "00" * 32}
    assert "distinct members" in refused(cheat(holders, ballots=lambda cast: cast.append(more)))
    assert "more than two thirds" in refused(cheat(holders, ballots=lambda cast: cast[0].update(checked="00" * 32)))


def test_slots_that_are_not_those_of_the_match() -> None:
    holders = [1, 2, 1, 3, 2, 1]
    assert "not those of the counted blocks" in refused(cheat(holders, twist=lambda slots: slots.pop()))
    more = {"slot": 6, "member": id_text(SWARM.id(2)), "scores": [4, 4], "root": "00" * 32}
    games = {"sha256": "00" * 32, "size": 1, "count": 4}
    assert "not those of the counted blocks" in refused(
        cheat(holders, twist=lambda slots: slots.append({**more, "games": games}))
    )
    assert "other scores than the match" in refused(cheat(holders, twist=lambda slots: slots[2].update(scores=[4, 3])))


def test_a_file_that_is_named_twice() -> None:
    whole = json.loads(STATEMENT)
    whole["subject"].append({**whole["subject"][0], "digest": {"sha256": "00" * 32}})
    assert "names a file twice" in refused(resealed(canonical_json(whole)))
    whole["subject"][0], whole["subject"][-1] = whole["subject"][-1], whole["subject"][0]
    assert "names a file twice" in refused(resealed(canonical_json(whole)))


@dataclass(frozen=True)
class SlotFacts:
    author: bytes
    scores: tuple[int, ...]
    root: bytes
    blob: bytes
    size: int


def test_the_verifier_needs_only_cryptography() -> None:
    script = "import sys, consensus.certificate.verification; print(*{name.split('.')[0] for name in sys.modules})"
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", script]
    found = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split()
    assert "cryptography" in found
    assert not {"numpy", "torch", "trio", "cbor2", "httpx", "engine"} & set(found)
