"""What a model thinks of a position: the move it plays, how good it finds each move, and each player's chances."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from engine.games import Games
from engine.search import EvalBatch, Evaluate, gumbel_search

_CONSIDERED = 16  # moves that a search begins with
_TIE_BREAK = 1e-3  # scale of the noise: the best move is played, and chance decides among equals


@dataclass(frozen=True)
class Opinion:
    """What is thought of one legal move: its share of the policy before any search, and the simulations of it."""

    move: int
    policy: float
    visits: int


@dataclass(frozen=True)
class Thought:
    """What is thought of a position.

    `move` is played, `opinions` has every legal move, in the order of `Games.legal`, and `values` the expected result
    for each player: 1 a sure win, -1 / (players - 1) a sure loss.
    """

    move: int
    opinions: tuple[Opinion, ...]
    values: tuple[float, ...]


def think(games: Games, evaluate: Evaluate, *, simulations: int, seed: str) -> Thought:
    """Return what a search of `simulations` simulations finds in a batch of one running game; 0 asks no search.

    All chance comes from `seed` and the number of moves played. Equal arguments give an equal thought.
    """
    word = _seed_word(f"{seed}/{int(games.ply()[0])}")
    asked = _ask(games, evaluate, word)
    if simulations == 0:
        return asked
    found = gumbel_search(
        games,
        evaluate,
        simulations=simulations,
        considered=min(_CONSIDERED, simulations),
        seeds=np.array([word], np.uint64),
        noise=_TIE_BREAK,
    )
    if not found.visits.any():  # a search leaves out positions with one move
        return asked
    # The search's own policy sharpens small differences until most moves have 0: it says less than the visits do.
    visits = dict(zip(found.moves.tolist(), found.visits.tolist(), strict=True))
    opinions = tuple(replace(opinion, visits=visits[opinion.move]) for opinion in asked.opinions)
    return Thought(int(found.actions[0]), opinions, tuple(found.values[0].tolist()))


def _ask(games: Games, evaluate: Evaluate, word: int) -> Thought:
    legal = games.legal()
    found = evaluate(EvalBatch(games, legal.offsets, legal.moves))
    logits = found.logits.astype(np.float64)
    policy = np.exp(logits - logits.max())
    policy /= policy.sum()
    best = np.flatnonzero(logits == logits.max())
    players, mover = games.config.players, int(games.player()[0]) - 1
    values = [float(found.values[0, (seat - mover) % players]) for seat in range(players)]
    opinions = (Opinion(move, share, 0) for move, share in zip(legal.moves.tolist(), policy.tolist(), strict=True))
    return Thought(int(legal.moves[best[word % len(best)]]), tuple(opinions), tuple(values))


def _seed_word(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
