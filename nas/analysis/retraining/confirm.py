"""A race of the best trials of a search with other seeds, which names its winner.

The best of many brief scores is too good to be true: luck is part of it. The race trains the best
trials again, each round with one more common seed, and drops those that are surely worse: t-tests
of paired differences, corrected for the candidates and the rounds (Maron and Moore, "Hoeffding
Races", NIPS 1993, with t-tests in place of Hoeffding's bound, which needs hundreds of trainings).
Scores of the search itself select the candidates and count no further.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from nas.analysis.noise import Array, counts, difference_noise, means, seed_noise
from nas.analysis.retraining import again
from nas.analysis.retraining.ablation import SETS
from nas.analysis.retraining.further import FurtherTrainings, TrainingRequest
from nas.analysis.retraining.ranking import ranked
from nas.analysis.statistics import SIGNIFICANT, half_width, holm
from nas.core.trial import Trial
from nas.runs.control.confirmation import Candidate, Confirmation, write_confirmation
from nas.runs.run import Run

MOST = 5  # candidates
LEAST = 4  # trainings without which there is no race: two candidates, two seeds
FIRST = SETS * SETS  # the first seed: no other training after a search has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """A race to be run.

    Attributes:
        candidates: The trials in it, the best of the search first.
        epochs: Epochs of each training.
        trainings: Most trainings.
    """

    candidates: Sequence[Trial]
    epochs: int
    trainings: int

    @classmethod
    def of(cls, run: Run, share: float) -> Race | None:
        """The race for a share of what a search has spent; None where that is too little.

        What it spent are its epochs, or the number of its trials where they have none; so equal
        searches have equal races.
        """
        best = ranked(run)
        if len(best) < 2:
            return None
        epochs = best[0].epochs or 1
        spent = sum(trial.trained_epochs for trial in run.trials if trial.completed)
        trainings = int(share * (spent / epochs if spent else len(run.trials)) + 1e-9)
        if trainings < LEAST:
            return None
        most = min(MOST, trainings // 2)
        return cls(candidates=best[:most], epochs=epochs, trainings=trainings)


def confirm(
    run: Run,
    race: Race,
    *,
    make: again.Make | None = None,
    left: Callable[[], float] = lambda: inf,
    progress: Callable[[Trial], None] | None = None,
) -> Confirmation | None:
    """Run a race, and record what it found in the folder of the run.

    Stored trainings are used: after a kill the same call continues.

    Args:
        run: The run, whose search has ended.
        race: The race.
        make: Makes evaluators; see `FurtherTrainings`.
        left: Returns the seconds that may still be spent; a round that takes longer is not begun.
        progress: Called with each training that is made.

    Returns:
        The confirmation; None if too few trainings completed to name a winner.

    Raises:
        ValueError: the data or the space have changed, or another process trains networks of the run.
    """
    trainings = FurtherTrainings(run, make=make)
    first = run.objectives.first
    scores = np.full((len(race.candidates), race.trainings), np.nan)
    alive, used, rounds = list(range(len(race.candidates))), 0, 0
    tests = (len(alive) - 1) * max(1, race.trainings // len(alive) - 1)
    while used + len(alive) <= race.trainings and (len(alive) > 1 or rounds < 2):
        requests = {
            i: TrainingRequest(race.candidates[i].configuration, race.epochs, FIRST + rounds)
            for i in alive
        }
        missing = {request.key for request in trainings.missing([*requests.values()])}
        seconds = sum(race.candidates[i].seconds for i in alive if requests[i].key in missing)
        if seconds > left():
            break
        made = trainings.trials([*requests.values()], progress)
        for i, request in requests.items():
            trial = made[request.key]
            if trial.completed:
                scores[i, rounds] = first.minimized(trial.scores[first.name])
        used, rounds = used + len(alive), rounds + 1
        if rounds > 1:
            alive = _survivors(scores, alive, tests)
    if not rounds or np.isnan(scores[alive]).all():
        return None
    found = _confirmation(run, race, scores[:, :rounds], alive)
    write_confirmation(run.path, found)
    return found


def _survivors(scores: Array, alive: list[int], tests: int) -> list[int]:
    """The candidates that are not surely worse than the one with the best mean."""
    trained = [i for i in alive if not np.isnan(scores[i]).all()]
    if len(trained) < 2:
        return trained or alive
    mean = means(scores[trained])
    best = trained[int(np.argmin(mean))]
    return [
        i
        for i in trained
        if i == best or (p := _p_value(scores, trained, best, i)) is None or p * tests > SIGNIFICANT
    ]


def _p_value(scores: Array, among: Sequence[int], best: int, other: int) -> float | None:
    """The two-sided p-value of the difference of two candidates over their common seeds."""
    noise = difference_noise(scores[list(among)])
    both = ~np.isnan(scores[[best, other]]).any(axis=0)
    if noise.deviation is None or not both.any():
        return None
    difference = float(scores[other, both].mean() - scores[best, both].mean())
    error = noise.deviation * sqrt(2 / both.sum())
    if not error:
        return float(not difference)
    return float(2 * stats.t.sf(abs(difference) / error, noise.freedom))


def _confirmation(run: Run, race: Race, scores: Array, alive: Sequence[int]) -> Confirmation:
    """The result of a race from its scores to minimise, (candidates, rounds)."""
    trained = [i for i in range(len(scores)) if not np.isnan(scores[i]).all()]
    mean, count = means(scores), counts(scores)
    order = sorted(trained, key=lambda i: (i not in alive, mean[i]))
    best = order[0]
    p = dict(
        zip(order[1:], holm([_p_value(scores, trained, best, i) for i in order[1:]]), strict=True)
    )
    noise, first = seed_noise(scores), run.objectives.first
    said = _shrunken(mean, count, noise.deviation)

    def half(i: int) -> float | None:
        if noise.deviation is None:
            return None
        return half_width(noise.deviation / sqrt(count[i]), noise.freedom, len(trained))

    candidates = tuple(
        Candidate(
            trial=race.candidates[i].number,
            found=race.candidates[i].scores[first.name],
            seeds=int(count[i]),
            mean=first.minimized(float(said[i])) + 0.0,  # not -0.0
            half=half(i),
            p=p.get(i),
            worse=i not in alive,
        )
        for i in order
    )
    close = _close(scores, [i for i in order if i in alive], best)
    others = {i: run.objectives.vector(race.candidates[i].scores)[1:] for i in close}
    recommended = min(close, key=lambda i: (others[i], mean[i]))
    return Confirmation(
        trials=len(run.trials),
        epochs=race.epochs,
        candidates=candidates,
        recommended=race.candidates[recommended].number,
        deviation=noise.deviation,
    )


def _shrunken(mean: Array, count: NDArray[np.intp], deviation: float | None) -> Array:
    """Means without the luck of the best: drawn together as far as noise explains their differences.

    Empirical Bayes estimates with a common mean: Efron and Morris, "Stein's Estimation Rule and Its
    Competitors", JASA 1973, with the plain ratio of variances for the factor. Of three equal
    candidates with two seeds each, the best is too good by 0.6 deviations of one training, and by 0.2
    after it; the intervals around them hold as often as they say.
    """
    known = ~np.isnan(mean)
    between = float(np.var(mean[known], ddof=1)) if known.sum() > 1 else 0.0
    if not deviation or not between:
        return mean
    error = deviation**2 * float(np.mean(1 / count[known]))
    centre, rest = float(mean[known].mean()), max(0.0, 1 - error / between)
    found: Array = centre + rest * (mean - centre)
    return found


def _close(scores: Array, alive: Sequence[int], best: int) -> list[int]:
    """The candidates within one standard error of the difference to the best, which is the first.

    Of these a simpler one is preferred: Breiman et al., "Classification and Regression Trees",
    1984, Section 3.4.3.
    """
    noise = difference_noise(scores[list(alive)]) if len(alive) > 1 else None
    if noise is None or noise.deviation is None:
        return [best]
    mean, count = means(scores), counts(scores)
    error = {i: noise.deviation * sqrt(1 / count[i] + 1 / count[best]) for i in alive}
    return [i for i in alive if i == best or mean[i] - mean[best] <= error[i]]
