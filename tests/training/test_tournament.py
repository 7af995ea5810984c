"""Tournaments: names become players, all pairs meet in the same games whoever else is there, and figures add up."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.config import Config, config
from engine.games import Games
from engine.nnue.network import save_nnue
from engine.players import (
    DepthPlayer,
    DescentPlayer,
    HeuristicPlayer,
    MonteCarloPlayer,
    NnuePlayer,
    PolicyPlayer,
    SearchPlayer,
    UniformPlayer,
)
from tests.engine.conftest import ALL
from tests.engine.nnue.networks import random_nnue
from training.arena import meet
from training.model import CONFIG, save_model
from training.network import Network
from training.tournament import PlayerError, Tournament, make_player, make_players, play_tournament

HEX = config("hex8-2")
NAMES = ["uniform", "heuristic", "monte-carlo-1"]


@pytest.fixture(scope="module")
def model(small_network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("model")
    save_model(directory, small_network)
    return directory


@pytest.fixture(scope="module")
def played(kernels: None) -> Tournament:
    return play_tournament(HEX, make_players(NAMES), seed="a text", blocks=2)


def test_names_become_players(model: Path) -> None:
    assert isinstance(make_player("uniform"), UniformPlayer)
    assert isinstance(make_player("heuristic"), HeuristicPlayer)
    assert isinstance(make_player("monte-carlo-12"), MonteCarloPlayer)
    for name in ("alpha-beta-100", "paranoid-100", "maxn-100", "brs-100"):
        assert isinstance(make_player(name), DepthPlayer)
    assert isinstance(make_player("descent-100"), DescentPlayer)
    assert isinstance(make_player(f"policy:{model}"), PolicyPlayer)
    assert isinstance(make_player(f"search-64:{model}"), SearchPlayer)


ODD_NAMES = """
    chess Uniform uniform-2 heuristic:x monte-carlo monte-carlo-0 monte-carlo-01 monte-carlo-x monte-carlo-1000000
    monte-carlo-8:x alpha-beta alpha-beta-0 paranoid maxn-x max-n-8 brs brs:x descent descent-0 alpha-beta-8:
    nnue nnue: nnue-3:x policy policy: policy-3:x search-16 search-16: search:x search-0:x
