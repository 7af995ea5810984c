"""Reads the demo's nodes over their local HTTP, as any program could."""

from dataclasses import dataclass, field
from typing import Any

import httpx

ANSWER_S = 2.0


@dataclass
class View:
    """What is known of one node: its last status, None while it does not answer."""

    url: str
    status: dict[str, Any] | None = None


@dataclass
class Watcher:
    """Asks all nodes for their status, and one of them for what the order brought."""

    views: list[View]
    client: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(timeout=ANSWER_S, trust_env=False))
    seen: int = 0
    source: str | None = None
    games: dict[str, int] = field(default_factory=dict)

    async def refresh(self) -> None:
        """Ask every node for its status."""
        for view in self.views:
            answer = await self._get(view.url + "/status")
            view.status = answer if isinstance(answer, dict) else None

    async def news(self) -> list[dict[str, Any]]:
        """Effects of the order since the last call, oldest first.

        Every node has the same ones; they are read from one node until that no longer answers. A node
        numbers them in the order's sequence, so going on with another one repeats and misses nothing.
        """
        for view in self.views:
            if view.status is None:
                continue
            entries = await self._get(f"{view.url}/log?after={self.seen}")
            if isinstance(entries, list):
                for entry in entries:
                    self._count(entry)
                return entries
        return []

    async def _get(self, url: str) -> Any:
        try:
            answer = await self.client.get(url)
            return answer.json() if answer.status_code in (200, 503) else None
        except (httpx.HTTPError, OSError, ValueError):
            return None

    def _count(self, entry: dict[str, Any]) -> None:
        self.seen = max(self.seen, entry["number"])
        if entry["kind"] == "games":
            self.games[entry["member"]] = self.games.get(entry["member"], 0) + entry["fields"]["games"]
