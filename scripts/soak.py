"""Run a swarm of real nodes on this machine for hours: kill one every ten minutes, change a setting by ballot.

All the while it is checked: that the ledgers are equal, that no node ends or complains, that killed nodes come back,
that memory and disk are bounded, and that each configuration promotes models. Samples go into soak.jsonl in the folder
of the swarm, and soak.svg shows them. Ctrl-C ends it early, with its summary. A folder of an earlier soak goes on.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import trio

from node.config.swarm_file import load_config
from node.config.toml import ConfigError
from node.system.imports import python_command
from scripts.soaking.chart import draw_soak
from scripts.soaking.checks import Json
from scripts.soaking.records import FILE_NAME, Recorder
from scripts.soaking.samples import read_records
from scripts.soaking.soak import Plan, Soak, verify_certificates
from scripts.soaking.swarm import CONFIGURATIONS, SETTINGS, SoakError, commands, found

_BALLOT = ("selfplay.games", ("192", "128"))
_INTERRUPTED = 130


def parse(argv: Sequence[str]) -> argparse.Namespace:
    lines = (__doc__ or "").split("\n")
    parser = argparse.ArgumentParser(prog="scripts/soak", description=lines[0], epilog=" ".join(lines[2:]))
    parser.add_argument("--hours", type=_positive, default=2.0, help="how long it runs (2)")
    parser.add_argument("--kill-every", type=_positive, default=10.0, metavar="MINUTES", help="between kills (10)")
    parser.add_argument("--nodes", type=int, choices=range(4, 17), default=4, metavar="N", help="nodes, 4 to 16 (4)")
    parser.add_argument(
        "--configurations", nargs="+", default=list(CONFIGURATIONS), metavar="NAME", help=" ".join(CONFIGURATIONS)
    )
    parser.add_argument(
        "--roles", nargs="+", default=[], metavar="A,B", help="roles of the first nodes, such as selfplay,match (all)"
    )
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="KEY=VALUE", help="further settings, such as training.steps=100"
    )
    parser.add_argument("--promotions", type=int, default=1, help="least promotions in each configuration (1)")
    parser.add_argument(
        "--ready", type=_positive, default=60.0, metavar="SECONDS", help="in which a started node is ready (60)"
    )
    parser.add_argument("--seed", type=int, default=1, help="who is killed (1)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the swarm there (else it is deleted)")
    parser.add_argument("--draw", type=Path, metavar="FOLDER", help="only draw the picture of the soak there anew")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, the summary last")
    return parser.parse_args(argv)


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1000:
        raise argparse.ArgumentTypeError(f"{text}: give a number above 0, at most 1000")
    return value


async def soak(folder: Path, options: argparse.Namespace) -> Json:
    """Run the soak in a folder, found its swarm before if there is none, and return the summary."""
    config = folder / "swarm.toml"
    if not config.exists():
        settings = {**SETTINGS, **dict(item.split("=", 1) for item in options.set)}
        config = await found(folder, options.nodes, options.configurations, settings)
    timing = load_config(config).genesis.settings.timing
    plan = Plan(
        seconds=options.hours * 3600,
        kill_every_s=options.kill_every * 60,
        ballot=_BALLOT,
        promotions=options.promotions,
        ready_s=options.ready,
        seed=options.seed,
        lease_s=timing.lease_s,
        claim_s=timing.claim_s,
    )
    await trio.run_process(python_command("training.warm"), capture_stdout=True)
    recorder = Recorder(folder / FILE_NAME, print_json if options.json else print_line)
    running = Soak(plan, commands(config, options.roles), recorder)
    recorder.write("run", nodes=[node.name for node in running.nodes], seed=plan.seed, kill_every_s=plan.kill_every_s)
    try:
        await running.run()
    finally:
        with trio.CancelScope(shield=True):
            summary = running.summary(await verify_certificates(folder))
        recorder.write("summary", **summary)
        recorder.close()
        draw(folder)
    return summary


def draw(folder: Path) -> None:
    """Draw the picture of a soak into its folder."""
    (folder / "soak.svg").write_text(draw_soak(read_records(folder / FILE_NAME)))


def print_json(record: Json) -> None:
    """Print a record as one line of JSON."""
    print(json.dumps(record), flush=True)


def print_line(record: Json) -> None:
    """Print what a person wants to know of a record."""
    minutes, rest = f"{record['at_s'] / 60:6.1f} min", {k: v for k, v in record.items() if k not in ("kind", "at_s")}
    if record["kind"] == "sample":
        parts = [
            f"{name} {entry['promotions']} ({entry['new_games']} new games)"
            for name, entry in record.get("configurations", {}).items()
        ]
        print(f"{minutes}  {', '.join(parts)}", flush=True)
    elif record["kind"] == "effect":
        print(f"{minutes}  {record['text']}", flush=True)
    elif record["kind"] != "summary":
        print(f"{minutes}  {record['kind']}: {json.dumps(rest)}", flush=True)


def main(argv: Sequence[str]) -> int:
    options = parse(argv)
    if options.draw is not None:
        draw(options.draw)
        return 0
    folder = (options.keep or Path(tempfile.mkdtemp(prefix="ringrift-soak-"))).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        summary = trio.run(soak, folder, options)
    except (SoakError, ConfigError) as error:
        print(f"soak: {error}", file=sys.stderr)
        return 2
    if options.keep is None and summary["ok"]:
        shutil.rmtree(folder)
    else:
        print(f"soak: everything is in {folder}", file=sys.stderr)
    print(json.dumps(summary, indent=None if options.json else 2))
    return 1 if not summary["ok"] else _INTERRUPTED if summary["interrupted"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
