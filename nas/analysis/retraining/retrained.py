"""Scores in the first objective of networks of a run that are trained again with common seeds.

A training that fails ends nothing: it has no score and is reported with its cause.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nas.analysis.noise import Array
from nas.analysis.retraining.further import FurtherTrainings, TrainingRequest
from nas.core.configuration import Configuration
from nas.core.failure import Failure
from nas.core.trial import Trial
from nas.runs.run import Run

Network = tuple[str, Configuration]  # name and configuration


@dataclass(frozen=True, slots=True)
class FailedTraining:
    """A training that failed, and its cause."""

    network: str  # name
    epochs: int
    seed: int
    failure: Failure


def plan(
    networks: Sequence[Network], lengths: Sequence[int], seeds: Sequence[range]
) -> list[TrainingRequest]:
    """List the trainings, ordered by seed, so that an interrupted series is useful."""
    return [
        TrainingRequest(configuration, epochs, seed)
        for epochs in lengths
        for seed in sorted(set().union(*seeds))
        for (_, configuration), mine in zip(networks, seeds, strict=True)
        if seed in mine
    ]


def train_again(
    run: Run,
    networks: Sequence[Network],
    lengths: Sequence[int],
    seeds: Sequence[range],
    *,
    evaluator: str | None = None,
    retry: bool = False,
    begin: Callable[[int, int], None] | None = None,
    progress: Callable[[Trial], None] | None = None,
) -> tuple[list[Array], list[FailedTraining]]:
    """Train networks again; stored trainings are used.

    Args:
        run: The run of the networks, where trainings are stored.
        networks: Names and configurations.
        lengths: Numbers of epochs; each network is trained for each of them.
        seeds: Seeds of each network; all ranges have the same start.
        evaluator: The user's evaluator of the run, as `path/to/file.py:name`, which is run.
        retry: Repeat trainings that failed for a cause that may have passed.
        begin: Called with the number of trainings and of those that are missing.
        progress: Called with each training that is made.

    Returns:
        Scores for each length, (networks, largest number of seeds), NaN where a training
        failed or was not requested; and the failed trainings.

    Raises:
        ValueError: as `FurtherTrainings.trials`.
    """
    requests = plan(networks, lengths, seeds)
    further = FurtherTrainings(run, evaluator)
    missing = further.missing(requests, retry=retry)
    if missing:
        further.check()
    if begin is not None:
        begin(len(requests), len(missing))
    made = further.trials(requests, progress, retry=retry)
    first = run.objectives.first.name
    found = [np.full((len(networks), max(map(len, seeds))), np.nan) for _ in lengths]
    failed: list[FailedTraining] = []
    for scores, epochs in zip(found, lengths, strict=True):
        for row, (name, configuration) in enumerate(networks):
            for column, seed in enumerate(seeds[row]):
                trial = made[TrainingRequest(configuration, epochs, seed).key]
                if trial.failure is None:
                    scores[row, column] = trial.scores[first]
                else:
                    failed.append(FailedTraining(name, epochs, seed, trial.failure))
    return found, failed
