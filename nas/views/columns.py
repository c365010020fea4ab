"""Metrics in tables of trials: which are shown, and their values as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from nas.analysis.noise import Estimate
from nas.core.metrics import Metric
from nas.core.numbers import plain, short
from nas.core.objectives import Objectives
from nas.core.trial import Trial
from nas.runs.header import Header
from nas.runs.settings import Settings
from search_spaces import Record
from search_spaces.registry import NONE

FEW = 3  # most metrics of a table, unless there are more objectives
_ASIDE = frozenset(
    {"loss", "peak_activation_bytes"}
)  # shown where they are searched for or limited
_SHORT = frozenset({"macs", "peak_activation_bytes"})  # large counts whose last digits say nothing


def metrics_of(header: Header, most: int = FEW) -> tuple[Metric, ...]:
    """The metrics that a table of trials shows.

    They are the objectives in their order, the metrics that are limited, and those of the others
    that find room.

    Args:
        header: The header of the run.
        most: Most metrics, unless there are more objectives.
    """
    objectives = header.objectives
    limited = [constraint.metric for constraint in objectives.constraints]
    others = [metric.name for metric in header.metrics if metric.name not in _ASIDE]
    names = dict.fromkeys([*objectives.names, *limited, *others])
    known = {metric.name: metric for metric in header.metrics}
    return tuple(known[name] for name in list(names)[: max(most, len(objectives.names))])


def search_text(settings: Settings) -> str:
    """A strategy and what it searches, such as `evolution with asha on mlp`."""
    schedule = "" if settings.schedule == "none" else f" with {settings.schedule}"
    searched = "of hyperparameters" if settings.space == NONE else f"on {settings.space}"
    return f"{settings.strategy}{schedule} {searched}"


def value_text(metric: Metric, value: float) -> str:
    """A value for a cell: 93.21%, 12,345 or 1.23 M."""
    return short(value) if metric.name in _SHORT else metric.text(value)


def score_text(metric: Metric, trial: Trial) -> str:
    """The value of a trial for a cell; a dash if it has none."""
    value = trial.scores.get(metric.name)
    return "-" if value is None else value_text(metric, value)


def scores_text(metrics: Iterable[Metric], trial: Trial) -> str:
    """Values of a trial as words: 93.21% accuracy, 12,345 parameters."""
    known = (metric for metric in metrics if metric.name in trial.scores)
    return ", ".join(metric.words(trial.scores[metric.name]) for metric in known)


def mean_text(metric: Metric, mean: float, half: float | None = None) -> str:
    """A mean with the half width of its interval, in % of shares: 81.20 ± 0.40."""
    if metric.is_share:
        return f"{100 * mean:.2f}" + ("" if half is None else f" ± {100 * half:.2f}")
    return metric.text(mean) + ("" if half is None else f" ± {plain(half, 2)}")


def estimate_text(metric: Metric, estimate: Estimate | None, missing: str = "-") -> str:
    """A mean with its interval; `missing` without one."""
    return missing if estimate is None else mean_text(metric, estimate.mean, estimate.half)


def gain_text(metric: Metric, gain: float | None, half: float | None = None) -> str:
    """An improvement with the half width of its interval, in points of shares: +1.20 ± 0.40."""
    if gain is None:
        return "failed"
    if metric.is_share:
        return f"{100 * gain:+.2f}" + ("" if half is None else f" ± {100 * half:.2f}")
    return metric.change_text(gain) + ("" if half is None else f" ± {plain(half, 2)}")


def mean_unit(metric: Metric) -> str:
    """The unit of `mean_text`: `, %` for shares, else `, ms` or nothing."""
    unit = "%" if metric.is_share else metric.unit
    return f", {unit}" if unit else ""


def gain_unit(metric: Metric) -> str:
    """The unit of `gain_text`: points of accuracy, less delay in ms."""
    less = metric.direction == "minimize"
    if metric.is_share:
        return f"points {'less' if less else 'of'} {metric.noun}"
    unit = f" in {metric.unit}" if metric.unit else ""
    return f"{'less' if less else 'more'} {metric.noun}{unit}"


def violation_text(objectives: Objectives, trial: Trial) -> str:
    """The constraints that a completed trial violates, such as `not delay<=8`; empty if none."""
    if not trial.completed:
        return ""
    violated = objectives.violated(trial.scores)
    return "not " + ", ".join(map(str, violated)) if violated else ""


def hyperparameters_text(hyperparameters: Record) -> str:
    """Searched hyperparameters as words: learning_rate 0.1, optimizer sgd."""
    return ", ".join(f"{name} {_text(value)}" for name, value in fields_of(hyperparameters).items())


def fields_of(hyperparameters: Mapping[str, object]) -> dict[str, object]:
    """Searched hyperparameters by name, and by path where a name repeats."""
    leaves = dict(_leaves(hyperparameters, ()))
    names = {path: path[-2] if path[1:] and path[-1] == "name" else path[-1] for path in leaves}
    count = Counter(names.values())
    return {
        name if count[name := names[path]] == 1 else ".".join(path): value
        for path, value in leaves.items()
    }


def _leaves(
    record: Mapping[str, object], prefix: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], object]]:
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*prefix, name))
        else:
            yield (*prefix, name), value


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
