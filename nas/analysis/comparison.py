"""Comparison of runs: fronts, the best trials under each limit of a cost, and hypervolumes.

Runs that differ only in their seed form a group, whose means have a confidence interval.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, inf, log10

import numpy as np
from scipy import stats

from nas.analysis.noise import Estimate, mean_of
from nas.analysis.progress import Point, cost_of, points_of
from nas.core.fronts.hypervolume import Hypervolume
from nas.core.metrics import Metric
from nas.core.objectives import Objectives
from nas.runs.run import Run
from nas.runs.selection import no_trial_text

# Hypervolumes are compared after these shares of the trials of the shortest run.
MARKS = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Group:
    """Runs that differ only in their seed.

    Attributes:
        name: A letter.
        runs: Folders of the runs.
        seeds: Seeds of the runs.
        differs: Settings that differ from those of the first group, name and value.
        trials: Number of trials of each run.
        failed: Number of failed trials of each run.
        seconds: Seconds of evaluation, mean over the runs.
        front: Size of the Pareto front, mean over the runs.
        best: Best value of the first objective after as many trials as the shortest run of all
            groups has; None if a run has no trial within its limits by then.
        sizes: The best value under each of `Comparison.sizes`; None if a run has no trial that
            small.
        areas: Hypervolume after each of `Comparison.trials`.
        p: p-value of the two-sided Mann-Whitney test of the last hypervolumes against the first
            group; None for the first group, or if one of the two has fewer than two runs.
    """

    name: str
    runs: tuple[str, ...]
    seeds: tuple[int, ...]
    differs: dict[str, str]
    trials: tuple[int, ...]
    failed: tuple[int, ...]
    seconds: float
    front: float
    best: Estimate | None
    sizes: tuple[Estimate | None, ...]
    areas: tuple[Estimate, ...]
    p: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Groups of runs, measured alike.

    Attributes:
        objective: The first objective.
        cost: The cost among the further objectives under which the best are compared; None if there
            is none.
        hypervolume: The hypervolume as a metric, with bounds if it is a share of the whole; None if it
            says no more than the best value.
        groups: Groups, in the order in which the runs were given.
        trials: Numbers of trials after which hypervolumes are compared.
        sizes: Values of the cost under which the best trials are compared.
        references: Values of costs at which all hypervolumes end, the largest of all runs, by metric.
            Metrics without bounds have the scale of the first run.
        repeated: Runs that are not counted, since the one named has their settings and their seed.
        has_stages: True if some trials go on with the training of an earlier one, as under `asha`
            and `pbt`: then equal numbers of trials are not equal numbers of epochs.
    """

    objective: Metric
    cost: Metric | None
    hypervolume: Metric | None
    groups: tuple[Group, ...]
    trials: tuple[int, ...]
    sizes: tuple[int, ...]
    references: Mapping[str, float]
    repeated: Mapping[str, str]
    has_stages: bool


def compare_runs(runs: Sequence[Run]) -> Comparison:
    """Compare runs after as many trials as the shortest has.

    Runs with the same settings and the same seed count once: a repetition shows no noise.

    Raises:
        ValueError: there are fewer than two runs, their data differ, or one has no completed trial
            within its limits.
    """
    if len(runs) < 2:
        raise ValueError(f"want at least two runs to compare, got {len(runs)}")
    for run in runs:
        if run.header.fingerprint != runs[0].header.fingerprint:
            raise ValueError(
                f"want runs on the same data, got {runs[0].settings.data} in {runs[0].path} and "
                f"{run.settings.data} in {run.path}"
            )
        if run.objectives.metrics != runs[0].objectives.metrics:
            raise ValueError(
                f"want runs with the same objectives, got {_words(runs[0])} in {runs[0].path} and "
                f"{_words(run)} in {run.path}"
            )
        if not run.front:
            raise ValueError(f"{run.path}: {no_trial_text(run.trials, ' within its limits')}")
    shortest = min(len(run.trials) for run in runs)
    marks = tuple(dict.fromkeys(max(1, round(share * shortest)) for share in MARKS))
    references = _references(runs)
    first = runs[0].objectives
    cost = cost_of(first, references)
    sizes = () if cost is None else _sizes(runs, cost)
    members: dict[str, list[Run]] = defaultdict(list)
    repeated = {}
    for run in runs:
        group = members[repr({**run.settings.to_dict(), "seed": None})]
        same = [other for other in group if other.settings.seed == run.settings.seed]
        if same:
            repeated[str(run.path)] = str(same[0].path)
        else:
            group.append(run)
    scale = runs[0].trials
    courses = {
        run.path: points_of(run.trials[:shortest], run.objectives, references, scale)
        for run in runs
    }
    areas = [courses[run.path][-1].hypervolume for run in next(iter(members.values()))]
    groups = tuple(
        _group(
            chr(ord("A") + i), group, runs[0], marks,
            tuple(_under(group, cost, size, marks[-1]) for size in sizes if cost is not None),
            [courses[run.path] for run in group], areas if i else None,
        )
        for i, group in enumerate(members.values())
    )  # fmt: skip
    area = _as_metric(first, references) if first.has_hypervolume else None
    stages = any(t.proposal.resume_from is not None for run in runs for t in run.trials[:shortest])
    return Comparison(first.first, cost, area, groups, marks, sizes, references, repeated, stages)


