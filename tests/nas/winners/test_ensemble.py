"""Ensemble selection and its temperature, on arrays."""

from itertools import combinations_with_replacement

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.winners.ensemble import (
    LogLoss,
    SquaredError,
    select,
    temperature_of,
    with_temperature,
)


@st.composite
def libraries(draw):
    """Probabilities of up to 5 members for up to 8 examples of 3 classes, and the classes."""
    members, examples = draw(st.integers(1, 5)), draw(st.integers(1, 8))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    logits = rng.normal(size=(members, examples, 3)) * draw(st.sampled_from([0.1, 1, 10]))
    powers = np.exp(logits - logits.max(axis=2, keepdims=True))
    chances = (powers / powers.sum(axis=2, keepdims=True)).astype(np.float32)
    return list(chances), rng.integers(0, 3, examples)


def loss_of(predictions, counts, targets, measure):
    mean = sum(n * p.astype(float) for n, p in zip(counts, predictions, strict=True)) / sum(counts)
    return measure.loss(measure.reduced(mean, targets))


@given(libraries(), st.integers(1, 5))
def test_an_ensemble_is_never_worse_than_its_best_member_and_has_the_loss_it_says(library, most):
    predictions, targets = library
    found = select(predictions, targets, LogLoss(), most=most)
    singles = [measure_one(each, targets) for each in predictions]
    assert found.loss <= min(singles)
    assert found.loss == pytest.approx(loss_of(predictions, found.counts, targets, LogLoss()))
    assert 1 <= sum(count > 0 for count in found.counts) <= most
    assert sum(found.counts) <= 50
    assert found.weights.sum() == pytest.approx(1)


def measure_one(predictions, targets):
    return LogLoss().loss(LogLoss().reduced(predictions, targets))


@given(libraries(), st.integers(1, 5), st.data())
def test_a_member_that_predicts_what_another_does_changes_nothing(library, most, data):
    predictions, targets = library
    found = select(predictions, targets, LogLoss(), most=most)
    copied = data.draw(st.sampled_from(predictions))
    again = select([*predictions, copied.copy()], targets, LogLoss(), most=most)
    assert (again.counts, again.loss) == ((*found.counts, 0), found.loss)


@given(libraries())
def test_no_pair_is_better_than_what_two_rounds_find_of_two_members(library):
    predictions, targets = library[0][:2], library[1]
    found = select(predictions, targets, LogLoss(), most=2, rounds=2)
    pairs = combinations_with_replacement(range(len(predictions)), 2)
    counts = [[pair.count(m) for m in range(len(predictions))] for pair in pairs]
    best = min(loss_of(predictions, each, targets, LogLoss()) for each in counts)
    assert found.loss == pytest.approx(best)


def test_errors_that_cancel_are_found_whatever_the_single_losses():
    targets = np.zeros((4, 1))
    fine, high, low = np.full((4, 1), 1.0), np.full((4, 1), 3.0), np.full((4, 1), -1.5)
    measure = SquaredError((1.0,))
    assert select([fine, high, low], targets, measure, most=1).counts == (1, 0, 0)
    found = select([fine, high, low], targets, measure, most=2)
    assert found.counts[1] == 0
    weight = found.counts[0] / sum(found.counts)
    assert weight == pytest.approx(0.6)  # 0.6 - 0.4 * 1.5 = 0
    assert found.loss == pytest.approx(0, abs=1e-20)


def test_limits_on_the_whole_are_kept_and_of_equal_members_the_cheapest_is_taken():
    targets = np.zeros((4, 1))
    best, other, third = (np.full((4, 1), value) for value in (1.0, -1.2, -1.3))
    costs = np.array([[5], [5], [2], [3]])
    predictions, measure = [best, other, third, best], SquaredError((1.0,))
    arguments = {"most": 4, "costs": costs}
    assert select(predictions, targets, measure, limits=[100], **arguments).counts[0] == 0
    within = select(predictions, targets, measure, limits=[7], **arguments)
    assert {m for m, count in enumerate(within.counts) if count} == {2, 3}
    assert select(predictions, targets, measure, limits=[3], **arguments).counts == (0, 0, 0, 1)
    with pytest.raises(ValueError, match="want a member within the limits, got none of 4"):
        select(predictions, targets, measure, limits=[1], **arguments)
    with pytest.raises(ValueError, match="got none of 0"):
        select([], targets, measure, most=1)


def test_the_log_loss_of_labels_is_that_of_each_label():
    chances, targets = np.array([[0.9, 0.2], [0.5, 0.0]]), np.array([[1, 0], [1, 0]])
    measure = LogLoss()
    expected = -np.log([0.9, 0.8, 0.5, 1.0]).mean()
    assert measure.loss(measure.reduced(chances, targets)) == pytest.approx(expected)
    assert measure.loss(measure.reduced(np.array([[0.0]]), np.array([[1]]))) == pytest.approx(
        np.log(1e7)
    )


def test_squared_errors_count_in_deviations_of_their_target():
    measure = SquaredError((1.0, 100.0))
    predictions, targets = np.array([[1.0, 100.0]]), np.zeros((1, 2))
    assert measure.loss(measure.reduced(predictions, targets)) == 1


@pytest.mark.parametrize("mean", ["probabilities", "sigmoids"])
@pytest.mark.parametrize("factor", [0.5, 1, 3])
def test_the_temperature_of_logits_that_are_too_large_by_a_factor_is_that_factor(mean, factor):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 3))
    if mean == "probabilities":
        chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        targets = (chances.cumsum(axis=1) < rng.random((20_000, 1))).sum(axis=1).clip(0, 2)
        shown = np.exp(logits * factor) / np.exp(logits * factor).sum(axis=1, keepdims=True)
    else:
        targets = (rng.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(np.float32)
        shown = 1 / (1 + np.exp(-logits * factor))
    assert temperature_of(shown, targets, mean) == pytest.approx(factor, rel=0.03)
    same = with_temperature(shown, 1.0, mean)
    np.testing.assert_allclose(same, shown, atol=1e-6)


def test_a_temperature_that_helps_no_other_example_is_1():
    rng = np.random.default_rng(1)
    chances = rng.dirichlet(np.ones(3), size=3)
    assert temperature_of(chances, np.array([0, 1, 2]), "probabilities") == 1
    even = np.tile([[0.7, 0.3]], (10, 1))  # right for 7 of 10
    assert temperature_of(even, np.array([0] * 7 + [1] * 3), "probabilities") == 1


@pytest.mark.parametrize("examples", [20, 200])
def test_a_few_examples_without_a_mistake_do_not_make_a_network_certain(examples):
    chances = np.tile([[0.6, 0.4]], (examples, 1))
    temperature = temperature_of(chances, np.zeros(examples, int), "probabilities")
    certain = with_temperature(chances[:1], temperature, "probabilities")[0, 0]
    assert certain == pytest.approx(1 - 1 / (examples + 2), abs=1e-3)
    labels = temperature_of(chances, np.tile([[1, 0]], (examples, 1)), "sigmoids")
    assert labels == pytest.approx(temperature, rel=0.01)
