"""Simple baselines of a task, by scikit-learn: constant, linear, support vectors, a forest.

Each learns from the training split, as the networks do, and is scored on the test split by the same
metric. Inputs are flattened and standardised. Where there are more numbers than `MOST`, it learns from
as many examples as fit, which is said.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from nas.evaluators.held_out.scoring import left_out, measured

if TYPE_CHECKING:
    from trainers import Dataset, Task

CONSTANT, LINEAR, VECTORS, FOREST = "constant", "linear", "support vector machine", "random forest"
MOST = {LINEAR: 20_000_000, VECTORS: 5_000_000, FOREST: 20_000_000}  # numbers to learn from
_ROWS = {VECTORS: 10_000}  # its time grows with the square of the examples
_TINY = 1e-6  # least probability


@dataclass(frozen=True, slots=True)
class SimpleScore:
    """The score of a simple baseline.

    Attributes:
        value: The metric on the test split.
        left_out: The metric with each group of examples left out: see `left_out`.
        examples: Number of examples that it learned from.
    """

    value: float
    left_out: Sequence[float]
    examples: int


def simple_baselines(data: Dataset, metric: str) -> tuple[str, ...]:
    """The names of the simple baselines of a data set.

    Those of pixels are constant; a support vector machine has no probabilities, and no loss.
    """
    if data.targets.dense:
        return (CONSTANT,)
    return tuple(
        name
        for name in (CONSTANT, LINEAR, VECTORS, FOREST)
        if name != VECTORS or metric != "loss" or data.targets.task == "regression"
    )


def title(name: str, task: str) -> str:
    """The name of a baseline in words, by the task."""
    if name == CONSTANT:
        return "the mean" if task == "regression" else "the most frequent class"
    return {
        LINEAR: "a linear model",
        VECTORS: "a support vector machine",
        FOREST: "a random forest",
    }[name]


def has_seeds(name: str) -> bool:
    """True for a baseline that is not the same with each seed."""
    return name == FOREST


def score(name: str, data: Dataset, learned: Task, metric: str, *, seed: int = 0) -> SimpleScore:
    """Fit a baseline on the training split and score it on the test split.

    Raises:
        ValueError: it cannot be fitted to these data, or its metric is not defined.
    """
    train, test = data.train, data.test
    rows = _rows(name, len(train), train.inputs[0].numel())
    if data.targets.dense:
        outputs = _frequent_pixels(data)
    else:
        x, y = _flat(train.inputs[rows]), train.targets[rows].cpu().numpy()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a solver that stops early, a constant label
            outputs = _outputs(name, data, x, y, _flat(test.inputs), metric, seed)
    scored, targets = torch.as_tensor(outputs).float(), test.targets.cpu()
    value = measured(learned, metric, scored, targets)
    if value is None:
        raise ValueError(f"{metric} is not defined for its predictions")
    return SimpleScore(value, left_out(learned, metric, scored, targets), len(rows))


def _rows(name: str, examples: int, width: int) -> torch.Tensor:
    """Numbers of the examples to learn from: all, or as many as there is time for."""
    most = min(MOST.get(name, 10**12) // max(1, width), _ROWS.get(name, examples))
    if most >= examples:
        return torch.arange(examples)
    drawn = np.random.default_rng(0).choice(examples, max(2, most), replace=False)
    return torch.from_numpy(np.sort(drawn))


def _flat(inputs: torch.Tensor) -> NDArray[np.float32]:
    flat: NDArray[np.float32] = inputs.flatten(1).float().cpu().numpy()
    return flat


def _outputs(
    name: str,
    data: Dataset,
    x: NDArray[np.float32],
    y: NDArray[Any],
    new: NDArray[np.float32],
    metric: str,
    seed: int,
) -> NDArray[np.float64]:
    """Outputs as those of a network: logits, or standardised values."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    targets = data.targets
    model = make_pipeline(StandardScaler(), _model(name, targets.task, metric, seed))
    if targets.task == "regression":
        scaled = (y - np.array(targets.mean)) / np.array(targets.std)
        model.fit(x, scaled)
        values: NDArray[np.float64] = np.asarray(model.predict(new), dtype=float)
        return values.reshape(len(new), -1)
    model.fit(x, y)
    if name == VECTORS and targets.task == "multilabel":
        return np.asarray(model.decision_function(new), dtype=float).reshape(len(new), -1)
    if name == VECTORS:
        return _spread(model.decision_function(new), model, targets.outputs, -1e3)
    shares = np.clip(model.predict_proba(new), _TINY, 1 - _TINY)
    if targets.task == "multilabel":
        logits: NDArray[np.float64] = np.log(shares / (1 - shares))
        return logits.reshape(len(new), targets.outputs)
    return _spread(np.log(shares), model, targets.outputs, float(np.log(_TINY)))


def _spread(found: Any, model: Any, outputs: int, absent: float) -> NDArray[np.float64]:
    """Scores of the classes that were there in training as those of all classes, [N,K]."""
    scores: NDArray[np.float64] = np.asarray(found, dtype=float)
    if scores.ndim == 1 or scores.shape[1] == 1:  # of the second of two classes
        scores = np.column_stack([-scores.ravel(), scores.ravel()])
    classes = getattr(model, "classes_", np.arange(outputs))
    if scores.shape[1] == outputs or len(classes) != scores.shape[1]:
        return scores
    spread: NDArray[np.float64] = np.full((len(scores), outputs), absent)
    spread[:, np.asarray(classes, dtype=int)] = scores
    return spread


def _model(name: str, task: str, metric: str, seed: int) -> Any:
    """The estimator of scikit-learn."""
    from sklearn import dummy, ensemble, linear_model, multiclass, multioutput, svm

    if task == "regression":
        return {
            CONSTANT: lambda: dummy.DummyRegressor(),
            LINEAR: lambda: linear_model.RidgeCV(np.logspace(-3, 3, 7)),
            VECTORS: lambda: multioutput.MultiOutputRegressor(svm.SVR()),
            FOREST: lambda: ensemble.RandomForestRegressor(random_state=seed),
        }[name]()
    weights = "balanced" if metric == "balanced_accuracy" else None
    made = {
        CONSTANT: lambda: dummy.DummyClassifier(strategy="prior"),
        LINEAR: lambda: linear_model.LogisticRegression(max_iter=1000, class_weight=weights),
        VECTORS: lambda: svm.SVC(class_weight=weights),
        FOREST: lambda: ensemble.RandomForestClassifier(random_state=seed, class_weight=weights),
    }[name]()
    return multiclass.OneVsRestClassifier(made) if task == "multilabel" else made


def _frequent_pixels(data: Dataset) -> NDArray[np.float64]:
    """The logarithm of the shares of the classes of pixels, [N,K,H,W] of the test split."""
    masks, count = data.train.targets.flatten().long().cpu(), data.targets.outputs
    shares = torch.bincount(masks[masks < count], minlength=count).double()
    logits = (shares / shares.sum()).clamp(min=_TINY).log().view(1, -1, 1, 1)
    spread: NDArray[np.float64] = logits.expand(
        len(data.test), -1, *data.test.targets.shape[1:]
    ).numpy()
    return spread