"""


@pytest.mark.parametrize("name", ["", " uniform", *ODD_NAMES.split()])
def test_other_names_are_refused_with_those_that_there_are(name: str) -> None:
    with pytest.raises(
        PlayerError, match="is not a player; the players are uniform, heuristic, monte-carlo-N, "
    ) as error:
        make_player(name)
    assert name in str(error.value)
    assert "\n" not in str(error.value)


def test_a_model_that_cannot_be_read_is_named(model: Path, tmp_path: Path) -> None:
    with pytest.raises(PlayerError, match=r"^policy:/nowhere: config\.json: cannot be read \(No such file"):
        make_player("policy:/nowhere")
    save_model(tmp_path, Network("c4b1"))
    (tmp_path / CONFIG).write_text("{}")
    with pytest.raises(PlayerError, match=rf"^search-16:{tmp_path}: config\.json: .*; give the directory of a model$"):
        make_player(f"search-16:{tmp_path}")


def test_nnue_networks_play_by_themselves_and_in_a_search(tmp_path: Path, kernels: None) -> None:
    save_nnue(tmp_path, random_nnue("hex8", width=16))
    names = [f"{kind}:{tmp_path}" for kind in ("nnue", "search-4", "policy", "alpha-beta-60", "maxn-60")]
    players = make_players(names)
    assert [type(player) for player in players.values()] == [
        *(NnuePlayer, SearchPlayer, PolicyPlayer, DepthPlayer, DepthPlayer)
    ]
    assert play_tournament(HEX, players, seed="x", blocks=1).ratings.keys() == set(names)
    with pytest.raises(PlayerError, match=rf"^nnue:{tmp_path} - search-4:{tmp_path}: a network for hex8 knows nothing"):
        play_tournament(config("square8-2"), players, seed="x", blocks=1)


def test_an_nnue_network_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    fault = r"config\.json: cannot be read \(No such file or directory\); give the directory of an NNUE network"
    with pytest.raises(PlayerError, match=rf"^nnue:/nowhere: {fault}$"):
        make_player("nnue:/nowhere")
    save_nnue(tmp_path, random_nnue("hex8", width=16))
    (tmp_path / "weights.safetensors").write_bytes(b"")
    for name in (f"nnue:{tmp_path}", f"search-4:{tmp_path}", f"brs-9:{tmp_path}"):
        with pytest.raises(PlayerError, match=rf"^{name}: weights\.safetensors: not a readable safetensors file"):
            make_player(name)


def test_it_takes_two_different_players() -> None:
    for few in ([], ["uniform"]):
        with pytest.raises(PlayerError, match="at least two players"):
            make_players(few)
    with pytest.raises(PlayerError, match="heuristic: is listed twice"):
        make_players(["heuristic", "uniform", "heuristic"])


@pytest.mark.parametrize(
    ("name", "player", "equal"),
    [("square8-2", "alpha-beta-300", 1 / 2), ("square8-3", "maxn-300", 1 / 3), ("hex8-4", "brs-300", 1 / 4)],
)
def test_looking_ahead_beats_the_heuristic(name: str, player: str, equal: float, kernels: None) -> None:
    settings = config(name)
    players = make_player(player), make_player("heuristic")
    result = meet(settings, *players, seed=b"s" * 32, blocks=30, opening_plies=4 * settings.players)
    assert result.interval[0] > equal


def test_every_pair_meets_once(played: Tournament) -> None:
    pairs = [(pairing.challenger, pairing.opponent) for pairing in played.pairings]
    assert pairs == [("uniform", "heuristic"), ("uniform", "monte-carlo-1"), ("heuristic", "monte-carlo-1")]
    assert set(played.ratings) == set(NAMES)
    assert played.reference == "heuristic"
    assert played.ratings["heuristic"].points == 1500
    assert played.ratings["uniform"].points < 1500


def test_what_two_players_do_does_not_depend_on_who_else_is_there(played: Tournament) -> None:
    alone = play_tournament(HEX, make_players(["monte-carlo-1", "uniform"]), seed="a text", blocks=2)
    assert (alone.pairings[0].result.winners == played.pairings[1].result.winners[:, ::-1]).all()
    assert alone.reference == "monte-carlo-1"
    assert alone.ratings["monte-carlo-1"].points == 1500
    seed = hashlib.sha256(b"a text").digest()
    again = meet(HEX, MonteCarloPlayer(1), UniformPlayer(), seed=seed, blocks=2, opening_plies=8)
    assert (again.winners == alone.pairings[0].result.winners).all()


def test_with_three_players_each_challenges_each(kernels: None) -> None:
    played = play_tournament(config("square8-3"), make_players(["uniform", "heuristic"]), seed="", blocks=3)
    assert [(pairing.challenger, pairing.opponent) for pairing in played.pairings] == [
        ("uniform", "heuristic"),
        ("heuristic", "uniform"),
    ]
    assert [pairing.result.winners.shape for pairing in played.pairings] == [(3, 3), (3, 3)]
    assert played.ratings["uniform"].points < 1500


def test_the_facts_are_those_of_the_games(played: Tournament) -> None:
    facts = json.loads(json.dumps(played.facts()))
    assert (facts["config"], facts["seed"], facts["blocks"]) == ("hex8-2", "a text", 2)
    assert facts["reference"] == "heuristic"
    for pair, pairing in zip(facts["pairs"], played.pairings, strict=True):
        assert (pair["challenger"], pair["opponent"]) == (pairing.challenger, pairing.opponent)
        assert pair["games"] == 4
        assert pair["won"] == (pairing.result.winners == [1, 2]).sum()
        assert pair["share"] == (pair["won"] + pair["unfinished"] / 2) / 4
        assert 0 <= pair["low"] <= pair["share"] <= pair["high"] <= 1
        assert pair["plies"] == pairing.result.plies
    assert [rating["player"] for rating in facts["ratings"]] == list(played.ratings)
    assert [rating["rating"] for rating in facts["ratings"]] == sorted(
        (rating["rating"] for rating in facts["ratings"]), reverse=True
    )


def test_progress_counts_the_games_of_all_pairs(kernels: None) -> None:
    reports: list[Mapping[str, Any]] = []
    players = make_players(["uniform", "heuristic"])
    played = play_tournament(config("hex8-3"), players, seed="", blocks=2, report=reports.append)
    assert sum(pairing.result.winners.size for pairing in played.pairings) == 12
    games = [report["games"] for report in reports]
    assert games == sorted(games)
    assert games[-1] == 12
    assert {report["wanted"] for report in reports} == {12}
    assert {report["pair"] for report in reports} == {"uniform - heuristic", "heuristic - uniform"}


@pytest.mark.parametrize("settings", ALL, ids=lambda settings: settings.name)
def test_models_play_legal_moves_everywhere(settings: Config, model: Path, kernels: None) -> None:
    games = Games.new(settings, 3)
    games.play_randomly(seed=2, steps=30)
    seeds = np.arange(3, dtype=np.uint64)
    for name in (f"policy:{model}", f"search-2:{model}"):
        player = make_player(name)
        chosen = player.choose(games, seeds)
        games.copy().apply(chosen)
        assert (player.choose(games, seeds) == chosen).all()


def test_models_take_part(model: Path, kernels: None) -> None:
    players = make_players(["uniform", f"policy:{model}", f"search-2:{model}"])
    played = play_tournament(HEX, players, seed="", blocks=1)
    assert played.reference == "uniform"
    assert all(pairing.result.share in (0, 0.5, 1) for pairing in played.pairings)
