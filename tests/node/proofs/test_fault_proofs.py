"""Proofs of wrong results: each way to be wrong holds, whatever is changed is refused, nobody honest is framed."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consensus.encoding import decode, encode
from consensus.epoch import EpochRecord, SealedRecord
from consensus.event import decode_event
from consensus.fault_proof import NotAProofError, ProofError, verify_proof
from consensus.keys import SigningKey, id_text
from consensus.ledger.records.cases import SlotReport
from consensus.ledger.records.entity import to_value
from consensus.ledger.records.transactions import Finding, Result
from consensus.roster import RosterMember, make_roster
from node.cli import main
from node.proofs.fault_check import replay
from tests.node.proofs import fault_proofs
from tests.node.proofs.fault_proofs import (
    ACCUSED,
    BEACON,
    FINDERS,
    KEYS,
    changed,
    event,
    genesis,
    proof,
    proof_of,
    report_of,
)

WAYS: dict[str, tuple[Callable[[], fault_proofs.Slot], int | None, str, bool]] = {
    "scores": (fault_proofs.wrong_scores, None, "but [04] was claimed", True),
    "no games": (fault_proofs.not_games, None, "not a readable safetensors file", True),
    "illegal": (fault_proofs.illegal, None, "game 0", True),
    "size": (fault_proofs.honest, 100_000, "bytes, but 100000 were claimed", True),
    "seeds": (fault_proofs.other_seeds, None, "not the opening of the block's seed", False),
    "root": (fault_proofs.wrong_root, None, "Merkle root", False),
}


def check(data: bytes, trusted: bytes | None = None) -> tuple[str, bool]:
    wrong = replay(verify_proof(data, genesis().digest if trusted is None else trusted))
    return wrong.reason, wrong.by_itself


@pytest.mark.parametrize("way", WAYS)
def test_each_wrong_result_is_proven(way: str) -> None:
    slot, size, reason, by_itself = WAYS[way]
    found, alone = check(proof_of(slot(), size))
    assert re.search(reason, found), found
    assert alone is by_itself


def test_a_right_result_cannot_be_proven_wrong_even_by_everybody() -> None:
    """Except for other seeds: that the match had them is the word of those who say so, more than 2/3 of the weight."""
    with pytest.raises(ProofError, match="nothing is wrong with them"):
        check(proof_of(fault_proofs.honest(), finders=KEYS))
    reason, by_itself = check(proof_of(fault_proofs.honest(), beacon=bytes(32)))
    assert not by_itself
    assert "opening" in reason
    for finders in (FINDERS[:2], FINDERS[:1], ()):
        with pytest.raises(ProofError, match=r"found by weight \d of 4; more than two thirds are needed"):
            check(proof_of(fault_proofs.honest(), beacon=bytes(32), finders=finders))


def test_a_proof_of_genesis_version_3_holds_for_ever() -> None:
    data = (Path(__file__).parents[2] / "data" / "version-3" / "wrong-result.cbor").read_bytes()
    genesis_digest = "a1d0921eb63acf5ed8532e4f8daad1ef7429d3d536a98badd58706a9fc43ca7a"
    found = verify_proof(data, bytes.fromhex(genesis_digest))
    assert found.genesis.version == 3
    assert found.accused == ACCUSED.id
    assert found.report.digest.hex() == "35736acf00758db03ecea306ee85c045eade62476ab3ecb722c57f3a28538d60"


def test_only_different_members_count() -> None:
    stranger = SigningKey(b"stranger" * 4)
    for finders in ((*FINDERS[:2], stranger), (*FINDERS[:2], FINDERS[0])):
        with pytest.raises(ProofError, match="is not a member, or has two findings"):
            check(proof_of(fault_proofs.wrong_scores(), finders=finders))


def test_every_byte_counts() -> None:
    """No change of a byte anywhere leaves a proof that holds."""
    data = proof_of(fault_proofs.wrong_scores())
    chance = random.Random(7)
    table = decode(data, limit=1 << 27)
    assert isinstance(table, dict)
    places = set(chance.sample(range(len(data)), 400))
    for name in ("event", "genesis"):
        part = table[name]
        assert isinstance(part, bytes)
        at = data.index(part)
        places |= set(range(at, at + len(part), 3))
    for at in sorted(places):
        for bit in (1, 0x80):
            damaged = data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]
            with pytest.raises((ProofError, NotAProofError)):
                verify_proof(damaged, genesis().digest)


def test_parts_of_other_proofs_do_not_fit() -> None:
    data = proof_of(fault_proofs.wrong_scores())
    report, reported = report_of(fault_proofs.wrong_scores())
    other = event(ACCUSED, Result(2, claim=1, scores=fault_proofs.honest().scores, **_games_of(report)), seq=1)
    honest, _ = report_of(fault_proofs.honest())
    fields: Any = to_value(report)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"games": fault_proofs.honest().games + b"\0"}, "games: not those that the event names"),
        ({"event": other.raw}, "event: not the one that reported the result"),
        ({"event": 7}, "event: must be bytes"),
        ({"event": b"\x80"}, "event: not an array of header"),
        ({"report": to_value(honest)}, "event: (not the one|does not report this)"),
        ({"report": to_value(replace(report, beacon=bytes(32)))}, "does not find this result wrong"),
        ({"report": to_value(replace(report, slot=2))}, "event: does not report this result"),
        ({"report": to_value(replace(report, slot=16))}, "report: such a match does not have this slot"),
        ({"report": to_value(replace(report, slot=2**63 - 1))}, "report: such a match does not have this slot"),
        ({"report": to_value(replace(report, slot=-1))}, "report: such a match does not have this slot"),
        (
            {"report": to_value(replace(report, configuration="hex8-3"))},
            "report: the match is not played as the genesis requires",
        ),
        ({"report": to_value(replace(report, candidate=bytes(32)))}, "does not find this result wrong"),
        ({"report": fields[:5]}, "report"),
        ({"report": None}, "report"),
        ({"chain": [b"\x80"]}, "sealed record"),
        ({"chain": 1}, "chain: must be a list"),
        ({"findings": [reported.raw] * 3}, "does not find"),
        ({"findings": {}}, "findings: must be a list"),
        ({"version": 2}, "version 2 is unknown"),
        ({"version": True}, "version True is unknown"),
        ({"more": 1}, "must have the fields"),
    ]
    for fields, message in cases:
        with pytest.raises(ProofError, match=message):
            verify_proof(changed(data, **fields), genesis().digest)


def _games_of(report: SlotReport) -> dict[str, Any]:
    """Return what a result says of its games, as in this report."""
    return {name: getattr(report.result, name) for name in ("root", "blob", "size", "games")}


def test_findings_that_say_something_else_do_not_count() -> None:
    report, reported = report_of(fault_proofs.wrong_scores())
    for said in (
        Finding(1, candidate=report.candidate, slot=report.slot, result=report.digest, wrong=False, reason="right"),
        Finding(1, candidate=report.candidate, slot=2, result=report.digest, wrong=True, reason=""),
        Finding(1, candidate=bytes(32), slot=report.slot, result=report.digest, wrong=True, reason=""),
        Finding(1, candidate=report.candidate, slot=report.slot, result=bytes(32), wrong=True, reason=""),
    ):
        findings = [event(key, said).raw for key in FINDERS]
        data = changed(proof(report, reported, fault_proofs.wrong_scores().games), findings=findings)
        with pytest.raises(ProofError, match="does not find this result wrong"):
            verify_proof(data)


def test_a_forged_signature_of_the_accused_is_found() -> None:
    """Liars can write an event for an honest member, but not sign it."""
    report, reported = report_of(fault_proofs.wrong_scores())
    parts = decode(reported.raw, limit=1 << 20)
    assert isinstance(parts, list)
    forged = decode_event(encode([parts[0], KEYS[0].sign(b"ringrift/event/2\0"), parts[2]]), genesis().digest)
    assert forged.hash == reported.hash
    with pytest.raises(ProofError, match=r"signature of member .* does not verify"):
        verify_proof(proof(report, forged, fault_proofs.wrong_scores().games))


def test_the_genesis_is_compared() -> None:
    data = proof_of(fault_proofs.wrong_scores())
    assert verify_proof(data).accused == ACCUSED.id
    with pytest.raises(ProofError, match="is of the swarm with genesis"):
        verify_proof(data, bytes(32))


def test_the_roster_is_the_one_to_which_the_chain_leads() -> None:
    """A member that came later counts among those who found it, once the change is sealed."""
    newcomer = SigningKey(b"newcomer" * 4)
    old = genesis().roster
    new = make_roster([*old.members, RosterMember(newcomer.id, 1, None, "there:1")])
    record = EpochRecord(
        genesis=genesis().digest,
        number=1,
        previous=genesis().digest,
        old=old.digest,
        roster=new,
        roster_version=2,
        ledger=bytes(32),
        snapshot=bytes(32),
        round=5,
        ordered=50,
        time=500,
        judges=(bytes(32),),
    )
    sealed = SealedRecord(record, tuple(sorted((key.id, record.seal(key)) for key in KEYS)))
    finders = (*FINDERS[:2], newcomer, KEYS[3])
    data = proof_of(fault_proofs.wrong_scores(), finders=finders)
    with pytest.raises(ProofError, match="is not a member"):
        verify_proof(data)
    found = verify_proof(changed(data, chain=[sealed.raw]), genesis().digest)
    assert (found.found_weight, found.roster.total_weight) == (4, 5)
    few = SealedRecord(record, sealed.seals[:2])
    with pytest.raises(ProofError, match="sealed by two thirds or less"):
        verify_proof(changed(data, chain=[few.raw]))


@pytest.mark.parametrize("data", [b"", b"\xa0", b"{}", b"\xa1\x61a\x01", b"\x81\x01", b"\xff" * 100])
def test_what_is_no_proof_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(NotAProofError, match="not a proof of a wrong result"):
        verify_proof(data)


def test_verify_tells_what_a_proof_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, trusted = tmp_path / "a.fault", tmp_path / "genesis"
    trusted.write_bytes(genesis().raw)
    file.write_bytes(proof_of(fault_proofs.wrong_scores()))
    assert main(["verify", str(file), "--genesis", str(trusted)]) == 0
    told = capsys.readouterr().out
    assert "HOLDS: a wrong result" in told
    assert id_text(ACCUSED.id) in told
    assert "weight 3 of 4" in told
    assert "Its signature and the rules of the game show this" in told
    assert main(["verify", str(file), "--any-swarm", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["by_itself"] is True
    assert facts["genesis_compared"] is False
    assert facts["member"] == id_text(ACCUSED.id)
    file.write_bytes(proof_of(fault_proofs.other_seeds()))
    assert main(["verify", str(file), "--any-swarm"]) == 0
    told = capsys.readouterr().out
    assert f"beacon {BEACON.hex()}" in told
    assert "is the word of the members above" in told
    assert "NOT CHECKED: which swarm this is" in told


def test_verify_refuses_and_says_why_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.fault"
    for data, status, message in (
        (proof_of(fault_proofs.honest()), 1, "REFUSED: the games are as they were reported"),
        (proof_of(fault_proofs.wrong_scores(), finders=FINDERS[:2]), 1, "REFUSED: found by weight 2 of 4"),
        (b"\xa1\x61a\x01", 2, "not a proof of a wrong result"),
    ):
        file.write_bytes(data)
        assert main(["verify", str(file), "--any-swarm"]) == status
        told = capsys.readouterr()
        assert told.out == ""
        assert message in told.err
        assert told.err.count("\n") == 1
    file.write_bytes(proof_of(fault_proofs.wrong_scores()))
    assert main(["verify", str(file), "--genesis", "0" * 64]) == 1
    assert "is of the swarm with genesis" in capsys.readouterr().err
    assert main(["verify", str(file), "--any-swarm", "--model", str(tmp_path)]) == 2
