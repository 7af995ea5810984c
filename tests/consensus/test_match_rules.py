"""The chances of candidates under the rules of a match, by exact enumeration, as docs/learning.md has them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from consensus.ledger.rules.scores import most_of_block, sequential_test_of
from consensus.settings import MatchSettings
from consensus.sprt import reaches

PAGE = Path(__file__).parents[2] / "docs" / "learning.md"
LIMITS = (32, 64, 128)
SHARES = (0.5, 0.55, 0.6, 0.7)


def independent(share: float) -> dict[int, float]:
    """The chances of a block's scores, if the candidate wins this share of games that do not depend on each other."""
    return {0: (1 - share) ** 2, 2: 2 * share * (1 - share), 4: share**2}


def alike(share: float) -> dict[int, float]:
    """The same, if both games of a block end alike."""
    return {0: 1 - share, 4: share}


def chances(settings: MatchSettings, block: dict[int, float]) -> tuple[float, float]:
    """The chance of promotion, and the mean number of blocks, with these chances of a block's scores."""
    test, most = sequential_test_of(settings), most_of_block("hex8-2")
    going, promoted, played = {0: 1.0}, 0.0, 0.0
    for blocks in range(1, settings.block_limit + 1):
        totals: dict[int, float] = {}
        for before, chance in going.items():
            for score, weight in block.items():
                totals[before + score] = totals.get(before + score, 0.0) + chance * weight
        going = {}
        played += sum(totals.values())
        for total, chance in totals.items():
            verdict = test.verdict(total, most, blocks)
            if verdict == "continue" and blocks < settings.block_limit:
                going[total] = chance
            elif verdict == "accept" or (verdict == "continue" and at_limit(settings, total, most)):
                promoted += chance
    return promoted, played


def at_limit(settings: MatchSettings, total: int, most: int) -> bool:
    return settings.limit_share < 1 and reaches(settings.limit_share, total, most, settings.block_limit)


@pytest.mark.parametrize("share", SHARES)
def test_the_table_on_the_page_is_right(share: float) -> None:
    cells = [f"{100 * share:.0f}%"]
    for limit in LIMITS:
        promoted, played = chances(MatchSettings(block_limit=limit), independent(share))
        cells += [f"{100 * promoted:.1f}", f"{played:.0f}"]
    assert f"| {' | '.join(cells)} |" in PAGE.read_text()


def test_so_are_the_figures_of_the_rules_before() -> None:
    before = MatchSettings(p1=Fraction(13, 20), limit_share=Fraction(1))
    assert [round(100 * chances(before, independent(share))[0]) for share in (0.55, 0.6, 0.7)] == [2, 17, 91]
    assert round(100 * chances(before, independent(0.5))[0], 1) == 0.1
    text = " ".join(PAGE.read_text().split())
    assert "candidates that win 55, 60 and 70% of the games it promoted 2, 17 and 91%, and of equal ones 0.1%" in text


def test_an_equal_candidate_whose_blocks_end_alike() -> None:
    rates = [chances(MatchSettings(block_limit=limit), alike(0.5))[0] for limit in LIMITS]
    assert [round(100 * rate) for rate in rates] == [43, 45, 36]
    assert "the chance is 43, 45 and 36%" in " ".join(PAGE.read_text().split())
