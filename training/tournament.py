"""Tournaments: players, given by name, meet each other in pairs, and are rated by their games."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

from engine.config import Config
from engine.nnue.network import Nnue, NnueError, is_nnue, load_nnue
from engine.players import (
    DepthPlayer,
    DescentPlayer,
    HeuristicPlayer,
    MonteCarloPlayer,
    NnueEvaluator,
    NnuePlayer,
    Player,
    PolicyPlayer,
    Rule,
    SearchPlayer,
    UniformPlayer,
)
from engine.search import Evaluate
from training.arena import ArenaResult, meet
from training.progress import Report, ignore_progress
from training.ratings import Rating, rate
from training.settings import MatchSettings

REFERENCE = "heuristic"
"""The player of rating 1500, if it takes part."""

KINDS = (
    "uniform, heuristic, monte-carlo-N, nnue:DIR, policy:DIR, search-N:DIR, "
    "and alpha-beta-N, paranoid-N, maxn-N, brs-N and descent-N, each with or without :DIR"
)

_RULES = {"alpha-beta": Rule.PARANOID, "paranoid": Rule.PARANOID, "maxn": Rule.MAX_N, "brs": Rule.BEST_REPLY}
_PLIES_OF_A_TURN = 4  # on the small boards at the beginning: place, move, no line, no territory
_NAME = re.compile(r"(?P<kind>[a-z-]*[a-z])(?:-(?P<number>[1-9][0-9]{0,5}))?(?::(?P<model>.+))?", re.DOTALL)


class PlayerError(ValueError):
    """A player cannot take part; the message is one line: its name, what is wrong, and the remedy."""

    def __init__(self, fault: str, player: str = "") -> None:
        super().__init__(f"{player}: {fault}" if player else fault)


@dataclass(frozen=True)
class Pairing:
    """The games of one player against another."""

    challenger: str
    opponent: str
    result: ArenaResult


@dataclass(frozen=True, kw_only=True)
class Tournament:
    """All pairings of some players in one configuration, and the ratings that follow."""

    config: str
    seed: str
    blocks: int
    reference: str
    pairings: tuple[Pairing, ...]
    ratings: Mapping[str, Rating]
    """The best player first."""

    def facts(self) -> dict[str, Any]:
        """Return everything as JSON values (docs/learning.md)."""
        return {
            "config": self.config,
            "seed": self.seed,
            "blocks": self.blocks,
            "reference": self.reference,
            "pairs": [_pair_facts(pairing) for pairing in self.pairings],
            "ratings": [
                {"player": name, "rating": round(rating.points, 1), "error": round(rating.error, 1)}
                for name, rating in self.ratings.items()
            ],
        }


def make_players(names: Sequence[str]) -> dict[str, Player]:
    """Return the players of these names. Raise PlayerError if one is unknown, or if they are not two different ones."""
    if len(names) < 2:
        raise PlayerError("a tournament needs at least two players")
    doubled = sorted(name for name in set(names) if names.count(name) > 1)
    if doubled:
        raise PlayerError("is listed twice; name each player once", doubled[0])
    return {name: make_player(name) for name in names}


def make_player(name: str) -> Player:
    """Return the player of that name (`KINDS`). Raise PlayerError if there is none, or its model cannot be read."""
    parts = _NAME.fullmatch(name)
    match parts and parts.group("kind", "number", "model"):
        case "uniform", None, None:
            return UniformPlayer()
        case "heuristic", None, None:
            return HeuristicPlayer()
        case "monte-carlo", str(number), None:
            return MonteCarloPlayer(int(number))
        case ("alpha-beta" | "paranoid" | "maxn" | "brs") as rule, str(number), model:
            nnue = None if model is None else _load_nnue(model, name)
            return DepthPlayer(_RULES[rule], int(number), nnue=nnue)
        case "descent", str(number), model:
            return DescentPlayer(int(number), None if model is None else _load_evaluator(model, name))
        case "nnue", None, str(model):
            return NnuePlayer(_load_nnue(model, name))
        case "policy", None, str(model):
            return PolicyPlayer(_load_evaluator(model, name))
        case "search", str(number), str(model):
            evaluate = _load_evaluator(model, name)
            return SearchPlayer(evaluate, int(number), considered=MatchSettings().considered)
    raise PlayerError(f"is not a player; the players are {KINDS}, with N from 1 to 999999", name)


def play_tournament(
    config: Config,
    players: Mapping[str, Player],
    *,
    seed: str,
    blocks: int,
    report: Report = ignore_progress,
) -> Tournament:
    """Let every player meet every other, and rate them.

    Two players of a configuration for two meet once; where more take part, each of two challenges the other, who then
    has all other seats. All pairs play the same openings, so what two players do does not depend on who else is there.

    Args:
        players: at least two, by name.
        seed: any text; equal seeds give equal games.
        blocks: openings for each pair; each is played once in every rotation of the seats.
        report: called after every move with the pair, and the games that are finished and wanted in all pairs.

    Raises:
        ValueError: there are no blocks to play.
        PlayerError: a player does not know the board.
    """
    pairs = list((combinations if config.players == 2 else permutations)(players, 2))
    wanted = len(pairs) * blocks * config.players
    pairings = []
    for number, (challenger, opponent) in enumerate(pairs):
        done = number * blocks * config.players

        def observe(progress: Mapping[str, Any], done: int = done, pair: str = f"{challenger} - {opponent}") -> None:
            report({"pair": pair, "games": done + progress["games"], "wanted": wanted})

        try:
            result = meet(
                config,
                players[challenger],
                players[opponent],
                seed=hashlib.sha256(seed.encode()).digest(),
                blocks=blocks,
                opening_plies=_PLIES_OF_A_TURN * config.players,
                report=observe,
            )
        except NnueError as error:
            raise PlayerError(error.fault, f"{challenger} - {opponent}") from None
        pairings.append(Pairing(challenger, opponent, result))
    reference = REFERENCE if REFERENCE in players else next(iter(players))
    ratings = rate((game for pairing in pairings for game in _games(pairing)), reference)
    return Tournament(
        config=config.name, seed=seed, blocks=blocks, reference=reference, pairings=tuple(pairings), ratings=ratings
    )


def _games(pairing: Pairing) -> Iterator[tuple[list[str], int | None]]:
    """Yield the players of each game by seat, and the winner's seat, counted from 0."""
    players = pairing.result.players
    for block in pairing.result.winners.tolist():
        for rotation, winner in enumerate(block):
            seats = [pairing.challenger if seat == rotation else pairing.opponent for seat in range(players)]
            yield seats, winner - 1 if winner else None


