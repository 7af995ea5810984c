"""Where a match stands: the longest complete prefix of its blocks, and what the test says of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from consensus.encoding import Value, encode
from consensus.ledger.entities import Candidacy
from consensus.settings import MatchSettings, players
from consensus.sprt import SequentialTest, Verdict, decimal_text, read_prefix, sequential_test


@dataclass(frozen=True)
class Standing:
    """A match as its complete prefix shows it; counting ends with the block that decides."""

    verdict: Verdict
    blocks: int
    score: int
    most: int  # of one block
    llr: str


def most_of_block(configuration: str) -> int:
    """Highest score of a block: in each of P games, 2 points for each of P - 1 opponents placed below."""
    count = players(configuration)
    return 2 * count * (count - 1)


def test_of(settings: MatchSettings) -> SequentialTest:
    """The sequential test with the bounds of these settings."""
    return sequential_test(settings.p1, settings.alpha, settings.beta)


def standing(candidacy: Candidacy) -> Standing:
    """Reads results in block order, whatever order they came in, so that nobody gains by being early."""
    scores: list[int] = []
    for slot in candidacy.slots:
        if slot.result is None:
            break
        scores.extend(slot.result.scores)
    test, most = test_of(candidacy.settings), most_of_block(candidacy.configuration)
    verdict, blocks, score = read_prefix(test, tuple(scores), most)
    return Standing(verdict, blocks, score, most, decimal_text(test.ratio(score, most, blocks)))


def results_digest(candidacy: Candidacy, blocks: int) -> bytes:
    """Digest of the results of the slots that the first `blocks` blocks lie in: what voters check."""
    counted = -(-blocks // candidacy.settings.slot_blocks)
    results: list[Value] = []
    for number, slot in enumerate(candidacy.slots[:counted]):
        assert slot.result is not None
        result = slot.result
        results.append([number, result.author, result.scores, result.root, result.blob, result.size])
    return hashlib.sha256(encode(["ringrift/results/1", candidacy.id, blocks, results])).digest()
