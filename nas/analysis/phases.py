"""Phases of a training: the settings of a network over time, and the trials it was forked from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from nas.core.trial import Trial


@dataclass(frozen=True, slots=True)
class Phase:
    """Successive epochs of a training with the same settings.

    Attributes:
        trial: The last trial of the phase, which has its settings.
        start_epoch: Epochs before the phase.
        source: Number of the trial that was forked; None for the first phase.
    """

    trial: Trial
    start_epoch: int
    source: int | None

    @property
    def end_epoch(self) -> int:
        """Epochs at the end of the phase."""
        return self.trial.epochs


def phases_of(trials: Iterable[Trial], last: Trial) -> list[Phase]:
    """The phases of the training that ended with a trial, the first one first.

    A training without forks has a single one.

    Args:
        trials: The trials of the search.
        last: A trial of it.
    """
    known = {trial.number: trial for trial in trials}
    found: list[Phase] = []
    end = stage = last
    while True:
        proposal = stage.proposal
        before = None if proposal.resume_from is None else known[proposal.resume_from]
        if before is None or proposal.is_fork:
            found.append(Phase(end, proposal.start_epoch, proposal.resume_from))
            if before is None:
                return found[::-1]
            end = before
        stage = before


def phase_rows(phases: Iterable[Phase]) -> Iterator[tuple[str, str, str]]:
    """The epochs of each phase, its trial and where that came from, and its settings."""
    for phase in phases:
        first, last = phase.start_epoch + 1, phase.end_epoch
        epochs = str(last) if first == last else f"{first} to {last}"
        origin = "" if phase.source is None else f", forked from trial {phase.source}"
        settings = ", ".join(
            f"{name} {_plain(value)}" for name, value in phase.trial.hyperparameters.items()
        )
        yield epochs, f"trial {phase.trial.number}{origin}", settings


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{name} {_plain(inner)}" for name, inner in value.items()) + ")"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
