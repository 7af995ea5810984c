"""Samples of a running swarm: what its nodes answer over HTTP, and what the machine says of them, as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from node.text.harmless import harmless_values
from scripts.soaking.checks import Json
from scripts.soaking.machine import disk_of, ledger_bytes_of, memory_of

_TIMEOUT_S = 10.0
_READ_STATUSES = (200, 503)
PATHS = ("/status", "/ratings", "/steering", "/work", "/metrics")


class Reader:
    """Asks nodes over HTTP, and says how long they took."""

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=False)

    async def get(self, url: str, path: str) -> Any:
        """Return a node's JSON or text, or None if it does not answer."""
        try:
            answer = await self._client.get(url + path)
            if answer.status_code not in _READ_STATUSES:
                return None
            if answer.headers.get("content-type", "").startswith("application/json"):
                return harmless_values(answer.json())
            return answer.text
        except (httpx.HTTPError, OSError, ValueError, RecursionError):
            return None

    async def get_all(self, url: str) -> tuple[Json, Json]:
        """Return the answers to all paths, those that came, and the milliseconds that each took."""
        answers, took_ms = {}, {}
        for path in PATHS:
            started = time.monotonic()
            answer = await self.get(url, path)
            if answer is not None:
                answers[path] = answer
                took_ms[path] = round((time.monotonic() - started) * 1000)
        return answers, took_ms


def reading_of(data: Path, session: int | None, answers: Mapping[str, Any], took_ms: Json) -> Json:
    """Return what a sample says of one node; `session` is its process, None while it is away."""
    reading: Json = {"up": session is not None, **disk_of(data), "ledger_bytes": ledger_bytes_of(data)}
    if session is not None:
        reading |= memory_of(session)._asdict()
    if status := answers.get("/status"):
        reading |= _facts_of_status(status)
    if metrics := answers.get("/metrics"):
        reading["metrics"] = len(dict(metric_values(metrics)))
    return {**reading, "answer_ms": took_ms}


def _facts_of_status(status: Mapping[str, Any]) -> Json:
    consensus, node = status["consensus"], status["node"]
    order = ("epoch", "round", "round_age_s", "events", "ordered", "pending", "ailment")
    return {
        "ready": status["ready"],
        "uptime_s": node["uptime_s"],
        **{key: consensus[key] for key in order},
        "rest": status["rest"],
        "work": None if status["work"] is None else status["work"]["kind"],
        "settings_version": status["decisions"]["settings_version"],
    }


def swarm_of(answers: Mapping[str, Any]) -> Json:
    """Return what a sample says of the swarm, by the answers of one node that is level."""
    status, steering = answers["/status"], answers["/steering"]
    needs = {need["configuration"]: need for need in steering["needs"]}
    shares = {share["configuration"]: share for share in steering["shares"]}
    ratings = ratings_of(answers["/ratings"])
    configurations = {}
    for name, canonical in status["canonical"].items():
        need = needs.get(name, {})
        kept = ("games", "new_games", "claimed_games", "training_games", "candidates", "simulations")
        configurations[name] = {
            "promotions": canonical["promotions"],
            **{key: need.get(key) for key in kept},
            "training": len(need.get("training", ())),
            "share": shares.get(name, {}).get("share"),
            "rating": ratings.get(name),
        }
    return {
        "configurations": configurations,
        "counts": status["counts"],
        "claims": len(answers["/work"]["claims"]),
        "settings_version": status["decisions"]["settings_version"],
    }


def ratings_of(entries: list[Json]) -> dict[str, Json]:
    """Return the rating of the canonical model of each configuration, with search, of the settings with most blocks."""
    found: dict[str, Json] = {}
    for entry in entries:
        if entry["canonical"] and entry["player"] == "search":
            known = found.get(entry["configuration"])
            if known is None or entry["blocks"] > known["blocks"]:
                kept = ("number", "rating", "error", "blocks", "simulations", "stalled", "weaker")
                found[entry["configuration"]] = {key: entry[key] for key in kept}
    return found


def metric_values(text: str) -> Iterator[tuple[str, float]]:
    """Yield each metric of the Prometheus text with its value. Raise ValueError for a line that is none."""
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            if not name:
                raise ValueError(f"{line!r} is not a metric")
            yield name, float(value)


def read_records(path: Path) -> list[Json]:
    """Return the records of a JSON-lines file; a last line that was cut off by a kill is left out."""
    records = []
    lines = path.read_text().split("\n")
    for place, line in enumerate(lines):
        try:
            if line:
                records.append(json.loads(line))
        except ValueError:
            if place < len(lines) - 1:
                raise
    return records
