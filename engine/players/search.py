"""The players that ask a network: its policy alone, and Gumbel search with any number of simulations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.games import Games
from engine.players.player import Options, check_seeds
from engine.search import EvalBatch, Evaluate, gumbel_search

_TIE_BREAK = 1e-3
"""Scale of the noise in a search: it plays its best move, and draws among equals."""


class PolicyPlayer:
    """Plays the move that the network's policy prefers. See `Player`."""

    def __init__(self, evaluate: Evaluate) -> None:
        self._evaluate = evaluate

    def choose(self, games: Games, seeds: NDArray[np.uint64]) -> NDArray[np.int64]:
        """See `Player.choose`; among equally good moves chance decides."""
        options = Options.of(games, seeds)
        return options.best(self._evaluate(EvalBatch(games, options.offsets, options.moves)).logits)


class SearchPlayer:
    """Plays what Gumbel search with `simulations` simulations finds best. See `Player`."""

    def __init__(self, evaluate: Evaluate, simulations: int, considered: int) -> None:
        """Make a player. `simulations` and `considered` are those of `gumbel_search`."""
        self._evaluate, self._simulations, self._considered = evaluate, simulations, considered

    def choose(self, games: Games, seeds: NDArray[np.uint64]) -> NDArray[np.int64]:
        """See `Player.choose`."""
        found = gumbel_search(
            games,
            self._evaluate,
            simulations=self._simulations,
            considered=self._considered,
            seeds=check_seeds(games, seeds),
            noise=_TIE_BREAK,
        )
        return found.actions
