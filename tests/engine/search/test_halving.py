"""The schedule of sequential halving."""

from collections import Counter

import pytest

from engine.search.halving import halving_sequence, halving_table


@pytest.mark.parametrize("candidates", [1, 2, 3, 5, 8, 13, 16])
@pytest.mark.parametrize("simulations", [1, 4, 16, 50, 200])
def test_every_simulation_has_a_candidate_left(candidates: int, simulations: int) -> None:
    """Replaying the schedule: each step finds an action with exactly the visits it asks for."""
    visits = [0] * candidates
    for wanted in halving_sequence(candidates, simulations):
        best = max((a for a in range(candidates) if visits[a] == wanted), default=None)
        assert best is not None
        visits[best] += 1
    assert sum(visits) == simulations


def test_each_phase_halves_the_candidates_and_shares_the_budget() -> None:
    counts = Counter(halving_sequence(16, 64))
    # 4 phases of 16 visits: 16 candidates once, 8 twice, 4 four times, 2 eight times
    assert [counts[v] for v in range(15)] == [16, 8, 8, 4, 4, 4, 4, 2, 2, 2, 2, 2, 2, 2, 2]


def test_few_simulations_visit_each_candidate_once_at_most() -> None:
    assert halving_sequence(16, 10) == (0,) * 10


def test_one_candidate_gets_everything() -> None:
    assert halving_sequence(1, 4) == (0, 1, 2, 3)


def test_table_has_one_row_per_number_of_candidates() -> None:
    table = halving_table(5, 12)
    assert table.shape == (6, 12)
    assert tuple(table[5]) == halving_sequence(5, 12)
