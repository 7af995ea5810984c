"""The talk with one worker process: jobs go out and answers come back, of several jobs at once, as CBOR frames.

No task of its own reads: whoever waits for an answer reads for all, and gives each job what is its.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any

import cbor2
import trio

from node.system.child_process import exit_text
from node.system.supervision import describe
from training.frames import FRAME_MAX_BYTES

Frame = Mapping[str, Any]


class WorkError(Exception):
    """The job did not end well; the text is one line that says why."""


class Conversation:
    """The frames exchanged with `process`, whose stdin and stdout are pipes."""

    def __init__(self, process: trio.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self.is_torn = False  # a frame was sent in part, so the next would not be understood
        self._stdin, self._reader = process.stdin, _FrameReader(process.stdout)
        self._sending, self._reading = trio.Lock(), trio.Lock()
        self._unread: dict[int, deque[Frame]] = {}
        self._fault = ""

    @property
    def jobs(self) -> int:
        """How many jobs wait for an answer."""
        return len(self._unread)

    def begin(self, number: int) -> None:
        """Keep from now on what comes for the job of this number."""
        self._unread[number] = deque()

    def end(self, number: int) -> None:
        """Ignore what comes for the job."""
        self._unread.pop(number, None)

    def fail(self, reason: str) -> None:
        """Let all jobs fail for this reason, whatever else comes."""
        self._fault = self._fault or reason

    async def send(self, message: Frame) -> None:
        """Send one frame."""
        body = cbor2.dumps(dict(message))
        async with self._sending:
            self.is_torn = True
            await self._stdin.send_all(len(body).to_bytes(4, "big") + body)
            self.is_torn = False

    async def next_answer(self, number: int) -> Frame:
        """Return what comes next for a job. Raise WorkError if the process ends, or says what cannot be read."""
        while not self._unread[number]:
            async with self._reading:
                if not self._unread[number]:
                    await self._read()
        return self._unread[number].popleft()

    async def _read(self) -> None:
        if self._fault:
            raise WorkError(self._fault)
        try:
            frame = await self._reader.next_frame()
            if frame is None:
                raise WorkError(f"worker process ended: {exit_text(await self.process.wait())}; its log may say more")
        except WorkError as error:
            self.fail(str(error))  # the other jobs, too
            raise WorkError(self._fault) from None
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            self.fail("worker process was ended with another job that it did")
            raise WorkError(self._fault) from None
        number = frame.get("id")
        if isinstance(number, int) and number in self._unread:
            self._unread[number].append(frame)


class _FrameReader:
    """Cuts a byte stream into CBOR frames: 4 bytes of big-endian length, then the map."""

    def __init__(self, stream: trio.abc.ReceiveStream) -> None:
        self._stream = stream
        self._buffer = bytearray()

    async def next_frame(self) -> Frame | None:
        """Return the next frame, or None at the end of the stream. What was read before a cancellation is kept."""
        if not await self._fill(4):
            return None
        length = int.from_bytes(self._buffer[:4], "big")
        if length > FRAME_MAX_BYTES:
            raise WorkError(f"worker process sent a frame of {length} bytes")
        if not await self._fill(4 + length):
            return None
        body = bytes(self._buffer[4 : 4 + length])
        del self._buffer[: 4 + length]
        try:
            frame = cbor2.loads(body)
        except Exception as error:  # CBOR of others brings out many kinds: of recursion, memory, dates, hashes
            raise WorkError(f"worker process sent a frame that is not CBOR: {describe(error)}") from None
        if not isinstance(frame, dict):
            raise WorkError("worker process sent a frame that is not a map")
        return frame

    async def _fill(self, count: int) -> bool:
        while len(self._buffer) < count:
            chunk = await self._stream.receive_some()
            if not chunk:
                return False
            self._buffer += chunk
        return True
