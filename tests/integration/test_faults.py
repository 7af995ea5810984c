"""Members that report wrong results, in virtual time with the real work loop: found out, struck, replayed by others."""

import json
import random
from collections.abc import Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from consensus.fault_proof import verify_proof
from consensus.keys import id_text
from consensus.ledger.records.changes import Change
from consensus.ledger.records.effects import Effect
from consensus.ledger.records.entities import Promotion
from consensus.outcome import RoundEffects
from node.proofs.faults import proof_path
from node.simulation.fake_worker import FakeWorker, fake_games
from node.simulation.swarm import RoundObserver, SimulatedNode
from node.simulation.working_swarm import WorkingSwarm
from node.work.worker import Report
from tests.integration.test_work import ledgers, work

WAYS = ("scores", "replay", "seeds", "root", "alarm")
AS_PROOFS = ("seeds", "root")
"""Ways that `tests/node/proofs/test_fault_proofs.py` covers, too."""
LIAR = 1


class LyingWorker(FakeWorker):
    """Plays every slot wrongly in one way, and finds it right; or finds wrong what others played rightly."""

    way = "scores"

    async def perform(self, job: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        done = await super().perform(job, report)
        if job["job"] == "check":
            alarm = self.way == "alarm"
            return {"ok": not alarm, "reason": "I do not like it" if alarm else ""}
        if job["job"] != "match" or self.way == "alarm":
            return done
        scores = [[block, 4] for block, _ in job["blocks"]]
        games = fake_games(done["scores"], job["blocks"])
        if self.way == "replay":
            games = b"no games at all"
        if self.way == "seeds":
            games = fake_games(scores, [(block, bytes(32)) for block, _ in job["blocks"]])
        if self.way == "root":
            games = fake_games(scores, job["blocks"])
        games += b"by the liar" + self._chance.randbytes(8)
        root = bytes(32) if self.way == "root" else sha256(games).digest()
        return {**done, "scores": scores, "blob": self._write(games), "root": root}


class FaultySwarm(WorkingSwarm):
    """Node `LIAR` lies in `way`."""

    def __init__(self, way: str, *args: Any, observe: RoundObserver, **options: Any) -> None:
        super().__init__(*args, observe=self._record, **options)
        self._way = way
        self._pass_on = observe
        self.effects: list[Effect] = []  # of all rounds at node 1

    def _record(self, node: SimulatedNode, decided: RoundEffects) -> None:
        self._pass_on(node, decided)
        if node.number == 1:
            self.effects += decided.effects

    def worker(self, node: SimulatedNode, chance: random.Random, directory: Path) -> FakeWorker:
        if node.number != LIAR:
            return FakeWorker(chance, directory, self.jobs)
        made = LyingWorker(chance, directory, self.jobs, strength=0.0)
        made.way = self._way
        return made


@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=pytest.mark.slow) if way in AS_PROOFS else way for way in WAYS]
)
def test_a_liar_is_found_out_and_stops_nothing(way: str, tmp_path: Path) -> None:
    """What it reported is in no promotion; false alarms are closed, and cost it nothing but its word."""
    wished = 2 if way == "scores" else 1
    swarm = work(4, 1, tmp_path, wished, partial(FaultySwarm, way), faults=0 if way == "alarm" else wished)
    liar = swarm.nodes[LIAR].identity.id
    ledger = ledgers(swarm)[1]
    faults, promotions = ledger.faults(), ledger.promotions()
    reporters = {slot["member"] for promotion in promotions for slot in results_of(promotion)}
    if way == "alarm":
        assert not faults
        assert isinstance(swarm, FaultySwarm)
        assert {effect.member for effect in swarm.effects if effect.kind == "unproven"} == {liar}
        return
    assert len(faults) >= wished
    assert {fault.accused for fault in faults} == {liar}
    expected = [Change("leave", liar)] if len(faults) >= 2 else []
    assert [proposal.change for proposal in ledger.proposals()] == expected
    assert id_text(liar) not in reporters
    for node in swarm.nodes:
        kept = [proof_path(tmp_path / f"node{node.number}" / "faults", fault.id) for fault in faults]
        proofs = [verify_proof(path.read_bytes(), swarm.genesis.digest) for path in kept if path.exists()]
        assert len(proofs) >= len(faults) - 1  # the last one may be on its way
        assert all(proof.accused == liar and proof.found_weight == 3 for proof in proofs)
    again = [(fault.report.candidate, fault.report.slot) for fault in faults]
    assert len(set(again)) == len(again)


def results_of(promotion: Promotion) -> list[dict[str, Any]]:
    predicate = json.loads(promotion.statement)["predicate"]
    slots: list[dict[str, Any]] = predicate["results"]["slots"]
    return slots
