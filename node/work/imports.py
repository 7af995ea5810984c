"""Models from elsewhere, nominated by the person at this machine: this node keeps their files, and nominates them.

The ledger lets any member nominate any model without training, and the match decides. Such a model has no parent that
anybody here knows; one whose files are those of a model that the swarm knows is that model, so that it cannot be
tested again under another name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from consensus.ledger import Ledger
from consensus.ledger.records.entities import Model
from consensus.ledger.records.fields import FILE, NAME
from consensus.ledger.records.transactions import UNIFORM, model_digest
from node.api.nominations import NominationInfo
from node.blobs import BlobError
from node.work.nominations import NominationError, Nominations

_MOST_FILES = 64
_DIGEST_BYTES = 32


class Imports:
    """Takes models in as one node."""

    def __init__(self, nominations: Nominations, add_file: Callable[[Path], Awaitable[bytes]]) -> None:
        """Nominate through `nominations`; `add_file` keeps a copy of a file as a blob and returns its SHA-256."""
        self._nominations = nominations
        self._add_file = add_file

    async def nominate(self, request: Mapping[str, Any]) -> NominationInfo:
        """Keep the files of a model in a folder of this machine, and nominate it. Raise NominationError.

        `request` is to be an `ImportRequest`.
        """
        folder, files, architecture = _parse(request)
        self._nominations.require_ready()
        ledger = self._nominations.ledger
        name = _configuration(ledger, request.get("configuration"))
        families = ledger.settings_on(name).families
        if architecture not in families:
            remedy = "members can change that: ringrift-node propose set training.architecture or steering.families"
            trained = ", ".join(families)
            raise NominationError(
                409, f"{name} is played by networks {trained}, and this one is {architecture}; {remedy}"
            )
        model = identify(ledger, files, architecture)
        self._nominations.require_possible(name, model)
        for file, digest in files.items():
            try:
                kept = await self._add_file(folder / file)
            except BlobError as error:
                raise NominationError(409, f"{folder / file} cannot be kept: {error}") from None
            if kept != digest:
                raise NominationError(409, f"{folder / file} changed meanwhile; say it again once nobody writes there")
        return await self._nominations.submit(name, model)


def identify(ledger: Ledger, files: Mapping[str, bytes], architecture: str) -> Model:
    """Return the model with these files as the swarm knows it, else as a new one without a parent."""
    known = list(_known_models(ledger))
    for model in known:
        if (dict(model.files), model.architecture) == (dict(files), architecture):
            return model
    closed = {entry.model for entry in ledger.closed_candidates()}
    for parent in (UNIFORM, *closed, *(model.digest for model in known)):
        digest = model_digest(files, architecture, parent)
        if digest in closed:
            return Model(digest, files, architecture, parent)
    return Model(model_digest(files, architecture, None), files, architecture, None)


def _known_models(ledger: Ledger) -> Iterator[Model]:
    """Yield the models of which the ledger has the files."""
    for entry in ledger.configurations():
        yield entry.model
        yield from (lineage.model for lineage in entry.lineages.values())
        yield from (milestone.model for milestone in ledger.ratings(entry.name).kept)
    yield from (promotion.model for promotion in ledger.promotions())
    yield from (candidacy.model for candidacy in ledger.candidates())


def _configuration(ledger: Ledger, wanted: object) -> str:
    played = [entry.name for entry in ledger.configurations()]
    if wanted is None and len(played) == 1:
        return played[0]
    if wanted not in played:
        what = "say for which configuration" if wanted is None else f"{str(wanted)[:64]} is not played here"
        raise NominationError(409, f"{what}; --configuration is one of {', '.join(played)}")
    return str(wanted)


def _parse(request: Mapping[str, Any]) -> tuple[Path, dict[str, bytes], str]:
    """Return the folder, the digests of the files in it, and the architecture. Raise NominationError: 400."""
    folder, given, architecture = request.get("folder"), request.get("files"), request.get("architecture")
    try:
        if not isinstance(folder, str) or not Path(folder).is_absolute() or "\0" in folder:
            raise ValueError("folder, an absolute path")
        if not isinstance(architecture, str) or not NAME.fullmatch(architecture):
            raise ValueError("architecture, a name")
        if not isinstance(given, dict) or not 1 <= len(given) <= _MOST_FILES:
            raise ValueError("files, 1 to 64 names with the SHA-256 of each in hex")
        files = {str(name): bytes.fromhex(digest) for name, digest in sorted(given.items())}
        if any(not FILE.fullmatch(name) or len(digest) != _DIGEST_BYTES for name, digest in files.items()):
            raise ValueError("files, with plain names and the SHA-256 of each")
    except (ValueError, TypeError) as error:
        raise NominationError(400, f"an import needs {error}") from None
    return Path(folder), files, architecture
