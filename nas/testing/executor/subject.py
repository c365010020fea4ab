"""An executor under test, and what it is required to return."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from nas import executors
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.evaluators.blueprint import Blueprint
from nas.executors import Executor
from nas.runs.resource_limits import ResourceLimits
from nas.testing.clauses import completes, name_of, require
from nas.testing.faulty import blueprint, processes_left, score

MakeExecutor = Callable[[Blueprint, ResourceLimits], Executor]

CLOSE = 2.0  # seconds in which everything that runs must have been stopped


class Subject:
    """An executor to be checked.

    Args:
        make: Makes it, or its name.
        folder: The folder for traces of trials.
        quick: Inject one fault of each kind only.

    Raises:
        ValueError: there is no executor of that name.
    """

    def __init__(self, make: str | MakeExecutor, folder: Path, *, quick: bool) -> None:
        if isinstance(make, str):
            executors.choose(make, ResourceLimits())
        self.name = name_of(make)
        self.quick = quick
        self.given = make
        self._folder = folder
        self._count = 0

    def make(self, made: Blueprint, **limits: Any) -> Executor:
        """Make the executor."""
        with completes(self.name, "be made from a blueprint and limits"):
            if isinstance(self.given, str):
                return executors.make(self.given, made, ResourceLimits(**limits))
            return self.given(made, ResourceLimits(**limits))

    def new_folder(self) -> Path:
        """A new folder for traces."""
        self._count += 1
        folder = self._folder / str(self._count)
        folder.mkdir()
        return folder

    def run(
        self,
        proposals: Sequence[Proposal],
        folder: Path | None = None,
        objects: Mapping[str, Any] | None = None,
        **limits: Any,
    ) -> list[Trial]:
        """Evaluate proposals; return the trials in the order of their numbers."""
        folder = folder or self.new_folder()
        ended: dict[int, Trial] = {}
        made = replace(blueprint(folder), objects=objects or {})
        with closing(self.make(made, **limits)) as executor:
            for number, each in enumerate(proposals):
                executor.submit(number, each)
            for _ in proposals:
                with completes(self.name, "return a trial"):
                    trial = executor.wait()
                self.require(trial.number not in ended, f"returns trial {trial.number} twice")
                ended[trial.number] = trial
        self.require_no_process(folder)
        self.require(
            sorted(ended) == list(range(len(proposals))),
            f"returns the trials {sorted(ended)} of {len(proposals)} that were submitted",
        )
        for number, each in enumerate(proposals):
            self.require(
                ended[number].proposal == each, f"returns trial {number} with another proposal"
            )
        return [ended[number] for number in range(len(proposals))]

    def require(self, kept: bool, breach: str) -> None:
        """Refuse the executor unless a clause is kept."""
        require(kept, self.name, breach)

    def require_scores(self, trial: Trial, because: str = "", factor: float = 1.0) -> None:
        """Refuse the executor unless a trial has the scores of its evaluator, times a factor."""
        got = trial.failure or dict(trial.scores)
        self.require(
            trial.completed and trial.scores == {"accuracy": factor * score(trial.number)},
            f"gives trial {trial.number} other scores than its evaluator{because}: {got}",
        )

    def require_failure(self, trial: Trial, cause: str, *, after: str, says: str = "") -> None:
        """Refuse the executor unless a trial failed for a cause, with a message and no scores."""
        failure = trial.failure
        self.require(
            failure is not None and failure.cause == cause and not trial.scores,
            f"records a trial that {after} as {failure or trial.scores}: want the failure {cause}",
        )
        assert failure is not None
        self.require(
            says in f"{failure.message}{failure.traceback}",
            f"does not say {says!r} of a trial that {after}, but {failure.message!r}",
        )

    def require_no_process(self, folder: Path, seconds: float = CLOSE) -> None:
        """Refuse the executor if a process of its trials is alive after `seconds`."""
        left = processes_left(folder, seconds)
        self.require(not left, f"leaves processes behind: {', '.join(map(str, left))}")
