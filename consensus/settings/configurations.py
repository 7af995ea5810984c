"""The names of configurations: a board and a number of players."""

from __future__ import annotations

import re
from functools import lru_cache

from consensus.settings.errors import SettingsError, format_value

CONFIGURATION = re.compile(r"(square8|square19|hex8|hexagonal)-([234])")


@lru_cache(maxsize=64)
def players(configuration: str) -> int:
    """Return the number of players of a configuration such as `hex8-2`. Raise SettingsError if it is malformed."""
    match = CONFIGURATION.fullmatch(configuration)
    if match is None:
        raise SettingsError(f"configuration {format_value(configuration)}: must be board-players, such as hex8-2")
    return int(match[2])
