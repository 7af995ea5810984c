"""The jobs of a worker: what each kind is asked with, what it does and what it answers.

Directories and files are given as text, seeds and digests as bytes. Settings are maps; what they leave out has a
default (`training.settings`). A model's directory is null for the built-in model `uniform`.

selfplay  config, model, model_digest, seed, games, settings, out; facts (whether they are wanted)
          -> shard (file), games, plies, root, facts (as in `training.facts.ShardFacts`, or null), share (its part of
             the pool's moves, in thousandths: `training.play_jobs`)
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

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.config import Config, config
from training.evaluations import Evaluations, use_one_thread
from training.progress import Report, never
from training.running import require_fields

if TYPE_CHECKING:
    from training.check import Reported
    from training.experience import Experience
    from training.match import MatchGame
    from training.network import Network
    from training.replay import Verified
    from training.trainer import Start

Request = Mapping[str, Any]

_PARTNER_BLOCKS = 12
"""In which a new model meets the incumbent of a partner."""

_REASONS = 3
"""Reasons that an error lists when every shard has one."""


def run_job(request: Request, report: Report, is_enough: Callable[[], bool] = never) -> dict[str, Any]:
    """Run the job that `request` describes and return its answer.

    Once `is_enough` returns True, self-play ends with the games that are over.

    Raise ValueError if the kind is unknown or a field is missing, and whatever the job raises.
    """
    kind = request.get("job")
    if kind not in _JOBS:
        raise ValueError(f"unknown job {kind!r}: expected one of {sorted(_JOBS)}")
    job, needed = _JOBS[kind]
    require_fields(request, needed)
    if kind == "selfplay":
        return _selfplay(request, report, is_enough)
    return job(request, report)


def _selfplay(request: Request, report: Report, is_enough: Callable[[], bool] = never) -> dict[str, Any]:
    from training.play_jobs import play_alone

    return play_alone(request, report, is_enough)


def _train(request: Request, report: Report) -> dict[str, Any]:
    from training.arrays import DataError
    from training.experience import Experience
    from training.first import train_first
    from training.measures import measure_model
    from training.model import load_model, save_model
    from training.settings import TrainSettings, read_settings
    from training.state import write_state
    from training.trainer import Joint, train

    use_one_thread()
    configuration = config(request["config"])
    sources, used, skipped = _load_shards(request, configuration, report)
    if not sources and any(request.get("announced") or ()):
        return {"used": used, "skipped": skipped}
    if not sources:
        reasons = "; ".join(skipped[:_REASONS])
        raise DataError(f"none of the {len(request['shards'])} shards can be trained on: {reasons}")
    outcomes = _load_outcomes(request, configuration, skipped, report)
    given = request.get("weights")
    weights = None if given is None else [given[place] for place in used]
    if weights is not None:
        weights += [max(weights)] * len(outcomes)
    experience = Experience(configuration, [*sources, *outcomes], weights)
    settings, seed = read_settings(TrainSettings, request["settings"]), request["seed"]
    partners: list[tuple[Experience | None, list[int]]] = []
    if request["parent"] is None:
        sibling = None if request["sibling"] is None else load_model(Path(request["sibling"]))
        first = train_first(experience, seed, settings, report, sibling=sibling)
        trained, is_sibling = first.trained, first.is_sibling
    else:
        partners = _load_partners(request, skipped, report)
        known = [partner for partner, _ in partners if partner is not None]
        joint = Joint(known, request["joint_share"] / 1000) if known else None
        start = _start_of_training(request, skipped)
        trained, is_sibling = train(experience, start, seed, settings, report, joint=joint), False
    saved = save_model(Path(request["out"]), trained.network)
    measures = measure_model(trained.network, experience, seed, settings.measured_blocks, report)
    if outcomes:
        measures["outcome_games"] = sum(len(source.shard.lengths) for source in outcomes)
    return {
        "files": {name: str(path) for name, path in saved.files.items()},
        "architecture": trained.network.architecture,
        "losses": {name: round(loss * 1e6) for name, loss in trained.losses.items()},
        "measures": measures,
        "state": None if trained.state is None else str(write_state(Path(request["out"]), trained.state).path),
        "used": used,
        "skipped": skipped,
        "is_sibling": is_sibling,
        "partners": [
            {
                "used": places,
                "share": None if partner is None else _share_in(partner.config, trained.network, said, seed, report),
            }
            for said, (partner, places) in zip(request.get("partners") or (), partners, strict=False)
        ],
    }


def _load_shards(
    request: Request, configuration: Config, report: Report
) -> tuple[list[Verified], list[int], list[str]]:
    """Return the shards that can be used, their places, and why the others cannot."""
    from training.arrays import DataError

    sources: list[Verified] = []
    used: list[int] = []
    skipped: list[str] = []
    announced = request.get("announced") or [None] * len(request["shards"])
    for place, (path, said) in enumerate(zip(request["shards"], announced, strict=True)):
        try:
            sources.append(_load_as_announced(path, configuration, said, report))
            used.append(place)
        except DataError as error:
            skipped.append(str(error))
        report({"shards": place + 1})
    return sources, used, skipped


def _load_partners(request: Request, skipped: list[str], report: Report) -> list[tuple[Experience | None, list[int]]]:
    """Return the games of each partner, None if there are none to use, and the places of the shards that are used."""
    from training.experience import Experience

    found: list[tuple[Experience | None, list[int]]] = []
    for said in request.get("partners") or ():
        partner = config(said["config"])
        sources, used, reasons = _load_shards(said, partner, report)
        skipped += reasons
        weights = [said["weights"][place] for place in used]
        found.append((Experience(partner, sources, weights) if sources else None, used))
    return found


def _share_in(partner: Config, network: Network, said: Request, seed: bytes, report: Report) -> int:
    """Return the share of first places against the incumbent of a partner, in thousandths of an equal player's."""
    from engine.players import SearchPlayer
    from training.arena import meet
    from training.evaluate import NetworkEvaluator
    from training.model import load_model
    from training.progress import as_measured
    from training.settings import MatchSettings

    usual = MatchSettings()
    new, old = (
        SearchPlayer(NetworkEvaluator(each), usual.simulations, usual.considered)
        for each in (network, load_model(Path(said["incumbent"])))
    )
    result = meet(partner, new, old, seed=seed, blocks=_PARTNER_BLOCKS, report=as_measured(report))
    return round(1000 * partner.players * result.share)


