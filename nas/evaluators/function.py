"""A user's function as an evaluator.

    @nas.evaluator(metrics={"f1": "maximize"}, hyperparameters=Struct(lr=Real(1e-4, 1, log=True)))
    def train(job):
        network = job.network()
        ...
        return {"f1": ...}

    nas.search(space="conv1d", evaluator=train, objectives=["f1", "parameters"])

A function without the decorator is an evaluator too: its metrics are those that the objectives and
the limits name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from nas.core.metrics import METRICS, Metric
from nas.evaluators import Evaluator
from nas.evaluators.job import Job, Workspace
from search_spaces import Node, Struct, Task

Function: TypeAlias = Callable[[Job], Any]


@dataclass(frozen=True, kw_only=True)
class FunctionEvaluator:
    """A function from a job to its metrics, and what it declares.

    Attributes:
        function: The function; the evaluator can be called like it.
        metrics: The metrics that it returns; empty if they are not declared.
        hyperparameters: The tree of the hyperparameters that are searched for it.
        task: Task of its networks; None for that of the data.
    """

    function: Function
    metrics: tuple[Metric, ...] = ()
    hyperparameters: Struct = field(default_factory=Struct)
    task: Task | None = None

    @property
    def __name__(self) -> str:
        return str(getattr(self.function, "__name__", type(self.function).__name__))

    def __call__(self, job: Job) -> Any:
        return self.function(job)

    def prepare(self, workspace: Workspace) -> None:
        """Nothing is prepared for a function."""

    def evaluate(self, job: Job) -> Any:
        """Call the function."""
        return self.function(job)


def evaluator(
    function: Function | None = None,
    *,
    metrics: Mapping[str, str | Metric] | Sequence[str | Metric] | str | Metric = (),
    hyperparameters: Struct | Mapping[str, Node] | None = None,
    input_shape: Sequence[int] | None = None,
    outputs: int | None = None,
) -> Any:
    """Decorator that declares the metrics, hyperparameters and shapes of a function that evaluates.

    Args:
        function: The function, where the decorator stands without brackets.
        metrics: The metrics that the function returns, as a mapping from name to "maximize" or
            "minimize"; or one or a list of `nas.Metric` objects, which have bounds and a unit too,
            or of names of metrics that the toolkit knows. By default, those that objectives and limits name.
        hyperparameters: The decisions that are searched together with the architecture, such as
            `Struct(lr=Real(1e-4, 1, log=True))`.
        input_shape: Shape of one input of `job.network()`, without the batch. By default, that of
            the data of the search.
        outputs: Number of outputs of `job.network()`. By default, that of the data of the search.

    Returns:
        A `FunctionEvaluator`; without `function`, a decorator that makes one.

    Raises:
        ValueError: a declaration is not allowed; says which.

    Examples:
        >>> import nas
        >>> from search_spaces import Real
        >>> @nas.evaluator(metrics={"height": "maximize"}, hyperparameters={"x": Real(0, 2)})
        ... def hill(job):
        ...     return {"height": 1 - (job.hyperparameters["x"] - 1) ** 2}
        >>> run = nas.search(evaluator=hill, objectives="height", trials=15, out="runs/hill")
        >>> run.best().scores["height"] > 0.9
        True
    """
    if (input_shape is None) != (outputs is None):
        raise ValueError("evaluator: want input_shape and outputs together, got one of them")
    tree = hyperparameters or Struct()
    if isinstance(tree, Mapping):
        tree = Struct(**tree)
    if not isinstance(tree, Struct):
        raise ValueError(f"evaluator: want hyperparameters as a Struct, got {type(tree).__name__}")
    declared = _metrics(metrics)
    task = None
    if input_shape is not None and outputs is not None:
        task = Task(tuple(input_shape), outputs)

    def declare(function: Function) -> FunctionEvaluator:
        if not callable(function):
            raise ValueError(f"evaluator: want a function, got {type(function).__name__}")
        return FunctionEvaluator(
            function=function, metrics=declared, hyperparameters=tree, task=task
        )

    return declare if function is None else declare(function)


def as_evaluator(found: object, name: str) -> Evaluator:
    """An evaluator from what a user gives: an object or a class with its members, or a function.

    Raises:
        ValueError: it is none of these; says what it lacks.
    """
    if isinstance(found, type):
        try:
            found = found()
        except TypeError as error:
            raise ValueError(f"evaluator {name}: want a class without arguments: {error}") from None
    if isinstance(found, Evaluator):
        return found
    if callable(found):
        return FunctionEvaluator(function=found)
    lacks = [member for member in ("metrics", "prepare", "evaluate") if member not in dir(found)]
    raise ValueError(
        f"evaluator {name}: want a function of a job, or an object with metrics, prepare and "
        f"evaluate, got {type(found).__name__} without {', '.join(lacks)}"
    )


def _metrics(
    given: Mapping[str, str | Metric] | Sequence[str | Metric] | str | Metric,
) -> tuple[Metric, ...]:
    if isinstance(given, str | Metric):
        given = [given]
    found: list[Metric] = []
    pairs = given.items() if isinstance(given, Mapping) else [(None, item) for item in given]
    for name, item in pairs:
        if isinstance(item, Metric):
            found.append(item)
        elif name is None:
            if item not in METRICS:
                raise ValueError(
                    f"evaluator: want a direction for the metric {item!r}: "
                    f'metrics={{"{item}": "maximize"}}'
                )
            found.append(METRICS[item])
        else:
            direction: Any = item
            known = METRICS.get(name)
            declared = Metric(name, direction)
            same = known is not None and known.direction == declared.direction
            found.append(known if same and known is not None else declared)
    if len({metric.name for metric in found}) < len(found):
        raise ValueError("evaluator: want each metric once")
    return tuple(found)
