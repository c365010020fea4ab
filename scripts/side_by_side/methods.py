"""The methods of a comparison: each fits one fold and predicts its test part.

Methods of other packages are imported where they are used. One entry of `METHODS` adds another.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn import ensemble, linear_model, neural_network, svm
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from side_by_side.data_sets import Fold

GRID = np.logspace(-3, 3, 13)  # penalties of the ridge regression
LINEAR = "linear"


@dataclass(frozen=True)
class Answer:
    """The predictions of a method for the test part, and what is to be known of how it got them."""

    predictions: Any
    found: Mapping[str, Any] = field(default_factory=dict)


Fit = Callable[[Fold, float], Answer]


@dataclass(frozen=True)
class Method:
    """A method.

    Attributes:
        fit: Fits a fold within so many seconds, and predicts.
        timed: True where the seconds matter.
    """

    fit: Fit
    timed: bool = True


def linear(fold: Fold, _: float) -> Answer:
    """Logistic or ridge regression."""
    if fold.regression:
        return _scikit_learn(fold, linear_model.RidgeCV(GRID))
    return _scikit_learn(fold, linear_model.LogisticRegression(max_iter=2_000))


def machine(fold: Fold, _: float) -> Answer:
    """A support vector machine with radial basis functions."""
    return _scikit_learn(fold, svm.SVR(C=10) if fold.regression else svm.SVC(C=10))


def perceptron(fold: Fold, _: float) -> Answer:
    """scikit-learn's perceptron of one hidden layer of 100 units."""
    if fold.regression:
        return _scikit_learn(fold, neural_network.MLPRegressor(max_iter=1_000, random_state=0))
    return _scikit_learn(fold, neural_network.MLPClassifier(max_iter=300, random_state=0))


def forest(fold: Fold, _: float) -> Answer:
    """A random forest of 300 trees."""
    kind = ensemble.RandomForestRegressor if fold.regression else ensemble.RandomForestClassifier
    return _scikit_learn(fold, kind(300, random_state=0), scaled=False)


def boosting(fold: Fold, _: float) -> Answer:
    """Histogram-based gradient boosting."""
    if fold.regression:
        return _scikit_learn(fold, ensemble.HistGradientBoostingRegressor(random_state=0))
    return _scikit_learn(fold, ensemble.HistGradientBoostingClassifier(random_state=0))


def _scikit_learn(fold: Fold, model: Any, *, scaled: bool = True) -> Answer:
    """Fit standardised numbers and indicators of texts; numbers as they are if not `scaled`."""
    x, x_test = fold.flat()
    scale: Any = StandardScaler() if scaled else "passthrough"
    texts = fold.texts
    if texts:
        indicators = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        scale = make_column_transformer((indicators, texts), remainder=scale)
    return Answer(make_pipeline(scale, model).fit(x, fold.y).predict(x_test))


def flaml(fold: Fold, seconds: float) -> Answer:
    """FLAML's search over boosted trees, forests and linear models."""
    from flaml import AutoML

    x, x_test = fold.flat()
    automl = AutoML()
    task, metric = ("regression", "r2") if fold.regression else ("classification", "accuracy")
    automl.fit(
        x,
        fold.y,
        task=task,
        metric=metric,
        time_budget=seconds,
        n_jobs=1,
        seed=fold.number,
        verbose=0,
    )
    return Answer(automl.predict(x_test), {"best": automl.best_estimator})


def realmlp(fold: Fold, _: float) -> Answer:
    """RealMLP with its default settings, by pytabkit."""
    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

    return _pytabkit(fold, RealMLP_TD_Regressor if fold.regression else RealMLP_TD_Classifier)


def tabm(fold: Fold, _: float) -> Answer:
    """TabM with its default settings, by pytabkit."""
    from pytabkit import TabM_D_Classifier, TabM_D_Regressor

    return _pytabkit(fold, TabM_D_Regressor if fold.regression else TabM_D_Classifier)


