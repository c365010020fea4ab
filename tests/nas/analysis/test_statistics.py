"""Confidence intervals, against scipy's."""

import numpy as np
import pytest
from scipy import stats

from nas.analysis.statistics import half_width, half_width_of_mean


@pytest.mark.parametrize("count", [2, 3, 30])
def test_the_interval_of_a_mean_is_scipys(count):
    sample = np.random.default_rng(count).normal(0.7, 0.02, count)
    low, high = stats.t.interval(0.95, count - 1, loc=sample.mean(), scale=stats.sem(sample))
    assert half_width_of_mean(sample) == pytest.approx((high - low) / 2)


def test_one_value_has_no_interval():
    assert half_width_of_mean(np.array([0.7])) is None


def test_many_degrees_of_freedom_are_the_normal_distribution():
    assert half_width(1.0, 1e9) == pytest.approx(1.959964, abs=1e-5)
