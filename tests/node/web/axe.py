"""axe-core, which finds what people who cannot see, or use no mouse, would stumble over on a page."""

import os
from pathlib import Path
from typing import Any

from tests.node.web.browser import Page

AXE = os.environ.get("RINGRIFT_AXE")
"""The file axe.min.js of axe-core, where somebody has it: `npm pack axe-core` fetches it."""


async def violations(page: Page) -> Any:
    """Return what axe-core finds on an open page, each with how bad it is."""
    assert AXE is not None
    if not await page.evaluate("Boolean(window.axe)"):
        await page.evaluate(f"{Path(AXE).read_text()};0")
    return await page.evaluate("axe.run().then((r) => r.violations.map((v) => `${v.impact} ${v.id}`))")
