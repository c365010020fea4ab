"""Translation of scores between search spaces by costs."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from nas.surrogates.common_costs import standardised, translate


def test_scores_follow_the_size_for_the_space():
    """The best of a space of small networks are the middling ones; so are those of one of large ones."""
    rng = np.random.default_rng(0)
    small, large = (np.exp(rng.normal(level, 0.7, (80, 3))) for level in (6, 15))
    at = standardised(small, small)
    scores = (at[:, 0] - 0.3) ** 2 + 0.1 * rng.normal(size=80)
    scores[3] = np.inf  # failed
    there = standardised(large, large)
    predicted = translate(at, scores, there)
    assert spearmanr(predicted, (there[:, 0] - 0.3) ** 2).statistic > 0.9


def test_scores_that_do_not_follow_from_costs_are_refused():
    rng = np.random.default_rng(1)
    costs = rng.normal(size=(60, 3))
    with pytest.raises(ValueError, match="do not follow from the costs of its networks"):
        translate(costs, rng.normal(size=60), costs)
    with pytest.raises(ValueError, match=r"too few trials \(4\) to tell"):
        translate(costs[:4], costs[:4, 0], costs)


def test_a_cost_that_is_the_same_for_all_says_nothing():
    costs = np.array([[5.0, 2.0], [5.0, 8.0]])
    assert standardised(costs, costs)[:, 0].tolist() == [0.0, 0.0]
