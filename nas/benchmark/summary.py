"""The statistics of a benchmark: means with confidence intervals, tests of differences, effort."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import mean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from nas.analysis.statistics import half_width_of_mean
from nas.benchmark.curves import Curve, Measure, trials_within
from nas.benchmark.searches import Search


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One contestant after a number of trials, over all seeds.

    Attributes:
        contestant: The name of the contestant.
        trials: The number of trials.
        seeds: The number of searches.
        mean: Mean of the measure.
        sd: Standard deviation of the measure over seeds; None for one seed.
        low: Lower end of the 95 % confidence interval of the mean (Student's t); None for one seed.
        high: Upper end of that interval; likewise.
        p_random: p-value of the two-sided Mann-Whitney test against `random`; None for `random`
            itself, or if it did not take part.
        p_best: p-value of that test against the contestant with the best mean; None for that one.
    """

    contestant: str
    trials: int
    seeds: int
    mean: float
    sd: float | None
    low: float | None
    high: float | None
    p_random: float | None
    p_best: float | None


class Point(NamedTuple):
    """A mean, and the ends of its 95 % confidence interval; None for a single value."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """The trials and the time that a contestant needed.

    Attributes:
        contestant: The name of the contestant.
        reached: The number of seeds that found the optimum.
        mean_trials: Mean number of trials until then; None if no seed found it.
        worst_trials: The most trials that any seed needed; None unless all found it.
        milliseconds: Mean wall time of a trial: strategy, loop and journal.
        recommended: The measure of the trial that the strategy's model recommends at the end, in
            place of the one with the best score; None for strategies without such a model.
    """

    contestant: str
    reached: int
    mean_trials: float | None
    worst_trials: int | None
    milliseconds: float
    recommended: Point | None


def rows(
    measure: Measure, searches: Mapping[str, Sequence[Search]], trials: Sequence[int]
) -> list[Row]:
    """The rows of all contestants after each of `trials`."""
    values = {name: matrix(measure, runs, trials) for name, runs in searches.items()}
    table = []
    for column, n in enumerate(trials):
        finals = {name: value[:, column] for name, value in values.items()}
        best = max(finals, key=lambda name: float(finals[name].mean()))
        for name, sample in finals.items():
            low, high = interval(sample) or (None, None)
            table.append(
                Row(
                    contestant=name,
                    trials=n,
                    seeds=len(sample),
                    mean=float(sample.mean()),
                    sd=float(sample.std(ddof=1)) if len(sample) > 1 else None,
                    low=low,
                    high=high,
                    p_random=_p(sample, finals["random"])
                    if _other("random", name, finals)
                    else None,
                    p_best=None if name == best else _p(sample, finals[best]),
                )
            )
    return table


def matrix(
    measure: Measure, searches: Sequence[Search], trials: Sequence[int]
) -> NDArray[np.float64]:
    """The measure of every search (rows) after each of `trials` (columns)."""
    return np.array([measure.curve(search, trials) for search in searches])


def at_equal_cost(
    measure: Measure,
    searches: Mapping[str, Sequence[Search]],
    trainings: Sequence[int],
    training: float,
) -> dict[str, list[Point | None]]:
    """Every contestant after spending the cost of each number of whole trainings.

    Args:
        measure: The measure.
        searches: The searches by contestant.
        trainings: Numbers of whole trainings.
        training: The cost of one whole training.

    Returns:
        Points by contestant; None where a search of it ended with less spent.
    """
    budgets = [n * training for n in trainings]
    points: dict[str, list[Point | None]] = {}
    for name, runs in searches.items():
        values = np.array([measure.curve(s, trials_within(s, budgets)) for s in runs])
        least = min(sum(search.spent) for search in runs)
        points[name] = [
            _point(column) if budget <= least else None
            for column, budget in zip(values.T, budgets, strict=True)
        ]
    return points


def interval(sample: Curve) -> tuple[float, float] | None:
    """The ends of the 95 % confidence interval of the mean; None for a single value."""
    mean, half = float(sample.mean()), half_width_of_mean(sample)
    return None if half is None else (mean - half, mean + half)


def efforts(measure: Measure, searches: Mapping[str, Sequence[Search]]) -> list[Effort]:
    """The effort of every contestant."""
    needed = []
    for name, runs in searches.items():
        hits = [n for n in map(measure.trials_to_optimum, runs) if n is not None]
        recommended = [v for v in map(measure.recommended, runs) if v is not None]
        total = sum(len(search.rows) for search in runs)
        needed.append(
            Effort(
                contestant=name,
                reached=len(hits),
                mean_trials=mean(hits) if hits else None,
                worst_trials=max(hits) if len(hits) == len(runs) else None,
                milliseconds=1000 * sum(search.seconds for search in runs) / max(1, total),
                recommended=_point(np.array(recommended)) if recommended else None,
            )
        )
    return needed


def as_csv(rows: Sequence[Row]) -> str:
    """One line for each row, with column names."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(asdict(rows[0])), lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()


def _point(sample: Curve) -> Point:
    return Point(float(sample.mean()), *(interval(sample) or (None, None)))


def _other(name: str, than: str, present: Mapping[str, object]) -> bool:
    return name in present and name != than


def _p(a: Curve, b: Curve) -> float:
    return float(stats.mannwhitneyu(a, b, alternative="two-sided").pvalue)
