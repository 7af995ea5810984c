"""Learn from nothing, as a swarm does, and measure how strong the canonical model is after how much processor time.

For each seed: self-play, training in one lineage and matches, with the settings of a swarm and in one process, until
the processor time is used up. The panel is measured at a few points on the way, and its time does not count.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from consensus.ledger.priorities import training_window
from consensus.ledger.rules.large_boards import settings_on
from consensus.ledger.rules.scores import Standing, most_of_block, standing_of
from consensus.settings import Settings, SettingsError
from engine.config import CONFIGS, Config, config
from engine.players import HeuristicPlayer, MonteCarloPlayer, Player, PolicyPlayer, SearchPlayer, UniformPlayer
from engine.search import Evaluate, evaluate_uniformly
from training.arena import meet
from training.evaluate import NetworkEvaluator
from training.experience import Experience
from training.first import train_first
from training.match import Block, block_scores, play_match
from training.measures import measure_value
from training.model import load_model, save_model
from training.network import Network
from training.replay import Verified, replay_games
from training.seeds import derive_seed
from training.selfplay import play_shard
from training.settings import MatchSettings, SelfPlaySettings, TrainSettings
from training.shard import Shard
from training.trainer import Start, Trained, train

_NO_MODEL, _SOME_MODEL = bytes(32), bytes([1]) * 32
_MONTE_CARLO = 8


def parse(argv: list[str]) -> argparse.Namespace:
    purpose = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(prog="scripts/bench learning", description=purpose)
    parser.add_argument("--config", choices=list(CONFIGS), default="hex8-2", help="configuration (hex8-2)")
    parser.add_argument("--seconds", type=float, default=1800.0, help="processor time of each seed (1800)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], metavar="N", help="seeds (1 2 3)")
    parser.add_argument("--points", type=int, default=4, help="times at which the panel is measured (4)")
    parser.add_argument("--blocks", type=int, default=100, help="blocks of games against each of the panel (100)")
    parser.add_argument("--against", type=Path, metavar="DIR", help="a folder with a model that joins the panel")
    parser.add_argument(
        "--sibling",
        type=Path,
        metavar="DIR",
        help="a folder with another configuration's model, which may be the first",
    )
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="where to keep each seed's last model, in folders 1, 2 ..."
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="TABLE.NAME=VALUE", help="a setting of the swarm that differs"
    )
    parser.add_argument("--json", action="store_true", help="print one object for each seed")
    return parser.parse_args(argv)


def settings_of(name: str, changes: list[str]) -> Settings:
    """Return the settings of a swarm, with changes such as "selfplay.simulations=64". Raise SettingsError."""
    tables: dict[str, dict[str, Any]] = {}
    for change in changes:
        path, _, value = change.partition("=")
        table, _, key = path.partition(".")
        tables.setdefault(table, {})[key] = int(value) if value.isdecimal() else value
    return Settings.parse([name], tables)


@dataclass
class Clock:
    """Processor time, by what it was used for."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def spend(self, purpose: str) -> Iterator[None]:
        start = time.process_time()
        yield
        self.seconds[purpose] = self.seconds.get(purpose, 0.0) + time.process_time() - start

    @property
    def used(self) -> float:
        """Seconds for everything but the panel."""
        return sum(spent for purpose, spent in self.seconds.items() if purpose != "panel")


