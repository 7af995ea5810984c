"""The kinds of claimed work: from a granted claim to the transactions that report it."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog
import trio

from consensus.ledger.priorities import joint_partners, training_outcomes, training_shards
from consensus.ledger.records.beacon import slot_blocks
from consensus.ledger.records.cases import SlotReport
from consensus.ledger.records.entities import Claim, Shard
from consensus.ledger.records.parsing import parse_transaction
from consensus.ledger.records.ratings import Series
from consensus.ledger.records.shard_cases import MISSING
from consensus.ledger.records.transactions import UNIFORM, Candidate, Games, Result, Transaction, model_digest
from consensus.ledger.steering.quality import shard_weight
from consensus.settings import MatchSettings, TrainingSettings
from node.text.formatting import short_hex
from node.work.absences import MISSING_S
from node.work.context import JOB_FAILURES, NobodyHasError, WorkContext, failing_only_the_job
from node.work.models import known_model, model_directory
from node.work.replays import as_job
from node.work.shard_checks import announcement_of, require_undamaged, say_what_was_found
from node.work.worker import JobRunner, Report, WorkError

_TRIES = 3  # to get the newest weights of a lineage, before they are given up
_PAUSE_S = 10.0  # between them
_EQUAL_SHARE = 1000  # of first places against a partner's canonical model, in thousandths of an equal player's

_log = structlog.get_logger(__name__)


async def perform(context: WorkContext, worker: JobRunner, claim: Claim, report: Report) -> Transaction:
    """Do the work of a granted claim; return the transaction that reports it. Raise `WorkError`."""
    work = {"selfplay": play, "train": train, "match": measure, "rate": rate}[claim.kind]
    with failing_only_the_job(), _folder_of(context, claim):
        transaction = await work(context, worker, claim, report)
        parse_transaction(transaction.as_table())  # a worker's nonsense must not become an event
        return transaction


@contextmanager
def _folder_of(context: WorkContext, claim: Claim) -> Iterator[None]:
    """Remove the claim's scratch folder with whatever was left in it, once nobody works there."""
    folder = _scratch(context, claim)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _scratch(context: WorkContext, claim: Claim) -> Path:
    """Return where a claim has its scratch files: jobs that run side by side name some of theirs alike.

    The worker makes the folder.
    """
    return context.folder("work") / str(claim.id)


async def play(context: WorkContext, worker: JobRunner, claim: Claim, report: Report) -> Games:
    """Play games against itself with the model that was canonical when the claim was granted."""
    model = known_model(context.ledger, claim.model)
    settings = context.ledger.selfplay_settings(claim.configuration, claim.model, claim.settings_version)
    done = await worker.perform(
        {
            "job": "selfplay",
            "config": claim.configuration,
            "model": _text(await model_directory(context, model)),
            "model_digest": claim.model,
            "seed": claim.seed,
            "games": claim.amount,
            "settings": {
                "simulations": claim.simulations or settings.simulations,
                "considered": settings.considered,
                "opening_plies": claim.opening_plies if claim.simulations else settings.opening_plies,
                "sparring": settings.sparring,
                **_steered(context, claim),
            },
            "facts": bool(context.genesis.settings.steering.rules),
            "out": str(_scratch(context, claim)),
        },
        report,
    )
    shard, size = await context.keep(Path(done["shard"]))
    return Games(
        context.next_id(),
        claim=claim.id,
        configuration=claim.configuration,
        model=claim.model,
        shard=shard,
        size=size,
        games=done["games"],
        plies=done["plies"],
        root=done["root"],
        facts=done.get("facts"),
    )


def _steered(context: WorkContext, claim: Claim) -> dict[str, int]:
    """Return the settings of self-play that only a swarm with `steering.rules` has."""
    if not claim.simulations:
        return {}
    steering = context.ledger.settings_on(claim.configuration, claim.settings_version).steering
    return {
        "noise": claim.noise,
        "full_share": steering.full_share,
        "fast_simulations": min(claim.simulations, steering.fast_simulations),
    }


