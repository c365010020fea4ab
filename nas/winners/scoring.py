"""Scores of a network by the metrics of its task, on the test split and in training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from nas.core.metrics import METRICS, Metric
from nas.estimators.cost import COSTS as _COSTS
from nas.evaluators import training
from trainers.tasks import registry

if TYPE_CHECKING:
    from torch import nn

    from nas.bundles.bundle import Bundle
    from trainers import Dataset


COSTS = frozenset(metric.name for metric in _COSTS)


def scores_on_test(net: nn.Module, data: Dataset, objectives: Iterable[str]) -> dict[str, Any]:
    """Measure a network on the test split.

    Args:
        net: The network.
        data: The data set.
        objectives: Objectives of the search as text. Those that are metrics of the task are
            measured first.

    Returns:
        Metrics by name, the most important first, and `examples`, the size of the split.

    Raises:
        ValueError: the test split is empty.
    """
    if not len(data.test):
        raise ValueError("the data have no test split")
    return {**training.test_scores(net, data, _names(objectives)), "examples": len(data.test)}


def metrics_by_importance(task: str, objectives: Iterable[str]) -> tuple[Metric, ...]:
    """The metrics that tell the better of two trainings for a task, the most important first.

    They are the objectives of the search that the task has, then its usual metrics.

    Args:
        task: Name of the task.
        objectives: Objectives of the search as text.
    """
    wanted = dict.fromkeys((*_names(objectives), *registry.default_metrics(task)))
    return tuple(METRICS[name] for name in wanted if name in registry.metrics_of(task))


def first_metric(bundle: Bundle) -> Metric | None:
    """The metric that a bundle is compared by: the most important one that it has a score of."""
    settings = bundle.metrics.get("settings") or {}
    objectives, task = settings.get("objectives", ()), bundle.described["targets"]["task"]
    own = {fields["name"]: Metric.from_dict(fields) for fields in bundle.metrics.get("metrics", ())}
    judged = metrics_by_importance(task, objectives)
    searched = [own[name] for name in _names(objectives) if name in own and name not in COSTS]
    scores = {**(bundle.metrics["validation"] or {}), **(bundle.metrics["test"] or {})}
    return next((metric for metric in (*searched, *judged) if metric.name in scores), None)


def _names(objectives: Iterable[str]) -> Sequence[str]:
    return [text.partition(":")[0].strip() for text in objectives]