class Lineage:
    """One configuration's models and games, from a seed; `advance` adds a candidate."""

    def __init__(self, game: Config, settings: Settings, seed: int, sibling: Network | None) -> None:
        self.game, self.settings = game, settings_on(game.name, settings)
        self.clock = Clock()
        self.canonical: Start | None = None
        self.head: Start | None = None
        self.began_with_sibling = False
        self._sibling = sibling
        self.games = self.candidates = self.promotions = self.rejections = 0
        self.measures: Mapping[str, int] = {}
        self._seed = seed.to_bytes(32, "big")
        self._shards: list[Shard] = []

    def advance(self) -> Standing:
        """Play, train a candidate and let it meet the canonical model; return how the match ended."""
        with self.clock.spend("self-play"):
            self._play()
        with self.clock.spend("training"):
            experience = Experience(self.game, [_verify(self.game, shard) for shard in self._window()])
            trained = self._train(experience)
        with self.clock.spend("measures"):
            self.measures = measure_value(trained.network, experience, self._next_seed("measures"))
        with self.clock.spend("matches"):
            standing = self._match(trained)
        self.candidates += 1
        self.head = Start(trained.network, trained.state)
        self.rejections += 1
        if standing.verdict == "accept":
            self.canonical, self.rejections = self.head, 0
            self.promotions += 1
        elif self.rejections == self.settings.training.rejections:
            self.head, self.rejections = self.canonical, 0
        return standing

    def evaluator(self) -> Evaluate | None:
        """Return the canonical model's evaluator; None for `uniform`."""
        return None if self.canonical is None else NetworkEvaluator(self.canonical.network)

    def _play(self) -> None:
        settings, evaluate = self.settings.selfplay, self.evaluator()
        wanted = self.settings.training.games if evaluate is not None else settings.random_games
        for first in range(0, wanted, settings.games):
            shard = play_shard(
                self.game,
                evaluate,
                model=_NO_MODEL if evaluate is None else _SOME_MODEL,
                seed=self._next_seed(f"self-play {first}"),
                games=min(settings.games, wanted - first),
                settings=SelfPlaySettings(
                    simulations=settings.simulations_after(self.promotions),
                    considered=settings.considered,
                    opening_plies=settings.opening_plies,
                    sparring=settings.sparring,
                ),
            )
            self._shards.append(shard)
            self.games += len(shard.lengths)

    def _window(self) -> list[Shard]:
        """Forget the games on which a swarm would train no more, and return the others."""
        if self.began_with_sibling and self.canonical is not None:
            self._shards = [shard for shard in self._shards if shard.model != _NO_MODEL]
        sizes = [(len(shard.lengths), shard.model == _NO_MODEL) for shard in self._shards]
        self._shards = [self._shards[place] for place in training_window(self.settings.training, sizes)]
        return self._shards

    def _train(self, experience: Experience) -> Trained:
        table = self.settings.training
        settings = TrainSettings(
            architecture=table.architecture,
            steps=table.steps,
            first_steps=table.first_steps,
            first_networks=table.first_networks,
            batch=table.batch,
            learning_rate=float(table.learning_rate),
        )
        seed = self._next_seed("training")
        if self.head is None:
            first = train_first(experience, seed, settings, sibling=self._sibling)
            self.began_with_sibling = first.is_sibling
            return first.trained
        return train(experience, self.head, seed, settings)

    def _match(self, trained: Trained) -> Standing:
        table, most = self.settings.match, most_of_block(self.game.name)
        settings = MatchSettings(table.simulations, table.considered, table.opening_plies)
        incumbent = self.evaluator() or evaluate_uniformly
        scores: list[int] = []
        standing = standing_of(table, (), most)
        while standing.verdict == "continue":
            numbers = range(len(scores), len(scores) + table.slot_blocks)
            blocks: list[Block] = [(number, self._next_seed(f"block {number}")) for number in numbers]
            games = play_match(self.game, NetworkEvaluator(trained.network), incumbent, blocks, settings)
            scores += [score for _, score in block_scores(self.game.players, games)]
            standing = standing_of(table, tuple(scores), most)
        return standing

    def _next_seed(self, purpose: str) -> bytes:
        return derive_seed(self._seed, purpose, self.candidates)


def _verify(game: Config, shard: Shard) -> Verified:
    return Verified(shard, replay_games(game, shard.moves, shard.lengths, lambda _progress: None))


