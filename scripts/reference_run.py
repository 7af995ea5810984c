"""Run a swarm of four nodes on this machine, and keep what it leaves for others to check and to play with.

Kept are the swarm's swarm.toml, the certificate of every promotion, some models of each configuration, the games of
its last match, and the ratings of the kept models. Certificates are verified against the swarm's genesis before.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import trio

from consensus.certificate.verification import VerifiedCertificate, verify
from consensus.settings import SettingsError
from engine.config import config
from node.cli.trust import trusted_digests
from node.config.founding import found_swarm
from node.config.swarm_file import load_config
from node.demo.preparation import free_ports
from node.demo.processes import NodeCommand, node_processes
from scripts.rating_curve import draw_curve
from training.tournament import Tournament, make_players, play_tournament

_MODELS = 4
"""Models that are kept of each configuration: the last one, and others at equal distances."""

_BLOCKS = 50
_POLL_S = 10.0


@dataclass(frozen=True)
class Promotion:
    """A verified certificate and its bytes."""

    envelope: bytes
    verified: VerifiedCertificate

    @property
    def name(self) -> str:
        """The configuration and the number of the promotion: "hex8-2-3"."""
        return f"{self.verified.content.configuration}-{self.verified.content.number}"


def parse(argv: Sequence[str]) -> argparse.Namespace:
    purpose = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(prog="scripts/reference-run", description=purpose)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long the swarm runs (60)")
    parser.add_argument("--nodes", type=int, default=4, help="nodes (4)")
    parser.add_argument(
        "--configurations", nargs="+", default=["hex8-2", "square8-2"], metavar="NAME", help="what it learns"
    )
    parser.add_argument("--swarm", type=Path, metavar="DIR", help="keys and stores; a temporary folder by default")
    parser.add_argument("--out", type=Path, default=Path("docs/reference-run"), help="where to keep what it leaves")
    parser.add_argument(
        "--blocks", type=int, default=_BLOCKS, help=f"blocks of games between two rated players ({_BLOCKS})"
    )
    parser.add_argument("--collect", action="store_true", help="only collect: the swarm in --swarm has run already")
    return parser.parse_args(argv)


async def run_swarm(directory: Path, options: argparse.Namespace) -> None:
    """Found a swarm in `directory` and let it run; end at once if a node ends."""
    ports = free_ports(2 * options.nodes)
    addresses = [f"127.0.0.1:{port}" for port in ports[: options.nodes]]
    founded = found_swarm(directory, addresses, options.configurations, name="reference")
    commands = []
    for member, key, port in zip(
        load_config(founded.config).members, founded.keys, ports[options.nodes :], strict=True
    ):
        data, http = directory / member.name, f"127.0.0.1:{port}"
        arguments = (str(founded.config), "--key", str(key), "--data", str(data), "--http", http)
        commands.append(NodeCommand(member.name, key, data, f"http://{http}", arguments))
    async with node_processes(commands) as nodes:
        print(f"page: {nodes[0].url}/", file=sys.stderr)
        with trio.move_on_after(options.minutes * 60):
            while all(node.running for node in nodes):
                await trio.sleep(_POLL_S)
            raise SystemExit(f"reference-run: a node ended; see {directory}/*/node.log")


def promotions_of(directory: Path) -> list[Promotion]:
    """Return the promotions that any node of the swarm has a certificate of, by configuration and number."""
    genesis = trusted_digests(str(directory / "swarm.toml"))[0]
    found: dict[str, Promotion] = {}
    for path in sorted(directory.glob("*/certificates/*.json")):
        envelope = path.read_bytes()
        promotion = Promotion(envelope, verify(envelope, genesis))
        found[promotion.name] = promotion
    return sorted(found.values(), key=lambda each: (each.verified.content.configuration, each.verified.content.number))


def spread(promotions: Sequence[Promotion], count: int) -> list[Promotion]:
    """Return at most `count` of the promotions, at equal distances, the last one included."""
    last = len(promotions) - 1
    places = sorted({last - round(i * last / max(1, count - 1)) for i in range(count)})
    return [promotions[place] for place in places]


def keep_model(promotion: Promotion, swarm: Path, out: Path) -> Path:
    """Copy the files of a promoted model to a folder of its own."""
    folder = out / "models" / promotion.name
    folder.mkdir(parents=True)
    for name, digest in promotion.verified.content.subjects.items():
        if name in ("config.json", "weights.safetensors"):
            shutil.copyfile(blob(swarm, digest.hex()), folder / name)
    return folder


def keep_games(promotion: Promotion, swarm: Path, out: Path) -> None:
    """Copy the games of the match that promoted a model, one file for each slot."""
    folder = out / "games" / promotion.name
    folder.mkdir(parents=True)
    for number, digest in enumerate(game_blobs(promotion.envelope)):
        shutil.copyfile(blob(swarm, digest), folder / f"slot-{number}.safetensors")


def game_blobs(envelope: bytes) -> Iterator[str]:
    """Yield the digests of the games that a certificate counts, slot after slot."""
    statement = json.loads(base64.b64decode(json.loads(envelope)["payload"]))
    for slot in statement["predicate"]["results"]["slots"]:
        yield slot["games"]["sha256"]


def blob(swarm: Path, digest: str) -> Path:
    """Return the file with this digest in any node's store. Raise SystemExit if no node has it whole."""
    for path in swarm.glob(f"*/blobs/{digest[:2]}/{digest}"):
        if hashlib.sha256(path.read_bytes()).hexdigest() == digest:
            return path
    raise SystemExit(f"reference-run: no node in {swarm} has the file {digest}")


