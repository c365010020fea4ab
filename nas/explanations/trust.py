"""How far the front of a run can be trusted: some of it trained again, with other seeds and longer.

A search picks the best of many brief scores, so that what it picked was lucky too; and what is best
after two epochs need not be after eight. Both are measured here, on trainings that selected nothing.
All intervals are Student's t with one deviation for all networks, as if all were equally noisy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt

import numpy as np
from scipy import stats

from nas.explanations.ablation import SETS
from nas.explanations.evidence import Array
from nas.explanations.further import FurtherTrainings, Wanted
from nas.explanations.noise import Noise, of_differences, of_seeds
from nas.pareto import Front
from nas.run import Run
from nas.trial import Trial

REDRAWN = 2000  # fronts
SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean, and half of its 95 % interval (None of a single training)."""

    mean: float
    half: float | None


@dataclass(frozen=True, slots=True)
class Member:
    """A network of the front.

    Attributes:
        trial: Where the search found it.
        found: Accuracy that it was picked for.
        brief: Accuracy after as many epochs with other seeds.
        long: Accuracy after more.
        on_front: Share of the fronts that it is on, when the means of `long` are drawn anew within
            their uncertainty.
    """

    trial: Trial
    found: float
    brief: Estimate
    long: Estimate
    on_front: float


@dataclass(frozen=True, slots=True)
class Pair:
    """Two networks of the front, after the longer training.

    Attributes:
        better: Number of the trial with the better mean.
        worse: Of the other.
        difference: Of the means, and its interval, seed by seed.
        p: Of the t-test, multiplied for the number of pairs by Holm's method; None of one seed.
    """

    better: int
    worse: int
    difference: Estimate
    p: float | None

    @property
    def different(self) -> bool:
        """Whether chance alone makes such a difference in less than one of twenty such tables."""
        return self.p is not None and self.p < SIGNIFICANT


