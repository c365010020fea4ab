"""A search as it was understood, in lines that are printed before its first trial."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from math import isinf

from nas.core.metrics import Metric
from nas.runs.header import Header
from nas.runs.settings import CROSS_ENTROPY, TRAINING, Settings
from search_spaces import SearchSpace
from search_spaces.registry import NONE


def understood_lines(
    header: Header, space: SearchSpace, data: str | None, estimated: Collection[str]
) -> Iterator[str]:
    """Yield a line each for evaluator, data, space, objectives, and what else there is.

    Args:
        header: The header of the run.
        space: The search space.
        data: A line about the data set; None if the evaluator has its own.
        estimated: Names of the metrics that are known before a configuration is evaluated.
    """
    settings, objectives = header.settings, header.objectives
    yield f"evaluator: {_evaluator_text(settings)}"
    yield "data: " + ("none, the evaluator has its own" if data is None else data)
    yield f"space: {_size_text(space)}"
    if names := header.hyperparameters.all_decisions():
        yield f"hyperparameters: {', '.join(names)}"
    if settings.estimators:
        yield f"estimators: {', '.join(settings.estimators)}"
    yield f"objectives: {', '.join(map(_direction_text, objectives.metrics))}"
    if objectives.constraints:
        yield "limits: " + ", ".join(
            f"{limit} ({'met before training' if limit.metric in estimated else 'measured'})"
            for limit in objectives.constraints
        )


def _evaluator_text(settings: Settings) -> str:
    if settings.evaluator != TRAINING:
        return settings.evaluator
    loss = [f"loss {settings.loss}"] if settings.loss != CROSS_ENTROPY else []
    return ", ".join(["built-in training", *loss, *(f"metric {text}" for text in settings.metric)])


def _direction_text(metric: Metric) -> str:
    unit = f", {metric.unit}" if metric.unit else ""
    return f"{metric.name} ({metric.direction}{unit})"


def _size_text(space: SearchSpace) -> str:
    if space.name == NONE:
        return "none, hyperparameters only"
    kind = "architectures" if space.build is None else "networks"
    if isinf(space.size):
        return f"{space.name}, infinitely many {kind}"
    size = f"{space.size:,}" if space.size < 1e9 else f"{float(space.size):.1e}"
    return f"{space.name}, {size} {kind}"
