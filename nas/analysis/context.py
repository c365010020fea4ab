"""Settings, space, task and decisions of a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nas.analysis.decisions import Decisions
from nas.core.objectives import Objectives
from nas.core.trial import Trial
from nas.runs.header import Header
from nas.runs.run import Run
from search_spaces import SearchSpace, Task


@dataclass(frozen=True, slots=True)
class AnalysisContext:
    """A search without its trials: its folder, its settings, and the decisions of its space."""

    path: Path
    header: Header
    space: SearchSpace
    task: Task | None
    decisions: Decisions

    @classmethod
    def of(cls, run: Run) -> AnalysisContext:
        """The context of a run.

        Raises:
            ValueError: its search space is in a file that is gone or has changed.
        """
        decisions = Decisions(run.space, run.header.hyperparameters)
        return cls(run.path, run.header, run.space, run.header.task, decisions)

    @property
    def objectives(self) -> Objectives:
        """The objectives of the Pareto front."""
        return self.header.objectives

    def baselines(self, trials: Sequence[Trial]) -> dict[int, str]:
        """Names of published networks, by the number of the first trial of each."""
        names = {architecture: name for name, architecture in self.space.known.items()}
        found: dict[str, int] = {}
        for trial in trials:
            name = names.get(trial.architecture)
            if name is not None:
                found.setdefault(name, trial.number)
        return {number: name for name, number in found.items()}
