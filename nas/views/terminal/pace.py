"""Progress of a search through its budget."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta

from nas.core.budgets.budget import Budget, energy_text, time_text
from nas.core.budgets.like_cost import LikeCost
from nas.core.budgets.spending import SEARCHED, seconds_at
from nas.core.numbers import energy
from nas.core.trial import Trial
from nas.runs.control.preparation import RelaxedEpoch, RelaxedRecord


@dataclass(frozen=True, slots=True)
class _Bound:
    """One bound of a budget: its share that is spent, in words too, and the seconds left."""

    share: float
    text: str
    seconds: float


class Pace:
    """Progress toward the bound that will end a search first, by the time of trials of like cost.

    Args:
        budget: The budget of the search.
        workers: Returns the number of trials that run at a time.
    """

    def __init__(self, budget: Budget, workers: Callable[[], int]) -> None:
        self._budget, self._workers = budget, workers
        self._trials, self._epochs, self._spent = 0, 0, 0.0
        self._watt_hours = 0.0
        self._like = LikeCost()  # of this session

    def begin(self, trials: Iterable[Trial], mixed: RelaxedRecord | None = None) -> None:
        """Count the trials of earlier sessions, and the mixed network that the strategy has trained."""
        if mixed is not None:
            self._epochs += len(mixed.epochs)
            self._spent = mixed.seconds
        for trial in trials:
            self._count(trial)

    def prepare(self, epoch: RelaxedEpoch) -> None:
        """Add an epoch of the strategy's mixed network."""
        self._epochs += 1
        self._spent += epoch.seconds

    def observe(self, trial: Trial) -> None:
        """Add a trial of this session."""
        self._count(trial)
        self._like.observe(trial)

    @property
    def share(self) -> float | None:
        """The share of the budget that is spent, 0..1; None without a bound."""
        return None if self._nearest is None else min(1.0, self._nearest.share)

    @property
    def text(self) -> str:
        """The progress in words, such as 17/40, 35/100 epochs or 42s/1m."""
        return str(self._trials) if self._nearest is None else self._nearest.text

    @property
    def left(self) -> str:
        """The estimated time until the end, such as `0:01:20 left`; empty without a bound."""
        if self._nearest is None:
            return ""
        return f"{timedelta(seconds=round(max(0.0, self._nearest.seconds)))} left"

    def _count(self, trial: Trial) -> None:
        self._trials += 1
        self._epochs += trial.trained_epochs
        self._spent = max(self._spent, seconds_at(trial))
        self._watt_hours = max(self._watt_hours, float(trial.measured.get(SEARCHED, 0.0)))

    @property
    def _nearest(self) -> _Bound | None:
        budget, workers = self._budget, self._workers()
        bounds = []
        if budget.trials is not None:
            each = self._like.seconds / workers
            share, text = self._trials / budget.trials, f"{self._trials}/{budget.trials}"
            bounds.append(_Bound(share, text, (budget.trials - self._trials) * each))
        if budget.epochs is not None:
            each = self._like.epoch_seconds / workers
            share, text = self._epochs / budget.epochs, f"{self._epochs}/{budget.epochs} epochs"
            bounds.append(_Bound(share, text, (budget.epochs - self._epochs) * each))
        if budget.seconds is not None:
            share = self._spent / budget.seconds
            text = f"{time_text(round(self._spent))}/{time_text(budget.seconds)}"
            bounds.append(_Bound(share, text, budget.seconds - self._spent))
        if budget.watt_hours is not None:
            each = self._spent / max(1e-9, self._watt_hours)
            share = self._watt_hours / budget.watt_hours
            text = f"{energy(self._watt_hours)}/{energy_text(budget.watt_hours)}"
            bounds.append(_Bound(share, text, (budget.watt_hours - self._watt_hours) * each))
        return min(bounds, key=lambda bound: (bound.seconds, -bound.share), default=None)
