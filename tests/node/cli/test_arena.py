"""`ringrift-node arena`: the table, the JSON, and every mistake in one line."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.nnue.network import save_nnue
from node.cli import arena, main
from tests.engine.nnue.networks import random_nnue

ROOT = Path(__file__).parents[3]
Output = pytest.CaptureFixture[str]
QUICK = ["arena", "--blocks", "1", "--players", "uniform", "heuristic"]


def test_the_table_has_every_player_against_every_player(kernels: None, capsys: Output) -> None:
    assert main(["arena", "--blocks", "2", "--players", "uniform", "heuristic"]) == 0
    output = capsys.readouterr()
    assert output.out.startswith("hex8-2, 4 games a pair: ")
    rows = [line.split() for line in output.out.splitlines() if line[:1].isdigit()]
    assert [row[:3] for row in rows] == [["1", "heuristic", "1500"], ["2", "uniform", rows[1][2]]]
    assert output.err == ""


def test_json_is_one_object(kernels: None, capsys: Output) -> None:
    assert main([*QUICK, "--config", "hex8-3", "--seed", "x", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert list(facts) == ["config", "seed", "blocks", "reference", "pairs", "ratings"]
    assert (facts["config"], facts["seed"], len(facts["pairs"])) == ("hex8-3", "x", 2)
    main([*QUICK, "--config", "hex8-3", "--seed", "x", "--json"])
    assert json.loads(capsys.readouterr().out) == facts


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--config", "chess"], "--config: unknown configuration 'chess'; it is one of square8-2,"),
        (["--blocks", "0"], "--blocks: must be at least 1, not 0"),
        (["--players", "uniform"], "--players: a tournament needs at least two players"),
        (["--players", "uniform", "uniform"], "--players: uniform: is listed twice; name each player once"),
        (["--players", "uniform", "bogus"], "--players: bogus: is not a player; the players are uniform, heuristic,"),
        (["--players", "uniform", "policy:/no"], "--players: policy:/no: config.json: cannot be read (No such file"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], words: str, capsys: Output) -> None:
    assert main([*QUICK, *arguments]) == 2
    output = capsys.readouterr()
    assert output.err.startswith(f"ringrift-node: {words}")
    assert output.err.count("\n") == 1
    assert output.out == ""


def test_a_network_for_another_board_is_a_mistake(tmp_path: Path, kernels: None, capsys: Output) -> None:
    save_nnue(tmp_path, random_nnue("square8", width=16))
    assert main(["arena", "--blocks", "1", "--players", f"nnue:{tmp_path}", "uniform"]) == 2
    line = f"ringrift-node: --players: nnue:{tmp_path} - uniform: a network for square8 knows nothing of hex8\n"
    assert capsys.readouterr().err == line


def test_without_what_workers_need_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.setattr(arena, "find_spec", lambda name: None if name == "torch" else object())
    assert main(QUICK) == 2
    assert capsys.readouterr().err == "ringrift-node: arena needs torch: pip install 'ringrift-swarm[work]'\n"


def test_help_loads_nothing() -> None:
    code = (
        "import sys; from node.cli import main\n"
        "try: main(['arena', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'trio', 'numpy', 'rich', 'torch', 'warp'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "monte-carlo-N" in done.stdout


def test_progress_in_a_file_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    file, now = io.StringIO(), [100.0]
    monkeypatch.setattr(sys, "stderr", file)
    monkeypatch.setattr("node.cli.arena.time.monotonic", lambda: now[0])
    with arena._telling(quiet=False) as tell, arena._telling(quiet=True) as be_quiet:
        for games in range(100):
            now[0] += 1
            for each in (tell, be_quiet):
                each({"games": games, "wanted": 100, "pair": "a - b"})
    assert file.getvalue() == "".join(f"{games} of 100 games, a - b\n" for games in (29, 59, 89))
