"""The files of a model in a folder that somebody names: those that a certificate names are read, and no others."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

from consensus.certificate.verification import CertificateError
from engine.files import digest_regular
from node.cli.trust import unreadable
from node.config.toml import ConfigError

_MAX_BYTES = 256 << 20  # of a file, as much as nodes fetch of one


def digest_files(directory: Path, names: Collection[str]) -> dict[str, bytes]:
    """Return the SHA-256 of each file of these names that is in the folder.

    Raise CertificateError if there is any other file, or a name is not one of a file inside a folder; ConfigError if
    something cannot be read.
    """
    if not os.path.isdir(directory):
        raise ConfigError("is not a directory; give --model the one that holds the model's files", directory)
    parents = {str(parent) for name in names for parent in PurePosixPath(name).parents}
    for name in _entries(directory):
        if name not in names and name not in parents:
            raise CertificateError(f"file {name!r} is not part of the certified model")
    digests = {}
    for name in sorted(names):
        path = directory / _checked(name)
        try:
            if os.path.lexists(path):
                _require_inside(path, directory)
                digests[name] = digest_regular(path, _MAX_BYTES)
        except OSError as error:
            raise unreadable(path, error) from None
    return digests


def _entries(directory: Path) -> Iterator[str]:
    """Yield the name of everything in a folder and the folders below it that is not a folder; links are not followed.

    Raise ConfigError if something cannot be read.
    """
    waiting = [directory]
    while waiting:
        folder = waiting.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            raise unreadable(folder, error) from None
        for entry in entries:
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                waiting.append(path)
            else:
                yield path.relative_to(directory).as_posix()


def _checked(name: str) -> str:
    """Return a name. Raise CertificateError unless it is one of a file inside a folder."""
    parts = name.split("/")
    if "\0" in name or not set(parts).isdisjoint({"", ".", ".."}):
        raise CertificateError(f"file {name!r} of the certified model would not be in its folder")
    return name


def _require_inside(path: Path, directory: Path) -> None:
    """Raise ConfigError if symbolic links lead out of the folder, OSError if they lead nowhere."""
    if not Path(os.path.realpath(path, strict=True)).is_relative_to(os.path.realpath(directory)):
        raise ConfigError("leads out of the folder; put the file itself there", path)
