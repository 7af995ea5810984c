"""What an open page is sent: changes line by line, to a bounded number of streams, until the client leaves."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.config.address import Address
from node.web import live, page
from node.web.changes import apply_changes, find_changes
from node.web.live import MAX_STREAMS, LivePages
from node.web.server import serve_local
from tests.node.fake_source import FakeSource

TEXTS = st.lists(st.sampled_from("abcd"), max_size=12)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS, TEXTS)
def test_changes_make_the_new_text_of_the_old_one(old: list[str], new: list[str]) -> None:
    assert apply_changes(old, find_changes(old, new)) == new


def test_lines_that_moved_are_not_sent_again() -> None:
    old = [f"row {number}" for number in range(100)]
    assert find_changes(old, ["newest", *old[:99]]) == ["newest", [0, 99]]
    assert find_changes(old, [*old[5:50], "row 50, changed", *old[51:]]) == [[5, 45], "row 50, changed", [51, 49]]
    assert find_changes(old, old) == [[0, 100]]


class _Reader:
    """A page as its script keeps it."""

    def __init__(self) -> None:
        self.parts: dict[str, list[str]] = {}
        self.events: list[dict[str, Any]] = []
        self.bytes = 0

    async def observe(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        field, _, value = data.decode().rstrip("\n").partition(": ")
        if field != "data":
            return
        self.bytes += len(data)
        self.events.append(json.loads(value))
        for name, changes in self.events[-1].items():
            self.parts[name] = apply_changes(self.parts.get(name, []), changes)


@pytest.fixture
def reader() -> _Reader:
    return _Reader()


async def test_a_page_is_sent_whole_and_then_what_changes(
    source: FakeSource, reader: _Reader, autojump_clock: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "perf_counter", lambda: 0.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(LivePages(source).serve, "/", reader.observe)
        await trio.sleep(1)
        whole = reader.bytes
        assert whole > 10_000
        source.values["consensus"]["round"] = 1188
        await trio.sleep(2)
        assert [list(event) for event in reader.events[1:]] == [["figures"]]
        assert "<dd>1,188</dd>" in "".join(reader.parts["figures"])
        assert reader.bytes - whole < 200
        await trio.sleep(2)
        assert reader.events[-1] == {}, "a sign of life"
        nursery.cancel_scope.cancel()


async def test_all_who_look_share_one_rendering_and_a_dear_page_is_rendered_seldom(
    source: FakeSource, reader: _Reader, autojump_clock: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[float] = []
    original = page.open_view

    def open_view(*arguments: Any) -> Any:
        rendered.append(trio.current_time())
        return original(*arguments)

    monkeypatch.setattr(live, "open_view", open_view)
    monkeypatch.setattr(live, "perf_counter", lambda: 0.05 * len(rendered))
    async with trio.open_nursery() as nursery:
        pages = LivePages(source)
        for _ in range(10):
            nursery.start_soon(pages.serve, "/", reader.observe)
        await trio.sleep(41)
        assert len(reader.events) == 10 * 21
        # Each rendering takes 0.05 s, and ten look: 0.05 * 10 / 0.05 = 10 s.
        assert 4 <= len(rendered) <= 5
        nursery.cancel_scope.cancel()


@pytest.fixture
async def url(source: FakeSource, tmp_path: Path) -> AsyncIterator[str]:
    async with trio.open_nursery() as nursery:
        yield await nursery.start(partial(serve_local, source, Address("127.0.0.1", 0), tmp_path))
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def follow(url: str, path: str = "/events", *more: str) -> AsyncIterator[bytes]:
    """Open a stream for as long as this lasts; yield the beginning of the answer."""
    async with await trio.open_tcp_stream("127.0.0.1", int(url.rpartition(":")[2])) as stream:
        head = "\r\n".join((f"GET {path} HTTP/1.1", "host: localhost", *more, "", ""))
        await stream.send_all(head.encode())
        yield await stream.receive_some(65536)


async def test_there_are_so_many_streams_and_who_leaves_makes_room(url: str) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(MAX_STREAMS):
            answer = await stack.enter_async_context(follow(url))
            assert b" 200 " in answer
            assert b"text/event-stream" in answer
        async with follow(url) as answer:
            assert b" 503 " in answer
            assert b"16 pages are open already" in answer
    with trio.fail_after(5):
        while b" 200 " not in answer:
            async with follow(url) as answer:
                await trio.sleep(0.01)


async def test_other_sites_and_unknown_pages_are_refused(url: str) -> None:
    for path, header, status in (
        ("/events", "sec-fetch-site: cross-site", b" 403 "),
        ("/events", "host: attacker.example", b" 400 "),
        ("/events?of=/nothing", "accept: text/event-stream", b" 404 "),
        ("/events", "sec-fetch-site: same-origin", b" 200 "),
    ):
        async with follow(url, path, header) as answer:
            assert status in answer
