"""The files of a model in a folder that somebody names: those that a certificate names are read, and no others."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path

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
    for name in _files(directory):
        if name not in names:
            raise CertificateError(f"file {name!r} is not part of the certified model")
    digests = {}
    for name in sorted(names):
        path = directory / _checked(name)
        try:
            if path.exists():
                _require_inside(path, directory)
                digests[name] = digest_regular(path, _MAX_BYTES)
        except OSError as error:
            raise unreadable(path, error) from None
    return digests


def _files(directory: Path) -> Iterator[str]:
    """Yield the name of everything in a folder and the folders below it that is not one itself, nor leads to one."""

    def fail(error: OSError) -> None:
        raise unreadable(Path(error.filename), error)

    for folder, folders, files in os.walk(directory, onerror=fail):
        folders.sort()
        for file in sorted(files):
            yield Path(folder, file).relative_to(directory).as_posix()


def _checked(name: str) -> str:
    """Return a name. Raise CertificateError unless it is one of a file inside a folder."""
    parts = name.split("/")
    if "\0" in name or not set(parts).isdisjoint({"", ".", ".."}):
        raise CertificateError(f"file {name!r} of the certified model would not be in its folder")
    return name


def _require_inside(path: Path, directory: Path) -> None:
    """Raise ConfigError if symbolic links lead out of the folder."""
    if not path.resolve().is_relative_to(directory.resolve()):
        raise ConfigError("leads out of the folder; put the file itself there", path)
