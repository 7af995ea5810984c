"""Recorded games as this node shows them: the file and the rules are read in the process that plays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from node.api.records import RecordFileInfo
from node.play.sessions import PlaySessions
from node.play.strengths import STRENGTHS

STRENGTH = "64"
"""How hard the canonical model thinks about a position of a recorded game."""


@dataclass(frozen=True)
class RecordRequest:
    """What is asked of a recorded game: all of it, or what the canonical model thinks after `moves` moves."""

    file: RecordFileInfo
    path: Path
    number: int  # of the game in the file, from 1
    moves: int | None = None


async def view(sessions: PlaySessions, asked: RecordRequest) -> bytes:
    """Return a `RecordInfo`, or a `RecordThoughtInfo` where a position is asked about. Raise PlayError.

    No chance is in it: the seed of a thought is the digest of the file.
    """
    request = {
        "path": str(asked.path),
        "digest": asked.file["digest"],
        "kind": asked.file["kind"],
        "number": asked.number,
    }
    if asked.moves is None:
        answer = await sessions.process.ask({"job": "record of", **request})
    else:
        model = await sessions.find_model(asked.file["configuration"])
        mind = {"model": None if model.directory is None else str(model.directory), "seed": asked.file["digest"]}
        thinking = {"moves": asked.moves, "simulations": STRENGTHS[STRENGTH], **mind}
        answer = await sessions.process.ask({"job": "thought of", **request, **thinking})
    return bytes(answer["body"])
