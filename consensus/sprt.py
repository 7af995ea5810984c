"""The sequential test of a match, and its end at the block limit, in exact decimal arithmetic.

A block of games gives the candidate a whole score s from 0 to M; between equal players its mean is M/2. The
share x = s/M counts as that fraction of one Bernoulli trial of p1 against p0 (1/2 by default), so a block adds

    x ln(p1/p0) + (1 - x) ln((1 - p1)/(1 - p0))

to the log-likelihood ratio. exp is convex, so the factor by which a block multiplies the ratio is at most
x (p1/p0) + (1 - x) (1 - p1)/(1 - p0), whose mean is at most 1 whenever the mean of x is at most p0: the
ratio is a supermartingale for every distribution of block scores with that mean, whatever the dependence
between the games of one block (they share an opening). By Ville's inequality, the ratio of a candidate that
is not better ever reaches 1/alpha with probability at most alpha; its inverse, for one that scores p1 or
more, ever reaches 1/beta with probability at most beta. So the bounds are ln(1/alpha) and ln(beta). (Wald's
ln((1-beta)/alpha) and ln(beta/(1-alpha)), A. Wald 1945, lie slightly inside: their error bounds hold jointly,
these hold individually.)

What is undecided after N blocks, the block limit, is accepted if its mean share reaches 1/2 + t (`limit_share`) and
rejected else. By Hoeffding's inequality the mean of N independent blocks with shares in [0, 1] and mean 1/2
reaches 1/2 + t with probability at most

    exp(-2 N t^2)

whatever the dependence between the games of one block. The bound is wide. If the two games of a block for two players
are independent and none is shared, the share of a block has variance 1/8, and the probability is about
1 - Phi(2 t sqrt(2N)): for N = 64 and t = 1/20 the bound is 0.73 and that estimate 0.13; if both games of a block always
end alike it is 0.19. So an equal candidate is promoted with probability at most alpha + exp(-2 N t^2) whatever the
scores are like, and far more seldom in real play; docs/learning.md has exact values. That is the price of
small steps: most candidates that are a little better would be thrown away at the limit. A share of 1 turns it off:
then a block limit adds rejections, never acceptances.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Literal

# Our own context: the settings of a host program's threads must not influence consensus.
EXACT = Context(prec=50, rounding=ROUND_HALF_EVEN, Emin=-999999, Emax=999999, capitals=1, clamp=0)
PLACES = Decimal("1E-12")
EQUAL = Fraction(1, 2)

Verdict = Literal["accept", "reject", "continue"]


@dataclass(frozen=True)
class SequentialTest:
    """The constants of one test; all logarithms are natural and correctly rounded to 50 digits."""

    gain: Decimal  # ln(p1/p0), the value of a share of 1
    loss: Decimal  # ln((1 - p1)/(1 - p0)), negative
    upper: Decimal  # ln(1/alpha)
    lower: Decimal  # ln(beta)

    def ratio(self, score: int, most: int, blocks: int) -> Decimal:
        """Return the log-likelihood ratio of `blocks` blocks, each of 0..`most`, with the total score `score`."""
        share = EXACT.divide(Decimal(score), Decimal(most))
        lost = EXACT.subtract(Decimal(blocks), share)
        return EXACT.add(EXACT.multiply(share, self.gain), EXACT.multiply(lost, self.loss))

    def verdict(self, score: int, most: int, blocks: int) -> Verdict:
        """Return what these blocks decide."""
        ratio = self.ratio(score, most, blocks)
        if ratio >= self.upper:
            return "accept"
        return "reject" if ratio <= self.lower else "continue"


@lru_cache(maxsize=64)
def sequential_test(p0: Fraction, p1: Fraction, alpha: Fraction, beta: Fraction) -> SequentialTest:
    """Return the test of a score share of `p1` against `p0`, with error bounds `alpha` and `beta`."""
    return SequentialTest(_ln(p1 / p0), _ln((1 - p1) / (1 - p0)), _ln(1 / alpha), _ln(beta))


def verdict_on_prefix(test: SequentialTest, scores: tuple[int, ...], most: int) -> tuple[Verdict, int, int]:
    """Return the verdict on block scores in block order, the number of blocks counted, and their total score.

    Counting stops at the first block that decides; later ones do not matter.
    """
    total = 0
    for blocks, score in enumerate(scores, 1):
        total += score
        verdict = test.verdict(total, most, blocks)
        if verdict != "continue":
            return verdict, blocks, total
    return "continue", len(scores), total


def reaches(share: Fraction, score: int, most: int, blocks: int) -> bool:
    """Return whether the total score of `blocks` blocks, each of 0..`most`, is at least this share of the points."""
    return score * share.denominator >= share.numerator * most * blocks


def limit_risk(share: Fraction, blocks: int) -> Decimal:
    """Return the bound on an equal candidate reaching this share in `blocks` blocks: exp(-2 N t^2), t = share - 1/2."""
    exponent = -2 * blocks * (share - EQUAL) ** 2
    return EXACT.exp(EXACT.divide(Decimal(exponent.numerator), Decimal(exponent.denominator)))


def decimal_text(number: Decimal) -> str:
    """Return the number as text with twelve decimal places."""
    return format(EXACT.quantize(number, PLACES), "f")


def _ln(value: Fraction) -> Decimal:
    return EXACT.ln(EXACT.divide(Decimal(value.numerator), Decimal(value.denominator)))
