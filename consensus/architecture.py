"""The names of networks: c16b2 has 16 channels and 2 blocks."""

import re
from functools import lru_cache
from typing import NamedTuple

FORM = "c<4..256>b<1..20>, such as c16b2"
"""What a name looks like, for people."""

_NAME = re.compile(r"c([1-9][0-9]{0,2})b([1-9][0-9]?)")
_CHANNELS = range(4, 257)
_BLOCKS = range(1, 21)


class Architecture(NamedTuple):
    """The size of a network."""

    channels: int
    blocks: int


@lru_cache(maxsize=256)
def parse_architecture(name: str) -> Architecture | None:
    """Return the architecture of this name; None if no program trains such a network."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    architecture = Architecture(int(match[1]), int(match[2]))
    is_trained = architecture.channels in _CHANNELS and architecture.blocks in _BLOCKS
    return architecture if is_trained else None
