"""The training of a granted claim: from what it takes to the candidate, with checkpoints on the way."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from consensus.ledger.records.entities import Claim, Shard
from consensus.ledger.records.transactions import UNIFORM, Candidate, Release, model_digest
from consensus.ledger.steering.quality import shard_weight
from consensus.settings import TrainingSettings
from node.text.formatting import short_hex
from node.work.checkpoints import CheckpointFolder
from node.work.context import JOB_FAILURES, WorkContext
from node.work.replays import as_job
from node.work.shard_checks import announcement_of, require_undamaged, say_what_was_found
from node.work.training_material import Material, Partner, StartModel, gather, gather_planned, start_of_training
from node.work.training_plans import PlanError, TrainingPlan, TrainingSubject, decode_plan
from node.work.worker import JobRunner, Report, WorkError

_EQUAL_SHARE = 1000  # of first places against a partner's canonical model, in thousandths of an equal player's

_log = structlog.get_logger(__name__)


async def train(context: WorkContext, worker: JobRunner, claim: Claim, report: Report) -> Candidate | Release:
    """Train on the newest shards, starting from the claim's model, and where the training of that ended.

    If nobody has that model any more, start from the canonical one. If it is a sibling's, the worker may find that a
    new network plays better; then the candidate has no parent. The candidate names the shards that the worker could
    use, in the order of the ledger, and no others. Games of matches and series join them (`training_outcomes`). A share
    of the steps may be on games of partners (`joint_partners`), where the model is nominated, too, if it plays well.

    Where a checkpoint of an interrupted training of the same is here, or another member has one, that training goes on,
    with its games and its seed. Who is told to end before it is done hands its checkpoint over and gives the claim
    back.
    """
    start = await start_of_training(context, claim, report)
    folder = CheckpointFolder(context.folder("checkpoints"), claim.configuration, claim.family)
    subject = _subject(claim, start)
    material = await _material(context, claim, start, folder, report)
    plan = material.plan(subject)
    checkpoints = None if plan is None else folder.begin(plan)
    tally = _Steps(report)
    try:
        done = await worker.perform(
            {**_job(context, claim, start, material), "checkpoints": _text(checkpoints)}, tally.observe
        )
    except WorkError:
        await _hand_over(context, folder, plan, tally.made)  # whoever comes first goes on
        raise
    if "stopped" in done:
        steps, wanted = done["stopped"]["steps"], done["stopped"]["wanted"]
        await _hand_over(context, folder, plan, steps)
        return Release(context.next_id(), claim.id, f"{steps} of {wanted} steps: the node ends its work")
    _log_checkpoints(claim, done)
    await _doubt_unused(context, claim, material.shards, done)
    candidate = await _candidate(context, claim, start, material, done)
    for partner, found in zip(material.partners, done.get("partners") or (), strict=False):
        if found["share"] is not None and found["share"] >= _EQUAL_SHARE:
            await _nominate_in(context, partner, candidate, found["used"])
    return candidate


def forget_checkpoint(context: WorkContext, claim: Claim) -> None:
    """Delete the checkpoint of a training whose candidate was delivered."""
    CheckpointFolder(context.folder("checkpoints"), claim.configuration, claim.family).clear()


def scratch_folder(context: WorkContext, claim: Claim) -> Path:
    """Return where a claim has its scratch files: jobs that run side by side name some of theirs alike.

    The worker makes the folder.
    """
    return context.folder("work") / str(claim.id)


def _subject(claim: Claim, start: StartModel) -> TrainingSubject:
    return TrainingSubject(
        configuration=claim.configuration,
        family=claim.family,
        model=start.model,
        state=None if start.state is None else start.state[0],
        is_sibling=start.is_sibling,
        settings_version=claim.settings_version,
    )


class _Steps:
    """Passes on the progress of a training, and remembers how many steps were made."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self.made = 0

    def observe(self, progress: Mapping[str, Any]) -> None:
        """See `Report`."""
        self.made = int(progress.get("steps", self.made))
        self._report(progress)