def _pair_facts(pairing: Pairing) -> dict[str, Any]:
    result = pairing.result
    low, high = result.interval
    return {
        "challenger": pairing.challenger,
        "opponent": pairing.opponent,
        "games": int(result.winners.size),
        "won": int((result.firsts == 1).sum()),
        "unfinished": int((result.winners == 0).sum()),
        "plies": result.plies,
        "share": round(result.share, 4),
        "low": round(low, 4),
        "high": round(high, 4),
    }


def _load_evaluator(directory: str, name: str) -> Evaluate:
    """Return the model of a directory as what a search asks. Raise PlayerError, which names the player."""
    if is_nnue(Path(directory)):
        return NnueEvaluator(_load_nnue(directory, name))
    import torch

    from training.arrays import DataError
    from training.evaluate import NetworkEvaluator
    from training.model import load_model

    torch.set_num_threads(1)  # on a busy host several are ten times slower, and less deterministic
    try:
        return NetworkEvaluator(load_model(Path(directory)))
    except DataError as error:
        raise PlayerError(f"{error}; give the directory of a model", name) from None


def _load_nnue(directory: str, name: str) -> Nnue:
    """Return the NNUE network of a directory. Raise PlayerError, which names the player."""
    try:
        return load_nnue(Path(directory))
    except NnueError as error:
        raise PlayerError(f"{error}; give the directory of an NNUE network", name) from None
