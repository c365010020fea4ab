"""Networks of a run trained again side by side, with the same seeds: their accuracies.

A training that fails is none of the search's business any more, and ends nothing: it has no
accuracy, and is told with its cause.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nas.analysis.noise import Array
from nas.analysis.retraining.further import FurtherTrainings, Wanted
from nas.core.configuration import Configuration
from nas.core.failure import Failure
from nas.core.trial import Trial
from nas.runs.run import Run

Network = tuple[str, Configuration]  # what it is called, and what it is


@dataclass(frozen=True, slots=True)
class Failed:
    """A training without an accuracy, and why."""

    network: str  # what it is called
    epochs: int
    seed: int
    failure: Failure


def plan(
    networks: Sequence[Network], lengths: Sequence[int], seeds: Sequence[range]
) -> list[Wanted]:
    """The trainings, seed by seed, so that what there is can be used early."""
    return [
        Wanted(configuration, epochs, seed)
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
    retry: bool = False,
    begin: Callable[[int, int], None] | None = None,
    progress: Callable[[Trial], None] | None = None,
) -> tuple[list[Array], list[Failed]]:
    """Train networks again; trainings known are not made again.

    Args:
        run: Where they are from, and where the trainings are kept.
        networks: Which.
        lengths: Epochs: each network is trained for each.
        seeds: Of the trainings of each; all begin with the same.
        retry: Make those again that failed for a cause that may have passed.
        begin: Told how many trainings there are, and how many of them are to be made.
        progress: Told every training that is made.

    Returns:
        For each length the accuracies, (networks, most seeds), NaN where a training failed or none
        was asked for; and the trainings that failed.

    Raises:
        ValueError: what `FurtherTrainings.trials` refuses.
    """
    wanted = plan(networks, lengths, seeds)
    further = FurtherTrainings(run)
    if begin is not None:
        begin(len(wanted), len(further.missing(wanted, retry=retry)))
    made = further.trials(wanted, progress, retry=retry)
    accuracies = [np.full((len(networks), max(map(len, seeds))), np.nan) for _ in lengths]
    failed: list[Failed] = []
    for scores, epochs in zip(accuracies, lengths, strict=True):
        for row, (name, configuration) in enumerate(networks):
            for column, seed in enumerate(seeds[row]):
                trial = made[Wanted(configuration, epochs, seed).key]
                if trial.failure is None:
                    scores[row, column] = trial.scores["accuracy"]
                else:
                    failed.append(Failed(name, epochs, seed, trial.failure))
    return accuracies, failed