@dataclass(frozen=True, slots=True)
class Correlation:
    """Spearman's rank correlation over the networks, and where 95 % of it lie within the noise."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Trust:
    """What is known of a front after training some of it again.

    Attributes:
        epochs: Of the search's trainings, and of the longer ones.
        seeds: Trainings of each network at each length.
        front: How many networks the whole front has.
        members: Those that were trained, smallest first.
        noise: Standard deviation of the accuracy over seeds, after the brief and the longer
            training; None of one seed.
        luck: By how much the accuracies that were picked are above those of other seeds, mean.
        correlation: Of the scores of the search with the means after longer training; None of
            fewer than three networks or one seed.
        pairs: All pairs of members, by the probability of chance.
    """

    epochs: tuple[int, int]
    seeds: int
    front: int
    members: Sequence[Member]
    noise: tuple[float | None, float | None]
    luck: Estimate
    correlation: Correlation | None
    pairs: Sequence[Pair]


def trust(
    run: Run,
    *,
    networks: int = 5,
    seeds: int = 3,
    longer: int = 4,
    first: int = 0,
    begin: Callable[[int, int], None] | None = None,
    progress: Callable[[Trial], None] | None = None,
) -> Trust:
    """Train networks of the front again; trainings known are not made again.

    Args:
        run: Whose front.
        networks: At most so many, evenly along the front, its ends included.
        seeds: Trainings of each at each length.
        longer: Times as many epochs.
        first: Seed of the first.
        begin: Told how many trainings there are, and how many of them are to be made.
        progress: Told every training that is made.

    Raises:
        ValueError: a number is out of range, or a network of the front failed this time.
    """
    for name, value, least in (
        ("networks", networks, 2),
        ("seeds", seeds, 1),
        ("longer", longer, 2),
    ):
        if not least <= value <= SETS:
            raise ValueError(f"--{name}: want {least} to {SETS}, got {value}")
    chosen = spread(run.front, networks)
    if not chosen:
        raise ValueError(f"{run.path}: no completed trial among {len(run.trials)}")
    lengths = _lengths(chosen, longer)
    wanted = _plan(chosen, lengths, seeds, first)
    further = FurtherTrainings(run)
    if begin is not None:
        begin(len(wanted), len(further.missing(wanted)))
    made = further.trials(wanted, progress)
    failed = [t for t in made.values() if not t.completed]
    if failed:
        raise ValueError(
            f"a network of the front failed when it was trained again: {failed[0].failure}"
        )
    scores = [
        np.array(
            [
                [
                    made[Wanted(t.proposal, n, first + s).key].scores["accuracy"]
                    for s in range(seeds)
                ]
                for t in chosen
            ]
        )
        for n in lengths
    ]
    return assess(chosen, scores[0], scores[1], lengths, len(run.front))


def wanted_of(run: Run, networks: int = 5, seeds: int = 3, longer: int = 4) -> list[Wanted]:
    """What `trust` trains when it is not told otherwise."""
    chosen = spread(run.front, networks)
    return _plan(chosen, _lengths(chosen, longer), seeds, 0) if chosen else []


def _lengths(chosen: Sequence[Trial], longer: int) -> tuple[int, int]:
    brief = int(chosen[0].recipe["epochs"])
    return brief, brief * longer


def _plan(
    chosen: Sequence[Trial], lengths: tuple[int, int], seeds: int, first: int
) -> list[Wanted]:
    return [
        Wanted(trial.proposal, epochs, first + seed)
        for epochs in lengths
        for seed in range(seeds)
        for trial in chosen
    ]


def spread(front: Sequence[Trial], count: int) -> list[Trial]:
    """At most `count` of a front, evenly along it, its ends included."""
    places = np.linspace(0, len(front) - 1, min(count, len(front))).round().astype(int)
    return [front[place] for place in places.tolist()]


def assess(
    chosen: Sequence[Trial], brief: Array, long: Array, epochs: tuple[int, int], front: int
) -> Trust:
    """What accuracies after brief and long training say, (networks, seeds) each."""
    found = np.array([trial.scores["accuracy"] for trial in chosen])
    seeds = brief.shape[1]
    noise = [of_seeds(scores) for scores in (brief, long)]
    halves = [each.half(1 / seeds) for each in noise]
    rng = np.random.default_rng(0)  # of the fronts that are drawn anew
    redrawn = _redraw(long, noise[1], rng)
    shares = _on_front(redrawn, [trial.scores["parameters"] for trial in chosen])
    members = [
        Member(
            trial,
            float(found[i]),
            Estimate(float(brief[i].mean()), halves[0]),
            Estimate(float(long[i].mean()), halves[1]),
            float(shares[i]),
        )
        for i, trial in enumerate(chosen)
    ]
    return Trust(
        epochs=epochs,
        seeds=seeds,
        front=front,
        members=members,
        noise=(noise[0].deviation, noise[1].deviation),
        luck=_luck(found - brief.mean(axis=1)),
        correlation=_correlation(found, long, redrawn, noise[0].deviation, rng),
        pairs=_pairs(chosen, long),
    )


def _luck(differences: Array) -> Estimate:
    noise = of_seeds(differences[None])
    return Estimate(float(differences.mean()), noise.half(1 / len(differences)))


def _redraw(long: Array, noise: Noise, rng: np.random.Generator) -> Array:
    """Means that there may be, (fronts, networks)."""
    mean = long.mean(axis=1)
    if noise.deviation is None:
        return np.tile(mean, (REDRAWN, 1))
    error = rng.standard_t(noise.freedom, (REDRAWN, len(mean))) * noise.deviation
    drawn: Array = mean + error / sqrt(long.shape[1])
    return drawn


def _on_front(redrawn: Array, parameters: Sequence[float]) -> Array:
    """The share of fronts that each network is on."""
    counts = np.zeros(len(parameters))
    for means in redrawn.tolist():
        front: Front[int] = Front()
        for i, (mean, size) in enumerate(zip(means, parameters, strict=True)):
            front.add((-mean, size), i)
        counts[front.items] += 1
    return counts / len(redrawn)


def _correlation(
    found: Array, long: Array, redrawn: Array, noise: float | None, rng: np.random.Generator
) -> Correlation | None:
    mean = long.mean(axis=1)
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
    noise, seeds = of_differences(long), long.shape[1]
    half = noise.half(2 / seeds)
    found = []
    for i, j in combinations(range(len(chosen)), 2):
        mean = float(long[i].mean() - long[j].mean())
        better, worse = (i, j) if mean >= 0 else (j, i)
        p = None
        if noise.deviation is not None:
            error = noise.deviation * sqrt(2 / seeds)
            p = (
                float(2 * stats.t.sf(abs(mean) / error, noise.freedom))
                if error
                else float(not mean)
            )
        found.append((p, chosen[better].number, chosen[worse].number, Estimate(abs(mean), half)))
    found.sort(key=lambda pair: 0.0 if pair[0] is None else pair[0])
    adjusted, largest = [], 0.0
    for rank, (p, better, worse, estimate) in enumerate(found):
        if p is not None:
            largest = max(largest, min(1.0, p * (len(found) - rank)))  # Holm 1979
        adjusted.append(Pair(better, worse, estimate, None if p is None else largest))
    return adjusted
