"""Counter-based random numbers, in the dialect: the same (seed, game, step) always gives the same number."""

from __future__ import annotations

from engine.backend.dialect import Word, func


@func
def mix(value: Word) -> Word:
    """Spread the bits of a number over 64 bits (the finaliser of SplitMix64, Steele et al. 2014)."""
    mixed = Word((value ^ (value >> Word(30))) * Word(0xBF58476D1CE4E5B9))
    mixed = Word((mixed ^ (mixed >> Word(27))) * Word(0x94D049BB133111EB))
    return Word(mixed ^ (mixed >> Word(31)))


@func
def random_word(seed: Word, game: Word, step: Word) -> Word:
    """Return 64 random bits for a step of a game under a seed."""
    state = mix(Word(seed + Word(0x9E3779B97F4A7C15)))
    state = mix(Word(state + game * Word(0xD1342543DE82EF95)))
    return mix(Word(state + step * Word(0x9E3779B97F4A7C15)))


@func
def random_below(seed: Word, game: Word, step: Word, bound: int) -> int:
    """Return a random integer from 0 to `bound` - 1, for bounds from 1 to 2^31 - 1 (bias below 2^-33)."""
    high = random_word(seed, game, step) >> Word(32)
    return int((high * Word(bound)) >> Word(32))