def _as_metric(objectives: Objectives, references: Mapping[str, float]) -> Metric:
    high = 1 if Hypervolume(objectives, references).is_share else inf
    return Metric("hypervolume", "maximize", 0, high)


def _words(run: Run) -> str:
    return ", ".join(f"{metric.name}:{metric.direction}" for metric in run.objectives.metrics)


def _references(runs: Sequence[Run]) -> dict[str, float]:
    found: dict[str, float] = {}
    for run in runs:
        for name, value in run.header.hypervolume_reference.items():
            found[name] = max(value, found.get(name, value))
    return found


def _group(
    name: str,
    runs: Sequence[Run],
    reference: Run,
    marks: Sequence[int],
    sizes: tuple[Estimate | None, ...],
    courses: Sequence[Sequence[Point]],
    first: list[float] | None,
) -> Group:
    ends = [course[-1] for course in courses]
    last, p = [end.hypervolume for end in ends], None
    if first is not None and min(len(first), len(last)) > 1:
        p = float(stats.mannwhitneyu(first, last, alternative="two-sided").pvalue)
    mine, others = runs[0].settings.to_dict(), reference.settings.to_dict()
    return Group(
        name=name,
        runs=tuple(str(run.path) for run in runs),
        seeds=tuple(run.settings.seed for run in runs),
        differs={k: str(v) for k, v in mine.items() if k != "seed" and v != others[k]},
        trials=tuple(len(run.trials) for run in runs),
        failed=tuple(len(run.failures) for run in runs),
        seconds=float(np.mean([sum(t.seconds for t in run.trials) for run in runs])),
        front=float(np.mean([end.front_size for end in ends])),
        best=_mean([end.best for end in ends]),
        sizes=sizes,
        areas=tuple(mean_of([c[count - 1].hypervolume for c in courses]) for count in marks),
        p=p,
    )


def _mean(values: Sequence[float | None]) -> Estimate | None:
    """The mean; None if a value is missing."""
    known = [value for value in values if value is not None]
    return mean_of(known) if len(known) == len(values) else None


def _sizes(runs: Sequence[Run], cost: Metric) -> tuple[int, ...]:
    """Round limits over the range of the fronts, two for each power of ten."""
    found = [t.scores[cost.name] for run in runs for t in run.front]
    exponents = range(floor(2 * log10(max(1, min(found)))), ceil(2 * log10(max(1, max(found)))) + 1)
    rounded = [10 ** (e // 2) * (3 if e % 2 else 1) for e in exponents]
    return tuple(size for size in rounded if size >= min(found))


def _under(runs: Sequence[Run], cost: Metric, size: int, count: int) -> Estimate | None:
    """The best value of the first objective at a cost of at most `size`."""
    best: list[float | None] = []
    for run in runs:
        first = run.objectives.first
        values = [
            t.scores[first.name]
            for t in run.trials[:count]
            if t.completed and t.scores[cost.name] <= size and run.objectives.is_feasible(t.scores)
        ]
        best.append(min(values, key=first.minimized, default=None))
    return _mean(best)
