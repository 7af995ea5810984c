"""The files of games that a node offers: what the ledger names and the node keeps, the newest first."""

from consensus.keys import id_text
from node.report.records import record_file, record_files
from tests.consensus.ledger.swarm import Swarm


def keeps_all(digest: bytes) -> bool:
    return True


def test_shards_and_slots_are_listed_newest_first_if_they_are_kept() -> None:
    swarm = Swarm(4)
    shard = swarm.play(2)
    promotion = swarm.ledger.promotion(swarm.promote(0))
    assert promotion is not None
    candidate = promotion.candidate
    files = record_files(swarm.ledger, id_text, keeps_all)
    assert {entry["kind"] for entry in files} == {"selfplay", "match"}
    assert [entry["round"] for entry in files] == sorted((entry["round"] for entry in files), reverse=True)
    slots = [entry for entry in files if entry["kind"] == "match"]
    assert {entry["candidate"] for entry in slots} == {candidate.hex()}
    assert all(entry["model"] is None and entry["slot"] is not None for entry in slots)
    assert all(entry["candidate"] is None and entry["slot"] is None for entry in files if entry["kind"] == "selfplay")
    assert [entry["digest"] for entry in files if entry["kind"] == "selfplay"] == [shard.hex()]
    wanted = bytes.fromhex(files[-1]["digest"])
    assert record_files(swarm.ledger, id_text, lambda digest: digest == wanted) == files[-1:]
    assert record_file(swarm.ledger, id_text, wanted, keeps_all) == files[-1]
    assert record_file(swarm.ledger, id_text, wanted, lambda digest: False) is None
    assert record_file(swarm.ledger, id_text, bytes(32), keeps_all) is None


def test_results_of_an_open_match_are_listed_before_it_is_decided() -> None:
    swarm = Swarm(4)
    candidate = swarm.nominate(0)
    swarm.ripen(candidate)
    slots = [entry for entry in record_files(swarm.ledger, id_text, keeps_all) if entry["kind"] == "match"]
    assert slots
    assert {entry["candidate"] for entry in slots} == {candidate.hex()}
    reported = [slot.result for slot in swarm.ledger.candidates()[0].slots if slot.result is not None]
    assert {entry["digest"] for entry in slots} == {result.blob.hex() for result in reported}
