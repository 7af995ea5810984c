"""Polls the demo's nodes over their local HTTP, as any program could."""

from dataclasses import dataclass, field
from typing import Any

import httpx

from node.text.harmless import harmless_values

_TIMEOUT_S = 2.0


@dataclass
class NodeView:
    """The last status of one node; None while it does not answer."""

    url: str
    status: dict[str, Any] | None = None


@dataclass
class SwarmPoller:
    """Asks all nodes for their status, and one of them for the effects of the order."""

    views: list[NodeView]
    client: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=False))
    last_number: int = 0  # of the newest effect
    games: dict[str, int] = field(default_factory=dict)  # played, by member

    async def refresh(self) -> None:
        """Ask every node for its status."""
        for view in self.views:
            answer = await self._get(view.url + "/status")
            view.status = answer if isinstance(answer, dict) else None

    async def new_effects(self) -> list[dict[str, Any]]:
        """Return the effects of the order since the last call, oldest first.

        They are read from the first node that answers. As all nodes number them alike, by the order, none is missed
        or repeated when another node takes its place, unless that one lacks some: it keeps none from before the epochs
        with which it started.
        """
        for view in self.views:
            if view.status is None:
                continue
            entries = await self._get(f"{view.url}/log?after={self.last_number}")
            if isinstance(entries, list):
                for entry in entries:
                    self._observe(entry)
                return entries
        return []

    async def _get(self, url: str) -> Any:
        try:
            answer = await self.client.get(url)
            return harmless_values(answer.json()) if answer.status_code in (200, 503) else None
        except (httpx.HTTPError, OSError, ValueError, RecursionError):
            return None

    def _observe(self, entry: dict[str, Any]) -> None:
        self.last_number = max(self.last_number, entry["number"])
        if entry["kind"] == "games":
            self.games[entry["member"]] = self.games.get(entry["member"], 0) + entry["fields"]["games"]
