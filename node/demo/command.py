"""`ringrift-node demo`: its options, and the run from an empty directory to a verified certificate."""

import argparse
import json
import shlex
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio
from rich.console import Console

from node.demo.poller import NodeView, SwarmPoller
from node.demo.preparation import PreparedSwarm, prepare_swarm
from node.demo.processes import NodeProcess, node_processes, run_to_end
from node.demo.screen import NodeRow, Screen, work_text
from node.system.exception_groups import leaves
from node.text.effects import sentence
from node.text.harmless import harmless, harmless_lines

_POLL_S = 0.5


class DemoError(Exception):
    """The demo cannot go on; the text is one line with a remedy."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `ringrift-node demo`."""
    parser.add_argument("--nodes", type=_count, default=4, metavar="N", help="nodes to start (default 4)")
    parser.add_argument(
        "--board", choices=("hex8", "square8"), default="hex8", help="the board to play on (default hex8)"
    )
    parser.add_argument("--players", type=int, choices=(2, 3, 4), default=2, help="seats of a game (default 2)")
    parser.add_argument("--promotions", type=_count, default=1, metavar="N", help="stop after N promotions (default 1)")
    parser.add_argument("--keep", action="store_true", help="go on until Ctrl-C")
    parser.add_argument(
        "--dir", type=Path, metavar="DIR", help="directory of the swarm (default demo-swarm/N, the next free N)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a line, the figures last")


def main(options: argparse.Namespace) -> int:
    """Run the demo; return 0 after the requested promotions, 1 if it failed, 130 after Ctrl-C."""
    outcome = (0, "")
    try:
        trio.run(_run, options)
    except* DemoError as group:
        outcome = (1, str(next(leaves(group))))
    except* KeyboardInterrupt:
        outcome = (130, "stopped; every process has ended")
    status, line = outcome
    if line:
        text = json.dumps(_as_mistake(line)) if options.json else f"ringrift-node demo: {harmless(line)}"
        with suppress(OSError):  # whoever read this has gone
            print(text, file=sys.stderr)
    return status


def _as_mistake(line: str) -> dict[str, str]:
    """Return what ended the demo as the other commands write a mistake with --json."""
    what, _, remedy = line.partition("; ")
    return {"what": what, "where": "ringrift-node demo", "remedy": remedy}


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a count; give a whole number from 1")
    return int(text)


async def _run(options: argparse.Namespace) -> None:
    console = Console(stderr=options.json, highlight=False, markup=False)
    prepared = await prepare_swarm(options, console)
    async with node_processes(prepared.commands()) as nodes:
        poller = SwarmPoller([NodeView(node.url) for node in nodes])
        demo = _Demo(options=options, console=console, prepared=prepared, nodes=nodes, poller=poller)
        with Screen(console if not options.json else Console(quiet=True)) as screen:
            screen.print_event("node", 0.0, f"status page of the first node: {nodes[0].url}/")
            await demo.run(screen)
        await demo.finish()


