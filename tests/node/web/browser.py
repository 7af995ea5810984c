"""A headless Chromium that tests drive through its DevTools pipe: real clicks and keys, what its console says."""

import base64
import itertools
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
_OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-extensions", "--hide-scrollbars"),
)
_KEYS = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Tab": 9}
_KEYS |= {"Home": 36, "End": 35}
_WAIT_S = 60.0


class Page:
    """One tab. `faults` are the errors of its console, `requested` the addresses that it asked for."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._numbers = itertools.count(1)
        self._answers: dict[int, dict[str, Any]] = {}
        self._arrived = trio.Condition()
        self._session: str | None = None
        self.faults: list[str] = []
        self.requested: list[str] = []

    async def attach(self) -> None:
        """Open the tab and begin to watch it."""
        target = await self.send("Target.createTarget", url="about:blank")
        attached = await self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.send(f"{domain}.enable")

    async def read(self) -> None:
        """Take in what the browser says until it ends."""
        assert self._process.stdout is not None
        buffer = b""
        while chunk := await self._process.stdout.receive_some(1 << 20):
            *messages, buffer = (buffer + chunk).split(b"\0")
            for message in messages:
                await self._observe(json.loads(message))

    async def _observe(self, message: dict[str, Any]) -> None:
        fields = message.get("params", {})
        match message.get("method"):
            case None:
                async with self._arrived:
                    self._answers[message["id"]] = message
                    self._arrived.notify_all()
            case "Runtime.exceptionThrown":
                self.faults.append(str(fields["exceptionDetails"]))
            case "Log.entryAdded" if fields["entry"]["level"] in ("error", "warning"):
                self.faults.append(fields["entry"]["text"])
            case "Runtime.consoleAPICalled" if fields["type"] in ("error", "warning", "assert"):
                self.faults.append(str(fields["args"]))
            case "Network.requestWillBeSent":
                self.requested.append(fields["request"]["url"])

    async def send(self, method: str, **fields: Any) -> dict[str, Any]:
        """Return the answer to a command of the DevTools protocol."""
        assert self._process.stdin is not None
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": fields}
        if self._session is not None:
            message["sessionId"] = self._session
        await self._process.stdin.send_all(json.dumps(message).encode() + b"\0")
        with trio.fail_after(_WAIT_S):
            async with self._arrived:
                while number not in self._answers:
                    await self._arrived.wait()
        answer = self._answers.pop(number)
        assert "error" not in answer, answer["error"]
        result: dict[str, Any] = answer["result"]
        return result

    async def evaluate(self, script: str) -> Any:
        """Return the value of a script in the page."""
        answer = await self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def wait_for(self, script: str) -> Any:
        """Return the value of a script once it is true."""
        with trio.fail_after(_WAIT_S):
            while not (value := await self.evaluate(script)):
                await trio.sleep(0.05)
        return value

    async def open(self, url: str) -> None:
        """Go to an address, and wait for the page."""
        await self.send("Page.navigate", url=url)
        await self.wait_for(f"document.readyState === 'complete' && location.href.startsWith({json.dumps(url)})")

    async def click(self, selector: str) -> None:
        """Click in the middle of an element with the mouse, after scrolling to it."""
        place = await self.evaluate(
            f"(() => {{ const found = document.querySelector({json.dumps(selector)});"
            "found.scrollIntoView({block: 'center', inline: 'center'});"
            "const box = found.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            await self.send("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    async def press(self, key: str) -> None:
        """Press a key where the focus is."""
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            more = text if kind == "keyDown" else {}
            code = _KEYS[key]
            await self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **more)

    async def look_like(self, width: int, height: int, *, is_dark: bool = False) -> None:
        """Set the size of the window, and the colour scheme."""
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        await self.send("Emulation.setEmulatedMedia", features=[scheme])

    async def picture(self, path: Path) -> None:
        """Write what the window shows to a file, as PNG."""
        shot = await self.send("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))


@asynccontextmanager
async def open_page(profile: Path) -> AsyncIterator[Page]:
    """Start a browser that keeps its files in `profile`, and open a tab."""
    assert CHROMIUM is not None
    # The protocol is spoken on the descriptors 3 and 4.
    command = ["sh", "-c", 'exec "$@" 3<&0 4>&1 1>&2', "sh", CHROMIUM, *_OPTIONS]
    process = await trio.lowlevel.open_process(
        [*command, f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        async with trio.open_nursery() as nursery:
            page = Page(process)
            nursery.start_soon(page.read)
            await page.attach()
            yield page
            nursery.cancel_scope.cancel()
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
