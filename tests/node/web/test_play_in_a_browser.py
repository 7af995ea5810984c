"""The page `/play` in a headless Chromium: a whole game by clicks, by keys, and what stands on the page meanwhile."""

import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import torch
import trio

from engine.reference_games import check_games, read_games
from node.config.address import Address
from node.play.models import FoundModel
from node.play.sessions import PlaySessions
from node.web.server import serve_local
from tests.node.fake_source import FakeSource
from tests.node.play.games import InProcess
from tests.node.web.browser import CHROMIUM, Page, open_page
from training.model import save_model
from training.network import Network

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed: apt-get install chromium")

_IDLE = "!document.querySelector('#undo').disabled"
_SEEN = """(() => ({
  news: document.querySelector('#news').textContent,
  turn: document.querySelector('#turn').textContent,
  explanation: document.querySelector('#explanation').textContent,
  targets: [...document.querySelectorAll('.cell.target')].map((cell) => cell.dataset.cell),
  moves: [...document.querySelectorAll('#choices button')].map((button) => button.dataset.move),
}))()"""


@pytest.fixture
async def page(kernels: None, tmp_path: Path) -> AsyncIterator[Page]:
    """The page of a node at which people play against a small network, just opened."""
    folder = tmp_path / "model"
    torch.manual_seed(1)
    save_model(folder, Network("c8b1"))

    async def find_model(configuration: str) -> FoundModel:
        return FoundModel(f"a small model of {configuration}", folder)

    games = PlaySessions(InProcess(), find_model)
    async with trio.open_nursery() as nursery:
        url = await nursery.start(serve_local, FakeSource(), Address("127.0.0.1", 0), tmp_path, None, games)
        async with open_page(tmp_path / "profile") as page:
            await page.look_like(1300, 950)
            await page.open(f"{url}/play")
            yield page
            assert page.faults == []
            assert {address.split("/")[2] for address in page.requested if not address.startswith("blob:")} == {url[7:]}
        nursery.cancel_scope.cancel()


async def begin(page: Page, configuration: str, persons: str = "1") -> None:
    await page.evaluate(f"""(() => {{
      const form = document.querySelector('#new');
      form.configuration.value = {json.dumps(configuration)};
      form.configuration.dispatchEvent(new Event('change'));
      form.persons.value = {json.dumps(persons)};
      form.strength.value = 'policy';
      form.seed.value = 's';
    }})()""")
    await page.click("#new button")
    await page.wait_for(f"document.querySelectorAll('.cell.target').length && {_IDLE}")


async def seen(page: Page) -> dict[str, Any]:
    await page.wait_for(_IDLE)
    found: dict[str, Any] = await page.evaluate(_SEEN)
    return found


async def choose(page: Page, state: dict[str, Any], chance: random.Random) -> None:
    """Click on a button of the moves, or on a cell that can be chosen."""
    if state["moves"] and (not state["targets"] or chance.random() < 0.7):
        await page.click(f"#choices button[data-move='{chance.choice(state['moves'])}']")
    else:
        await page.click(f".cell[data-cell='{chance.choice(state['targets'])}']")


async def test_a_whole_game_against_the_model_by_clicks(page: Page, tmp_path: Path) -> None:
    chance = random.Random(4)
    await begin(page, "hex8-2")
    explained = set()
    while "won" not in (state := await seen(page))["turn"]:
        assert state["targets"] or state["moves"], state
        explained.add(state["explanation"])
        await choose(page, state, chance)
    assert len(explained) >= 3
    assert await page.evaluate("document.querySelectorAll('#moves li').length") > 20
    await page.evaluate("""(() => {
      const make = URL.createObjectURL;
      URL.createObjectURL = (blob) => { window.saved = blob.text(); return make.call(URL, blob); };
    })()""")
    await page.click("#save")
    assert "ringrift-node replay shows it" in (await seen(page))["news"]
    path = tmp_path / "saved.jsonl"
    path.write_text(await page.evaluate("window.saved"))
    (recorded,) = read_games(path)
    assert f"Player {recorded['winner']} won" in state["turn"]
    assert recorded["model"] == "a small model of hex8-2"
    assert check_games([recorded]).mismatches == ()


