"""The three kinds of claimed work: from a granted claim to the transactions that report it."""

from collections.abc import Mapping
from pathlib import Path

import structlog

from consensus.ledger.priorities import training_shards
from consensus.ledger.records.beacon import slot_blocks
from consensus.ledger.records.entities import Claim
from consensus.ledger.records.transactions import Candidate, Games, Result, Transaction, model_digest
from node.work.context import WorkContext
from node.work.models import known_model, model_directory
from node.work.worker import JobRunner, Report, WorkError

_log = structlog.get_logger(__name__)


async def perform(context: WorkContext, worker: JobRunner, claim: Claim, report: Report) -> Transaction:
    """Do the work of a granted claim; return the transaction that reports it. Raise `WorkError`."""
    work = {"selfplay": play, "train": train, "match": measure}[claim.kind]
    try:
        return await work(context, worker, claim, report)
    except OSError as error:
        raise WorkError(f"{error.filename or 'disk'}: {error.strerror or error}") from error


async def play(context: WorkContext, worker: JobRunner, claim: Claim, report: Report) -> Games:
    """Play games against itself with the model that was canonical when the claim was granted."""
    model = known_model(context.ledger, claim.model)
    settings = context.genesis.settings.selfplay
    done = await worker.perform(
        {
            "job": "selfplay",
            "config": claim.configuration,
            "model": _text(await model_directory(context, model)),
            "model_digest": claim.model,
            "seed": claim.seed,
            "games": claim.amount,
            "settings": {
                "simulations": settings.simulations,
                "considered": settings.considered,
                "opening_plies": settings.opening_plies,
            },
            "out": str(context.folder("work")),
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
    )


async def train(context: WorkContext, worker: JobRunner, claim: Claim, report: Report) -> Candidate:
    """Train on the newest shards, starting from the canonical model if that is of the claimed family.

    The candidate names the shards that the worker could use, in the order of the ledger, and no others.
    """
    settings = context.genesis.settings.training
    start = known_model(context.ledger, claim.model)
    parent = await model_directory(context, start) if start.architecture == claim.family else None
    files_of = await _fetch_shards(context, claim.configuration, report)
    shards = tuple(files_of)
    done = await worker.perform(
        {
            "job": "train",
            "config": claim.configuration,
            "parent": _text(parent),
            "shards": [str(path) for path in files_of.values()],
            "seed": claim.seed,
            "settings": {
                "steps": settings.steps,
                "batch": settings.batch,
                "architecture": settings.architecture,
                "learning_rate": float(settings.learning_rate),
            },
            "out": str(context.folder("work")),
        },
        report,
    )
    for reason in done["skipped"]:
        _log.warning("shard not trained on", configuration=claim.configuration, why=reason)
    files: dict[str, bytes] = {}
    for name, path in sorted(done["files"].items()):
        files[name], _ = await context.keep(Path(path))
    architecture = done["architecture"]
    return Candidate(
        context.next_id(),
        claim=claim.id,
        configuration=claim.configuration,
        model=model_digest(files, architecture, claim.model),
        files=files,
        architecture=architecture,
        parent=claim.model,
        incumbent=context.ledger.configuration(claim.configuration).model.digest,
        shards=tuple(shards[place] for place in done["used"]),
        losses=done["losses"],
        measures=done["measures"],
    )


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
            "settings": {
                "simulations": settings.simulations,
                "considered": settings.considered,
                "opening_plies": settings.opening_plies,
            },
            "out": str(context.folder("work")),
        },
        report,
    )
    blob, size = await context.keep(Path(done["blob"]))
    scores = tuple((block, score) for block, score in done["scores"])
    return Result(
        context.next_id(), claim=claim.id, scores=scores, root=done["root"], blob=blob, size=size, games=done["games"]
    )


async def _fetch_shards(context: WorkContext, configuration: str, report: Report) -> Mapping[bytes, Path]:
    """Return the shards to train on, oldest first; older ones take the place of those that nobody has any more."""
    found: dict[bytes, Path] = {}
    lost: set[bytes] = set()
    while True:
        wanted = training_shards(context.ledger, configuration, lost)
        missing = [shard for shard in wanted if shard.digest not in found]
        if not missing:
            break
        for shard in missing:
            try:
                found[shard.digest] = await context.fetch(shard.digest, shard.size)
            except WorkError:
                lost.add(shard.digest)
            report({})  # a sign of life: many shards can take longer than a lease
    if not wanted:
        raise WorkError("no shard to train on can be had from anybody")
    return {shard.digest: found[shard.digest] for shard in wanted}


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
