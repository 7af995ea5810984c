"""The program of a child process that verifies signatures. It imports nothing else, so that it starts at once.

A request is the length of what follows (4 bytes), then for each event its creator, its signature, the length of the
signed bytes (2 bytes), and those. The answer is one byte: whether all signatures are right. The end of stdin ends the
child, however its parent came to its end.
"""

import signal
import sys
from collections.abc import Iterator
from typing import BinaryIO

from consensus import keys
from consensus.keys import ID_BYTES, SIGNATURE_BYTES, MemberId

GOOD, BAD = b"\1", b"\0"
"""The two answers."""

_HEAD_BYTES = ID_BYTES + SIGNATURE_BYTES + 2  # of an event, before the signed bytes


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more."""
    while head := requests.read(4):
        body = requests.read(int.from_bytes(head))
        good = all(keys.verify(creator, signed, signature) for creator, signed, signature in _parts(body))
        answers.write(GOOD if good else BAD)
        answers.flush()


def _parts(body: bytes) -> Iterator[tuple[MemberId, bytes, bytes]]:
    at = 0
    while at < len(body):
        start = at + _HEAD_BYTES
        end = start + int.from_bytes(body[start - 2 : start])
        yield body[at : at + ID_BYTES], body[start:end], body[at + ID_BYTES : start - 2]
        at = end


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it comes from the terminal; the parent decides
    serve(sys.stdin.buffer, sys.stdout.buffer)
