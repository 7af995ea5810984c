"""Model directories made of blobs: what a job needs on disk is laid out once, under the model's digest."""

import os
from pathlib import Path

from consensus.ledger import Ledger
from consensus.ledger.records.entities import Model
from consensus.ledger.records.transactions import UNIFORM
from node.text.formatting import short_hex
from node.work.context import WorkContext
from node.work.worker import WorkError


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
    raise WorkError(f"model {short_hex(digest)} was never canonical, and no lineage ends with it")


async def model_directory(context: WorkContext, model: Model) -> Path | None:
    """Return a directory with the model's files under their names; None for the built-in model, which has none.

    Raise `WorkError` if nobody has one of the files.
    """
    if not model.files:
        return None
    directory = context.folder("models") / model.digest.hex()
    if directory.is_dir():
        return directory
    partial = context.folder("models") / f".{model.digest.hex()}"
    partial.mkdir(exist_ok=True)
    for name, digest in model.files.items():
        _place(await context.fetch(digest, None), partial / name)
    os.replace(partial, directory)
    return directory


def _place(blob: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        os.link(blob, target)
    except OSError:  # another file system
        target.write_bytes(blob.read_bytes())