def panel(game: Config, evaluate: Evaluate, blocks: int, against: Evaluate | None) -> dict[str, Any]:
    """Return the share of first places, in per cent, against each of the panel, with its interval."""

    def search(simulations: int, model: Evaluate = evaluate) -> Player:
        return SearchPlayer(model, simulations, 8 if simulations < 256 else 16)

    few, policy = search(16), PolicyPlayer(evaluate)
    meetings: dict[str, tuple[Player, Player, int]] = {
        "search-16 against uniform": (few, UniformPlayer(), blocks // 4),
        "policy against heuristic": (policy, HeuristicPlayer(), blocks),
        "search-16 against heuristic": (few, HeuristicPlayer(), blocks),
        "search-16 against its policy": (few, policy, blocks),
        "search-64 against search-16": (search(64), few, blocks // 2),
        "search-256 against search-64": (search(256), search(64), blocks // 4),
    }
    if len(game.board) <= len("square8"):  # small boards; on others random games take minutes
        meetings["search-16 against monte-carlo-8"] = (few, MonteCarloPlayer(_MONTE_CARLO), blocks // 4)
    if against is not None:
        meetings["search-16 against the given model"] = (few, search(16, against), blocks)
    found = {}
    for name, (challenger, opponent, count) in meetings.items():
        result = meet(game, challenger, opponent, seed=derive_seed(_NO_MODEL, name), blocks=max(1, count))
        low, high = result.interval
        found[name] = {"share": round(100 * result.share, 1), "low": round(100 * low, 1), "high": round(100 * high, 1)}
    return found


def learn(seed: int, options: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """Learn from one seed and return what was seen."""
    torch.set_num_threads(1)
    game = config(options.config)
    sibling = None if options.sibling is None else load_model(options.sibling)
    against = None if options.against is None else NetworkEvaluator(load_model(options.against))
    lineage = Lineage(game, settings, seed, sibling)
    points: list[dict[str, Any]] = []
    history: list[dict[str, Any]] = []
    while lineage.clock.used < options.seconds:
        standing = lineage.advance()
        history.append(_describe(lineage, standing))
        print(f"seed {seed}: {json.dumps(history[-1])}", file=sys.stderr, flush=True)
        due = options.seconds * (len(points) + 1) / options.points
        evaluate = lineage.evaluator()
        if lineage.clock.used >= due and evaluate is not None:
            with lineage.clock.spend("panel"):
                measured = panel(game, evaluate, options.blocks, against)
            points.append({"cpu_s": round(lineage.clock.used), "games": lineage.games, "panel": measured})
            print(f"seed {seed}: {json.dumps(points[-1])}", file=sys.stderr, flush=True)
    if options.keep is not None and lineage.canonical is not None:
        save_model(options.keep / str(seed), lineage.canonical.network)
    used = lineage.clock.used
    return {
        "seed": seed,
        "config": game.name,
        "changes": options.set,
        "cpu_s": round(used),
        "shares": {name: round(s / used, 3) for name, s in lineage.clock.seconds.items() if name != "panel"},
        "games": lineage.games,
        "candidates": lineage.candidates,
        "promotions": lineage.promotions,
        "began_with_sibling": lineage.began_with_sibling,
        "history": history,
        "points": points,
    }


def _describe(lineage: Lineage, standing: Standing) -> dict[str, Any]:
    return {
        "cpu_s": round(lineage.clock.used),
        "games": lineage.games,
        "verdict": standing.verdict,
        "share": round(standing.score / (standing.most * standing.blocks), 3),
        "blocks": standing.blocks,
        "measures": dict(lineage.measures),
    }


def main(argv: list[str]) -> int:
    options = parse(argv)
    try:
        settings = settings_of(options.config, options.set)
    except SettingsError as error:
        print(f"bench learning: {error}", file=sys.stderr)
        return 2
    for seed in options.seeds:
        found = learn(seed, options, settings)
        print(json.dumps(found) if options.json else _summary(found), flush=True)
    return 0


def _summary(found: Mapping[str, Any]) -> str:
    lines = [
        f"seed {found['seed']}: {found['games']:,} games, {found['promotions']} promotions, shares {found['shares']}"
    ]
    for point in found["points"]:
        told = ", ".join(f"{name} {share['share']:.0f}%" for name, share in point["panel"].items())
        lines.append(f"  {point['cpu_s']} s: {told}")
    return "\n".join(lines)
