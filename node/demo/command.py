"""`ringrift-node demo`: its options, and the story from an empty directory to a verified certificate."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio
from rich.console import Console

from node.demo.processes import NodeProcess, node_processes, run_to_end
from node.demo.screen import Row, Screen, work_text
from node.demo.stage import Stage, set_stage
from node.demo.watch import View, Watcher
from node.system.exception_groups import leaves
from node.text.effects import sentence

PAUSE_S = 0.5
"""Between two looks at the nodes."""


class DemoError(Exception):
    """The demo cannot go on; the text is one line with a remedy."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `ringrift-node demo`."""
    parser.add_argument("--nodes", type=_count, default=4, metavar="N", help="nodes to start (default 4)")
    parser.add_argument("--board", choices=("hex8", "square8"), default="hex8", help="default hex8")
    parser.add_argument("--players", type=int, choices=(2, 3, 4), default=2, help="default 2")
    parser.add_argument("--promotions", type=_count, default=1, metavar="N", help="stop after N promotions (default 1)")
    parser.add_argument("--keep", action="store_true", help="go on until Ctrl-C")
    parser.add_argument(
        "--dir", type=Path, metavar="DIR", help="where the swarm lives (default demo-swarm/N, the next free N)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line, the figures last")


def main(options: argparse.Namespace) -> int:
    """Run the demo; exit status 0 after the wished promotions, 1 if it failed, 130 after Ctrl-C."""
    outcome = (0, "")
    try:
        trio.run(_demo, options)
    except* DemoError as group:
        outcome = (1, str(next(leaves(group))))
    except* KeyboardInterrupt:
        outcome = (130, "stopped; every process has ended")
    status, line = outcome
    if line:
        print(f"ringrift-node demo: {line}", file=sys.stderr)
    return status


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no count; give a whole number from 1")
    return int(text)


@dataclass
class Story:
    """What has happened so far, and the figures for the end."""

    started: float = field(default_factory=time.monotonic)
    promoted_at: list[float] = field(default_factory=list)
    certificates: list[str] = field(default_factory=list)

    @property
    def elapsed(self) -> float:
        """Seconds since set-up was finished."""
        return time.monotonic() - self.started


async def _demo(options: argparse.Namespace) -> None:
    console = Console(stderr=options.json, highlight=False)
    stage = await set_stage(options, console)
    narrate = _json_narrator() if options.json else None
    async with node_processes(stage.commands()) as nodes:
        story = Story()
        watcher = Watcher([View(node.url) for node in nodes])
        with Screen(console if not options.json else Console(quiet=True)) as screen:
            screen.say("node", 0.0, f"status page of the first node: {nodes[0].url}/")
            await _watch(options, nodes, watcher, story, screen, narrate)
        await _finish(options, stage, nodes, watcher, story, console)


async def _watch(
    options: argparse.Namespace,
    nodes: list[NodeProcess],
    watcher: Watcher,
    story: Story,
    screen: Screen,
    narrate: Callable[[Story, dict[str, Any]], None] | None,
) -> None:
    """Show what happens until enough promotions are certified, or for ever with --keep."""
    while options.keep or len(story.certificates) < options.promotions:
        await watcher.refresh()
        for entry in await watcher.news():
            _note(story, entry)
            if narrate is not None:
                narrate(story, entry)
            elif (text := sentence(entry)) is not None:
                screen.say(entry["kind"], story.elapsed, text)
        for node in nodes:
            if not node.running:
                raise DemoError(f"{node.name} has ended by itself; {node.data / 'node.log'} says why")
        screen.show(_headline(options, watcher, story), _rows(nodes, watcher))
        await trio.sleep(PAUSE_S)


def _note(story: Story, entry: dict[str, Any]) -> None:
    if entry["kind"] == "promotion":
        story.promoted_at.append(story.elapsed)
    elif entry["kind"] == "certificate":
        story.certificates.append(entry["fields"]["statement"])


