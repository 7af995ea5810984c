"""The kinds of claimed work: from a granted claim to the transactions that report it."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from consensus.ledger.records.beacon import slot_blocks
from consensus.ledger.records.entities import Claim
from consensus.ledger.records.parsing import parse_transaction
from consensus.ledger.records.ratings import Series
from consensus.ledger.records.transactions import Games, Result, Transaction
from consensus.settings import MatchSettings
from node.work.context import WorkContext, failing_only_the_job
from node.work.models import known_model, model_directory
from node.work.training import scratch_folder, train
from node.work.worker import JobRunner, Report, WorkError


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
    folder = scratch_folder(context, claim)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
            "out": str(scratch_folder(context, claim)),
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
            "out": str(scratch_folder(context, claim)),
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
            "out": str(scratch_folder(context, claim)),
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


def _of_games(settings: MatchSettings) -> dict[str, int]:
    """Return how the games of a match or a series are played."""
    names = ("simulations", "considered", "opening_plies")
    return {name: getattr(settings, name) for name in names}


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
