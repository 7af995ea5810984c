"""The searches of self-play for games on the host."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.search import Evaluate, SearchResult, gumbel_search
from training.playing import Playing
from training.settings import SelfPlaySettings


class HostSearch:
    """Searches in games at some places, all at once."""

    def __init__(self, playing: Playing, evaluate: Evaluate, settings: SelfPlaySettings) -> None:
        self._playing, self._evaluate, self._settings = playing, evaluate, settings

    def find(self, where: NDArray[np.int64], seeds: NDArray[np.uint64], simulations: int) -> SearchResult:
        """Return a search of each game at the places `where`, with a seed each."""
        return gumbel_search(
            self._playing.positions(where),
            self._evaluate,
            simulations=simulations,
            considered=self._settings.considered,
            seeds=seeds,
            noise=self._settings.noise / 1000,
        )

    def choose(self, where: NDArray[np.int64], seeds: NDArray[np.uint64], simulations: int) -> NDArray[np.int64]:
        """Return the moves that such searches choose."""
        return self.find(where, seeds, simulations).actions
