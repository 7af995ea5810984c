"""The pages of recorded games in a headless Chromium: a game step by step with keys and clicks."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from engine import notation
from engine.choices import PASSES
from node.config.address import Address
from node.play.game import PlayedGame
from node.play.sessions import PlaySessions
from node.web.server import serve_local
from tests.node.fake_source import FakeSource
from tests.node.play.games import InProcess, heuristic, random_game, write_shard_of
from tests.node.web.axe import AXE, violations
from tests.node.web.browser import CHROMIUM, Page, open_page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed: apt-get install chromium")

_MADE = "document.querySelector('#made').textContent"
_LIES = """Object.fromEntries([...document.querySelectorAll('.cell')]
  .filter((cell) => cell.dataset.lies?.trim()).map((cell) => [cell.dataset.cell, cell.dataset.lies.trim()]))"""


@pytest.fixture(scope="module")
def games() -> list[PlayedGame]:
    return [random_game("square8-2", seed, plies=30) for seed in (1, 2)]


@pytest.fixture
async def page(kernels: None, source: FakeSource, games: list[PlayedGame], tmp_path: Path) -> AsyncIterator[Page]:
    """The page of a file of two games, just opened from the list of games."""
    stored = write_shard_of(tmp_path, games)
    source.folder = tmp_path
    source.added = [{**source.records()[0], "digest": stored.digest.hex(), "configuration": "square8-2", "games": 2}]
    stored.path.rename(tmp_path / stored.digest.hex())
    async with trio.open_nursery() as nursery:
        sessions = PlaySessions(InProcess(), heuristic)
        url = await nursery.start(serve_local, source, Address("127.0.0.1", 0), tmp_path, None, sessions)
        async with open_page(tmp_path / "profile") as page:
            await page.look_like(1280, 900)
            await page.open(f"{url}/games")
            await page.click(f"a[href='games/{stored.digest.hex()}']")
            await page.wait_for("document.querySelector('#game') && !document.querySelector('#game').hidden")
            yield page
            assert page.faults == []
            assert {address.split("/")[2] for address in page.requested} == {url[7:]}
        nursery.cancel_scope.cancel()


def expected(game: PlayedGame, number: int) -> dict[str, str]:
    """Return what the page should have on the cells after so many moves."""
    names, position = notation.cell_names(game.config.board), game.position(number)
    stacks = {names[cell]: "".join(map(str, rings)) for cell, rings in position.stacks.items()}
    others = {
        names[cell]: str(owner) for table in (position.markers, position.collapsed) for cell, owner in table.items()
    }
    return stacks | others


async def test_a_game_step_by_step_with_keys_and_clicks(page: Page, games: list[PlayedGame]) -> None:
    game = games[0]
    last = len(game.moves)
    assert await page.evaluate(_MADE) == f"First position; {last} moves follow."
    stops = [number for number in range(1, last) if game.moves[number] & 255 not in PASSES]
    for number in stops[:6]:
        await page.press("ArrowRight")
        latest = max(made for made in range(1, number + 1) if game.moves[made - 1] & 255 not in PASSES)
        assert (
            await page.evaluate(_MADE)
            == f"Move {latest} of {last}, player {game.mover(latest)}: {game.made(latest).words}."
        )
        assert await page.evaluate(_LIES) == expected(game, number)
    await page.press("ArrowLeft")
    assert await page.evaluate(_LIES) == expected(game, stops[4])
    await page.press("End")
    assert await page.evaluate(_LIES) == expected(game, last)
    assert await page.evaluate("document.querySelector('#turn').textContent") == (
        "The game was broken off at the limit of moves."
    )
    await page.press("Home")
    assert await page.evaluate(_LIES) == {}
    # a recorded search: bars and heat, and none before the second move
    assert await page.evaluate("document.querySelectorAll('#chances meter').length") == 2
    heated = "[...document.querySelectorAll('.heat')].filter((heat) => heat.getAttribute('opacity') > 0).length"
    assert await page.evaluate(heated) > 0
    await page.click("#on")
    assert await page.evaluate(heated) == 0
    assert await page.evaluate("document.querySelector('#thought').hidden")
    await page.click("#analyse")
    await page.wait_for("!document.querySelector('#thought').hidden")
    assert (
        await page.evaluate("document.querySelector('#thought-title').textContent") == "What the canonical model thinks"
    )
    await page.click("#moves li:nth-child(4) button")
    fourth = [number for number, move in enumerate(game.moves, 1) if move & 255 not in PASSES][3]
    assert await page.evaluate(_LIES) == expected(game, fourth)
    assert await page.evaluate("location.hash") == f"#1.{fourth}"
    await page.click("#later")
    await page.wait_for(
        "document.querySelector('#number').value === '2' && document.querySelector('#news').textContent === ''"
    )
    await page.press("ArrowRight")
    assert await page.evaluate(_LIES) == expected(games[1], 1)
    await page.evaluate("document.querySelector('details summary').click()")
    assert len(await page.evaluate("[...document.querySelectorAll('#words li')].map((each) => each.textContent)")) == 1
    await page.look_like(390, 800, is_dark=True)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390


async def test_a_game_that_is_being_played_is_drawn_move_by_move(
    source: FakeSource, kernels: None, tmp_path: Path
) -> None:
    async with trio.open_nursery() as nursery:
        url = await nursery.start(serve_local, source, Address("127.0.0.1", 0), tmp_path)
        async with open_page(tmp_path / "profile") as page:
            await page.look_like(390, 500, is_dark=True)
            await page.open(f"{url}/games")
            await page.wait_for("document.querySelectorAll('.seen .cell').length > 0")
            assert await page.evaluate(_LIES) == {"0,0": "12", "1,-1": "2", "-2,1": "1"}
            last = "[...document.querySelectorAll('.seen .last')].map((cell) => cell.dataset.cell).sort().join(' ')"
            assert await page.evaluate(last) == "0,0 0,2"
            assert await page.evaluate("document.querySelectorAll('.seats meter').length") == 2
            heated = "[...document.querySelectorAll('.heat')].filter((heat) => heat.getAttribute('opacity') > 0).length"
            assert await page.evaluate(heated) == 2  # both moves begin at one cell: they are told apart by their ends
            await page.evaluate("window.kept = document.querySelector('.seen svg'); scrollTo(0, 120)")
            move = source.games_now[0]["move"]
            source.games_now[0]["move"] = {
                **move, "plies": 18, "player": 1, "lies": {"0,2": "s12", "1,-1": "m2"}, "chosen": ["1,-1"],
                "words": "capture <nothing>", "chances": [], "policy": [],
            }  # fmt: skip
            await page.wait_for("document.querySelector('.playing h3').textContent.endsWith('move 19')")
            await page.wait_for("document.querySelectorAll('.seen .last').length === 1")
            assert await page.evaluate(_LIES) == {"0,2": "12", "1,-1": "2"}
            assert await page.evaluate("window.kept === document.querySelector('.seen svg')")
            assert await page.evaluate("scrollY") == 120
            assert await page.evaluate(heated) == 0
            assert "capture <nothing>" in await page.evaluate("document.querySelector('.playing').textContent")
            assert await page.evaluate("document.documentElement.scrollWidth") <= 390
            source.games_now.clear()
            await page.wait_for("!document.querySelector('.playing')")
            assert page.faults == []
        nursery.cancel_scope.cancel()


@pytest.mark.skipif(AXE is None, reason="RINGRIFT_AXE does not say where axe.min.js is")
async def test_axe_finds_nothing_on_the_page_of_a_game(page: Page) -> None:
    for width, is_dark in ((1280, False), (390, True)):
        await page.look_like(width, 900, is_dark=is_dark)
        for key in ("Home", "ArrowRight", "End"):
            await page.press(key)
            assert await violations(page) == [], (width, key)
