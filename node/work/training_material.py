"""What a training takes: the model that it starts from, shards, games of matches and series, partners' games.

It is gathered anew by the ledger, or as the plan of a training says that was interrupted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog
import trio

from consensus.ledger.priorities import joint_partners, training_outcomes, training_shards
from consensus.ledger.records.cases import SlotReport
from consensus.ledger.records.entities import Claim, Model, Shard
from consensus.ledger.records.shard_cases import MISSING
from consensus.ledger.steering.quality import shard_weight
from node.text.formatting import short_hex
from node.work.absences import MISSING_S
from node.work.context import JOB_FAILURES, NobodyHasError, WorkContext
from node.work.models import known_model, model_directory
from node.work.shard_checks import announcement_of, say_what_was_found
from node.work.training_plans import PlannedPartner, TrainingPlan, TrainingSubject
from node.work.worker import Report, WorkError

_TRIES = 3  # to get the newest weights of a lineage, before they are given up
_PAUSE_S = 10.0  # between them

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class StartModel:
    """The model that a training starts from, its directory (None: from scratch), and the state of its training.

    The model of a sibling competes with new networks.
    """

    model: bytes
    directory: Path | None
    state: tuple[bytes, Path] | None  # its digest and its file
    is_sibling: bool = False


async def start_of_training(context: WorkContext, claim: Claim, report: Report) -> StartModel:
    for number in range(_TRIES):
        try:
            directory = await model_directory(context, known_model(context.ledger, claim.model))
            return StartModel(
                claim.model, directory, await _fetch_state(context, claim), _is_of_sibling(context, claim)
            )
        except WorkError as trouble:
            reason = str(trouble)
        report({"tries": number + 1})
        await trio.sleep(_PAUSE_S)
    fallback = context.ledger.training_fallback(claim.configuration, claim.family)
    if fallback.digest == claim.model:
        raise WorkError(reason)
    _log.warning("training starts from the canonical model", configuration=claim.configuration, why=reason)
    return StartModel(fallback.digest, await model_directory(context, fallback), None)


def _is_of_sibling(context: WorkContext, claim: Claim) -> bool:
    """Return whether the claim's model became canonical in another configuration, and is not of this one."""
    promoted = {entry.configuration for entry in context.ledger.promotions() if entry.model.digest == claim.model}
    lineage = context.ledger.configuration(claim.configuration).lineages.get(claim.family)
    goes_on = lineage is not None and lineage.model.digest == claim.model
    return bool(promoted) and claim.configuration not in promoted and not goes_on


async def _fetch_state(context: WorkContext, claim: Claim) -> tuple[bytes, Path] | None:
    """Return the digest and file of the state of the training of the claim's model; None if nobody has one."""
    lineage = context.ledger.configuration(claim.configuration).lineages.get(claim.family)
    if lineage is None or lineage.model.digest != claim.model or lineage.state is None:
        return None
    try:
        return lineage.state.digest, await context.fetch(lineage.state.digest, lineage.state.size)
    except WorkError as trouble:
        _log.warning("training goes on without its state", configuration=claim.configuration, why=str(trouble))
        return None


@dataclass(frozen=True)
class Partner:
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


async def fetch_partners(context: WorkContext, claim: Claim, start: StartModel, report: Report) -> list[Partner]:
    """Return the partners of a training whose games and canonical model can be had."""
    if start.is_sibling:
        return []
    names = joint_partners(context.ledger, claim.configuration, claim.family, start.model, claim.settings_version)
    found: list[Partner] = []
    for name in names:
        model = context.ledger.configuration(name).model
        try:
            shards = await fetch_shards(context, replace(claim, configuration=name), report)
            directory = await model_directory(context, model)
        except WorkError as trouble:
            _log.warning("training goes on without a partner", configuration=name, why=str(trouble))
            continue
        if directory is not None:
            found.append(Partner(name, shards, model.digest, directory))
    return found


@dataclass(frozen=True)
class Material:
    """The games of a training with their files, and its seed."""

    seed: bytes | None
    shards: list[tuple[Shard, Path]]
    outcomes: list[tuple[SlotReport, Path]]
    partners: list[Partner]

    def plan(self, subject: TrainingSubject) -> TrainingPlan | None:
        """Return the plan of a training that takes this; None if it has no seed."""
        if self.seed is None:
            return None
        return TrainingPlan(
            subject=subject,
            seed=self.seed,
            shards=tuple(shard.digest for shard, _ in self.shards),
            outcomes=tuple(found.result.blob for found, _ in self.outcomes),
            partners=tuple(
                PlannedPartner(partner.configuration, tuple(shard.digest for shard, _ in partner.shards))
                for partner in self.partners
            ),
        )


async def gather(context: WorkContext, claim: Claim, start: StartModel, report: Report) -> Material:
    """Return what a training takes by the ledger. Raise WorkError."""
    shards = await fetch_shards(context, claim, report)
    partners = await fetch_partners(context, claim, start, report)
    outcomes = await fetch_outcomes(context, claim, [shard for shard, _ in shards], report)
    return Material(claim.seed, shards, outcomes, partners)


async def gather_planned(context: WorkContext, plan: TrainingPlan, report: Report) -> Material:
    """Return what the plan of an interrupted training says. Raise WorkError if not all of it counts and can be had."""
    configuration = plan.subject.configuration
    shards = await _fetch_planned(context, configuration, plan.shards, report)
    partners = []
    for planned in plan.partners:
        model = _canonical(context, planned.configuration)
        directory = await model_directory(context, model)
        if directory is None:
            raise WorkError(f"{planned.configuration} has no model any more")
        games = await _fetch_planned(context, planned.configuration, planned.shards, report)
        partners.append(Partner(planned.configuration, games, model.digest, directory))
    known = {entry.result.blob: entry for entry in context.ledger.outcomes(configuration)}
    outcomes = []
    for digest in plan.outcomes:
        entry = known.get(digest)
        if entry is None:
            raise WorkError("games of a match are not known any more")
        outcomes.append((entry, await context.fetch(digest, entry.result.size)))
        report({"outcomes": len(outcomes)})
    return Material(plan.seed, shards, outcomes, partners)


def _canonical(context: WorkContext, configuration: str) -> Model:
    """Return the canonical model of a configuration that a plan names. Raise WorkError if there is no such one."""
    for entry in context.ledger.configurations():
        if entry.name == configuration:
            return entry.model
    raise WorkError(f"the swarm does not play {configuration}")


async def _fetch_planned(
    context: WorkContext, configuration: str, digests: Sequence[bytes], report: Report
) -> list[tuple[Shard, Path]]:
    """Return the shards with these digests. Raise WorkError unless all count, are the configuration's, and are here."""
    found: list[tuple[Shard, Path]] = []
    for digest in digests:
        shard = context.ledger.shard(digest)
        if shard is None or (shard.standing, shard.configuration) != ("counted", configuration):
            raise WorkError(f"shard {short_hex(digest)} does not count any more")
        found.append((shard, await context.fetch(digest, shard.size)))
        report({"fetched": len(found)})
    if not found:
        raise WorkError("a plan without games")
    return found


async def fetch_shards(context: WorkContext, claim: Claim, report: Report) -> list[tuple[Shard, Path]]:
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


async def fetch_outcomes(
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
