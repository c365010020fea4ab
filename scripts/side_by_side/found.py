"""The network of a search: searched for on a part of the rows, then trained on all of them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

import nas
import trainers
from nas.bundles.bundle import Bundle
from nas.core.trial import Trial
from nas.evaluators.training import build, facts_of, task_of
from nas.winners.from_trial import bundle_of
from nas.winners.retrain import with_training
from trainers import Dataset

SHARE = 0.2  # of the rows, for validation


@dataclass(frozen=True)
class Found:
    """A trained network.

    Attributes:
        bundle: The network, its preprocessing and its targets.
        words: Number of trials, and the network as text.
    """

    bundle: Bundle
    words: Mapping[str, Any]

    def predict(self, x: Any) -> np.ndarray:
        """Numbers of classes, or values, of raw inputs."""
        predicted = self.bundle.predict(x)
        if self.bundle.described["targets"]["task"] == "regression":
            return np.asarray(predicted.values)[:, 0]
        return np.array(predicted.labels).astype(int)


def found_network(
    x: Any,
    y: np.ndarray,
    *,
    seconds: float,
    regression: bool,
    seed: int,
    space: str | None = None,
    layout: str | None = None,
) -> Found:
    """Search for so many seconds, then train the network that is expected to be best.

    Args:
        x: Inputs, as `nas.search` takes them.
        y: Classes 0 to K - 1, or values.
        seconds: Budget of the search; the last training comes after it.
        regression: True for values.
        seed: Seed of the search, the split and the last training.
        space: Search space; None for that of the data.
        layout: Axes of the inputs; None to tell them apart.
    """
    whole = None if regression else y
    first, second = train_test_split(
        np.arange(len(y)), test_size=SHARE, random_state=seed, stratify=whole
    )
    chosen = [x.iloc[i] if hasattr(x, "iloc") else x[i] for i in (first, second)]
    parts = (chosen[0], y[first], chosen[1], y[second], chosen[1], y[second])  # tests nothing
    task = "regression" if regression else "classification"
    data = trainers.from_objects(parts, task=task, layout=layout)
    with tempfile.TemporaryDirectory() as folder:
        run = nas.search(
            data=data,
            space=space,
            objectives="r2" if regression else "accuracy",
            baselines=True,
            budget=f"{seconds:.0f}s",
            seed=seed,
            out=Path(folder) / "run",
        )
        trial = run.best("recommended")
        words = {"trials": len(run.trials), "network": run.space.format(trial.architecture)}
        return Found(_trained(run, trial, data, seed), words)


def _trained(run: nas.Run, trial: Trial, data: Dataset, seed: int) -> Bundle:
    """The network of a trial, trained from scratch on training and validation part."""
    everything = data.with_validation_in_train()
    recipe = trainers.Recipe.from_dict(trial.recipe)
    net = build(run.space, trial.architecture, task_of(data), seed)
    for _ in trainers.train(net, everything, recipe, seed=seed):
        pass
    of_run = bundle_of(run, trial)
    metrics = {**of_run.metrics, "data": facts_of(everything)}
    return with_training(of_run, net, run.space, run.task, data.targets, metrics)
