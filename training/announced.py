"""What requests say of files of games, and the files read and compared with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.config import Config
from training.arrays import DataError
from training.check import Reported
from training.facts import Announcement, check_shard
from training.progress import Report
from training.replay import Verified, load_shard
from training.settings import MatchSettings, read_settings


def reported_of(said: Mapping[str, Any]) -> Reported:
    """Return what was reported of the games of a slot."""
    return Reported(
        blocks=[(number, seed) for number, seed in said["blocks"]],
        scores=[(number, score) for number, score in said["scores"]],
        root=said["root"],
        settings=read_settings(MatchSettings, said["settings"]),
    )


def load_as_announced(path: str, wanted: Config, said: Mapping[str, Any] | None, report: Report) -> Verified:
    """Read a shard and replay its games. Raise DataError if anything is wrong, or not what was announced."""
    source = load_shard(Path(path), wanted, report)
    if said is not None and (wrong := check_shard(source, Announcement(**said))):
        raise DataError(wrong, Path(path).name)
    return source
