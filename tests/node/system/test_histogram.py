"""Histograms: each duration in one class, bounds included."""

from node.system.histogram import Histogram


def test_each_duration_is_in_the_class_of_the_first_bound_that_it_does_not_exceed() -> None:
    histogram = Histogram((0.1, 1.0, 10.0))
    assert (histogram.counts, histogram.sum_s) == ((0, 0, 0, 0), 0.0)
    for duration_s in (0.0, 0.1, 0.5, 1.0, 1.5, 10.0, 10.5, 1e9):
        histogram.observe(duration_s)
    assert histogram.counts == (2, 2, 2, 2)
    assert histogram.sum_s == 1e9 + 23.6
