"""Confidence intervals, tests and effect sizes, against scipy's and by hand."""

import numpy as np
import pytest
from scipy import stats

from nas.analysis.statistics import (
    Difference,
    TopShare,
    half_width,
    half_width_of_mean,
    holm,
    paired_difference,
    superiority,
    top_share,
)


@pytest.mark.parametrize("count", [2, 3, 30])
def test_the_interval_of_a_mean_is_scipys(count):
    sample = np.random.default_rng(count).normal(0.7, 0.02, count)
    low, high = stats.t.interval(0.95, count - 1, loc=sample.mean(), scale=stats.sem(sample))
    assert half_width_of_mean(sample) == pytest.approx((high - low) / 2)


def test_one_value_has_no_interval():
    assert half_width_of_mean(np.array([0.7])) is None


def test_many_degrees_of_freedom_are_the_normal_distribution():
    assert half_width(1.0, 1e9) == pytest.approx(1.959964, abs=1e-5)


def test_holm_adjusts_known_values():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, None, 0.9]) == [1.0, None, 1.0]
    assert holm([]) == []


def test_a_paired_difference_is_scipys_paired_t_test():
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(0.8, 0.02, 6), rng.normal(0.78, 0.02, 6)
    found, test = paired_difference(ours - theirs), stats.ttest_rel(ours, theirs)
    low, high = test.confidence_interval(0.95)
    assert found.p == pytest.approx(test.pvalue)
    assert found.half == pytest.approx((high - low) / 2)
    assert found.mean == pytest.approx((ours - theirs).mean())


def test_the_jackknife_of_a_mean_is_the_error_of_the_mean():
    """Seeds that agree leave the error over examples: that of the t-test over the examples."""
    right = np.random.default_rng(1).normal(0.02, 0.1, 40)  # difference of each example
    left_out = (right.sum() - right) / 39
    found = paired_difference(np.full(3, right.mean()), np.tile(left_out, (3, 1)))
    test = stats.ttest_1samp(right, 0)
    assert found.p == pytest.approx(test.pvalue)
    assert found.half == pytest.approx(stats.sem(right) * stats.t.ppf(0.975, 39))


def test_both_errors_add_up():
    rng = np.random.default_rng(2)
    differences, left_out = rng.normal(0, 1, 5), rng.normal(0, 0.1, (5, 20))
    seeds, both = paired_difference(differences), paired_difference(differences, left_out)
    each = left_out.mean(axis=0)
    variance = differences.var(ddof=1) / 5 + 19 * each.var()
    assert both.p > seeds.p
    assert both.half == pytest.approx(  # Satterthwaite's degrees of freedom
        half_width(
            variance**0.5,
            variance**2 / ((differences.var(ddof=1) / 5) ** 2 / 4 + (19 * each.var()) ** 2 / 19),
        )
    )


def test_differences_without_error():
    assert paired_difference(np.array([0.1, 0.1])).p == 0
    assert paired_difference(np.zeros(5)).p == 1
    assert paired_difference(np.array([0.1])) == Difference(pytest.approx(0.1), None, None)


def test_superiority_counts_pairs():
    assert superiority(np.array([2.0, 3.0]), np.array([1.0, 2.0])) == pytest.approx(3.5 / 4)
    assert superiority(np.ones(3), np.ones(4)) == 0.5


def test_the_top_of_two_samples():
    ours, theirs = np.arange(100.0, 150.0), np.arange(50.0)
    assert top_share(ours, theirs) == TopShare(10, 10, pytest.approx(0.5**10))
    assert top_share(theirs, ours).p == 1
    mixed = top_share(np.arange(0.0, 100, 2), np.arange(1.0, 100, 2))
    assert (mixed.ours, mixed.of) == (5, 10)
    assert mixed.p == pytest.approx(stats.binomtest(5, 10, 0.5, alternative="greater").pvalue)
    assert top_share(np.ones(30), np.ones(30)).of == 60  # ties at the border all count
    assert top_share(ours, theirs, share=0.9).p == pytest.approx(0.9**10)


def test_the_top_of_equal_samples_is_seldom_of_one():
    rng = np.random.default_rng(3)
    values = rng.normal(size=(1000, 2, 40))
    assert np.mean([top_share(a, b).p < 0.05 for a, b in values]) <= 0.05
