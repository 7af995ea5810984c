"""Length-prefixed CBOR frames: the form of the messages between a node and its worker processes."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, BinaryIO

import cbor2

FRAME_MAX_BYTES = 16 * 1024 * 1024
"""The largest frame. Bulk data travels as files, so a longer frame is a mistake."""

_LENGTH = struct.Struct(">I")


class FrameError(ValueError):
    """The byte stream is not a sequence of frames."""


def write_frame(stream: BinaryIO, message: Mapping[str, Any]) -> None:
    """Write one frame (4-byte big-endian length, then a CBOR map) and flush the stream.

    Raise FrameError if the frame is too long.
    """
    body = cbor2.dumps(dict(message))
    if len(body) > FRAME_MAX_BYTES:
        raise FrameError(f"frame of {len(body)} bytes is above the limit of {FRAME_MAX_BYTES}")
    stream.write(_LENGTH.pack(len(body)) + body)
    stream.flush()


def read_frame(stream: BinaryIO) -> dict[str, Any] | None:
    """Read one frame; return None if the stream ends between frames.

    Raise FrameError if the stream ends inside a frame, a frame is too long, or it is not a CBOR map.
    """
    head = stream.read(_LENGTH.size)
    if not head:
        return None
    if len(head) < _LENGTH.size:
        raise FrameError("stream ended inside a frame's length")
    (length,) = _LENGTH.unpack(head)
    if length > FRAME_MAX_BYTES:
        raise FrameError(f"frame of {length} bytes is above the limit of {FRAME_MAX_BYTES}")
    body = stream.read(length)
    if len(body) < length:
        raise FrameError("stream ended inside a frame")
    try:
        message = cbor2.loads(body)
    except (cbor2.CBORError, ValueError) as error:
        raise FrameError(f"frame is not CBOR: {error}") from None
    if not isinstance(message, dict):
        raise FrameError(f"frame holds {type(message).__name__}, not a map")
    return message