def rate_models(name: str, folders: Sequence[Path], blocks: int) -> Tournament:
    """Return a tournament of the kept models of a configuration, with 16 simulations, and of two yardsticks."""
    torch.set_num_threads(1)
    players = make_players(["heuristic", "uniform", *(f"search-16:{folder}" for folder in folders)])
    return play_tournament(config(name), players, seed="reference run", blocks=blocks)


def collect(swarm: Path, out: Path, blocks: int) -> dict[str, Any]:
    """Keep what the swarm left in `out`, in place of what was there; return the ratings by configuration."""
    promotions = promotions_of(swarm)
    if not promotions:
        raise SystemExit(f"reference-run: the swarm in {swarm} has promoted nothing; let it run longer")
    for part in ("certificates", "models", "games"):
        shutil.rmtree(out / part, ignore_errors=True)
    (out / "certificates").mkdir(parents=True)
    shutil.copyfile(swarm / "swarm.toml", out / "swarm.toml")
    ratings = {}
    for name in sorted({each.verified.content.configuration for each in promotions}):
        own = [each for each in promotions if each.verified.content.configuration == name]
        for each in own:
            (out / "certificates" / f"{each.name}.json").write_bytes(each.envelope)
        keep_games(own[-1], swarm, out)
        folders = [keep_model(each, swarm, out) for each in spread(own, _MODELS)]
        ratings[name] = rate_models(name, folders, blocks).facts()
    (out / "ratings.json").write_text(json.dumps(ratings, indent=2) + "\n")
    (out / "rating-curve.svg").write_text(draw_curve(ratings))
    return ratings


def main(argv: Sequence[str]) -> int:
    options = parse(argv)
    with tempfile.TemporaryDirectory() as temporary:
        swarm = options.swarm or Path(temporary) / "swarm"
        try:
            if not options.collect:
                trio.run(run_swarm, swarm, options)
        except SettingsError as error:
            print(f"reference-run: {error}", file=sys.stderr)
            return 2
        for name, ratings in collect(swarm, options.out, options.blocks).items():
            for entry in ratings["ratings"]:
                print(f"{name} {entry['player']}: {entry['rating']:.0f} (standard error {entry['error']:.0f})")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
