"""Model directories made of blobs: what a job needs on disk is laid out once, under the model's digest."""

import os
import shutil
from pathlib import Path

import structlog

from consensus.ledger import Ledger
from consensus.ledger.records.entities import Model
from consensus.ledger.records.transactions import UNIFORM
from node.system.files import clear_place
from node.text.formatting import short_hex
from node.work.context import WorkContext
from node.work.digests import digest_file
from node.work.worker import WorkError

_log = structlog.get_logger(__name__)


def known_model(ledger: Ledger, digest: bytes) -> Model:
    """Return the canonical, former or built-in model with this digest, or the newest of a lineage.

    Raise `WorkError` for any other.
    """
    if digest == UNIFORM:
        return Model(UNIFORM, {}, "uniform", None)
    for promotion in reversed(ledger.promotions()):
        if promotion.model.digest == digest:
            return promotion.model
    for configuration in ledger.configurations():
        for lineage in configuration.lineages.values():
            if lineage.model.digest == digest:
                return lineage.model
        for milestone in ledger.ratings(configuration.name).kept:
            if milestone.model.digest == digest:
                return milestone.model
    raise WorkError(f"model {short_hex(digest)} was never canonical, and no lineage ends with it")


async def model_directory(context: WorkContext, model: Model) -> Path | None:
    """Return a directory with the model's files under their names; None for the built-in model, which has none.

    Every file is checked each time, and laid out anew if it is damaged or missing. Raise `WorkError` if nobody has it.
    """
    if not model.files:
        return None
    directory = context.folder("models") / model.digest.hex()
    if not directory.is_dir():
        clear_place(directory)
        directory.mkdir(exist_ok=True)
    for name, digest in model.files.items():
        if not await _is_right(directory / name, digest):
            _place(await context.fetch(digest, None), directory / name)
            if not await _is_right(directory / name, digest):
                raise WorkError(f"{directory / name}: this disk does not keep what is written to it")
    return directory


async def _is_right(path: Path, digest: bytes) -> bool:
    try:
        if await digest_file(path) == digest:
            return True
    except FileNotFoundError:
        return False
    except OSError:
        pass
    _log.warning("damaged file of a model", path=str(path))
    return False


def _place(blob: Path, target: Path) -> None:
    """Put a copy of a blob in place, or nothing. A second name of the file would share its damage."""
    partial = target.with_name(f".{target.name}")
    clear_place(partial)
    shutil.copyfile(blob, partial)
    if target.is_dir():
        clear_place(target)
    os.replace(partial, target)
