"""The interface of scikit-learn, by its own checks and in its own tools."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris, load_wine
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

import nas

SMALL = {"budget": 1, "space": "tabular:max_width=16,max_depth=1"}
# Checks of the interface, which fit little; the others are long.
QUICK = {
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
    "check_estimators_unfitted",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_fit2d_1sample",
    "check_complex_data",
    "check_estimator_sparse_tag",
    "check_requires_y_none",
    "check_supervised_y_no_nan",
    "check_estimators_empty_data_messages",
    "check_methods_subset_invariance",
}


def checks(estimator):
    """The quick checks of an estimator, with their names."""
    for one, check in estimator_checks_generator(estimator):
        if check.func.__name__ in QUICK:
            yield pytest.param(one, check, id=f"{type(one).__name__}-{check.func.__name__}")


@pytest.mark.parametrize(
    ("estimator", "check"),
    [*checks(nas.NASClassifier(budget=1)), *checks(nas.NASRegressor(budget=1))],
)
def test_quick_checks_of_scikit_learn(estimator, check):
    check(estimator)


# Batches and folds are drawn from the rows, of which a weight is none and a repetition is one more.
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": "training draws batches and folds of rows"
}


@pytest.mark.long
@parametrize_with_checks(
    [nas.NASClassifier(budget=2), nas.NASRegressor(budget=2)],
    expected_failed_checks=lambda _: EXPECTED,
)
def test_every_check_of_scikit_learn(estimator, check):
    check(estimator)


def test_a_classifier_is_a_step_of_a_pipeline_and_is_cross_validated():
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    model = make_pipeline(StandardScaler(), nas.NASClassifier(**SMALL, seed=3))
    scores = cross_val_score(model, X, names, cv=2)
    assert scores.min() > 0.7
    found = GridSearchCV(nas.NASClassifier(**SMALL), {"seed": [0, 1]}, cv=2).fit(X, names)
    assert set(found.predict(X)) <= set(names)


@pytest.fixture(scope="module")
def wine():
    return load_wine(return_X_y=True)


@pytest.fixture(scope="module")
def model(wine):
    return nas.NASClassifier(**SMALL | {"budget": 3}).fit(*wine)


def test_the_same_seed_gives_the_same_model_and_it_is_pickled(model, wine):
    X, y = wine
    again = clone(model).fit(X, y)
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    kept = pickle.loads(pickle.dumps(model))  # noqa: S301 - our own
    assert np.array_equal(kept.predict_proba(X), model.predict_proba(X))
    assert kept.leaderboard_.equals(model.leaderboard_)


def test_probabilities_sum_to_one_and_the_leaderboard_is_in_order(model, wine):
    chances = model.predict_proba(wine[0])
    assert chances.shape == (178, 3)
    assert np.allclose(chances.sum(axis=1), 1)
    board = model.leaderboard_
    assert list(board["rank"]) == [1, 2, 3]
    assert (board["accuracy"].diff().dropna() <= 0).all()
    assert board["in_ensemble"].sum() == pytest.approx(1)


def test_a_model_that_is_not_fitted_says_so():
    for name in ("predict", "predict_proba", "export"):
        with pytest.raises(NotFittedError):
            getattr(nas.NASClassifier(), name)([[0.0]])
    with pytest.raises(NotFittedError):
        _ = nas.NASRegressor().leaderboard_


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"budget": "soon"}, "budget: want trials, a time, epochs or energy"),
        ({"ensemble": 0}, "ensemble: want 1 to 40 configurations, got 0"),
        ({"space": "mlpp"}, "want a search space"),
        ({"limits": "parameters<=1"}, "parameters"),
        ({"objectives": "speed"}, "objectives: want some of"),
        ({"seed": "x"}, "seed"),
    ],
)
def test_a_parameter_that_is_not_allowed_is_refused_in_one_line(given, message, wine):
    with pytest.raises(ValueError, match=message) as caught:
        nas.NASClassifier(**SMALL | given).fit(*wine)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.linspace(0, 1, 30), "Unknown label type: continuous"),
        (np.zeros(30), "want at least 2 classes to learn from, got 1 class"),
        (np.arange(29) % 2, "inconsistent numbers of samples"),
        ([None] * 30, "Unknown label type: unknown"),
    ],
)
def test_targets_that_cannot_be_learnt_are_refused(y, message):
    X = np.random.RandomState(0).rand(30, 2)
    with pytest.raises(ValueError, match=message):
        nas.NASClassifier(**SMALL).fit(X, y)


def test_examples_count_by_their_weight():
    """Each input stands there twice, with both classes: the weights say which is right."""
    X = np.repeat(np.random.RandomState(0).rand(60, 2), 2, axis=0)
    y = np.tile([0, 1], 60)
    for heavy in (0, 1):
        weights = np.where(y == heavy, 20.0, 1.0)
        model = nas.NASClassifier(**SMALL).fit(X, y, sample_weight=weights)
        assert (model.predict(X) == heavy).mean() > 0.9


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0] * 29, "inconsistent numbers of samples"),
        ([[1.0]] * 30, "Sample weights must be 1D"),
        ([-1.0] + [1.0] * 29, "Negative values in data passed to `sample_weight`: -1 is the least"),
        ([0.0] * 30, "at least one non-zero number"),
        ([np.nan] * 30, "sample_weight contains NaN"),
    ],
)
def test_weights_that_cannot_be_are_refused(weights, message):
    X = np.random.RandomState(0).rand(30, 2)
    with pytest.raises(ValueError, match=message):
        nas.NASClassifier(**SMALL).fit(X, np.arange(30) % 2, sample_weight=weights)


def test_a_column_of_targets_is_taken_with_a_warning():
    X = np.random.RandomState(0).rand(40, 2)
    with pytest.warns(DataConversionWarning):
        model = nas.NASRegressor(**SMALL).fit(X, X[:, :1])
    assert model.predict(X).shape == (40,)