def _load_outcomes(request: Request, configuration: Config, skipped: list[str], report: Report) -> list[Verified]:
    """Return the games of matches and series that are as they were reported; of the others `skipped` tells."""
    from training.arrays import DataError
    from training.outcomes import load_outcomes

    found = []
    for number, said in enumerate(request.get("outcomes") or []):
        try:
            found.append(load_outcomes(Path(said["blob"]), configuration, _reported(said), report))
        except DataError as error:
            skipped.append(str(error))
        report({"outcomes": number + 1})
    return found


def _reported(said: Mapping[str, Any]) -> Reported:
    """Return what was reported of the games of a slot."""
    from training.check import Reported
    from training.settings import MatchSettings, read_settings

    return Reported(
        blocks=[(number, seed) for number, seed in said["blocks"]],
        scores=[(number, score) for number, score in said["scores"]],
        root=said["root"],
        settings=read_settings(MatchSettings, said["settings"]),
    )


def _start_of_training(request: Request, skipped: list[str]) -> Start:
    """Return the parent and the state of its training; without the state if it is damaged, which `skipped` tells."""
    from training.arrays import DataError
    from training.model import load_model
    from training.state import read_state
    from training.trainer import Start

    parent, path = load_model(Path(request["parent"])), request["state"]
    if path is None:
        return Start(parent)
    try:
        return Start(parent, read_state(Path(path), parent.architecture))
    except DataError as error:
        skipped.append(str(error))
        return Start(parent)


def _match(request: Request, report: Report) -> dict[str, Any]:
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


def _rate(request: Request, report: Report) -> dict[str, Any]:
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


def _check(request: Request, report: Report) -> dict[str, Any]:
    from training.arrays import DataError
    from training.check import load_reported

    try:
        load_reported(Path(request["blob"]), config(request["config"]), _reported(request), report)
    except DataError as error:
        return {"ok": False, "reason": str(error)}
    return {"ok": True, "reason": ""}


def _check_shard(request: Request, report: Report) -> dict[str, Any]:
    from training.arrays import DataError

    try:
        _load_as_announced(request["shard"], config(request["config"]), request["announced"], report)
    except DataError as error:
        return {"ok": False, "reason": str(error)}
    return {"ok": True, "reason": ""}


def _load_as_announced(path: str, wanted: Config, said: Mapping[str, Any] | None, report: Report) -> Verified:
    """Read a shard and replay its games. Raise DataError if anything is wrong, or not what was announced."""
    from training.arrays import DataError
    from training.facts import Announcement, check_shard
    from training.replay import load_shard

    source = load_shard(Path(path), wanted, report)
    if said is not None and (wrong := check_shard(source, Announcement(**said))):
        raise DataError(wrong, Path(path).name)
    return source


_JOBS: dict[str, tuple[Callable[[Request, Report], dict[str, Any]], str]] = {
    "selfplay": (_selfplay, ""),
    "train": (_train, "config parent sibling shards seed settings out"),
    "match": (_match, "config candidate incumbent blocks settings out"),
    "rate": (_rate, "config model player opponent opponent_model blocks settings out"),
    "check": (_check, "config blob blocks scores root settings"),
    "check_shard": (_check_shard, "config shard announced"),
}
