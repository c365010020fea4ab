"""Random networks of the space `tabular` against scikit-learn, with the default recipe for tables.

    python scripts/benchmark_tables.py --data diabetes,wine --networks 10
    python scripts/benchmark_tables.py --data diabetes --recipe weight_decay=0.0005,dropout=0

Nothing is searched: the linear network, a perceptron of 100 units and random members are each
trained on the training part of every fold. Accuracy, or R² for diabetes and friedman.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Iterator
from random import Random
from typing import Any

import numpy as np
import torch
from sklearn import datasets, ensemble, linear_model, model_selection, neural_network
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import search_spaces
import trainers
from search_spaces import Task
from search_spaces import notation as named
from search_spaces.tabular.space import default_for
from trainers.recipes.for_data import recipe_for
from trainers.tasks.registry import make_task

REGRESSIONS = ("diabetes", "friedman")
NAMES = (*REGRESSIONS, "moons", "wine", "breast_cancer", "digits")
FOLDS = 5
KNOWN = ("linear", "mlp")
Fold = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # x, y to train on; x, y to test


def main() -> None:
    """Print one line of JSON for each data set and method: mean and standard error over folds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=",".join(NAMES), help="Names, separated by commas.")
    parser.add_argument("--networks", type=int, default=10, help="Number of random networks.")
    parser.add_argument("--most", type=int, default=50_000, help="Most parameters of one.")
    parser.add_argument("--seed", type=int, default=1, help="Seed of the networks and the folds.")
    parser.add_argument("--recipe", default="", help="Fields of the recipe that are given.")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.data.split(","):
        scores = [
            {**_networks(fold, name, options), **_scikit_learn(fold, name)} for fold in folds(name)
        ]
        for method in scores[0]:
            found = np.array([score[method] for score in scores])
            error = found.std(ddof=1) / FOLDS**0.5
            print(json.dumps([name, method, round(found.mean(), 4), round(error, 4)]), flush=True)


def folds(name: str) -> Iterator[Fold]:
    """The folds of a data set."""
    if name == "friedman":
        x, y = datasets.make_friedman1(600, noise=1.0, random_state=0)
    elif name == "moons":
        x, y = datasets.make_moons(300, noise=0.3, random_state=0)
    else:
        x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    regression = name in REGRESSIONS
    split = model_selection.KFold if regression else model_selection.StratifiedKFold
    for rows, others in split(FOLDS, shuffle=True, random_state=0).split(x, y):
        yield x[rows].astype(np.float32), y[rows], x[others].astype(np.float32), y[others]


def _networks(fold: Fold, name: str, options: argparse.Namespace) -> dict[str, float]:
    x, y, x_test, y_test = fold
    task = "regression" if name in REGRESSIONS else "classification"
    data = trainers.from_objects((x, y, x_test, y_test, x_test, y_test), task=task)
    measure = make_task(data.targets, metrics=("r2",) if name in REGRESSIONS else ("accuracy",))
    _, given = named.parse(f"recipe:{options.recipe}" if options.recipe else "recipe")
    fields = recipe_for(len(data.train), "vectors", given=given)
    recipe = trainers.Recipe(**fields, **given)
    space, shape = search_spaces.load(default_for(len(data.train))), data.input_shape
    task_of_nets = Task(shape, data.targets.outputs)
    rng, found = Random(options.seed), [space.known[known] for known in KNOWN]
    while len(found) < options.networks + len(KNOWN):
        architecture = space.sample(rng)
        if space.cost(architecture, task_of_nets).parameters <= options.most:
            found.append(architecture)
    scores = []
    for number, architecture in enumerate(found):
        torch.manual_seed(number)
        net = space.compile(architecture, task_of_nets)
        for _ in trainers.train(net, data, recipe, seed=number, task=measure):
            pass
        scores += trainers.evaluate(net, data.test, data, task=measure).values()
    random = np.array(scores[len(KNOWN) :])
    known = {f"our {known}": score for known, score in zip(KNOWN, scores, strict=False)}
    return {**known, "random, mean": random.mean(), "random, median": float(np.median(random))}


def _scikit_learn(fold: Fold, name: str) -> dict[str, float]:
    x, y, x_test, y_test = fold
    models: dict[str, Any] = {
        "logistic regression": linear_model.LogisticRegression(max_iter=2_000),
        "MLPClassifier": neural_network.MLPClassifier(max_iter=500, random_state=0),
        "RandomForest": ensemble.RandomForestClassifier(random_state=0),
        "HistGradientBoosting": ensemble.HistGradientBoostingClassifier(random_state=0),
    }
    if name in REGRESSIONS:
        perceptron = neural_network.MLPRegressor(max_iter=500, random_state=0)
        models = {
            "ridge": linear_model.RidgeCV(np.logspace(-3, 3, 13)),
            "MLPRegressor": TransformedTargetRegressor(perceptron, transformer=StandardScaler()),
            "RandomForest": ensemble.RandomForestRegressor(random_state=0),
            "HistGradientBoosting": ensemble.HistGradientBoostingRegressor(random_state=0),
        }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a perceptron that has not converged
        return {
            title: make_pipeline(StandardScaler(), model).fit(x, y).score(x_test, y_test)
            for title, model in models.items()
        }


if __name__ == "__main__":
    main()
