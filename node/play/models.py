"""Models to play against without a running node: those in a node's data folder, and folders that a person names."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from consensus.statement import MANIFEST
from engine.files import read_regular
from node.config.toml import ConfigError
from node.text.formatting import short

_MAX_CERTIFICATE_BYTES = 4 << 20
_MAX_FILE_BYTES = 256 << 20
_BEGINNING = re.compile("[0-9a-f]{4,64}")
_FILE_NAME = re.compile("[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_UNFIT = (OSError, LookupError, TypeError, ValueError, RecursionError)


@dataclass(frozen=True)
class FoundModel:
    """A model that plays: its name for people, and the folder of its files, None for the built-in heuristic."""

    name: str
    directory: Path | None


HEURISTIC = FoundModel("the built-in heuristic", None)


@dataclass(frozen=True)
class _Certified:
    """What a certificate says of a promotion: the digests are hex."""

    configuration: str
    number: int
    digest: str
    files: Mapping[str, str]


def find_model(configuration: str, data: Path, wanted: str | None, room: Path) -> FoundModel:
    """Return the model `wanted`, a folder or the beginning of a digest, else the newest one with a certificate.

    Files of a node's blobs are copied into `room`, an empty folder. Without any model it is the heuristic. Raise
    ConfigError if there is none of that name, or it is not whole.
    """
    if wanted is not None and Path(wanted).exists():
        path = Path(wanted)
        return FoundModel(f"the model in {wanted}", path if path.is_dir() else path.parent)
    certified = sorted(_read_certificates(data), key=lambda each: each.number, reverse=True)
    if wanted is None:
        newest = next((each for each in certified if each.configuration == configuration), None)
        if newest is None:
            return HEURISTIC
        name = f"model {short(newest.digest)}, canonical since promotion {newest.number} of {configuration}"
        return FoundModel(name, _lay_out(newest, data, room))
    chosen = _by_beginning(certified, data, wanted)
    if isinstance(chosen, Path):
        return FoundModel(f"model {short(chosen.name)}", chosen)
    return FoundModel(f"model {short(chosen.digest)}", _lay_out(chosen, data, room))


def _by_beginning(certified: list[_Certified], data: Path, wanted: str) -> _Certified | Path:
    """Return the only model whose digest begins so: of a certificate, or a folder of the node. Raise ConfigError."""
    found: dict[str, _Certified | Path] = {}
    if _BEGINNING.fullmatch(wanted):
        folders = (data / "models").glob(f"{wanted}*")
        found = {folder.name: folder for folder in folders if folder.is_dir()}
        found |= {each.digest: each for each in certified if each.digest.startswith(wanted)}
    if len(found) == 1:
        return next(iter(found.values()))
    remedy = "give a folder with its files, or more digits of its digest (ringrift-node models lists them)"
    raise ConfigError(f'{len(found) or "no"} models in {data} are called "{wanted}"; {remedy}', "--model")


def _read_certificates(data: Path) -> Iterator[_Certified]:
    """Yield what the certificates in a data folder say; files that are none are left out."""
    for path in sorted((data / "certificates").glob("*.json")):
        try:
            envelope = json.loads(read_regular(path, _MAX_CERTIFICATE_BYTES))
            yield _certified(json.loads(base64.b64decode(envelope["payload"])))
        except _UNFIT:
            continue


def _certified(statement: Mapping[str, object]) -> _Certified:
    predicate, subjects = statement["predicate"], statement["subject"]
    if not isinstance(predicate, dict) or not isinstance(subjects, list):
        raise ValueError("not a statement")
    digests = {str(subject["name"]): str(subject["digest"]["sha256"]) for subject in subjects}
    model = digests.pop(MANIFEST)
    return _Certified(str(predicate["configuration"]), int(predicate["number"]), model, digests)


def _lay_out(model: _Certified, data: Path, room: Path) -> Path:
    """Copy a model's files from a node's blobs into `room`, and return it. Raise ConfigError if one is not there."""
    for name, digest in model.files.items():
        if not _FILE_NAME.fullmatch(name) or not re.fullmatch("[0-9a-f]{64}", digest):
            raise ConfigError(f"a certificate names the file {name!r}, which cannot be one of a model", data)
        blob = data / "blobs" / digest[:2] / digest
        try:
            contents = read_regular(blob, _MAX_FILE_BYTES)
        except OSError as error:
            fault = f"{name} of model {short(model.digest)} is not here ({error.strerror})"
            raise ConfigError(f"{fault}; run the node until it has it, or give another --model", blob) from None
        if hashlib.sha256(contents).hexdigest() != digest:
            raise ConfigError("is damaged; run the node, which fetches it again, or give another --model", blob)
        (room / name).write_bytes(contents)
    return room
