"""The sequential test: its numbers, and its error bounds by exact enumeration."""

from __future__ import annotations

import decimal
import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus.sprt import SequentialTest, decimal_text, limit_risk, reaches, sequential_test, verdict_on_prefix

HALF, TWENTIETH = Fraction(1, 2), Fraction(1, 20)
STANDARD = sequential_test(HALF, Fraction(13, 20), TWENTIETH, TWENTIETH)


def test_known_numbers() -> None:
    assert math.isclose(float(STANDARD.gain), math.log(1.3))
    assert math.isclose(float(STANDARD.loss), math.log(0.7))
    assert decimal_text(STANDARD.upper) == "2.995732273554"
    assert decimal_text(STANDARD.lower) == "-2.995732273554"
    assert decimal_text(STANDARD.ratio(0, 4, 0)) == "0.000000000000"
    assert math.isclose(float(STANDARD.ratio(5, 4, 2)), 1.25 * math.log(1.3) + 0.75 * math.log(0.7))


def test_fewest_blocks() -> None:
    assert verdict_on_prefix(STANDARD, (4,) * 40, 4) == ("accept", 12, 48)
    assert verdict_on_prefix(STANDARD, (0,) * 40, 4) == ("reject", 9, 0)
    assert verdict_on_prefix(STANDARD, (2,) * 10, 4) == ("continue", 10, 20)
    assert verdict_on_prefix(STANDARD, (), 4) == ("continue", 0, 0)


def test_a_decision_stands_whatever_comes_after() -> None:
    assert verdict_on_prefix(STANDARD, (4,) * 12 + (0,) * 30, 4)[0] == "accept"


def test_the_host_s_decimal_context_does_not_matter() -> None:
    other = (HALF, Fraction(7, 10), TWENTIETH, TWENTIETH)
    before = STANDARD.ratio(123, 12, 40), sequential_test(*other)
    sequential_test.cache_clear()
    with decimal.localcontext(decimal.Context(prec=3, rounding=decimal.ROUND_UP)) as context:
        context.traps[decimal.Inexact] = True
        assert (STANDARD.ratio(123, 12, 40), sequential_test(*other)) == before
        assert decimal_text(before[0]).count(".") == 1


@given(st.integers(1, 24), st.data())
def test_no_block_adds_more_than_the_bernoulli_bound(most: int, data: st.DataObject) -> None:
    """The convexity that makes the ratio a supermartingale under every distribution of scores."""
    score = data.draw(st.integers(0, most))
    share = Fraction(score, most)
    bound = share * Fraction(13, 10) + (1 - share) * Fraction(7, 10)
    assert STANDARD.ratio(score, most, 1).exp() <= Decimal(bound.numerator) / bound.denominator + Decimal("1e-20")


def error_rate(
    distribution: dict[int, Fraction], most: int, limit: int, verdict: str, test: SequentialTest = STANDARD
) -> Fraction:
    """Exact probability that the test ends with this verdict within `limit` blocks of independent scores."""
    assert sum(distribution.values()) == 1
    going: dict[int, Fraction] = {0: Fraction(1)}
    ended = Fraction(0)
    for blocks in range(1, limit + 1):
        following: dict[int, Fraction] = {}
        for total, chance in going.items():
            for score, weight in distribution.items():
                now = test.verdict(total + score, most, blocks)
                if now == "continue":
                    following[total + score] = following.get(total + score, Fraction(0)) + chance * weight
                elif now == verdict:
                    ended += chance * weight
        going = following
    return ended


def mean(distribution: dict[int, Fraction]) -> Fraction:
    return sum((score * weight for score, weight in distribution.items()), Fraction(0))


EQUAL = {
    "one game decides both": {0: HALF, 4: HALF},
    "independent games": {0: Fraction(1, 4), 2: HALF, 4: Fraction(1, 4)},
    "often shared": {1: Fraction(1, 8), 2: Fraction(3, 4), 3: Fraction(1, 8)},
    "rarely a rout": {0: Fraction(1, 3), 3: Fraction(2, 3)},
}


@pytest.mark.parametrize("name", EQUAL)
def test_an_equal_candidate_is_accepted_in_at_most_one_of_twenty(name: str) -> None:
    assert mean(EQUAL[name]) == 2
    assert error_rate(EQUAL[name], 4, 150, "accept") <= TWENTIETH


BETTER = {
    "one game decides both": {0: Fraction(7, 20), 4: Fraction(13, 20)},
    "independent games": {0: Fraction(49, 400), 2: Fraction(182, 400), 4: Fraction(169, 400)},
}


@pytest.mark.parametrize("name", BETTER)
def test_a_better_candidate_is_rejected_by_the_test_in_at_most_one_of_twenty(name: str) -> None:
    assert mean(BETTER[name]) == Fraction(13, 5)
    assert error_rate(BETTER[name], 4, 150, "reject") <= TWENTIETH


def test_the_bound_is_not_idle() -> None:
    """Wins and losses of whole blocks come near the bound, so the enumeration would see a wrong one."""
    assert error_rate(EQUAL["one game decides both"], 4, 150, "accept") > Fraction(1, 40)


def test_another_null_hypothesis() -> None:
    """Of a candidate that has to be better than 11/20 already: a share of 11/20 wins it nothing."""
    test = sequential_test(Fraction(11, 20), Fraction(13, 20), TWENTIETH, TWENTIETH)
    assert math.isclose(float(test.gain), math.log(13 / 11))
    assert math.isclose(float(test.loss), math.log(7 / 9))
    assert test.ratio(11 * 4, 4, 20) < 0
    fair = {0: Fraction(9, 20), 4: Fraction(11, 20)}
    assert error_rate(fair, 4, 150, "accept", test) <= TWENTIETH


def test_a_share_is_reached_exactly_or_not() -> None:
    share = Fraction(11, 20)
    assert reaches(share, 11, 4, 5)
    assert not reaches(share, 10, 4, 5)
    assert reaches(Fraction(1, 3), 1, 3, 1)
    assert not reaches(Fraction(2**52, 2**52 + 1), 2**52, 2**52, 2)


def test_the_bound_of_the_limit() -> None:
    assert math.isclose(float(limit_risk(Fraction(11, 20), 64)), math.exp(-2 * 64 / 400))
    assert limit_risk(HALF, 64) == 1
    assert decimal_text(limit_risk(Fraction(3, 5), 4096)) == "0.000000000000"


@pytest.mark.parametrize("name", EQUAL)
def test_an_equal_candidate_reaches_the_limit_share_no_more_often_than_the_bound_says(name: str) -> None:
    for blocks, share in ((8, Fraction(5, 8)), (32, Fraction(11, 20)), (64, Fraction(3, 5))):
        assert reached_rate(EQUAL[name], 4, blocks, share) <= Fraction(limit_risk(share, blocks))


def test_that_bound_is_not_idle_either() -> None:
    """Wins and losses of whole blocks come within a factor of four."""
    share = Fraction(5, 8)
    assert 4 * reached_rate(EQUAL["one game decides both"], 4, 32, share) > Fraction(limit_risk(share, 32))


def reached_rate(distribution: dict[int, Fraction], most: int, blocks: int, share: Fraction) -> Fraction:
    """Exact probability that this many independent blocks reach the share."""
    totals = {0: Fraction(1)}
    for _ in range(blocks):
        following: dict[int, Fraction] = {}
        for total, chance in totals.items():
            for score, weight in distribution.items():
                following[total + score] = following.get(total + score, Fraction(0)) + chance * weight
        totals = following
    return sum((chance for total, chance in totals.items() if reaches(share, total, most, blocks)), Fraction(0))