async def train(context: WorkContext, worker: JobRunner, claim: Claim, report: Report) -> Candidate:
    """Train on the newest shards, starting from the claim's model, and where the training of that ended.

    If nobody has that model any more, start from the canonical one. If it is a sibling's, the worker may find that a
    new network plays better; then the candidate has no parent. The candidate names the shards that the worker could
    use, in the order of the ledger, and no others. Games of matches and series join them (`training_outcomes`). A share
    of the steps may be on games of partners (`joint_partners`), where the model is nominated, too, if it plays well.
    """
    settings = context.ledger.settings_on(claim.configuration, claim.settings_version)
    start = await _start_of_training(context, claim, report)
    is_steered = bool(context.genesis.settings.steering.rules)
    fetched = await _fetch_shards(context, claim, report)
    partners = await _fetch_partners(context, claim, start, report)
    outcomes = await _fetch_outcomes(context, claim, [shard for shard, _ in fetched], report)
    done = await worker.perform(
        {
            "job": "train",
            "config": claim.configuration,
            "parent": None if start.is_sibling else _text(start.directory),
            "sibling": _text(start.directory) if start.is_sibling else None,
            "state": _text(start.state),
            "shards": [str(path) for _, path in fetched],
            "weights": [shard_weight(shard) for shard, _ in fetched] if is_steered else None,
            "announced": [announcement_of(shard) for shard, _ in fetched],
            "outcomes": [as_job(found, path) for found, path in outcomes],
            "partners": [partner.as_job() for partner in partners],
            "joint_share": settings.steering.joint_share,
            "seed": claim.seed,
            "settings": _training_settings(settings.training, claim.family),
            "out": str(_scratch(context, claim)),
        },
        report,
    )
    await _doubt_unused(context, claim, fetched, done)
    files: dict[str, bytes] = {}
    for name, path in sorted(done["files"].items()):
        files[name], _ = await context.keep(Path(path))
    architecture = done["architecture"]
    state = None if done["state"] is None else await context.keep(Path(done["state"]))
    parent = UNIFORM if start.is_sibling and not done["is_sibling"] else start.model
    candidate = Candidate(
        context.next_id(),
        claim=claim.id,
        configuration=claim.configuration,
        model=model_digest(files, architecture, parent),
        files=files,
        architecture=architecture,
        parent=parent,
        incumbent=context.ledger.configuration(claim.configuration).model.digest,
        shards=tuple(fetched[place][0].digest for place in done["used"]),
        losses=done["losses"],
        measures=done["measures"],
        state=state,
    )
    for partner, found in zip(partners, done.get("partners") or (), strict=False):
        if found["share"] is not None and found["share"] >= _EQUAL_SHARE:
            await _nominate_in(context, partner, candidate, found["used"])
    return candidate


def _training_settings(settings: TrainingSettings, family: str | None) -> dict[str, Any]:
    """Return the settings of a training as the worker takes them."""
    return {
        "steps": settings.steps,
        "batch": settings.batch,
        "architecture": family,
        "first_networks": settings.first_networks,
        "learning_rate": float(settings.learning_rate),
        "first_steps": settings.first_steps or settings.steps,
        "measured_blocks": settings.measured_blocks,
    }


async def _doubt_unused(
    context: WorkContext, claim: Claim, fetched: Sequence[tuple[Shard, Path]], done: Mapping[str, Any]
) -> None:
    """Tell of the shards that the worker could not use. Raise WorkError if it could use none."""
    for reason in done["skipped"]:
        _log.warning("shard not trained on", configuration=claim.configuration, why=reason)
    unused = [found for place, found in enumerate(fetched) if place not in done["used"]]
    for (shard, path), reason in zip(unused, done["skipped"], strict=False):  # the last may be of a damaged state
        await _doubt(context, shard, path, reason)
    if not done["used"]:
        raise WorkError(f"none of the {len(fetched)} shards is what was announced: {done['skipped'][0]}")


async def _doubt(context: WorkContext, shard: Shard, path: Path, wrong: str) -> None:
    """Tell the others that a shard is not what was announced; the training does not depend on it."""
    try:
        await require_undamaged(path, shard)
        await say_what_was_found(context, shard, wrong)
    except JOB_FAILURES as trouble:
        _log.warning("finding put off", shard=short_hex(shard.digest), why=str(trouble))


@dataclass(frozen=True)
class _Start:
    """The model that a training starts from, its directory (None: from scratch), and the state of its training.

    The model of a sibling competes with new networks.
    """

    model: bytes
    directory: Path | None
    state: Path | None
    is_sibling: bool = False


