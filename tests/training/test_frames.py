"""Frames survive the pipe; anything else is refused with one reason."""

import io
from typing import Any

import pytest

from training.frames import FRAME_MAX_BYTES, FrameError, read_frame, write_frame


def test_frames_come_back_in_order_and_then_the_end() -> None:
    pipe = io.BytesIO()
    messages: list[dict[str, Any]] = [
        {"id": 1, "seed": b"\0" * 32, "blocks": [[0, b"x"]]},
        {"id": 1, "progress": {}},
    ]
    for message in messages:
        write_frame(pipe, message)
    pipe.seek(0)
    assert [read_frame(pipe), read_frame(pipe), read_frame(pipe)] == [*messages, None]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\0\0", "inside a frame's length"),
        (b"\0\0\0\5\xa0", "inside a frame"),
        ((FRAME_MAX_BYTES + 1).to_bytes(4, "big"), "above the limit"),
        (b"\0\0\0\1\x01", "int, not a map"),
        (b"\0\0\0\1\xff", "not CBOR"),
    ],
)
def test_broken_streams_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(FrameError, match=reason):
        read_frame(io.BytesIO(data))


def test_an_oversized_frame_is_not_sent() -> None:
    with pytest.raises(FrameError, match="above the limit"):
        write_frame(io.BytesIO(), {"blob": b"\0" * FRAME_MAX_BYTES})
