"""The jobs of a worker: what each kind is asked with, what it does and what it answers.

Directories and files are given as text, seeds and digests as bytes. Settings are maps; what they leave out has a
default (`training.settings`). A model's directory is null for the built-in model `uniform`.

selfplay  config, model, model_digest, seed, games, settings, out; facts (whether they are wanted), device (of Warp's,
          where games, searches and the network are: "cuda", "cuda:1", or "cpu", for tests; null: none)
          -> shard (file), games, plies, root, facts (as in `training.facts.ShardFacts`, or null), share (its part of
             the pool's moves, in thousandths: `training.play_jobs`), device ("cpu" also where a GPU cannot be used)
train     config, parent, shards (files), seed, settings, out; state (file or null), sibling (directory or null);
          weights (null, or of each shard, 1 or more: how often its games are trained on, compared with others');
          announced (null, or of each shard the fields of `training.facts.Announcement`: what is not so is skipped);
          outcomes (of each slot of a match or series blob, blocks, scores, root, settings, as in a check job: its games
          teach who won, if they are as they were reported);
          partners (of each other configuration config, shards, weights, announced, incumbent: a directory), joint_share
          (thousandths of the steps that are made on their games; with a parent only)
          -> files (name: file), architecture, losses (name: millionths), measures (name: whole number, as in
             `node.api.models.ModelInfo.measures`), state (file or null), used (the places in `shards` of those that
             were trained on, ascending), skipped (one reason for each of the others, then others), is_sibling, partners
             (of each used, and share: the new model's share of first places against the incumbent there in thousandths
             of an equal player's; null if none of its shards was used)
          If none of the shards is what was announced, the answer has nothing but `used` and `skipped`.
          A state is what the next training of the lineage needs to go on where this one ended, such as moments of the
          optimizer and weights before averaging. The answer's one is kept and passed to the job that has these files as
          its parent; but it can get lost, and then that job gets null and has to do without.
          With `checkpoints`, a folder for nothing else, the training writes a checkpoint there every 30 s (or every
          `checkpoint_s`) and when it is told to end; a later job that asks for the same training, and has this folder,
          goes on from it. The answer of one that was told to end has nothing but `stopped` (steps, wanted). That of
          others has resumed (steps that were in the checkpoint), and dropped (why files in the folder were deleted).
          device is where the network was trained: "cpu" also where the settings wanted a GPU that torch cannot use.
          Without a parent, several networks are trained, and the best one is answered; the sibling, a model of another
          configuration, is one of them as it is (`is_sibling`: it is the best, and no state comes with it).
match     config, candidate, incumbent, blocks ([[k, seed], ...]), settings, out
          -> scores ([[k, score], ...]), root, blob (file), games
rate      config, model, player ("policy" or "search"), opponent ("random", "heuristic" or "model"), opponent_model
          (of the last), blocks, settings, out
          -> as match, for games of the model's player against the opponent
check     config, blob (file), blocks, scores, root, settings
          -> ok, reason (empty if ok)
check_shard  config, shard (file), announced
          -> ok, reason (empty if ok)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.config import config
from training.evaluations import Evaluations, use_one_thread
from training.progress import Report, never
from training.running import Request, require_fields

if TYPE_CHECKING:
    from training.match import MatchGame


def run_job(request: Request, report: Report, is_enough: Callable[[], bool] = never) -> dict[str, Any]:
    """Run the job that `request` describes and return its answer.

    Once `is_enough` returns True, self-play ends with the games that are over, and training with a checkpoint.

    Raise ValueError if the kind is unknown or a field is missing, and whatever the job raises.
    """
    kind = request.get("job")
    if kind not in _JOBS:
        raise ValueError(f"unknown job {kind!r}: expected one of {sorted(_JOBS)}")
    job, needed = _JOBS[kind]
    require_fields(request, needed)
    return job(request, report, is_enough)


def _selfplay(request: Request, report: Report, is_enough: Callable[[], bool]) -> dict[str, Any]:
    from training.play_jobs import play_alone

    return play_alone(request, report, is_enough)


def _train(request: Request, report: Report, is_enough: Callable[[], bool]) -> dict[str, Any]:
    from training.training_job import run_training

    use_one_thread()
    return run_training(request, report, is_enough)


def _match(request: Request, report: Report, _is_enough: Callable[[], bool]) -> dict[str, Any]:
    from engine.search import evaluate_uniformly
    from training.match import play_match
    from training.settings import MatchSettings, read_settings

    configuration, evaluations = config(request["config"]), Evaluations(report)
    games = play_match(
        configuration,
        candidate=evaluations.by(request["candidate"]) or evaluate_uniformly,
        incumbent=evaluations.by(request["incumbent"]) or evaluate_uniformly,
        blocks=[(number, seed) for number, seed in request["blocks"]],
        settings=read_settings(MatchSettings, request["settings"]),
        report=report,
    )
    return _answer_games(request, games)


def _rate(request: Request, report: Report, _is_enough: Callable[[], bool]) -> dict[str, Any]:
    from engine.players import HeuristicPlayer, Player, PolicyPlayer, UniformPlayer
    from engine.search import evaluate_uniformly
    from training.match import play_players, searcher
    from training.settings import MatchSettings, read_settings

    settings, evaluations = read_settings(MatchSettings, request["settings"]), Evaluations(report)
    model = evaluations.by(request["model"]) or evaluate_uniformly
    players: dict[str, Callable[[], Player]] = {
        "policy": lambda: PolicyPlayer(model),
        "search": lambda: searcher(model, settings),
    }
    opponents: dict[str, Callable[[], Player]] = {
        "random": UniformPlayer,
        "heuristic": HeuristicPlayer,
        "model": lambda: searcher(evaluations.by(request["opponent_model"]) or evaluate_uniformly, settings),
    }
    for name, known in (("player", players), ("opponent", opponents)):
        if request[name] not in known:
            raise ValueError(f"unknown {name} {request[name]!r}: expected one of {sorted(known)}")
    games = play_players(
        config(request["config"]),
        (players[request["player"]](), opponents[request["opponent"]]()),
        blocks=[(number, seed) for number, seed in request["blocks"]],
        settings=settings,
        report=report,
    )
    return _answer_games(request, games)


def _answer_games(request: Request, games: list[MatchGame]) -> dict[str, Any]:
    from training.match import block_scores, games_root, write_games

    configuration = config(request["config"])
    stored = write_games(Path(request["out"]), configuration, games)
    return {
        "scores": [list(score) for score in block_scores(configuration.players, games)],
        "root": games_root(configuration, games),
        "blob": str(stored.path),
        "games": len(games),
    }


def _check(request: Request, report: Report, _is_enough: Callable[[], bool]) -> dict[str, Any]:
    from training.announced import reported_of
    from training.arrays import DataError
    from training.check import load_reported

    try:
        load_reported(Path(request["blob"]), config(request["config"]), reported_of(request), report)
    except DataError as error:
        return {"ok": False, "reason": str(error)}
    return {"ok": True, "reason": ""}


def _check_shard(request: Request, report: Report, _is_enough: Callable[[], bool]) -> dict[str, Any]:
    from training.announced import load_as_announced
    from training.arrays import DataError

    try:
        load_as_announced(request["shard"], config(request["config"]), request["announced"], report)
    except DataError as error:
        return {"ok": False, "reason": str(error)}
    return {"ok": True, "reason": ""}


_JOBS: dict[str, tuple[Callable[[Request, Report, Callable[[], bool]], dict[str, Any]], str]] = {
    "selfplay": (_selfplay, ""),
    "train": (_train, "config parent sibling shards seed settings out"),
    "match": (_match, "config candidate incumbent blocks settings out"),
    "rate": (_rate, "config model player opponent opponent_model blocks settings out"),
    "check": (_check, "config blob blocks scores root settings"),
    "check_shard": (_check_shard, "config shard announced"),
}