async def _hand_over(context: WorkContext, folder: CheckpointFolder, plan: TrainingPlan | None, steps: int) -> None:
    """Give the checkpoint to others, if there is one; what goes wrong with that costs the next trainer some time."""
    checkpoint = folder.newest()
    if plan is None or checkpoint is None:
        return
    try:
        await context.hand_over(checkpoint, plan, steps)
    except WorkError as trouble:
        _log.warning("checkpoint not handed over", configuration=plan.subject.configuration, why=str(trouble))


async def _material(
    context: WorkContext, claim: Claim, start: StartModel, folder: CheckpointFolder, report: Report
) -> Material:
    """Return what an interrupted training of the same took, if there is one to go on with; else the newest games."""
    subject = _subject(claim, start)
    plan = folder.find(subject)
    try:
        if plan is None:
            plan = await _take_over(context, subject, folder)
        if plan is not None:
            return await gather_planned(context, plan, report)
    except (WorkError, PlanError) as trouble:
        _log.info("training begins anew", configuration=claim.configuration, why=str(trouble))
    return await gather(context, claim, start, report)


async def _take_over(context: WorkContext, subject: TrainingSubject, folder: CheckpointFolder) -> TrainingPlan | None:
    """Fetch the checkpoint that another member offers, and return its plan; None if nobody offers one.

    Raise WorkError or PlanError if it is not what was offered.
    """
    offer = await context.find_checkpoint(subject)
    if offer is None:
        return None
    plan = decode_plan(offer.plan)
    if plan.subject != subject:
        raise PlanError("a checkpoint of another training was offered")
    folder.take(plan, await context.fetch(offer.digest, offer.size), offer.digest)
    _log.info("training taken over", configuration=subject.configuration, steps=offer.steps)
    return plan


def _job(context: WorkContext, claim: Claim, start: StartModel, material: Material) -> dict[str, Any]:
    """Return what the worker is asked for."""
    settings = context.ledger.settings_on(claim.configuration, claim.settings_version)
    is_steered = bool(context.genesis.settings.steering.rules)
    shards = material.shards
    return {
        "job": "train",
        "config": claim.configuration,
        "parent": None if start.is_sibling else _text(start.directory),
        "sibling": _text(start.directory) if start.is_sibling else None,
        "state": None if start.state is None else str(start.state[1]),
        "shards": [str(path) for _, path in shards],
        "weights": [shard_weight(shard) for shard, _ in shards] if is_steered else None,
        "announced": [announcement_of(shard) for shard, _ in shards],
        "outcomes": [as_job(found, path) for found, path in material.outcomes],
        "partners": [partner.as_job() for partner in material.partners],
        "joint_share": settings.steering.joint_share,
        "seed": material.seed,
        "settings": _training_settings(settings.training, claim.family),
        "out": str(scratch_folder(context, claim)),
    }


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


def _log_checkpoints(claim: Claim, done: Mapping[str, Any]) -> None:
    for reason in done.get("dropped", ()):
        _log.warning("checkpoint dropped", configuration=claim.configuration, why=reason)
    if steps := done.get("resumed"):
        _log.info("training went on from a checkpoint", configuration=claim.configuration, steps=steps)


async def _candidate(
    context: WorkContext, claim: Claim, start: StartModel, material: Material, done: Mapping[str, Any]
) -> Candidate:
    """Keep what the worker made, and return the transaction that nominates it."""
    files: dict[str, bytes] = {}
    for name, path in sorted(done["files"].items()):
        files[name], _ = await context.keep(Path(path))
    architecture = done["architecture"]
    state = None if done["state"] is None else await context.keep(Path(done["state"]))
    parent = UNIFORM if start.is_sibling and not done["is_sibling"] else start.model
    return Candidate(
        context.next_id(),
        claim=claim.id,
        configuration=claim.configuration,
        model=model_digest(files, architecture, parent),
        files=files,
        architecture=architecture,
        parent=parent,
        incumbent=context.ledger.configuration(claim.configuration).model.digest,
        shards=tuple(material.shards[place][0].digest for place in done["used"]),
        losses=done["losses"],
        measures=done["measures"],
        state=state,
    )


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


async def _nominate_in(context: WorkContext, partner: Partner, candidate: Candidate, used: list[int]) -> None:
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


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
