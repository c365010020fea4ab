"""What a benchmark says: means with their confidence, and whether differences are real."""

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

from nas.benchmark.curves import Curve, Measure, trials_within
from nas.benchmark.searches import Search

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One contestant after so many trials, over all seeds.

    Attributes:
        contestant: Who.
        trials: After how many.
        seeds: Searches.
        mean: Of the measure.
        sd: Its standard deviation over seeds.
        low: Where the 95 % confidence interval of the mean begins (Student's t).
        high: Where it ends.
        p_random: Of the two-sided Mann-Whitney test against `random`; None if it did not take part.
        p_best: Likewise against the contestant with the best mean; None for itself.
    """

    contestant: str
    trials: int
    seeds: int
    mean: float
    sd: float
    low: float
    high: float
    p_random: float | None
    p_best: float | None


class Point(NamedTuple):
    """A mean, and the ends of its confidence interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """What a contestant needed.

    Attributes:
        contestant: Who.
        reached: Seeds that found the best there is.
        mean_trials: Mean number of trials they needed; None if none did.
        worst_trials: The most that any seed needed; None unless all did.
        milliseconds: Wall time of a trial: strategy, loop and journal, mean.
        recommended: The measure of what the strategy's model recommends at the end, instead of the
            best score; None where no search has such a model.
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
    """All contestants after each of `trials`."""
    values = {name: matrix(measure, runs, trials) for name, runs in searches.items()}
    found = []
    for column, n in enumerate(trials):
        finals = {name: value[:, column] for name, value in values.items()}
        best = max(finals, key=lambda name: float(finals[name].mean()))
        for name, sample in finals.items():
            low, high = interval(sample)
            found.append(
                Row(
                    contestant=name,
                    trials=n,
                    seeds=len(sample),
                    mean=float(sample.mean()),
                    sd=float(sample.std(ddof=1)) if len(sample) > 1 else 0.0,
                    low=low,
                    high=high,
                    p_random=_p(sample, finals["random"])
                    if _other("random", name, finals)
                    else None,
                    p_best=None if name == best else _p(sample, finals[best]),
                )
            )
    return found


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
    """Every contestant when it has spent what so many whole trainings cost, `training` each.

    None where a search had ended before.
    """
    budgets = [n * training for n in trainings]
    found: dict[str, list[Point | None]] = {}
    for name, runs in searches.items():
        values = np.array([measure.curve(s, trials_within(s, budgets)) for s in runs])
        least = min(sum(search.spent) for search in runs)
        found[name] = [
            _point(column) if budget <= least else None
            for column, budget in zip(values.T, budgets, strict=True)
        ]
    return found


def interval(sample: Curve) -> tuple[float, float]:
    """The confidence interval of the mean, by Student's t."""
    n = len(sample)
    if n < 2:
        return float(sample.mean()), float(sample.mean())
    half = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * sample.std(ddof=1) / np.sqrt(n)
    return float(sample.mean() - half), float(sample.mean() + half)


def efforts(measure: Measure, searches: Mapping[str, Sequence[Search]]) -> list[Effort]:
    """What every contestant needed."""
    found = []
    for name, runs in searches.items():
        hits = [n for n in map(measure.trials_to_optimum, runs) if n is not None]
        advised = [v for v in map(measure.recommended, runs) if v is not None]
        total = sum(len(search.rows) for search in runs)
        found.append(
            Effort(
                contestant=name,
                reached=len(hits),
                mean_trials=mean(hits) if hits else None,
                worst_trials=max(hits) if len(hits) == len(runs) else None,
                milliseconds=1000 * sum(search.seconds for search in runs) / max(1, total),
                recommended=_point(np.array(advised)) if advised else None,
            )
        )
    return found


def as_csv(found: Sequence[Row]) -> str:
    """One line for each row, with column names."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(asdict(found[0])), lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in found)
    return text.getvalue()


def _point(sample: Curve) -> Point:
    return Point(float(sample.mean()), *interval(sample))


def _other(name: str, than: str, there: Mapping[str, object]) -> bool:
    return name in there and name != than


def _p(a: Curve, b: Curve) -> float:
    return float(stats.mannwhitneyu(a, b, alternative="two-sided").pvalue)
