"""The election of one round (SPEC S9 to S12): virtual votes on which of its witnesses are famous."""

import numpy as np
from numpy.typing import NDArray

from consensus.hashgraph.ancestry import Ancestry
from consensus.hashgraph.rounds import Rounds

COIN_PERIOD = 10  # S11: at every tenth distance nobody decides

Votes = NDArray[np.bool_]


class Election:
    """Votes on the witnesses of round `number` (the candidates), by the witnesses of all later rounds."""

    def __init__(self, ancestry: Ancestry, rounds: Rounds, hashes: list[bytes], number: int) -> None:
        self.number = number
        self._ancestry = ancestry
        self._rounds = rounds
        self._hashes = hashes
        self._candidates = rounds.witnesses[number].rows
        self._count = 0  # candidates that have a column in what follows
        self._decided_in: NDArray[np.int64] = np.zeros(0, np.int64)  # the q of S12, or 0
        self._famous: Votes = np.zeros(0, np.bool_)
        self._votes: list[Votes] = []  # by distance - 1: rows are voters by place, columns are candidates
        self._voted: list[int] = []  # by distance - 1: how many voters have voted

    def update(self) -> bool:
        """Count the votes not counted yet. Return whether the round is decided (S13), given that all before it are."""
        self._add_candidates()
        distance = 1
        while self.number + distance < len(self._rounds.witnesses) and not self._complete():
            self._add_voters(distance)
            distance += 1
        return self._complete()

    def fame(self) -> list[tuple[int, bool | None]]:
        """Return each candidate's row with its fame, None as long as it is undecided."""
        decided = zip(self._decided_in.tolist(), self._famous.tolist(), strict=True)
        fames = [famous if q else None for q, famous in decided]
        return list(zip(self._candidates[: self._count], fames, strict=True))

    def _complete(self) -> bool:
        return self._count > 0 and np.count_nonzero(self._decided_in) == self._count

    def _add_candidates(self) -> None:
        """Give new candidates columns of "no": whoever has voted does not have them as ancestors.

        If all of round r + 2 and later was against one, the next voter that decides anything decides it too.
        """
        late = len(self._candidates) - self._count
        if not late:
            return
        self._count += late
        self._votes = [np.pad(votes, ((0, 0), (0, late))) for votes in self._votes]
        self._decided_in = np.append(self._decided_in, np.zeros(late, np.int64))
        self._famous = np.append(self._famous, np.zeros(late, np.bool_))

    def _add_voters(self, distance: int) -> None:
        voters = self._rounds.witnesses[self.number + distance]
        if len(self._votes) < distance:
            self._votes.append(np.zeros((len(voters.rows), self._count), np.bool_))
            self._voted.append(0)
        votes, start = self._votes[distance - 1], self._voted[distance - 1]
        if len(votes) < len(voters.rows):
            spare = np.zeros((len(voters.rows), self._count), np.bool_)
            votes = self._votes[distance - 1] = np.concatenate((votes, spare))
        for place in range(start, len(voters.rows)):
            proxy = voters.proxies[place]
            if distance == 1:
                votes[place] = self._seen(proxy)
            else:
                votes[place] = self._count_votes(distance, voters.rows[place], voters.electors[proxy])
        self._voted[distance - 1] = len(voters.rows)

    def _seen(self, proxy: int) -> Votes:
        """Return the first vote: which candidates `proxy` sees."""
        ancestry, rows = self._ancestry, self._candidates[: self._count]
        if ancestry.forkers:
            return np.array([ancestry.sees(proxy, row) for row in rows])
        seen: Votes = ancestry.last[proxy].take([ancestry.creator[row] for row in rows]) >= rows
        return seen

    def _count_votes(self, distance: int, voter: int, electors: NDArray[np.int32]) -> Votes:
        """Return a later vote: that of the electors with more weight, which decides if they are a supermajority."""
        rounds, q = self._rounds, self.number + distance
        before = rounds.witnesses[q - 1].rows
        weights = rounds.weights.take([self._ancestry.creator[before[place]] for place in electors.tolist()])
        yes = weights.dot(self._votes[distance - 2].take(electors, axis=0))
        no = weights.sum() - yes
        vote: Votes = yes >= no
        sure = np.maximum(yes, no) >= rounds.quorum
        if distance % COIN_PERIOD == 0:
            coin: Votes = np.where(sure, vote, bool(self._hashes[voter][16] & 1))
            return coin
        self._decided_in[sure & (self._decided_in == 0)] = q
        self._famous |= sure & (self._decided_in == q) & vote
        return vote
