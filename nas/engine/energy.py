"""The energy of a search: measured by counters where the machine has some, else estimated."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from time import process_time, time
from typing import TYPE_CHECKING

from nas.core.budgets.spending import SEARCHED
from nas.core.metrics import METRICS, Metric
from nas.core.trial import Trial
from nas.estimators.energy.counters import Part
from nas.estimators.energy.design_power import DesignPower, of_this_machine
from nas.estimators.energy.meter import Meter
from nas.estimators.energy.spell import JOULES, gpus_of
from nas.estimators.energy.work import children_seconds
from nas.evaluators import Evaluator
from nas.executors import Capabilities
from nas.runs.control.energy import RunEnergy, merged, read_energy
from nas.runs.resource_limits import ResourceLimits
from nas.runs.settings import Settings

if TYPE_CHECKING:
    from nas.engine.problem import Problem

ENERGY = METRICS["energy_wh"]


def is_scored(settings: Settings, evaluator: Evaluator | None, estimated: Iterable[Metric]) -> bool:
    """True if an objective or a limit names `energy_wh` and neither user nor estimator gives it."""
    declared = () if evaluator is None else evaluator.metrics
    given = {metric.name for metric in (*declared, *estimated)}
    return ENERGY.name in settings.named_metrics and ENERGY.name not in given


@dataclass(slots=True, kw_only=True)
class EnergyAccount:
    """The energy of a session and of those before.

    Of what the counters of the processor say while a trial runs, it has the share of its processor
    seconds in those of all threads of the machine: so no energy is counted twice however many trials
    run, and the rest is that of the search itself and of threads that idle. Of a GPU it has an equal
    share with those that may run there at a time. Without counters its energy is that of its
    processor seconds and its memory, by design power; the idle machine is not counted then.

    Args:
        meter: The counters.
        power: The design power, for parts without a counter.
        trains_here: True if the trials run in this process.
        sharing: Returns the number of trials that share a GPU.
        before: The energy of earlier sessions.
        recorded: The trials of earlier sessions.
        scored: True if `energy_wh` is a score of the trials.
        grams_per_kwh: Grams of CO2 by kWh, if the user gave them.
        threads: Threads of the machine.
    """

    meter: Meter
    power: DesignPower
    trains_here: bool = True
    sharing: Callable[[], int] = lambda: 1
    before: RunEnergy = field(default_factory=RunEnergy)
    recorded: Iterable[Trial] = ()
    scored: bool = False
    grams_per_kwh: float | None = None
    threads: int = os.cpu_count() or 1
    _began: float = field(init=False)
    _own: float = field(init=False)  # processor seconds of this process when the session began
    _children: float = field(init=False)  # and of its children
    _trials: dict[Part, float] = field(init=False)  # joules of the trials of this session
    _trained: float = field(default=0.0, init=False)  # and their processor seconds
    _scores: dict[int, float] = field(default_factory=dict, init=False)  # by trial

    def __post_init__(self) -> None:
        self._began, self._own, self._children = time(), process_time(), children_seconds()
        self._trials = {"processor": 0.0, "gpu": 0.0}
        for trial in self.recorded:
            self._scores[trial.number] = trial.scores.get(ENERGY.name, 0.0)

    @property
    def source(self) -> str:
        """The counters that are read, joined by "+"; "estimated" where a part has none."""
        return merged([self.meter.source("gpu"), self.meter.source("processor") or "estimated"])

    @property
    def note(self) -> str:
        """One line about the source; empty if all is measured."""
        by = f"{self.power.thread_watts:.3g} W a thread ({self.power.origin})"
        by = "" if self.meter.source("processor") else by
        return "; ".join(part for part in (by, self.meter.reason) if part)

    def charge(self, trial: Trial) -> Trial:
        """A trial that has ended now, with its energy, and that of the search so far.

        As a score, the energy of earlier stages of its training is added.
        """
        self.meter.read()
        joules: dict[Part, float] = {"processor": self._processor(trial), "gpu": self._gpu(trial)}
        for part in joules:
            if self.meter.source(part):  # of one that ended its process, the work is not known
                left = self.meter.total(part) - self._trials[part]
                joules[part] = min(joules[part], max(0.0, left))
            self._trials[part] += joules[part]
        self._trained += _processor_seconds(trial)
        wh = round(sum(joules.values()) / JOULES, 9)
        scores, before = dict(trial.scores), trial.proposal.resume_from
        if self.scored and trial.completed:
            earlier = 0.0 if before is None else self._scores.get(before, 0.0)
            scores[ENERGY.name] = self._scores[trial.number] = wh + earlier
        measured = {
            **trial.measured,
            "energy_wh": wh,
            "energy_source": self.source,
            SEARCHED: round(self.total.wh, 9),
        }
        return replace(trial, scores=scores, measured=measured)

    @property
    def total(self) -> RunEnergy:
        """The energy of the run as last read; once all workers have ended, with that of theirs."""
        whole = {part: self.meter.total(part) for part in self._trials}
        beside = {part: max(0.0, whole[part] - self._trials[part]) for part in whole}
        if self.meter.source("processor"):
            capacity = self.threads * max(1e-9, time() - self._began)
            share = min(1.0, self._work / capacity)
            search = min(share * whole["processor"], beside["processor"])
            idle = beside["processor"] - search + beside["gpu"]
        else:
            search, idle = self.power.joules(self._work), beside["gpu"]
        before = self.before
        return RunEnergy(
            trials_wh=before.trials_wh + sum(self._trials.values()) / JOULES,
            search_wh=before.search_wh + search / JOULES,
            confirm_wh=before.confirm_wh,
            gate_wh=before.gate_wh,
            idle_wh=before.idle_wh + idle / JOULES,
            source=merged([before.source, self.source]),
            note=self.note,
            grams_per_kwh=self.grams_per_kwh or before.grams_per_kwh,
        )

    @property
    def _work(self) -> float:
        """Processor seconds of this process, and of workers that have ended, but for trials."""
        own, ended = process_time() - self._own, children_seconds() - self._children
        if self.trains_here:
            return max(0.0, own + ended - self._trained)
        return own + max(0.0, ended - self._trained)

    def close(self) -> RunEnergy:
        """Read the counters a last time; return the energy of the run."""
        self.meter.close()
        self.meter.read()
        return self.total

    def _processor(self, trial: Trial) -> float:
        seconds, work = trial.seconds, _processor_seconds(trial)
        if not self.meter.source("processor"):
            held = min(seconds, work)  # waiting for a processor is not its own
            return self.power.joules(work, held, int(trial.measured.get("memory_bytes", 0)))
        share = min(1.0, work / (self.threads * max(seconds, 1e-9)))
        return share * self._during(trial, "processor")

    def _gpu(self, trial: Trial) -> float:
        return self._during(trial, "gpu") / self.sharing() if self.meter.source("gpu") else 0.0

    def _during(self, trial: Trial, part: Part) -> float:
        ended = datetime.fromisoformat(str(trial.measured["ended"])).timestamp()
        return self.meter.joules(part, ended - trial.seconds, ended)


def open_account(
    problem: Problem,
    limits: ResourceLimits,
    able: Capabilities,
    folder: Path,
    recorded: Sequence[Trial],
    workers: Callable[[], int],
) -> EnergyAccount:
    """The account of the energy of a search, which begins now.

    Args:
        problem: Says the device, and if energy is a score.
        limits: The user's figures.
        able: Those of the executor of the trials; the counters of other machines are not read.
        folder: The folder of the run.
        recorded: Trials of earlier sessions.
        workers: Returns the number of trials that run at a time.
    """
    gpus = gpus_of(problem.device)
    meter = Meter(reason="trials run on other machines") if able.cluster else None
    return EnergyAccount(
        meter=meter or Meter.of_this_machine(gpus),
        power=of_this_machine(limits.thread_watts),
        trains_here=not able.workers,
        sharing=lambda: -(-workers() // max(1, len(gpus))),
        before=read_energy(folder, recorded) or RunEnergy(),
        recorded=recorded,
        scored=problem.charged,
        grams_per_kwh=limits.grams_per_kwh,
    )


def _processor_seconds(trial: Trial) -> float:
    """Processor seconds of a trial; of one that ended its process, those of one thread."""
    return float(trial.measured.get("processor_seconds", trial.seconds))
