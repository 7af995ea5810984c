"""The pages in a headless Chromium: they stay as the node is now, and nothing that a person holds is lost."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from node.config.address import Address
from node.web.server import serve_local
from tests.node.fake_source import FakeSource, digest
from tests.node.web.axe import AXE, violations
from tests.node.web.browser import CHROMIUM, Page, open_page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed: apt-get install chromium")


PATHS = ("/dag", "/games", f"/candidates/{digest('candidate 1')}", f"/promotions/{digest('certificate 1')}", "/")
NAMELESS = """[...document.querySelectorAll('a, svg[role], progress, [tabindex="0"], nav, summary')]
  .filter((each) => !(each.textContent.trim() || each.querySelector('title')
    || each.ariaLabel || each.getAttribute('aria-labelledby')))
  .map((each) => each.outerHTML)"""


class Served:
    """A node's pages, which can stop and go on at one address."""

    def __init__(self, nursery: trio.Nursery, source: FakeSource, data: Path) -> None:
        self._nursery, self._source, self._data = nursery, source, data
        self._scope = trio.CancelScope()
        self._address = Address("127.0.0.1", 0)

    async def start(self) -> str:
        """Serve, and return where."""
        self._scope = trio.CancelScope()
        url: str = await self._nursery.start(self._run)
        self._address = Address("127.0.0.1", int(url.rpartition(":")[2]))
        return url

    async def _run(self, *, task_status: trio.TaskStatus[str]) -> None:
        with self._scope:
            await serve_local(self._source, self._address, self._data, task_status=task_status)

    def stop(self) -> None:
        """Stop serving, as when the node ends."""
        self._scope.cancel()


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    async with open_page(tmp_path / "profile") as page:
        yield page


async def test_it_changes_in_place_and_says_when_the_node_is_gone(
    source: FakeSource, page: Page, tmp_path: Path
) -> None:
    async with trio.open_nursery() as nursery:
        served = Served(nursery, source, tmp_path)
        url = await served.start()
        await page.look_like(390, 700)
        for path in PATHS:
            await page.open(f"{url}{path}")
            assert await page.evaluate("document.documentElement.scrollWidth") <= 390, path
            assert await page.evaluate(NAMELESS) == [], path
        await page.evaluate("""(() => {
          window.table = document.querySelector('#members .scroll'); table.scrollLeft = 120;
          scrollTo(0, 900);
          getSelection().selectAllChildren(document.querySelector('#news tbody tr'));
          window.selected = getSelection().toString();
          window.link = document.querySelector('#certificates a'); link.focus({preventScroll: true});
        })()""")
        source.values["consensus"]["round"] = 4321
        source.values["peers"][0]["name"] = "renamed"
        await page.wait_for("document.querySelector('#figures').textContent.includes('4,321')")
        kept = """[document.activeElement === link, table.isConnected, table.scrollLeft, scrollY,
          getSelection().toString() === selected && selected.length > 20]"""
        assert await page.evaluate(kept) == [True, True, 120, 900, True]
        assert page.faults == []
        served.stop()
        assert await page.wait_for("document.body.classList.contains('gone')")
        assert "The node stopped answering at " in await page.evaluate("document.querySelector('#contact').textContent")
        source.values["consensus"]["round"] = 5432
        await served.start()
        await page.wait_for("document.querySelector('#figures').textContent.includes('5,432')")
        assert await page.evaluate("!document.body.classList.contains('gone')")
        assert {address.split("/")[2] for address in page.requested} == {url[7:]}
        nursery.cancel_scope.cancel()


@pytest.mark.skipif(AXE is None, reason="RINGRIFT_AXE does not say where axe.min.js is")
async def test_axe_finds_nothing(source: FakeSource, page: Page, tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery:
        url = await Served(nursery, source, tmp_path).start()
        for path in (*PATHS, "/play"):
            for width, is_dark in ((1280, False), (390, True)):
                await page.look_like(width, 900, is_dark=is_dark)
                await page.open(f"{url}{path}")
                assert await violations(page) == [], (path, width)
        nursery.cancel_scope.cancel()
