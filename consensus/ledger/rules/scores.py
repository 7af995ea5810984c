"""The score of a match: the longest complete prefix of its blocks, and what it decides."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from consensus.encoding import Value, encode
from consensus.keys import MemberId
from consensus.ledger.records.entities import Candidacy, SlotResult
from consensus.settings import MatchSettings, players
from consensus.sprt import SequentialTest, Verdict, decimal_text, reaches, sequential_test, verdict_on_prefix


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The state of a match by its complete prefix. Counting ends with the block that decides."""

    verdict: Verdict
    at_limit: bool  # undecided by the test at the block limit, so decided by the share of the points
    blocks: int
    score: int
    most: int  # of one block
    llr: str


class SlotFacts(Protocol):
    """The part of a slot's result that is digested."""

    @property
    def author(self) -> MemberId: ...
    @property
    def scores(self) -> tuple[int, ...]: ...
    @property
    def root(self) -> bytes: ...
    @property
    def blob(self) -> bytes: ...
    @property
    def size(self) -> int: ...


def most_of_block(configuration: str) -> int:
    """Return the highest score of a block.

    In each of its P games, for P players, there are 2 points for each of the P - 1 opponents that place below.
    """
    count = players(configuration)
    return 2 * count * (count - 1)


def sequential_test_of(settings: MatchSettings) -> SequentialTest:
    """Return the sequential test with the bounds of these settings."""
    return sequential_test(settings.p0, settings.p1, settings.alpha, settings.beta)


def standing_of(settings: MatchSettings, scores: tuple[int, ...], most: int) -> Standing:
    """Return the state of a match with these block scores, in block order, each of 0..`most`."""
    test = sequential_test_of(settings)
    verdict, blocks, score = verdict_on_prefix(test, scores, most)
    at_limit = verdict == "continue" and blocks == settings.block_limit
    if at_limit:
        is_enough = settings.limit_share < 1 and reaches(settings.limit_share, score, most, blocks)
        verdict = "accept" if is_enough else "reject"
    llr = decimal_text(test.ratio(score, most, blocks))
    return Standing(verdict=verdict, at_limit=at_limit, blocks=blocks, score=score, most=most, llr=llr)


def standing(candidacy: Candidacy) -> Standing:
    """Return the state of a match.

    Results are read in block order, whatever order they came in, so that nobody gains by being early.
    """
    scores: list[int] = []
    for slot in candidacy.slots:
        if slot.result is None:
            break
        scores.extend(slot.result.scores)
    return standing_of(candidacy.settings, tuple(scores), most_of_block(candidacy.configuration))


def counted_slots(blocks: int, slot_blocks: int) -> int:
    """Return in how many slots the first `blocks` blocks are."""
    return -(-blocks // slot_blocks)


def results_of(candidacy: Candidacy, blocks: int) -> tuple[SlotResult, ...]:
    """Return the results of the slots with the first `blocks` blocks."""
    slots = candidacy.slots[: counted_slots(blocks, candidacy.settings.slot_blocks)]
    results = tuple(slot.result for slot in slots if slot.result is not None)
    assert len(results) == len(slots)
    return results


def results_digest(candidate: bytes, blocks: int, results: Iterable[SlotFacts]) -> bytes:
    """Return the digest of the counted results, slot by slot: voters check it and approvals name it."""
    rows: list[Value] = [[entry.author, entry.scores, entry.root, entry.blob, entry.size] for entry in results]
    return hashlib.sha256(encode(["ringrift/results/1", candidate, blocks, rows])).digest()
