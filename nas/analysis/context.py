"""Settings, space, task and decisions of a search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nas.analysis.decisions import Decisions
from nas.analysis.lineage import Lineage
from nas.analysis.progress import cost_of
from nas.core.metrics import Metric
from nas.core.objectives import Objectives
from nas.core.trial import Trial
from nas.runs.control.confirmation import read_confirmation
from nas.runs.header import Header
from nas.runs.run import Run
from search_spaces import SearchSpace, Task
from search_spaces.user_files import PASSED


@dataclass(frozen=True, slots=True)
class AnalysisContext:
    """A search without its trials: its folder, its settings, and the decisions of its space.

    Attributes:
        path: The folder.
        header: The header.
        space: The search space.
        task: The task of the networks; None if it is not known.
        decisions: The decisions of the space and of the hyperparameters.
        data: The data, where this program holds them; see `nas.runs.run.Run`.
    """

    path: Path
    header: Header
    space: SearchSpace
    task: Task | None
    decisions: Decisions
    data: object = None

    @classmethod
    def of(cls, run: Run) -> AnalysisContext:
        """The context of a run.

        Raises:
            ValueError: its search space is in a file that is gone or has changed.
        """
        decisions = Decisions(run.space, run.header.hyperparameters)
        return cls(run.path, run.header, run.space, run.header.task, decisions, run.data)

    @property
    def objectives(self) -> Objectives:
        """The objectives of the Pareto front."""
        return self.header.objectives

    @property
    def cost(self) -> Metric | None:
        """The cost by which progress is told; see `nas.analysis.progress`."""
        return cost_of(self.objectives, self.header.hypervolume_reference)

    @property
    def data_are_passed(self) -> bool:
        """True if this program holds the data and no file does."""
        return self.data is not None and self.header.settings.data.partition(":")[0] == PASSED

    @property
    def has_networks(self) -> bool:
        """True if architectures are compiled to networks, for a task that is known."""
        return self.task is not None and self.space.build is not None

    @property
    def has_drawings(self) -> bool:
        """True if there is more to draw of an architecture than its decisions."""
        return has_drawings(self.space, self.task)

    def best(self, front: Iterable[Trial]) -> Trial | None:
        """The trial of a front that is the best in the first objective; None for an empty front."""
        return min(front, key=lambda t: self.objectives.vector(t.scores), default=None)

    def winner(self, trials: Sequence[Trial], front: Iterable[Trial]) -> Trial | None:
        """The trial that the search confirmed, or without a confirmation the best of its front."""
        confirmation = read_confirmation(self.path, len(trials))
        if confirmation is not None:
            return next(t for t in trials if t.number == confirmation.recommended)
        return self.best(front)

    def lineage(self, trials: Sequence[Trial]) -> Lineage:
        """The descent of all trials."""
        found = read_confirmation(self.path, len(trials))
        deviation = None if found is None else found.deviation
        return Lineage(trials, self.decisions, self.objectives.first, deviation)

    def baselines(self, trials: Sequence[Trial]) -> dict[int, str]:
        """Names of published networks, by the number of the first trial of each."""
        names = {architecture: name for name, architecture in self.space.known.items()}
        found: dict[str, int] = {}
        for trial in trials:
            name = names.get(trial.architecture)
            if name is not None:
                found.setdefault(name, trial.number)
        return {number: name for name, number in found.items()}


def has_drawings(space: SearchSpace, task: Task | None) -> bool:
    """True if there is more to draw of an architecture than its decisions: cells or layers."""
    has_cells = space.cells is not None or space.graph is not None
    return has_cells or (space.build is not None and task is not None)
