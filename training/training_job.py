"""The job of a training, with checkpoints on the way; `training.jobs` says what its request and its answer have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.config import Config, config
from engine.players import SearchPlayer
from training.announced import load_as_announced, reported_of
from training.arena import meet
from training.arrays import DataError
from training.checkpoint_file import Expected
from training.checkpoints import INTERVAL_S, Checkpoints, StoppedError
from training.compute import possible
from training.evaluate import NetworkEvaluator
from training.experience import Experience
from training.first import FirstNetwork, train_first
from training.inputs import digest_of_inputs
from training.measures import measure_model
from training.model import load_model, save_model
from training.network import Network
from training.outcomes import load_outcomes
from training.progress import Report, as_measured
from training.replay import Verified
from training.running import Request
from training.settings import MatchSettings, TrainSettings, read_settings
from training.state import read_state, write_state
from training.trainer import Joint, Start, train

_PARTNER_BLOCKS = 12
"""In which a new model meets the incumbent of a partner."""

_REASONS = 3
"""Reasons that an error lists when every shard has one."""


def run_training(request: Request, report: Report, is_enough: Callable[[], bool]) -> dict[str, Any]:
    """Train as a request asks, and return the answer; once `is_enough`, that it has stopped, after a checkpoint."""
    folder = request.get("checkpoints")
    interval_s = request.get("checkpoint_s", INTERVAL_S)
    checkpoints = Checkpoints(None if folder is None else Path(folder), is_enough, interval_s=interval_s)
    try:
        return _run(request, checkpoints.stopping(report), checkpoints)
    except StoppedError as stopped:
        return {"stopped": {"steps": stopped.steps, "wanted": stopped.wanted}}
    except (ValueError, ArithmeticError):
        if checkpoints.found_steps:
            checkpoints.drop()  # its numbers may be the reason: the next attempt does without
        raise


def _run(request: Request, report: Report, checkpoints: Checkpoints) -> dict[str, Any]:
    configuration, skipped = config(request["config"]), list[str]()
    sources, used = _load_shards(request, configuration, skipped, report)
    if not sources and any(request.get("announced") or ()):
        return {"used": used, "skipped": skipped}
    if not sources:
        reasons = "; ".join(skipped[:_REASONS])
        raise DataError(f"none of the {len(request['shards'])} shards can be trained on: {reasons}")
    outcomes = _load_outcomes(request, configuration, skipped, report)
    experience = _join(request, configuration, sources, used, outcomes)
    partners = _load_partners(request, skipped, report)
    settings, seed = possible(read_settings(TrainSettings, request["settings"])), request["seed"]
    task = _Task(
        experience=experience,
        start=_start_of_training(request, skipped),
        joint=_joint(request, partners),
        seed=seed,
        settings=settings,
        checkpoints=checkpoints,
    )
    dropped = task.find_checkpoint()
    first = task.train_first(request, report) if task.start is None else task.train_further(report)
    trained = first.trained
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
        "is_sibling": first.is_sibling,
        "resumed": checkpoints.found_steps,
        "dropped": dropped,
        "device": settings.device,
        "partners": [
            {
                "used": places,
                "share": None if partner is None else _share_in(partner.config, trained.network, said, seed, report),
            }
            for said, (partner, places) in zip(_partners_of(request), partners, strict=True)
        ],
    }


@dataclass(frozen=True, kw_only=True)
class _Task:
    """What is trained on which games, and where it goes on: `start` is None where new networks are trained."""

    experience: Experience
    start: Start | None
    joint: Joint | None
    seed: bytes
    settings: TrainSettings
    checkpoints: Checkpoints

    def find_checkpoint(self) -> list[str]:
        """Look for a checkpoint of this training; return why files that are none of it were deleted."""
        is_first, settings = self.start is None, self.settings
        starts = [self.start] * (settings.first_networks if is_first else 1)
        expected = Expected(
            inputs=digest_of_inputs(self.experience, starts, self.seed, settings, self.joint),
            architecture=settings.architecture if self.start is None else self.start.network.architecture,
            networks=len(starts),
            steps=settings.first_steps if is_first else settings.steps,
            drawings=1 if self.joint is None else 1 + len(self.joint.experiences),
        )
        return self.checkpoints.find(expected)

    def train_first(self, request: Request, report: Report) -> FirstNetwork:
        """Train new networks, and return the best one, or the sibling of the request."""
        sibling = None if request["sibling"] is None else load_model(Path(request["sibling"]))
        return train_first(
            self.experience, self.seed, self.settings, report, sibling=sibling, checkpoints=self.checkpoints
        )

    def train_further(self, report: Report) -> FirstNetwork:
        """Train on from the start."""
        trained = train(
            self.experience,
            self.start,
            self.seed,
            self.settings,
            report,
            joint=self.joint,
            stage=self.checkpoints.stage_of(0),
            observe=self.checkpoints.observer_of(0),
        )
        return FirstNetwork(trained, is_sibling=False)


def _join(
    request: Request, configuration: Config, sources: list[Verified], used: list[int], outcomes: list[Verified]
) -> Experience:
    """Return the games of shards and outcomes, with the weights of the request."""
    given = request.get("weights")
    weights = None if given is None else [given[place] for place in used]
    if weights is not None:
        weights += [max(weights)] * len(outcomes)
    return Experience(configuration, [*sources, *outcomes], weights)


def _partners_of(request: Request) -> Sequence[Request]:
    """Return the partners that a request names; new networks have none."""
    partners: Sequence[Request] = request.get("partners") or ()
    return () if request["parent"] is None else partners


def _joint(request: Request, partners: list[tuple[Experience | None, list[int]]]) -> Joint | None:
    known = [partner for partner, _ in partners if partner is not None]
    return Joint(known, request["joint_share"] / 1000) if known else None


def _load_shards(
    request: Request, configuration: Config, skipped: list[str], report: Report
) -> tuple[list[Verified], list[int]]:
    """Return the shards that can be used, and their places; of the others `skipped` tells."""
    sources: list[Verified] = []
    used: list[int] = []
    announced = request.get("announced") or [None] * len(request["shards"])
    for place, (path, said) in enumerate(zip(request["shards"], announced, strict=True)):
        try:
            sources.append(load_as_announced(path, configuration, said, report))
            used.append(place)
        except DataError as error:
            skipped.append(str(error))
        report({"shards": place + 1})
    return sources, used


def _load_partners(request: Request, skipped: list[str], report: Report) -> list[tuple[Experience | None, list[int]]]:
    """Return the games of each partner, None if there are none to use, and the places of the shards that are used."""
    found: list[tuple[Experience | None, list[int]]] = []
    for said in _partners_of(request):
        partner = config(said["config"])
        sources, used = _load_shards(said, partner, skipped, report)
        weights = [said["weights"][place] for place in used]
        found.append((Experience(partner, sources, weights) if sources else None, used))
    return found


def _load_outcomes(request: Request, configuration: Config, skipped: list[str], report: Report) -> list[Verified]:
    """Return the games of matches and series that are as they were reported; of the others `skipped` tells."""
    found = []
    for number, said in enumerate(request.get("outcomes") or []):
        try:
            found.append(load_outcomes(Path(said["blob"]), configuration, reported_of(said), report))
        except DataError as error:
            skipped.append(str(error))
        report({"outcomes": number + 1})
    return found


def _start_of_training(request: Request, skipped: list[str]) -> Start | None:
    """Return the parent, None if there is none, and the state of its training.

    The state is left out if it is damaged, which `skipped` tells.
    """
    if request["parent"] is None:
        return None
    parent, path = load_model(Path(request["parent"])), request["state"]
    if path is None:
        return Start(parent)
    try:
        return Start(parent, read_state(Path(path), parent.architecture))
    except DataError as error:
        skipped.append(str(error))
        return Start(parent)


def _share_in(partner: Config, network: Network, said: Request, seed: bytes, report: Report) -> int:
    """Return the share of first places against the incumbent of a partner, in thousandths of an equal player's."""
    usual = MatchSettings()
    new, old = (
        SearchPlayer(NetworkEvaluator(each), usual.simulations, usual.considered)
        for each in (network, load_model(Path(said["incumbent"])))
    )
    result = meet(partner, new, old, seed=seed, blocks=_PARTNER_BLOCKS, report=as_measured(report))
    return round(1000 * partner.players * result.share)