@dataclass(kw_only=True)
class _Demo:
    """A running demo: its nodes, and what has happened so far."""

    options: argparse.Namespace
    console: Console
    prepared: PreparedSwarm
    nodes: list[NodeProcess]
    poller: SwarmPoller
    started: float = field(default_factory=time.monotonic)
    promoted_at_s: list[float] = field(default_factory=list)
    certificates: list[str] = field(default_factory=list)

    @property
    def elapsed_s(self) -> float:
        """Seconds since preparation was finished."""
        return time.monotonic() - self.started

    async def run(self, screen: Screen) -> None:
        """Show what happens until enough promotions are certified, or for ever with --keep. Raise DemoError."""
        while self.options.keep or len(self.certificates) < self.options.promotions:
            await self.poller.refresh()
            for entry in await self.poller.new_effects():
                self._observe(entry)
                self._tell(entry, screen)
            for node in self.nodes:
                if not node.running:
                    raise DemoError(f"{node.name} has ended by itself; see {node.data / 'node.log'}")
            screen.show(self._headline(), self._rows())
            await trio.sleep(_POLL_S)

    def _observe(self, entry: dict[str, Any]) -> None:
        if entry["kind"] == "promotion":
            self.promoted_at_s.append(self.elapsed_s)
        elif entry["kind"] == "certificate":
            self.certificates.append(entry["fields"]["statement"])

    def _tell(self, entry: dict[str, Any], screen: Screen) -> None:
        if self.options.json:
            _print_json({"event": entry["kind"], "at_s": round(self.elapsed_s, 1), **entry})
        elif (text := sentence(entry)) is not None:
            screen.print_event(entry["kind"], self.elapsed_s, text)

    def _headline(self) -> str:
        return (
            f"{self.options.nodes} nodes, {self.options.board} with {self.options.players} players: "
            f"{sum(self.poller.games.values()):,} games, {len(self.promoted_at_s)} promotions, {self.elapsed_s:.0f} s"
        )

    def _rows(self) -> list[NodeRow]:
        return [
            _row(node.name, view.status, self.poller.games)
            for node, view in zip(self.nodes, self.poller.views, strict=True)
        ]

    async def finish(self) -> None:
        """Save the last certificate, verify it in another process, and show the figures. Raise DemoError."""
        certificate = await self._save_certificate(self.certificates[-1])
        command = ("verify", str(certificate), "--genesis", str(self.prepared.config))
        status, output = await run_to_end(command)
        figures = await self._figures(certificate)
        if self.options.json:
            _print_json({**figures, "event": "summary", "verified": status == 0})
        else:
            self.console.print(f"\nCertificate: {certificate}", style="bold", soft_wrap=True)
            self.console.print(f"$ ringrift-node {shlex.join(command)}", style="dim", soft_wrap=True)
            self.console.print(harmless_lines(output.strip()), soft_wrap=True)
            self.console.print(
                f"First promotion after {figures['first_promotion_s']} s, "
                f"{figures['games']:,} games and {figures['plies']:,} plies."
            )
            url = self.nodes[0].url
            self.console.print(f"The status page was {url}/ (with --keep, the demo goes on).", soft_wrap=True)
        if status != 0:
            raise DemoError(f"the certificate does not verify: {output.strip()}")

    async def _save_certificate(self, name: str) -> Path:
        """Fetch the certificate over HTTP, as an auditor would."""
        for view in self.poller.views:
            answer = await self.poller.client.get(f"{view.url}/certificates/{name}")
            if answer.status_code == 200:
                path = self.prepared.directory / f"certificate-{name[:16]}.json"
                path.write_bytes(answer.content)
                return path
        raise DemoError(f"no node serves the certificate {name}")

    async def _figures(self, certificate: Path) -> dict[str, Any]:
        await self.poller.refresh()
        statuses = [view.status for view in self.poller.views if view.status is not None]
        counts, consensus = statuses[0]["counts"], statuses[0]["consensus"]
        return {
            "nodes": self.options.nodes,
            "configuration": f"{self.options.board}-{self.options.players}",
            "setup_s": round(self.prepared.setup_s, 1),
            "cold_compile_s": round(self.prepared.compile_s, 1),
            "first_promotion_s": round(self.promoted_at_s[0], 1),
            "promotions_s": [round(seconds, 1) for seconds in self.promoted_at_s],
            "games": counts["games"],
            "plies": counts["plies"],
            "events": consensus["events"],
            "events_ordered": consensus["ordered"],
            "rounds": consensus["round"],
            "certificate": str(certificate),
            "certificate_bytes": certificate.stat().st_size,
        }


def _row(name: str, status: dict[str, Any] | None, games: dict[str, int]) -> NodeRow:
    if status is None:
        return NodeRow(name=name, answers=False)
    consensus = status["consensus"]
    return NodeRow(
        name=name,
        answers=True,
        work=work_text(status["work"]),
        games=games.get(status["node"]["id"], 0),
        events=consensus["events"],
        round=consensus["round"],
        round_age_s=consensus["round_age_s"] or 0.0,
    )


def _print_json(value: dict[str, Any]) -> None:
    print(json.dumps(value, sort_keys=True), flush=True)
