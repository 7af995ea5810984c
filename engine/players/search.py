"""The players that ask a network: its policy alone, and Gumbel search with any number of simulations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.games import Games
from engine.players.player import best_in_each
from engine.search import EvalBatch, Evaluate, gumbel_search

TIE_BREAK = 1e-3
"""Scale of the noise in a search: it plays its best move, and draws among equals."""


class PolicyPlayer:
    """Plays the move that the network's policy prefers. See `Player`."""

    name = "policy"

    def __init__(self, evaluate: Evaluate) -> None:
        self._evaluate = evaluate

    def choose(self, games: Games, seeds: NDArray[np.uint64]) -> NDArray[np.int64]:
        """See `Player.choose`; no chance is involved."""
        legal = games.legal()
        logits = self._evaluate(EvalBatch(games, legal.offsets, legal.moves)).logits
        return legal.moves[best_in_each(logits, legal.offsets)]


class SearchPlayer:
    """Plays what a search of `simulations` simulations finds best. See `Player`."""

    def __init__(self, evaluate: Evaluate, simulations: int, considered: int = 16) -> None:
        self._evaluate, self._simulations, self._considered = evaluate, simulations, considered
        self.name = f"search-{simulations}"

    def choose(self, games: Games, seeds: NDArray[np.uint64]) -> NDArray[np.int64]:
        """See `Player.choose`."""
        found = gumbel_search(
            games,
            self._evaluate,
            simulations=self._simulations,
            considered=self._considered,
            seeds=seeds,
            noise=TIE_BREAK,
        )
        return found.actions
