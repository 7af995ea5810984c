"""The game that a worker shows reaches the slot and what is told of it; nonsense of a worker shows nothing."""

import copy
from typing import Any, cast

import numpy as np
import pytest
import trio

from consensus.ledger.records import transactions as t
from consensus.ledger.records.entities import Claim
from engine.config import config
from engine.games import Games
from node.report.playing import playing
from node.work.loop import _Tally
from node.work.slots import SlotState, WorkerSlot
from node.work.watched import read_game
from tests.consensus.ledger.swarm import Swarm
from training.watched import Found, Seen, show


@pytest.fixture
def swarm() -> Swarm:
    return Swarm(4)


@pytest.fixture
def claim(swarm: Swarm) -> Claim:
    number = swarm.next_id(0)
    swarm.act(0, t.SelfplayClaim(number, "hex8-2", 32))
    found = swarm.ledger.claim(swarm.id(0), number)
    assert found is not None
    return found


@pytest.fixture
def told(kernels: None) -> dict[str, Any]:
    """What a worker tells of the first move of a game."""
    game = Games.new("hex8-2", 1)
    moves = game.legal().moves
    policy = np.zeros(len(moves), np.float32)
    policy[:2] = 0.75, 0.25
    found = Found(moves, policy, np.array([0.5, -0.5], np.float32))
    seen = Seen(number=3, plies=0, row=game.states[0], move=int(moves[1]), apart=2, found=found)
    return show(config("hex8-2"), seen)


async def test_the_game_of_a_job_is_told_by_its_slot_until_another_job_shows_one(
    claim: Claim, told: dict[str, Any]
) -> None:
    await trio.lowlevel.checkpoint()
    slot = SlotState(WorkerSlot(2), cast(Any, None))
    tally = _Tally(slot, claim)
    assert playing([slot]) == []
    tally.observe({"games": 1, "game": told})
    (entry,) = playing([slot])
    assert (entry["slot"], entry["kind"], entry["configuration"], entry["board"]) == (2, "selfplay", "hex8-2", "hex8")
    assert entry["players"][1] == "the heuristic"
    assert entry["players"][0].startswith("model ")
    move = entry["move"]
    assert (move["number"], move["plies"], move["player"]) == (3, 0, 1)
    assert move["chances"] == [0.75, 0.25]
    assert [each["share"] for each in move["policy"][:2]] == [0.75, 0.25]
    assert move["words"] == move["policy"][1]["words"]
    assert {*move["chosen"]} <= {*entry["cells"]}
    tally.observe({"games": 2, "game": None})
    assert playing([slot]) == []


_NONSENSE: tuple[Any, ...] = (None, -1, 1 << 40, "x" * 1000, [[1]], {"0,0": "s5"}, {1: 2}, [1] * 1000, float("nan"))


def test_nonsense_shows_nothing_and_fails_nothing(claim: Claim, told: dict[str, Any]) -> None:
    assert read_game(claim, told) is not None
    for nonsense in _NONSENSE:
        assert read_game(claim, nonsense) is None
    refused = 0
    for name in told:
        lacking = copy.deepcopy(told)
        del lacking[name]
        assert read_game(claim, lacking) is None, name
        for nonsense in _NONSENSE:
            read = read_game(claim, {**told, name: nonsense})
            refused += read is None
    assert refused >= len(told) * (len(_NONSENSE) - 2)