async def _start_of_training(context: WorkContext, claim: Claim, report: Report) -> _Start:
    for number in range(_TRIES):
        try:
            directory = await model_directory(context, known_model(context.ledger, claim.model))
            return _Start(claim.model, directory, await _fetch_state(context, claim), _is_of_sibling(context, claim))
        except WorkError as trouble:
            reason = str(trouble)
        report({"tries": number + 1})
        await trio.sleep(_PAUSE_S)
    fallback = context.ledger.training_fallback(claim.configuration, claim.family)
    if fallback.digest == claim.model:
        raise WorkError(reason)
    _log.warning("training starts from the canonical model", configuration=claim.configuration, why=reason)
    return _Start(fallback.digest, await model_directory(context, fallback), None)


def _is_of_sibling(context: WorkContext, claim: Claim) -> bool:
    """Return whether the claim's model became canonical in another configuration, and is not of this one."""
    promoted = {entry.configuration for entry in context.ledger.promotions() if entry.model.digest == claim.model}
    lineage = context.ledger.configuration(claim.configuration).lineages.get(claim.family)
    goes_on = lineage is not None and lineage.model.digest == claim.model
    return bool(promoted) and claim.configuration not in promoted and not goes_on


async def _fetch_state(context: WorkContext, claim: Claim) -> Path | None:
    """Return the state of the training of the claim's model; None if it has none or nobody has it."""
    lineage = context.ledger.configuration(claim.configuration).lineages.get(claim.family)
    if lineage is None or lineage.model.digest != claim.model or lineage.state is None:
        return None
    try:
        return await context.fetch(lineage.state.digest, lineage.state.size)
    except WorkError as trouble:
        _log.warning("training goes on without its state", configuration=claim.configuration, why=str(trouble))
        return None


@dataclass(frozen=True)
class _Partner:
    """A configuration on whose games a training makes a share of its steps, and its canonical model."""

    configuration: str
    shards: list[tuple[Shard, Path]]
    model: bytes
    directory: Path

    def as_job(self) -> dict[str, Any]:
        """Return what a worker is to know of it."""
        return {
            "config": self.configuration,
            "shards": [str(path) for _, path in self.shards],
            "weights": [shard_weight(shard) for shard, _ in self.shards],
            "announced": [announcement_of(shard) for shard, _ in self.shards],
            "incumbent": str(self.directory),
        }


async def _fetch_partners(context: WorkContext, claim: Claim, start: _Start, report: Report) -> list[_Partner]:
    """Return the partners of a training whose games and canonical model can be had."""
    if start.is_sibling:
        return []
    names = joint_partners(context.ledger, claim.configuration, claim.family, start.model, claim.settings_version)
    found: list[_Partner] = []
    for name in names:
        model = context.ledger.configuration(name).model
        try:
            shards = await _fetch_shards(context, replace(claim, configuration=name), report)
            directory = await model_directory(context, model)
        except WorkError as trouble:
            _log.warning("training goes on without a partner", configuration=name, why=str(trouble))
            continue
        if directory is not None:
            found.append(_Partner(name, shards, model.digest, directory))
    return found


async def _nominate_in(context: WorkContext, partner: _Partner, candidate: Candidate, used: list[int]) -> None:
    """Nominate a model in a partner, too, unless the ledger would refuse it or another one is measured there."""
    news = replace(
        candidate,
        id=context.next_id(),
        claim=None,
        configuration=partner.configuration,
        incumbent=partner.model,
        shards=tuple(partner.shards[place][0].digest for place in used),
        losses={},
        measures={},
        state=None,
    )
    is_contested = any(entry.configuration == partner.configuration for entry in context.ledger.candidates())
    if is_contested or context.ledger.obstacle_to(context.me, news):
        return
    try:
        await context.submit(news)
    except JOB_FAILURES as trouble:
        _log.warning("nomination put off", configuration=partner.configuration, why=str(trouble))


