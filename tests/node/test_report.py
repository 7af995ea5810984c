"""The ledger as people read it: each figure of a candidate comes from what was ordered."""

from consensus.keys import id_text
from node.effects import EffectLog
from node.report import ledger as shown
from node.sentences import sentence
from tests.consensus.ledger.forks import fork
from tests.consensus.ledger.swarm import Swarm


def test_a_promoted_candidate_keeps_its_votes() -> None:
    swarm = Swarm(4)
    candidate = swarm.nominate(0)
    swarm.ripen(candidate)
    swarm.vote(1, candidate, approve=False)
    (open_one,) = shown.work(swarm.ledger, id_text)["candidates"]
    assert (open_one["state"], open_one["approve"], open_one["reject"]) == ("ripe", 0, 1)
    for member in (0, 2, 3):
        swarm.vote(member, candidate)
    (promoted,) = shown.work(swarm.ledger, id_text)["candidates"]
    assert (promoted["state"], promoted["approve"], promoted["reject"]) == ("promoted", 3, 1)
    assert promoted["counted"] <= promoted["limit"] == swarm.genesis.settings.match.block_limit
    assert (promoted["score"], promoted["null_score"]) == (promoted["counted"] * 4, promoted["counted"] * 2)


def test_votes_on_a_dropped_candidate_are_not_known() -> None:
    swarm = Swarm(4)
    candidate = swarm.nominate(0)
    swarm.ripen(candidate)
    for member in (1, 2):
        swarm.vote(member, candidate, approve=False)
    (dropped,) = shown.work(swarm.ledger, id_text)["candidates"]
    assert dropped["state"] == "dropped"
    assert dropped["reason"]
    assert (dropped["approve"], dropped["reject"]) == (None, None)


def test_a_proof_is_told_with_the_names_of_both() -> None:
    swarm = Swarm(4)
    log = EffectLog({swarm.id(1): "alpha", swarm.id(3): "delta"}.__getitem__)
    log.add(swarm.act(1, fork(swarm, 3)))
    (told,) = (sentence(entry) for entry in log.latest(1))
    assert told == "alpha: proves that delta signed two events 3 in epoch 0: it has no say any more"