def _pytabkit(fold: Fold, kind: Any) -> Answer:
    x, x_test = (pd.DataFrame(part) for part in fold.flat())
    model = kind(device="cpu", random_state=fold.number, n_threads=1)
    model.fit(x, fold.y, cat_col_names=fold.texts or None)
    return Answer(model.predict(x_test))


def autogluon(fold: Fold, seconds: float) -> Answer:
    """AutoGluon with its default models."""
    return _autogluon(fold, seconds, None)


def autogluon_networks(fold: Fold, seconds: float) -> Answer:
    """AutoGluon's own neural network alone, in several configurations."""
    return _autogluon(fold, seconds, "NN_TORCH")


def _autogluon(fold: Fold, seconds: float, only: str | None) -> Answer:
    from autogluon.common import space
    from autogluon.tabular import TabularPredictor

    x, x_test = (pd.DataFrame(part).rename(columns=str) for part in fold.flat())
    words: dict[str, Any] = {}
    if only is not None:
        searched = {
            "learning_rate": space.Real(1e-4, 3e-2, log=True),
            "num_layers": space.Categorical(2, 3, 4),
            "hidden_size": space.Categorical(128, 256, 512),
            "dropout_prob": space.Categorical(0.1, 0.0, 0.5),
        }
        words = {
            "hyperparameters": {only: searched},
            "hyperparameter_tune_kwargs": {
                "num_trials": 100,
                "scheduler": "local",
                "searcher": "random",
            },
        }
    with tempfile.TemporaryDirectory() as folder:
        predictor = TabularPredictor(
            "target",
            problem_type="regression" if fold.regression else None,
            eval_metric="r2" if fold.regression else "accuracy",
            path=folder,
            verbosity=0,
        )
        predictor.fit(x.assign(target=fold.y), time_limit=seconds, num_cpus=1, num_gpus=0, **words)
        found = {"best": predictor.model_best, "models": len(predictor.model_names())}
        return Answer(predictor.predict(x_test), found)


def search(fold: Fold, seconds: float) -> Answer:
    """The network that `nas.search` finds in so many seconds, trained on all rows of the fold."""
    from side_by_side.found import found_network

    found = found_network(
        fold.x, fold.y, seconds=seconds, regression=fold.regression, seed=fold.number
    )
    return Answer(found.predict(fold.x_test), found.words)


def automl(fold: Fold, seconds: float) -> Answer:
    """`NASClassifier` or `NASRegressor`, with nothing set but the seconds."""
    import nas

    kind = nas.NASRegressor if fold.regression else nas.NASClassifier
    model = kind(budget=f"{seconds:g}s", workers=1, seed=fold.number)
    return Answer(model.fit(fold.x, fold.y).predict(fold.x_test))


def machines(fold: Fold, _: float) -> Answer:
    """The first four configurations of `NASClassifier` or `NASRegressor`: linear and kernel machines."""
    import nas

    kind = nas.NASRegressor if fold.regression else nas.NASClassifier
    model = kind(budget=4, workers=1, seed=fold.number)
    return Answer(model.fit(fold.x, fold.y).predict(fold.x_test))


METHODS: dict[str, Method] = {
    LINEAR: Method(linear, timed=False),
    "svm": Method(machine, timed=False),
    "mlp": Method(perceptron, timed=False),
    "forest": Method(forest, timed=False),
    "boosting": Method(boosting, timed=False),
    "flaml": Method(flaml),
    "realmlp": Method(realmlp, timed=False),
    "tabm": Method(tabm, timed=False),
    "autogluon": Method(autogluon),
    "autogluon_networks": Method(autogluon_networks),
    "search": Method(search),
    "automl": Method(automl),
    "machines": Method(machines, timed=False),
}


def answer(name: str, fold: Fold, seconds: float) -> Answer:
    """The answer of a method, without the warnings of its packages."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return METHODS[name].fit(fold, seconds)
