"""Pages that stay as the node is now: what changes on them is sent to who has them open, as server-sent events.

A stream keeps what it sent last and nothing else, so that a client that reads slowly costs no memory: it gets the next
state later. While pages are open, rendering them takes a twentieth of one core at most.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from time import perf_counter

import trio

from node.api.source import StatusSource
from node.web.changes import find_changes
from node.web.page import open_view

MAX_STREAMS = 16
_BEAT_S = 2.0  # between two events, so that a client knows that the node answers
_LARGEST_SHARE = 0.05  # of the time, for rendering

Lines = Sequence[str]
Parts = Mapping[str, Lines]
"""The parts of a page by their ids, each in lines."""


class LivePages:
    """The streams of all open pages. Pages are rendered once for all that look at them."""

    def __init__(self, source: StatusSource) -> None:
        self._source = source
        self._streams = 0
        self._cost_s = 0.0  # of rendering the last page
        self._rendering = trio.Lock()
        self._rendered: dict[str, tuple[float, Parts]] = {}  # by path, with when

    @property
    def is_full(self) -> bool:
        """Whether no further stream is served."""
        return self._streams >= MAX_STREAMS

    async def serve(self, path: str, send: Callable[[bytes], Awaitable[None]]) -> None:
        """Send a page, and every two seconds what has changed, until it is no longer there or `send` raises."""
        self._streams += 1
        try:
            await self._serve(path, send)
        finally:
            self._streams -= 1

    async def _serve(self, path: str, send: Callable[[bytes], Awaitable[None]]) -> None:
        shown: Parts = {}
        await send(b"retry: 1000\n\n")
        while (parts := await self._parts(path)) is not None:
            await send(_event(shown, parts))
            shown = parts
            await trio.sleep(_BEAT_S)

    async def _parts(self, path: str) -> Parts | None:
        """Return the page, or None if there is none."""
        async with self._rendering:
            oldest = trio.current_time() - self._pause_s
            self._rendered = {path: entry for path, entry in self._rendered.items() if entry[0] > oldest}
            if path in self._rendered:
                return self._rendered[path][1]
            parts = await self._render(path)
            if parts is not None:
                self._rendered[path] = trio.current_time(), parts
            return parts

    @property
    def _pause_s(self) -> float:
        """How old what is shown may be: just less than the time between two events, or more where that is too dear."""
        return max(0.9 * _BEAT_S, self._cost_s * self._streams / _LARGEST_SHARE)

    async def _render(self, path: str) -> Parts | None:
        """Return the parts of a page as of now; between two of them other tasks have their turn."""
        began = perf_counter()
        view = open_view(self._source, path)
        if view is None:
            return None
        parts: dict[str, Lines] = {}
        for name, text in view.parts():
            parts[name] = text.splitlines()
            await trio.lowlevel.checkpoint()
        self._cost_s = perf_counter() - began
        return parts


def _event(shown: Parts, parts: Parts) -> bytes:
    """Return the event that brings a page from what is shown to `parts`."""
    changes = {
        name: find_changes(shown.get(name, ()), lines) for name, lines in parts.items() if shown.get(name) != lines
    }
    return f"data: {json.dumps(changes, separators=(',', ':'))}\n\n".encode()
