"""Games at a node: what is asked and answered, and the bounds of their number, their time and their process."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from engine.move_parser import legal_texts
from engine.reference_games import check_games, read_games
from node.play.models import FoundModel
from node.play.rules_process import ANSWER_S, PlayError
from node.play.sessions import IDLE_S, MAX_GAMES, PROCESS, PlaySessions
from node.work.worker import WorkerProcess, WorkError
from tests.node.play.games import InProcess, heuristic, random_game


@pytest.fixture
def runner(kernels: None) -> InProcess:
    return InProcess()


@pytest.fixture
def games(runner: InProcess) -> PlaySessions:
    return PlaySessions(runner, heuristic)


async def begin(games: PlaySessions, **fields: Any) -> dict[str, Any]:
    chosen: dict[str, Any] = {"configuration": "hex8-2", "persons": (1,), "strength": "policy", "seed": "s"}
    chosen |= {"instead_of": None, **fields}
    found: dict[str, Any] = json.loads(await games.begin(chosen.pop("configuration"), **chosen))
    return found


async def test_a_game_from_its_first_move_to_its_file(games: PlaySessions, tmp_path: Path) -> None:
    info = await begin(games)
    name = info["game"]
    assert (info["model"], info["persons"], info["moves"]) == ("the built-in heuristic", [1], 0)
    assert len(info["cells"]) == 61
    while not info["position"]["winner"]:
        position = info["position"]
        if position["player"] == 1:
            info = json.loads(await games.move(name, position["choices"][-1]["move"]))
            assert info["happened"][0]["move"] == position["choices"][-1]["move"]
        else:
            info = json.loads(await games.answer(name))
        assert info["position"]["number"] == info["moves"]
    assert info["position"]["choices"] == []
    saved = json.loads(await games.save(name))
    path = tmp_path / saved["name"]
    path.write_text(saved["text"])
    (recorded,) = read_games(path)
    assert recorded["winner"] == info["position"]["winner"]
    assert check_games([recorded]).mismatches == ()
    with pytest.raises(PlayError, match="the game is over"):
        await games.answer(name)
    assert games.end(name) == 0


async def test_what_can_be_chosen_is_what_is_legal(games: PlaySessions) -> None:
    played = random_game("square8-3", seed=9, plies=40)
    info = await begin(games, configuration="square8-3", persons=(1, 2, 3))
    for number in range(1, len(played.moves) + 1):
        made = played.made(number)
        if info["moves"] < number:
            info = json.loads(await games.move(info["game"], made.text))
    assert [choice["move"] for choice in info["position"]["choices"]] == legal_texts(played.games, 0)
    stacks = {cell: len(rings) for cell, rings in info["position"]["stacks"].items()}
    assert sum(stacks.values()) == sum(map(len, played.position().stacks.values()))


async def test_a_thought_changes_nothing_and_an_answer_is_what_was_thought(games: PlaySessions) -> None:
    info = await begin(games, strength="16")
    thought = json.loads(await games.think(info["game"]))
    assert sum(each["visits"] for each in thought["opinions"]) == 16
    assert sum(thought["chances"]) == pytest.approx(1, abs=0.2)
    assert json.loads(await games.look(info["game"], None))["moves"] == 0
    assert json.loads(await games.answer(info["game"]))["happened"][0]["move"] == thought["move"]


async def test_undo_and_looking_back(games: PlaySessions) -> None:
    info = await begin(games)
    with pytest.raises(PlayError, match="nothing to take back"):
        await games.undo(info["game"])
    await games.move(info["game"], "PR 0,0 2")
    info = json.loads(await games.move(info["game"], "MV 0,0 2,0"))
    assert [each["move"] for each in info["happened"]] == ["MV 0,0 2,0", "NL", "NT"]
    before = json.loads(await games.look(info["game"], 1))
    assert before["position"]["stacks"] == {"0,0": "11"}
    assert before["position"]["choices"] == []
    assert before["happened"][0]["words"] == "place 2 rings on 0,0"
    whole = json.loads(await games.look(info["game"], None))
    assert [each["number"] for each in whole["happened"]] == [1, 2, 3, 4]
    await games.answer(info["game"])
    info = json.loads(await games.undo(info["game"]))
    assert (info["moves"], info["position"]["phase"]) == (1, "movement")
    with pytest.raises(PlayError, match="no position after 9"):
        await games.look(info["game"], 9)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"configuration": "hex9-2"}, "no configuration hex9-2; it is one of square8-2"),
        ({"strength": "5"}, "no strength 5; it is one of policy, 16, 64, 400"),
        ({"persons": (3,)}, "the players of hex8-2 are 1 to 2"),
        ({"seed": ""}, "a seed has 1 to 64 characters"),
        ({"seed": "a\nb"}, "a seed has 1 to 64 characters that can be printed"),
    ],
)
async def test_what_cannot_be_begun_is_refused(games: PlaySessions, fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(PlayError, match=complaint) as caught:
        await begin(games, **fields)
    assert caught.value.status == 400
    assert len(games) == 0


async def test_illegal_moves_and_unknown_games_are_refused(games: PlaySessions) -> None:
    info = await begin(games)
    with pytest.raises(PlayError, match="'PR 9,9 1' is not one of the 183 legal moves") as caught:
        await games.move(info["game"], "PR 9,9 1")
    assert caught.value.status == 409
    with pytest.raises(PlayError, match="a move is a text such as PR 0,0 2") as caught:
        await games.move(info["game"], "PR \udfff")
    assert caught.value.status == 400
    assert json.loads(await games.look(info["game"], None))["moves"] == 0
    with pytest.raises(PlayError, match="no such game") as caught:
        await games.move("0", "NL")
    assert caught.value.status == 404


async def test_the_number_of_games_is_bounded_and_an_idle_one_makes_room(
    games: PlaySessions, runner: InProcess, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    nursery.start_soon(games.run)
    first = await begin(games)
    for _ in range(MAX_GAMES - 1):
        await begin(games)
    with pytest.raises(PlayError, match="4 games are being played at this node") as caught:
        await begin(games)
    assert caught.value.status == 409
    await begin(games, instead_of=first["game"])
    assert len(games) == MAX_GAMES
    await trio.sleep(IDLE_S + 11)
    assert len(games) == 0
    assert runner.closed
    nursery.cancel_scope.cancel()


async def test_a_game_is_asked_one_thing_at_a_time(
    games: PlaySessions, runner: InProcess, autojump_clock: trio.testing.MockClock
) -> None:
    info, refused = await begin(games), []
    runner.takes_s = 5

    async def ask() -> None:
        try:
            await games.think(info["game"])
        except PlayError as error:
            refused.append(str(error))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        nursery.start_soon(ask)
    assert refused == ["the last request for this game is still being answered; wait for that"]


async def test_a_request_that_takes_too_long_is_given_up_and_compiling_has_more_time(
    games: PlaySessions, runner: InProcess, autojump_clock: trio.testing.MockClock
) -> None:
    info = await begin(games)
    runner.takes_s = ANSWER_S + 1
    with pytest.raises(PlayError, match="no answer within 120 s") as caught:
        await games.think(info["game"])
    assert caught.value.status == 503
    runner.takes_s, runner.progress = 1, [(1, "engine.kernels"), (3 * ANSWER_S, "")]
    await games.think(info["game"])


async def test_a_process_that_dies_loses_no_move(games: PlaySessions, runner: InProcess) -> None:
    info = await begin(games)
    await games.move(info["game"], "PR 0,0 2")
    runner.failure = WorkError("worker process ended: killed by SIGKILL; its log may say more")
    with pytest.raises(PlayError):
        await games.think(info["game"])
    runner.failure = None
    assert json.loads(await games.look(info["game"], None))["position"]["stacks"] == {"0,0": "11"}


async def test_what_fails_is_said_in_one_line_and_leaves_no_game(
    games: PlaySessions, runner: InProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    runner.failure = WorkError("worker process ended: killed by SIGKILL; its log may say more")
    with pytest.raises(PlayError, match="the process that plays failed: worker process ended") as caught:
        await begin(games)
    assert caught.value.status == 503
    assert len(games) == 0

    async def missing(configuration: str) -> FoundModel:
        raise WorkError("nobody has blob ab")

    with pytest.raises(PlayError, match="the model is not here yet: nobody has blob ab"):
        await begin(PlaySessions(runner, missing))


async def test_the_process_plays_at_a_low_priority_and_says_what_is_missing(kernels: None, tmp_path: Path) -> None:
    process = WorkerProcess(tmp_path / "play.log", PROCESS)
    games = PlaySessions(process, heuristic)
    try:
        info = await begin(games)
        assert process.pid is not None
        assert os.getpriority(os.PRIO_PROCESS, process.pid) >= os.getpriority(os.PRIO_PROCESS, 0) + 5
        assert json.loads(await games.answer(info["game"]))["happened"][0]["number"] == 1
    finally:
        await games.aclose()

    async def nowhere(configuration: str) -> FoundModel:
        return FoundModel("a model", tmp_path)

    gone = PlaySessions(InProcess(), nowhere)
    info = await begin(gone)
    with pytest.raises(PlayError, match="give the folder of a model"):
        await gone.think(info["game"])
