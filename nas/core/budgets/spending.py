"""The account of a search: the budget that it has spent, and the reason for which it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from time import monotonic
from typing import Literal

from nas.core.budgets.budget import MOST_TRIALS, Budget, energy_text, time_text
from nas.core.budgets.deadline import Deadline
from nas.core.budgets.forecast import Forecast
from nas.core.constraints import violation
from nas.core.fronts.front import TrialFront
from nas.core.fronts.hypervolume import Hypervolume
from nas.core.numbers import counted, energy
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial

Reason = Literal[
    "trials",
    "time",
    "epochs",
    "energy",
    "until",
    "patience",
    "exhausted",  # nothing is left to propose
    "stopped",  # by the program
    "interrupted",  # by a signal
    "failed",
]
SEARCHED = "search_energy_wh"  # of `measured`: energy of the search when the trial ended
REMEMBERED = "search_seconds"  # of `measured`: seconds of the search when the trial ended


@dataclass(slots=True)
class Spending:
    """The account of a search; it observes every trial once, in the order of the journal.

    Trials, epochs, the goal and patience depend on the trials alone: they end a search after the
    same trial each time. Time and energy do not. No trial begins whose energy is forecast to exceed
    what the trials before it leave.

    Args:
        budget: The budget.
        objectives: The objectives, for the goal and the patience.
        references: Worst values of costs, for the hypervolume.
        forecast: Forecasts the seconds of evaluations.
        energy_forecast: Forecasts their watt-hours.
        recorded: Trials of earlier sessions, whose seconds count; each is observed later.
        energy_now: Returns the watt-hours of the search so far.
        workers: Returns the number of trials that run at a time.
        stop_requested: Returns True once the search is to be stopped.
        clock: A monotonic clock, in seconds.

    Attributes:
        trials: Number of trials observed.
        epochs: Epochs that they trained, and those of the preparation of a strategy.
        watt_hours: Energy of the search when they had ended.
        cut: Numbers of those that the end of the time cut.
        ending: The reason for which the search ends, and one line that says it; None before.
    """

    budget: Budget
    objectives: Objectives
    references: Mapping[str, float] = field(default_factory=dict)
    forecast: Forecast = field(default_factory=lambda: Forecast(1))
    energy_forecast: Forecast = field(default_factory=lambda: Forecast(1))
    recorded: Iterable[Trial] = ()
    energy_now: Callable[[], float] = lambda: 0.0
    workers: Callable[[], int] = lambda: 1
    stop_requested: Callable[[], bool] = lambda: False
    clock: Callable[[], float] = monotonic
    trials: int = field(default=0, init=False)
    epochs: int = field(default=0, init=False)
    watt_hours: float = field(default=0.0, init=False)
    cut: list[int] = field(default_factory=list, init=False)
    ending: tuple[Reason, str] | None = field(default=None, init=False)
    _before: float = field(init=False)
    _began: float = field(init=False)
    _pending: dict[int, Proposal] = field(default_factory=dict, init=False)
    _stall: _Stall = field(init=False)

    def __post_init__(self) -> None:
        self._before = max((seconds_at(trial) for trial in self.recorded), default=0.0)
        self._began = self.clock()
        self._stall = _Stall(self.objectives, self.references)

    @property
    def seconds(self) -> float:
        """Seconds of the search so far, those of earlier sessions included."""
        return self._before + self.clock() - self._began

    @property
    def deadline(self) -> Deadline:
        """The deadline, infinite without a budget of time."""
        at = inf
        if self.budget.seconds is not None:
            at = self._began + self.budget.seconds - self._before
        return Deadline(
            at=at,
            seconds_of=self.forecast.seconds,
            epoch_seconds_of=self.forecast.epoch_seconds,
            affords=self._affords,
            stop_requested=self.stop_requested,
            clock=self.clock,
        )

    def _affords(self, proposal: Proposal) -> bool:
        """True if the energy is enough for a trial that begins now, and for others like it beside."""
        if self.budget.watt_hours is None:
            return True
        needed = self.workers() * self.energy_forecast.seconds(proposal)
        return self.energy_now() + needed <= self.budget.watt_hours

    def observe(self, trial: Trial) -> None:
        """Count a trial."""
        self.trials += 1
        self.epochs += trial.trained_epochs
        self._pending.pop(trial.number, None)
        if trial.cut:
            self.cut.append(trial.number)
        if self.budget.seconds is not None:
            self.forecast.observe(trial)
        self.watt_hours = max(self.watt_hours, float(trial.measured.get(SEARCHED, 0.0)))
        if self.budget.watt_hours is not None:
            self.energy_forecast.observe(trial)
        if self.budget.patience is not None:
            self._stall.observe(trial)
        if self.ending is None and self._reaches_goal(trial):
            goal = " and ".join(map(str, self.budget.until))
            self.ending = "until", f"trial {trial.number} has {goal}"

    def _reaches_goal(self, trial: Trial) -> bool:
        until, scores = self.budget.until, trial.scores
        kept = bool(until) and trial.completed and violation(until, scores) == 0
        return kept and self.objectives.is_feasible(scores)

    def prepare(self, epochs: int, seconds: float = 0.0) -> None:
        """Count the preparation of a strategy, before any trial, and its energy.

        Args:
            epochs: Epochs that it trained.
            seconds: Seconds that it took in earlier sessions; they are in those of trials, if there
                are any.
        """
        self.epochs += epochs
        self._before = max(self._before, seconds)
        self.watt_hours = max(self.watt_hours, self.energy_now())

    def begin(self, number: int, proposal: Proposal) -> None:
        """Count the epochs and the energy of a trial that is to run."""
        self._pending[number] = proposal

    @property
    def epochs_left(self) -> int | None:
        """Epochs that are neither trained nor pending; None without a budget of epochs."""
        if self.budget.epochs is None:
            return None
        return (
            self.budget.epochs
            - self.epochs
            - sum(map(self.forecast.epochs, self._pending.values()))
        )

    @property
    def watt_hours_left(self) -> float:
        """Energy that trials have not spent yet; infinite without a budget of it.

        Those that are pending may still spend it: the executor asks again before it begins one.
        """
        return inf if self.budget.watt_hours is None else self.budget.watt_hours - self.watt_hours

    def refusal(self, proposal: Proposal) -> tuple[Reason, str] | None:
        """The reason for which a trial may not begin any more; None if it may."""
        left = self.epochs_left
        if left is not None and self.forecast.epochs(proposal) > left:
            needed = f", and the next trial trains {self.forecast.epochs(proposal)}" if left else ""
            spent = counted(self.budget.epochs - left, "epoch")  # type: ignore[operator]
            return "epochs", f"{spent} of {self.budget.epochs:,}{needed}"
        if self.budget.seconds is not None and not self.deadline.admits(proposal):
            return "time", self.time_message(proposal)
        needed_wh = self.energy_forecast.seconds(proposal)
        if needed_wh > self.watt_hours_left:
            return "energy", self._energy_message(needed_wh)
        return None

    def affordable_epochs(self, proposal: Proposal) -> int:
        """The most epochs that an evaluation like that of a proposal may train now."""
        most = MOST_TRIALS if self.epochs_left is None else self.epochs_left
        each = self.forecast.epoch_seconds(proposal)
        if self.budget.seconds is not None and each > 0:
            most = min(most, int(self.deadline.left / each))
        each_wh = self.energy_forecast.epoch_seconds(proposal)
        if self.budget.watt_hours is not None and each_wh > 0:
            most = min(most, int(max(0.0, self.watt_hours_left) / each_wh))
        return most

    def closing(self, proposal: Proposal) -> tuple[Reason, str]:
        """The reason for which an executor has begun no more of its trials, at one of them."""
        if self.budget.seconds is not None and self._affords(proposal):
            return "time", self.time_message(proposal)
        return "energy", self._energy_message(self.energy_forecast.seconds(proposal))

    def _trials_message(self, wanted: int) -> str:
        """One line that says that there are as many trials as are wanted, or more."""
        if self.trials > wanted:
            return f"it has {counted(self.trials, 'trial')} already, {wanted:,} asked for"
        return f"{self.trials} of {counted(wanted, 'trial')}"

    def _energy_message(self, needed: float = 0.0) -> str:
        """One line that says that the energy is spent, or too little for a trial."""
        assert self.budget.watt_hours is not None
        now = max(self.watt_hours, self.energy_now())
        spent = f"{energy(now)} of {energy_text(self.budget.watt_hours)}"
        if not needed or now >= self.budget.watt_hours:
            return spent
        return f"{spent}, and the next trial takes about {energy(needed)}"

    def time_message(self, proposal: Proposal | None = None) -> str:
        """One line that says that the time is over, or too short for a proposal."""
        assert self.budget.seconds is not None
        spent = f"{self.seconds:.1f} s of {time_text(self.budget.seconds)}"
        if proposal is None or self.seconds >= self.budget.seconds:
            return spent
        return f"{spent}, and the next trial takes about {self.forecast.seconds(proposal):.1f} s"

    def reached(self) -> bool:
        """True if the search ends after the trials observed so far; `ending` has the reason."""
        budget = self.budget
        if self.ending is not None:
            return True
        if self.stop_requested():
            self.ending = "stopped", "stopped by the program"
        elif budget.trials is not None and self.trials >= budget.trials:
            self.ending = "trials", self._trials_message(budget.trials)
        elif budget.epochs is not None and self.epochs >= budget.epochs:
            self.ending = "epochs", f"{self.epochs:,} of {counted(budget.epochs, 'epoch')}"
        elif budget.watt_hours is not None and self.watt_hours >= budget.watt_hours:
            self.ending = "energy", self._energy_message()
        elif budget.patience is not None and self._stall.trials >= budget.patience:
            stalled = counted(self._stall.trials, "trial")
            self.ending = "patience", f"{stalled} without improvement of the hypervolume"
        elif self.deadline.passed and not self._pending:
            self.ending = "time", self.time_message()
        return self.ending is not None


def seconds_at(trial: Trial) -> float:
    """Seconds of the search when a trial was recorded; 0 if its version did not record them."""
    return float(trial.measured.get(REMEMBERED, 0.0))


class _Stall:
    """The number of trials since the hypervolume improved.

    While the scale of an objective without bounds is not known, each trial that joins the front is
    an improvement.
    """

    def __init__(self, objectives: Objectives, references: Mapping[str, float]) -> None:
        self.trials = 0
        self._front = TrialFront(objectives)
        self._measure = Hypervolume(objectives, references)

    def observe(self, trial: Trial) -> None:
        self.trials += 1
        self._measure.observe(trial)
        before = list(self._front.items)
        if not self._front.add(trial):
            return
        measure, after = self._measure, self._front.items
        if not measure.settled or measure.of(after) > measure.of(before):
            self.trials = 0
