"""The test of whether a player scores less than another did, by bets on pairs of their blocks, in whole numbers.

Both played blocks against the same opponent, from openings of their own. Block k of the one and block k of the other
differ by d, from -M to M, and d has the mean 0 if both play equally well. Someone who begins with a fortune of 1 and
bets half of it on the difference has, after block k, (1 + d/2M) times what they had. So as long as the mean of d is not
above 0 the fortune does not grow on average: it is a supermartingale for every distribution of scores, whatever the
dependence between the games of a block. By Ville's inequality it ever reaches F with probability at most 1/F. It can
be looked at after each block, therefore, and a fortune of F is evidence at the level 1/F, however long it took.

In games of P players against each other an equal one wins one of P, so the difference is at most M / (P - 1) where it
counts: 1 - 1/P is staked there.

Half is nearly the best stake for all differences that matter. Two games of two players make the difference vary with
about 1/4 of M squared; then the fortune grows by exp(0.11) a block if the mean of d is 3/10 of M, where the best stake
makes exp(0.13) of it, and by exp(0.064) instead of exp(0.069) at 2/10.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction


def highest_fortune(differences: Iterable[int], most: int, stake: Fraction = Fraction(1, 2)) -> Fraction:
    """Return the highest fortune that was reached on the way, 1 or more; each difference is from -most to most.

    `stake` is the part of the fortune that is bet on each, below 1. Raise ValueError if a difference is out of bounds.
    """
    fortune = highest = 1
    scale = highest_scale = 1
    whole = most * stake.denominator
    for difference in differences:
        if not -most <= difference <= most:
            raise ValueError(f"difference {difference} is not between -{most} and {most}")
        fortune, scale = fortune * (whole + stake.numerator * difference), scale * whole
        if fortune * highest_scale > highest * scale:
            highest, highest_scale = fortune, scale
    return Fraction(highest, highest_scale)
