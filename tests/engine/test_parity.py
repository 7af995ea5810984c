"""The rules against recorded games of the reference implementation."""

import copy
import gzip
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.backend.dialect import PLAIN
from engine.config import CONFIGS
from engine.moves import Kind
from engine.reference_games import RecordedGamesError, check_games, read_games

DATA = Path(__file__).parent.parent / "data" / "parity"


def recorded(name: str) -> list[dict[str, Any]]:
    return list(read_games(DATA / f"{name}.jsonl.gz"))


@pytest.mark.parametrize("name", CONFIGS)
def test_recorded_games_replay(name: str, kernels: None) -> None:
    games = recorded(name)
    outcome = check_games(games)
    assert outcome.mismatches == ()
    assert outcome.steps == sum(game["nsteps"] for game in games)


def test_plain_python_replays_recorded_games() -> None:
    games = sorted(recorded("square8-3"), key=lambda game: game["nsteps"])[:4]
    outcome = check_games(games, PLAIN)
    assert outcome.mismatches == ()
    assert outcome.steps > 0


@pytest.mark.parametrize("board", ["square8", "hex8"])
def test_the_selection_has_every_kind_of_move_and_every_end(board: str) -> None:
    kinds, ends = set(), set()
    for players in (2, 3, 4):
        for game in recorded(f"{board}-{players}"):
            ends.add(game["end"])
            kinds |= {kind_of(step[4]) for step in game["steps"]}
    assert kinds == {kind.name for kind in Kind}
    stale = {"stale_territory", "stale_rings", "stale_markers" if board == "square8" else "stale_last"}
    assert ends == {"ring", "territory", "lps_early", "lps_rounds"} | stale


def kind_of(text: str) -> str:
    words = text.split()
    if words[0] == "RS":
        return f"RS_{words[3]}"
    if words[0] == "CL":
        return "CL_ALL" if words[2] == "ALL" else "CL_SUB"
    return words[0]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda step: step.__setitem__(0, 3 - step[0]), "player and phase"),
        (lambda step: step.__setitem__(1, "F"), "player and phase"),
        (lambda step: step.__setitem__(2, step[2] + 1), "legal moves"),
        (lambda step: step.__setitem__(4, "NM"), "move"),
        (lambda step: step.__setitem__(5, "0" * 16), "position"),
    ],
)
def test_a_changed_record_is_noticed(change: Callable[[list[Any]], None], what: str, kernels: None) -> None:
    original = next(game for game in recorded("hex8-2") if isinstance(game["steps"][4][3], str))
    game = copy.deepcopy(original)
    change(game["steps"][4])
    outcome = check_games([original, game])
    assert [(found.step, found.what) for found in outcome.mismatches] == [(4, what)]
    assert outcome.mismatches[0].position.startswith("b hex8 2\n")


def test_a_changed_end_is_noticed(kernels: None) -> None:
    game = recorded("hex8-2")[0]
    assert Counter(found.what for found in check_games([{**game, "winner": 0}]).mismatches) == {"end and winner": 1}
    assert Counter(found.what for found in check_games([{**game, "end": "x"}]).mismatches) == {"end and winner": 1}


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    good = (DATA / "hex8-2.jsonl.gz").read_bytes()
    cases = {
        "cut.gz": good[: len(good) // 2],
        "flipped.gz": good[:1000] + bytes([good[1000] ^ 255]) + good[1001:],
        "plain.gz": b"no gzip",
        "text.gz": gzip.compress(b"not json\n"),
        "list.gz": gzip.compress(b"[]\n"),
        "board.gz": gzip.compress(json.dumps({**recorded("hex8-2")[0], "board": "hex9"}).encode()),
    }
    for name, content in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(RecordedGamesError, match=name):
            list(read_games(path))
    with pytest.raises(RecordedGamesError, match="missing"):
        list(read_games(tmp_path / "missing.gz"))
