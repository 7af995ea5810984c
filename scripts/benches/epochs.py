"""Put a million events in order over many epochs, and show what grows: memory, time of an event, pause at a close.

One replica takes in random gossip among equally busy members, as decoded events without signatures. The time to make
the events does not count. With --plot the curves are drawn into an SVG file.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import runpy
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console

from consensus.replica import Replica
from consensus.settings import EpochSettings, Settings

RandomGossip = runpy.run_path(str(Path(__file__).parent / "_random_gossip.py"))["RandomGossip"]

_SYNC = 50
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20


def parse(argv: list[str]) -> argparse.Namespace:
    purpose = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(prog="scripts/bench epochs", description=purpose)
    parser.add_argument("--members", type=int, default=10, help="size of the swarm (10)")
    parser.add_argument("--other-parents", type=int, default=2, help="of each event (2)")
    parser.add_argument("--events", type=int, default=1_000_000, help="to put in order (1000000)")
    parser.add_argument("--each", type=int, default=65_536, help="events after which an epoch closes (65536)")
    parser.add_argument("--sample", type=int, default=10_000, help="events between two samples (10000)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the curves into this SVG file")
    parser.add_argument("--json", action="store_true", help="print one object for programs")
    return parser.parse_args(argv)


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_MB


class Run:
    """One replica over all epochs, and the measurements on the way."""

    def __init__(self, members: int, other_parents: int, each: int) -> None:
        settings = Settings(epoch=EpochSettings(events=each))
        self._gossip = RandomGossip(members, other_parents, signed=False, settings=settings)
        self._replica = Replica.found(self._gossip.genesis)
        self.ordered = 0
        self.seconds = 0.0  # processor time since the last sample
        self.samples: list[dict[str, Any]] = []
        self.closes: list[dict[str, Any]] = []

    def run(self, count: int, sample: int) -> None:
        sampled = 0
        while self.ordered < count:
            self._sync()
            if self.ordered >= sampled + sample:
                self._sample(self.ordered - sampled)
                sampled = self.ordered

    def _sync(self) -> None:
        events = list(self._gossip.events(_SYNC))
        begin = time.process_time()
        self._replica.insert(events)
        inserted = time.process_time()
        results = self._replica.advance()
        end = time.process_time()
        self.seconds += end - begin
        for result in results:
            self.ordered += len(result.round.events)
            self._gossip.observe(place.event for place in result.round.events)
        closed = next((result.closed for result in results if result.closed is not None), None)
        if closed is not None:
            self._gossip.enter(closed.record)
            self.closes.append(
                {
                    "epoch": closed.record.number - 1,
                    "events": self.ordered,
                    "pause_ms": round(1000 * (end - inserted), 2),
                    "snapshot_bytes": len(closed.snapshot),
                }
            )

    def _sample(self, ordered: int) -> None:
        gc.collect()
        self.samples.append(
            {
                "events": self.ordered,
                "rss_mb": round(resident_mb(), 1),
                "events_per_s": round(ordered / self.seconds),
            }
        )
        self.seconds = 0.0


def summary(run: Run, arguments: argparse.Namespace) -> dict[str, Any]:
    tenth = max(1, len(run.samples) // 10)
    first, last = run.samples[:tenth], run.samples[-tenth:]
    return {
        "n": arguments.members,
        "other_parents": arguments.other_parents,
        "events": run.ordered,
        "epochs": len(run.closes),
        "first_tenth_per_s": round(median(sample["events_per_s"] for sample in first)),
        "last_tenth_per_s": round(median(sample["events_per_s"] for sample in last)),
        "most_rss_mb_first_half": max(sample["rss_mb"] for sample in run.samples[: len(run.samples) // 2 + 1]),
        "most_rss_mb": max(sample["rss_mb"] for sample in run.samples),
        "longest_pause_ms": max((close["pause_ms"] for close in run.closes), default=0.0),
        "samples": run.samples,
        "closes": run.closes,
    }


def curve(points: Sequence[tuple[float, float]], title: str, top: int, width: int = 720, height: int = 150) -> str:
    """Return one panel of the plot: a line over the events, from zero, with its largest value at the axis."""
    most_x, most_y = max(x for x, _ in points), max(y for _, y in points) or 1.0
    left, base, tall = 70, top + height - 25, height - 50
    line = " ".join(f"{left + (width - left - 20) * x / most_x:.1f},{base - tall * y / most_y:.1f}" for x, y in points)
    return (
        f'<text x="{left}" y="{top + 15}" font-weight="bold">{title}</text>'
        f'<text x="{left - 6}" y="{base - tall + 5}" text-anchor="end">{most_y:,.0f}</text>'
        f'<text x="{left - 6}" y="{base}" text-anchor="end">0</text>'
        f'<text x="{width - 20}" y="{base + 15}" text-anchor="end">{most_x:,.0f} events</text>'
        f'<path d="M{left} {base - tall}V{base}H{width - 20}" stroke="#888" fill="none"/>'
        f'<polyline points="{line}" stroke="#0a6" stroke-width="1.5" fill="none"/>'
    )


def plot(run: Run, title: str) -> str:
    """Return the plot as SVG text: memory, speed and pauses, each over the events ordered so far."""
    panels = (
        ([(sample["events"], sample["rss_mb"]) for sample in run.samples], "memory of the process, MB"),
        ([(sample["events"], sample["events_per_s"]) for sample in run.samples], "events ordered a second"),
        ([(close["events"], close["pause_ms"]) for close in run.closes], "pause at a close, ms"),
    )
    drawn = "".join(curve(points, name, 30 + 150 * number) for number, (points, name) in enumerate(panels) if points)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="720" height="490" font-family="sans-serif" font-size="11">'
        f'<rect width="720" height="490" fill="#fff"/><text x="20" y="20" font-size="13">{title}</text>{drawn}</svg>\n'
    )


def main(argv: list[str]) -> int:
    arguments = parse(argv)
    run = Run(arguments.members, arguments.other_parents, arguments.each)
    run.run(arguments.events, arguments.sample)
    result = summary(run, arguments)
    if arguments.plot is not None:
        what = f"{result['events']:,} events, {arguments.members} members, {result['epochs']} epochs"
        arguments.plot.write_text(plot(run, what))
    if arguments.json:
        print(json.dumps({"results": [result]}))
    else:
        Console().print({key: value for key, value in result.items() if not isinstance(value, list)})
    return 0
