"""Trust in the Pareto front of a run: some of its networks trained again, with other seeds and longer.

A search picks the best of many brief scores, which favours luck, and the best network after two
epochs need not be the best after eight. Both effects are measured on trainings that selected
nothing. All intervals are Student's t with one deviation for all networks, as if all were equally
noisy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import sqrt

import numpy as np
from scipy import stats

from nas.analysis.noise import (
    Array,
    Estimate,
    Noise,
    counts,
    difference_noise,
    mean_of,
    means,
    seed_noise,
)
from nas.analysis.retraining.ablation import SETS
from nas.analysis.retraining.further import TrainingRequest
from nas.analysis.retraining.retrained import FailedTraining, Network, plan, train_again
from nas.analysis.statistics import SIGNIFICANT, holm
from nas.core.fronts.pareto import Front
from nas.core.objectives import Objectives
from nas.core.trial import Trial
from nas.runs.run import Run
from nas.runs.selection import no_trial_text

REDRAWN = 2000  # fronts that are drawn within the uncertainty


@dataclass(frozen=True, slots=True)
class Member:
    """A network of the front that was trained again.

    Attributes:
        trial: Its trial.
        found: Its score in the first objective, in the search.
        brief: Its score after as many epochs with other seeds; None if all trainings failed.
        long: Its score after more epochs; None if all trainings failed.
        on_front: Share of fronts that contain it, when means of `long` are drawn within their
            uncertainty; None without `long`.
    """

    trial: Trial
    found: float
    brief: Estimate | None
    long: Estimate | None
    on_front: float | None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two networks of the front, after the longer training.

    Attributes:
        better: Number of the trial with the better mean.
        worse: Number of the other trial.
        difference: Improvement of the means over common seeds, with its interval.
        p: p-value of the t-test, adjusted for all pairs by Holm's method; None for one seed.
    """

    better: int
    worse: int
    difference: Estimate
    p: float | None

    @property
    def different(self) -> bool:
        """True if the adjusted p-value is below 0.05."""
        return self.p is not None and self.p < SIGNIFICANT


