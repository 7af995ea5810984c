"""What is told in several places is told alike: progress of a slot, seals of a certificate, members, promotions."""

import json
from pathlib import Path
from typing import Any, cast

import trio
import trio.testing

from consensus.certificate.envelope import make_certificate
from consensus.certificate.verification import verify
from consensus.keys import id_text
from consensus.ledger.records import transactions as t
from node.gossip.rhythm import Rhythm
from node.member.timing import CreationTiming
from node.report import ledger as shown
from node.report.effect_log import EffectLog
from node.report.parts import slot_info
from node.simulation.run import make_deterministic, short_preimage_chains
from node.simulation.working_swarm import WorkingSwarm
from node.work.context import subject_of
from node.work.loop import _Tally
from node.work.slots import SlotState, WorkerSlot
from tests.consensus.ledger.swarm import Swarm
from tests.node.report.simulated import report_of


def test_the_seals_that_are_told_are_those_in_the_file() -> None:
    swarm = Swarm(4)
    statement = swarm.promote(0)
    swarm.certify(statement, (0, 1))
    (entry,) = shown.certificates(swarm.ledger, id_text)
    assert (entry["complete"], entry["seals"], entry["sealed"], len(entry["missing"])) == (False, 2, 2, 2)
    swarm.certify(statement, (2, 3))  # the last one comes late: the file is as it was, on every node
    (entry,) = shown.certificates(swarm.ledger, id_text)
    promotion = swarm.ledger.promotion(statement)
    assert promotion is not None
    assert len(promotion.seals) == 4
    envelope = make_certificate(promotion, swarm.ledger)
    assert envelope is not None
    verified = verify(envelope)
    assert entry["complete"]
    assert entry["seals"] == len(json.loads(envelope)["signatures"]) == len(verified.sealed_by) == 3
    assert entry["sealed"] == verified.sealed_weight == 3
    assert entry["missing"] == [id_text(swarm.id(3))]


async def test_the_progress_of_a_slot_is_that_of_its_claim() -> None:
    swarm = Swarm(4)
    number = swarm.next_id(0)
    swarm.act(0, t.SelfplayClaim(number, "hex8-2", 32))
    swarm.act(0, t.Progress(swarm.next_id(0), number, 5))
    claim = swarm.ledger.claim(swarm.id(0), number)
    assert claim is not None
    slot = SlotState(WorkerSlot(1), cast(Any, None))
    _Tally(slot, claim).observe({"games": 12})
    (of_slot,), own_done = [slot_info(slot)], {(swarm.id(0), work.claim): work.done for work in slot.works}
    (of_claim,) = shown.work(swarm.ledger, id_text, own_done)["claims"]
    assert of_slot["work"] is not None
    assert of_slot["work"]["done"] == of_claim["done"] == 12
    assert of_slot["work"]["subject"] == of_claim["subject"] == "hex8-2"
    (of_another,) = shown.work(swarm.ledger, id_text)["claims"]
    assert of_another["done"] == 5, "other members know what was told"


async def test_a_slot_of_a_match_has_one_name() -> None:
    swarm = Swarm(4)
    candidate = swarm.nominate(0)
    number = swarm.claim_slot(1, candidate, 0)
    claim = swarm.ledger.claim(swarm.id(1), number)
    assert claim is not None
    slot = SlotState(WorkerSlot(1), cast(Any, None))
    _Tally(slot, claim)
    of_slot = slot_info(slot)["work"]
    (of_claim,) = shown.work(swarm.ledger, id_text)["claims"]
    assert of_slot is not None
    assert of_slot["subject"] == of_claim["subject"] == subject_of(claim)
    assert of_slot["subject"] == f"hex8-2 candidate {candidate.hex()[:8]} slot 0"
    assert shown.claims_in_words(swarm.ledger, swarm.id(1)) == f"match {subject_of(claim)}"


def test_a_running_node_contradicts_itself_nowhere(tmp_path: Path) -> None:
    make_deterministic(5)
    timing, rhythm = CreationTiming(busy_s=1.0), Rhythm(busy_s=0.5)
    swarm = WorkingSwarm(4, 5, tmp_path, timing=timing, rhythm=rhythm, observe=lambda _, decided: None)
    seen: dict[str, Any] = {}

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(swarm.run)
            await trio.sleep(12)
            swarm.crash(swarm.nodes[3])
            await trio.sleep(12)
            report = report_of(swarm, EffectLog(str), tmp_path)
            for name in ("status", "members", "models", "certificates", "proposals", "ratings", "history"):
                seen[name] = getattr(report, name)()
            seen["metrics"] = report.status()
            nursery.cancel_scope.cancel()

    with short_preimage_chains():
        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    status, members = seen["status"], seen["members"]
    present = [entry for entry in members if entry["state"] != "left"]
    assert status["swarm"]["members"] == len(present) == len(status["peers"]) + 1
    assert status["swarm"]["weight"] == sum(entry["weight"] for entry in present)
    by_id = {entry["id"]: entry for entry in members}
    assert len({by_id[peer["id"]]["state"] for peer in status["peers"]}) == 2, "one of them is away"
    for peer in status["peers"]:
        same = by_id[peer["id"]]
        for field in ("name", "address", "weight", "last_contact_s", "lag_events", "state"):
            assert peer[field] == same[field], field
    assert by_id[status["node"]["id"]]["address"] == status["node"]["address"]
    canonical, models = status["canonical"], seen["models"]
    assert {entry["configuration"]: entry["model"] for entry in models if entry["canonical"]} == {
        name: entry["model"] for name, entry in canonical.items()
    }
    assert status["counts"]["promotions"] == sum(entry["promotions"] for entry in canonical.values())
    assert status["counts"]["certificates"] == sum(entry["complete"] for entry in seen["certificates"])
    assert status["swarm"]["open_proposals"] == sum(entry["state"] == "open" for entry in seen["proposals"])
    decided = sum(entry["count"] for entry in status["consensus"]["rounds"]["classes"])
    assert 0 < decided < status["consensus"]["round"]