async def test_undo_hint_analysis_positions_and_a_reload(page: Page) -> None:
    await begin(page, "square8-2")
    await page.click("#hint")
    assert (await seen(page))["news"].startswith("The model would place ")
    assert await page.evaluate("document.querySelectorAll('.cell.hinted').length") == 1
    await page.click(".cell[data-cell='3,3']")
    state = await seen(page)
    assert state["moves"] == ["PR 3,3 1", "PR 3,3 2", "PR 3,3 3"]
    await page.click("#choices button[data-move='PR 3,3 2']")
    await seen(page)  # a click on what is disabled for a moment does nothing
    await page.click("#analysis")
    await seen(page)
    assert await page.evaluate("document.querySelectorAll('#opinions tr').length") > 3
    assert await page.evaluate("document.querySelectorAll('#chances meter').length") == 2
    await page.wait_for("[...document.querySelectorAll('.heat')].some((heat) => heat.getAttribute('opacity') > 0)")
    await page.click("#back")
    assert (await seen(page))["explanation"] == "Position after move 0."
    await page.click("#last")
    assert (await seen(page))["news"] == "Move 1, player 1: place 2 rings on 3,3."
    await page.click("#undo")
    assert (await seen(page))["turn"].endswith("ring placement")
    assert await page.evaluate("document.querySelectorAll('#moves li').length") == 0
    await page.click(".cell[data-cell='0,0']")
    await page.click("#choices button[data-move='PR 0,0 1']")
    await seen(page)
    await page.evaluate("window.isOld = true; location.reload()")
    await page.wait_for("!window.isOld && document.querySelector('#place')?.textContent === '1 of 1'")
    assert await page.evaluate("document.querySelectorAll('#moves li').length") == 1
    label = await page.evaluate("document.querySelector(\".cell[data-cell='0,0']\").getAttribute('aria-label')")
    assert label == "0,0: stack of 1, cap 1, of player 1, chosen"


async def test_the_keyboard_does_all_of_it(page: Page) -> None:
    await begin(page, "hex8-2")
    await page.evaluate("document.querySelector('.cell[tabindex=\"0\"]').focus()")
    focused = "document.activeElement.dataset.cell"
    start = await page.evaluate(focused)
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"):
        await page.press(key)
    assert (start, await page.evaluate(focused)) == ("0,0", "0,0")
    await page.press("Enter")
    assert await page.evaluate("document.activeElement.textContent") == "place 1 ring on 0,0"
    await page.press("Enter")
    await page.wait_for("document.querySelector('#turn').textContent.endsWith('movement')")
    assert await page.wait_for(focused) == "0,0"
    await page.press("ArrowRight")
    await page.press("Enter")
    await page.wait_for("document.querySelectorAll('#moves li').length > 2")
    assert await page.evaluate("document.querySelectorAll('.cell[tabindex=\"0\"]').length") == 1


async def test_a_new_game_interrupts_one_that_models_play(page: Page) -> None:
    await page.evaluate("document.querySelector('#new').persons.value = ''")
    await page.click("#new button")
    await page.wait_for("document.querySelectorAll('#moves li').length > 3")
    await begin(page, "square8-2", persons="2")
    assert (await seen(page))["turn"] == "■ Player 2 (you): ring placement"
    assert await page.evaluate("document.querySelectorAll('.cell').length") == 64


async def test_it_fits_the_window_and_every_control_has_a_name(page: Page) -> None:
    await begin(page, "hexagonal-4")
    for width, is_dark in ((390, True), (1300, False)):
        await page.look_like(width, 900, is_dark=is_dark)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
    nameless = """[...document.querySelectorAll('button, select, input, [role=button], meter')]
      .filter((each) => !(each.textContent.trim() || each.ariaLabel || each.closest('label'))).length"""
    assert await page.evaluate(nameless) == 0
    assert await page.evaluate("document.querySelectorAll('.cell').length") == 469
    assert await page.evaluate("document.querySelectorAll('#players li').length") == 4