@dataclass(frozen=True, slots=True)
class Correlation:
    """Spearman's rank correlation over the networks, with a 95 % interval under the noise."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Trust:
    """Noise, luck and differences of the networks of a front.

    Attributes:
        epochs: Epochs of the brief trainings, as in the search, and of the longer ones.
        seeds: Trainings of each network at each length.
        front: Number of networks of the whole front.
        objectives: The objectives of the search; the networks are compared in the first.
        members: The networks that were trained again, in the order of the front.
        noise: Standard deviation of the score over seeds, after brief and after longer training;
            None for one seed.
        luck: Mean improvement of the scores in the search over those of other seeds; None if no
            brief training completed.
        correlation: Rank correlation of scores in the search and means after longer training;
            None for fewer than three networks or for one seed.
        pairs: All pairs of members with a common seed, the smallest p-value first.
        failed: Failed trainings, which are left out of all numbers.
        confirmed: Number of the trial that the search confirmed as its winner; None without one.
    """

    epochs: tuple[int, int]
    seeds: int
    front: int
    objectives: Objectives
    members: Sequence[Member]
    noise: tuple[float | None, float | None]
    luck: Estimate | None
    correlation: Correlation | None
    pairs: Sequence[Pair]
    failed: Sequence[FailedTraining]
    confirmed: int | None = None


def trust(
    run: Run,
    *,
    networks: int = 5,
    seeds: int = 3,
    longer: int = 4,
    first: int = 0,
    evaluator: str | None = None,
    retry: bool = False,
    begin: Callable[[int, int], None] | None = None,
    progress: Callable[[Trial], None] | None = None,
) -> Trust:
    """Train networks of the front again; use stored trainings.

    Args:
        run: The run.
        networks: Most networks to train, evenly along the front, with both ends and the winner
            that the search confirmed.
        seeds: Trainings of each network at each length.
        longer: Factor of the epochs of the longer trainings.
        first: The first seed.
        evaluator: The user's evaluator of the run, as `path/to/file.py:name`, which is run.
        retry: Repeat trainings that failed for a cause that may have passed (`nas.core.failure.TRANSIENT`).
        begin: Called with the number of trainings and of those that are missing.
        progress: Called with each training that is made.

    Raises:
        ValueError: a number is out of range, or all trainings failed.
    """
    for name, value, least in (
        ("networks", networks, 2),
        ("seeds", seeds, 1),
        ("longer", longer, 2),
    ):
        if not least <= value <= SETS:
            raise ValueError(f"--{name}: want {least} to {SETS}, got {value}")
    chosen = _choose(run, networks)
    if not chosen:
        raise ValueError(f"{run.path}: {no_trial_text(run.trials, ' within its limits')}")
    lengths = _lengths(chosen, longer)
    (brief, long), failed = train_again(
        run,
        _networks(chosen),
        lengths,
        len(chosen) * [range(first, first + seeds)],
        evaluator=evaluator,
        retry=retry,
        begin=begin,
        progress=progress,
    )
    if np.isnan(brief).all() and np.isnan(long).all():
        raise ValueError(
            f"{run.path}: all {len(failed)} trainings failed ({failed[0].failure}): "
            f"try other seeds with --seed"
        )
    found = assess(chosen, brief, long, lengths, len(run.front), run.objectives, failed)
    return replace(found, confirmed=_confirmed(run))


def requests_of(
    run: Run, networks: int = 5, seeds: int = 3, longer: int = 4
) -> list[TrainingRequest]:
    """The trainings of `trust` with its default arguments."""
    chosen = _choose(run, networks)
    if not chosen:
        return []
    return plan(_networks(chosen), _lengths(chosen, longer), len(chosen) * [range(seeds)])


def _choose(run: Run, count: int) -> list[Trial]:
    """At most `count` trials along the front, with the winner that the search confirmed."""
    chosen, confirmed = spread(run.front, count), _confirmed(run)
    if confirmed is None or any(trial.number == confirmed for trial in chosen):
        return chosen
    last = run.objectives.metrics[-1]
    few = [*spread(run.front, count - 1), run.trial(confirmed)]
    return sorted(few, key=lambda trial: last.minimized(trial.scores[last.name]))


def _confirmed(run: Run) -> int | None:
    return None if run.confirmation is None else run.confirmation.recommended


def _networks(chosen: Sequence[Trial]) -> list[Network]:
    return [(f"trial {trial.number}", trial.configuration) for trial in chosen]


def _lengths(chosen: Sequence[Trial], longer: int) -> tuple[int, int]:
    brief = int(chosen[0].recipe["epochs"])
    return brief, brief * longer


def spread(front: Sequence[Trial], count: int) -> list[Trial]:
    """Choose at most `count` trials evenly along a front, with both ends."""
    places = np.linspace(0, len(front) - 1, min(count, len(front))).round().astype(int)
    return [front[place] for place in places.tolist()]


def assess(
    chosen: Sequence[Trial],
    brief: Array,
    long: Array,
    epochs: tuple[int, int],
    front: int,
    objectives: Objectives,
    failed: Sequence[FailedTraining] = (),
) -> Trust:
    """Compute trust from scores after brief and long training.

    Args:
        chosen: The trials of the networks.
        brief: Values of the first objective after brief training, (networks, seeds); NaN for
            failed trainings.
        long: Those after longer training, of the same shape.
        epochs: Epochs of the brief and of the longer trainings.
        front: Number of networks of the whole front.
        objectives: The objectives of the search.
        failed: The failed trainings.
    """
    first = objectives.first
    sign = 1.0 if first.direction == "maximize" else -1.0
    found = np.array([trial.scores[first.name] for trial in chosen])
    noise = [seed_noise(scores) for scores in (brief, long)]
    there = np.flatnonzero(counts(long)).tolist()  # with a long training
    trained, kept = [chosen[i] for i in there], long[there]
    rng = np.random.default_rng(0)
    redrawn = _redraw(kept, noise[1], rng)
    others = [objectives.values(trial.scores)[1:] for trial in trained]
    shares = _on_front(-sign * redrawn, others)
    on_front = dict(zip(there, shares.tolist(), strict=True))
    briefly, longer = _estimates(brief, noise[0]), _estimates(long, noise[1])
    return Trust(
        epochs=epochs,
        seeds=brief.shape[1],
        front=front,
        objectives=objectives,
        members=[
            Member(trial, float(found[i]), briefly[i], longer[i], on_front.get(i))
            for i, trial in enumerate(chosen)
        ],
        noise=(noise[0].deviation, noise[1].deviation),
        luck=_luck(sign * (found - means(brief))),
        correlation=_correlation(found[there], kept, redrawn, noise[0].deviation, rng),
        pairs=_pairs(trained, sign * kept),
        failed=failed,
    )


def _estimates(scores: Array, noise: Noise) -> list[Estimate | None]:
    return [
        Estimate(mean, noise.half(1 / count)) if count else None
        for mean, count in zip(means(scores).tolist(), counts(scores).tolist(), strict=True)
    ]


def _luck(differences: Array) -> Estimate | None:
    known = differences[~np.isnan(differences)]
    return mean_of(known) if len(known) else None


def _redraw(long: Array, noise: Noise, rng: np.random.Generator) -> Array:
    """Draw means within their uncertainty, (fronts, networks)."""
    mean = means(long)
    if noise.deviation is None:
        return np.tile(mean, (REDRAWN, 1))
    error = rng.standard_t(noise.freedom, (REDRAWN, len(mean))) * noise.deviation
    drawn: Array = mean + error / np.sqrt(counts(long))
    return drawn


def _on_front(redrawn: Array, others: Sequence[tuple[float, ...]]) -> Array:
    """The share of fronts that contain each network.

    Args:
        redrawn: Means of the first objective, (fronts, networks); smaller is better.
        others: The further objectives of each network, as in the search; smaller is better.
    """
    found = np.zeros(len(others))
    for drawn in redrawn.tolist():
        front: Front[int] = Front()
        for i, (mean, rest) in enumerate(zip(drawn, others, strict=True)):
            front.add((mean, *rest), i)
        found[front.items] += 1
    return found / len(redrawn)


def _correlation(
    found: Array, long: Array, redrawn: Array, noise: float | None, rng: np.random.Generator
) -> Correlation | None:
    mean = means(long)
    if len(found) < 3 or noise is None or not np.ptp(found) or not np.ptp(mean):
        return None
    noisy = found + rng.normal(0, noise, redrawn.shape)
    ranks = [stats.rankdata(values, axis=1) for values in (noisy, redrawn)]
    a, b = (r - r.mean(axis=1, keepdims=True) for r in ranks)
    length = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    all_values = (a * b).sum(axis=1)[length > 0] / length[length > 0]
    low, high = np.quantile(all_values, (0.025, 0.975))
    value = float(stats.spearmanr(found, mean).statistic)
    return Correlation(value, float(low), float(high))


def _pairs(chosen: Sequence[Trial], long: Array) -> list[Pair]:
    """All pairs by the means of scores, of which larger ones are better."""
    noise, found = difference_noise(long), []
    for i, j in combinations(range(len(chosen)), 2):
        both = ~np.isnan(long[[i, j]]).any(axis=0)
        if not both.any():
            continue
        mean = float(long[i, both].mean() - long[j, both].mean())
        better, worse = (i, j) if mean >= 0 else (j, i)
        variance, p = 2 / both.sum(), None
        if noise.deviation is not None:
            error = noise.deviation * sqrt(variance)
            p = (
                float(2 * stats.t.sf(abs(mean) / error, noise.freedom))
                if error
                else float(not mean)
            )
        difference = Estimate(abs(mean), noise.half(variance))
        found.append((p, chosen[better].number, chosen[worse].number, difference))
    found.sort(key=lambda pair: 0.0 if pair[0] is None else pair[0])
    adjusted = holm([p for p, *_ in found])
    return [
        Pair(better, worse, estimate, p)
        for (_, better, worse, estimate), p in zip(found, adjusted, strict=True)
    ]