async def measure(context: WorkContext, worker: JobRunner, claim: Claim, report: Report) -> Result:
    """Play one slot of a match."""
    candidacy = context.ledger.candidate(claim.candidate or b"")
    if candidacy is None or claim.slot is None:
        raise WorkError("the match is over")
    candidate = await model_directory(context, candidacy.model)
    incumbent = await model_directory(context, known_model(context.ledger, candidacy.incumbent))
    settings = candidacy.settings
    assert candidacy.beacon is not None  # no slot is drawn before
    blocks = slot_blocks(candidacy.beacon, candidacy.id, claim.slot, settings.slot_blocks)
    done = await worker.perform(
        {
            "job": "match",
            "config": claim.configuration,
            "candidate": _text(candidate),
            "incumbent": _text(incumbent),
            "blocks": [list(block) for block in blocks],
            "settings": _of_games(settings),
            "out": str(_scratch(context, claim)),
        },
        report,
    )
    return await _result(context, claim, done)


async def rate(context: WorkContext, worker: JobRunner, claim: Claim, report: Report) -> Result:
    """Play one slot of a series."""
    series = context.ledger.contest(claim.candidate or b"")
    if not isinstance(series, Series) or series.beacon is None or claim.slot is None:
        raise WorkError("the series is over")
    pair, settings = series.pair, series.settings
    opponent = None if pair.opponent_model is None else known_model(context.ledger, pair.opponent_model)
    done = await worker.perform(
        {
            "job": "rate",
            "config": claim.configuration,
            "model": _text(await model_directory(context, known_model(context.ledger, pair.model))),
            "player": pair.player,
            "opponent": pair.opponent,
            "opponent_model": None if opponent is None else _text(await model_directory(context, opponent)),
            "blocks": [
                list(block) for block in slot_blocks(series.beacon, series.id, claim.slot, settings.slot_blocks)
            ],
            "settings": _of_games(settings),
            "out": str(_scratch(context, claim)),
        },
        report,
    )
    return await _result(context, claim, done)


async def _result(context: WorkContext, claim: Claim, done: Mapping[str, Any]) -> Result:
    blob, size = await context.keep(Path(done["blob"]))
    scores = tuple((block, score) for block, score in done["scores"])
    return Result(
        context.next_id(), claim=claim.id, scores=scores, root=done["root"], blob=blob, size=size, games=done["games"]
    )


async def _fetch_shards(context: WorkContext, claim: Claim, report: Report) -> list[tuple[Shard, Path]]:
    """Return the shards to train on, oldest first; older ones take the place of those that nobody has any more."""
    found: dict[bytes, Path] = {}
    lost: set[bytes] = set()
    while True:
        wanted = training_shards(context.ledger, claim.configuration, lost, claim.settings_version)
        missing = [shard for shard in wanted if shard.digest not in found]
        if not missing:
            break
        for shard in missing:
            try:
                found[shard.digest] = await context.fetch(shard.digest, shard.size)
            except WorkError as trouble:
                lost.add(shard.digest)
                if isinstance(trouble, NobodyHasError):
                    await _tell_of_missing(context, shard)
            report({"fetched": len(found), "lost": len(lost)})  # many shards can take longer than a lease
    if not wanted:
        raise WorkError("no shard to train on can be had from anybody")
    return [(shard, found[shard.digest]) for shard in wanted]


async def _fetch_outcomes(
    context: WorkContext, claim: Claim, shards: list[Shard], report: Report
) -> list[tuple[SlotReport, Path]]:
    """Return the results of matches and series to learn from; older ones take the place of those that nobody has."""
    found: dict[bytes, Path] = {}
    lost: set[bytes] = set()
    while True:
        wanted = training_outcomes(context.ledger, claim.configuration, shards, lost, claim.settings_version)
        missing = [entry.result for entry in wanted if entry.result.blob not in found]
        if not missing:
            return [(entry, found[entry.result.blob]) for entry in wanted]
        for result in missing:
            try:
                found[result.blob] = await context.fetch(result.blob, result.size)
            except WorkError:
                lost.add(result.blob)
            report({"outcomes": len(found), "lost_outcomes": len(lost)})


async def _tell_of_missing(context: WorkContext, shard: Shard) -> None:
    """Tell the others that nobody has a shard, if its author had time to come back; training goes on without it."""
    if context.ledger.clock - shard.clock < MISSING_S * 10**9:
        return
    try:
        await say_what_was_found(context, shard, MISSING)
    except JOB_FAILURES as trouble:
        _log.warning("finding put off", shard=short_hex(shard.digest), why=str(trouble))


def _of_games(settings: MatchSettings) -> dict[str, int]:
    """Return how the games of a match or a series are played."""
    names = ("simulations", "considered", "opening_plies")
    return {name: getattr(settings, name) for name in names}


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