def _headline(options: argparse.Namespace, watcher: Watcher, story: Story) -> str:
    return (
        f"{options.nodes} nodes, {options.board} with {options.players} players: "
        f"{sum(watcher.games.values()):,} games, {len(story.promoted_at)} promotions, {story.elapsed:.0f} s"
    )


def _rows(nodes: list[NodeProcess], watcher: Watcher) -> list[Row]:
    rows = []
    for node, view in zip(nodes, watcher.views, strict=True):
        status = view.status
        if status is None:
            rows.append(Row(node.name, False, "", 0, 0, 0, 0.0))
            continue
        consensus = status["consensus"]
        rows.append(
            Row(
                node.name,
                True,
                work_text(status["work"]),
                watcher.games.get(status["node"]["id"], 0),
                consensus["events"],
                consensus["round"],
                consensus["round_age_s"] or 0.0,
            )
        )
    return rows


def _json_narrator() -> Callable[[Story, dict[str, Any]], None]:
    def narrate(story: Story, entry: dict[str, Any]) -> None:
        _print_json({"event": entry["kind"], "at_s": round(story.elapsed, 1), **entry})

    return narrate


def _print_json(value: dict[str, Any]) -> None:
    print(json.dumps(value, sort_keys=True), flush=True)


async def _finish(
    options: argparse.Namespace,
    stage: Stage,
    nodes: list[NodeProcess],
    watcher: Watcher,
    story: Story,
    console: Console,
) -> None:
    """Save the last certificate, verify it in another process, and give the figures."""
    certificate = await _save_certificate(stage, watcher, story.certificates[-1])
    command = ("verify", str(certificate), "--genesis", str(stage.config))
    status, output = await run_to_end(command)
    figures = await _figures(options, stage, watcher, story, certificate)
    if options.json:
        _print_json({**figures, "event": "summary", "verified": status == 0})
    else:
        console.print(f"\nCertificate: {certificate}", style="bold", soft_wrap=True)
        console.print(f"$ ringrift-node {' '.join(command)}", style="dim", soft_wrap=True)
        console.print(output.strip(), soft_wrap=True)
        console.print(
            f"First promotion after {figures['first_promotion_s']} s, "
            f"{figures['games']:,} games and {figures['plies']:,} plies."
        )
        console.print(f"The status page was {nodes[0].url}/ (use --keep to go on).", soft_wrap=True)
    if status != 0:
        raise DemoError(f"the certificate does not verify: {output.strip()}")


async def _save_certificate(stage: Stage, watcher: Watcher, name: str) -> Path:
    """Fetch the certificate over HTTP, as an auditor would."""
    for view in watcher.views:
        answer = await watcher.client.get(f"{view.url}/certificates/{name}")
        if answer.status_code == 200:
            path = stage.directory / f"certificate-{name[:16]}.json"
            path.write_bytes(answer.content)
            return path
    raise DemoError(f"no node serves the certificate {name}")


async def _figures(
    options: argparse.Namespace, stage: Stage, watcher: Watcher, story: Story, certificate: Path
) -> dict[str, Any]:
    await watcher.refresh()
    statuses = [view.status for view in watcher.views if view.status is not None]
    counts, consensus = statuses[0]["counts"], statuses[0]["consensus"]
    return {
        "nodes": options.nodes,
        "configuration": f"{options.board}-{options.players}",
        "setup_s": round(stage.setup_s, 1),
        "cold_compile_s": round(stage.compile_s, 1),
        "first_promotion_s": round(story.promoted_at[0], 1),
        "promotions_s": [round(seconds, 1) for seconds in story.promoted_at],
        "games": counts["games"],
        "plies": counts["plies"],
        "events": consensus["events"],
        "events_ordered": consensus["ordered"],
        "rounds": consensus["round"],
        "certificate": str(certificate),
        "certificate_bytes": certificate.stat().st_size,
    }
