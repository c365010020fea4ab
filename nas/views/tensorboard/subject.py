"""What a board has to know of a search, besides its trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nas.analysis.decisions import Decisions
from nas.core.objectives import Objectives
from nas.core.trial import Trial
from nas.runs.run import Header, Run
from search_spaces import SearchSpace, Task


@dataclass(frozen=True, slots=True)
class AnalysisContext:
    """A search: where it is kept, what decided it, what it draws from."""

    path: Path
    header: Header
    space: SearchSpace
    task: Task
    decisions: Decisions

    @classmethod
    def of(cls, run: Run) -> AnalysisContext:
        """The search that a run holds.

        Raises:
            ValueError: its space is not there any more, or has changed.
        """
        return cls.of_header(run.path, run.header, run.space)

    @classmethod
    def of_header(cls, path: Path, header: Header, space: SearchSpace) -> AnalysisContext:
        """Likewise, of a search that is about to begin."""
        task = Task(tuple(header.data["input_shape"]), len(header.data["classes"]))
        return cls(path, header, space, task, Decisions.of(header.settings, space))

    @property
    def objectives(self) -> Objectives:
        """What the front is of."""
        return Objectives(self.header.settings.objectives)

    def baselines(self, trials: Sequence[Trial]) -> dict[int, str]:
        """The first trial of every published network that was tried, by number."""
        names = {architecture: name for name, architecture in self.space.known.items()}
        found: dict[str, int] = {}
        for trial in trials:
            name = names.get(trial.architecture)
            if name is not None:
                found.setdefault(name, trial.number)
        return {number: name for name, number in found.items()}
