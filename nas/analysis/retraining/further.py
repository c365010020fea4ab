"""Trainings after a search: networks of a run trained again, with other seeds and for longer.

They are stored in a folder of the run, `further/` by default, in one journal per length and seed, so that no
training is made twice and a kill loses only the one in progress. A failed training may be
requested again: its last record counts. A seed decides weights, order and augmentation, and is the
same for all networks, so that they are compared under common random numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

from nas.analysis.explanation.evidence import space_of
from nas.analysis.retraining import again
from nas.core.configuration import Configuration
from nas.core.failure import TRANSIENT
from nas.core.joint_space import JointSpace
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.evaluators import Evaluator
from nas.executors import guarded
from nas.runs.journal import Journal
from nas.runs.lock import writing
from nas.runs.run import Run


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """A training to make: configuration, number of epochs and seed."""

    configuration: Configuration
    epochs: int
    seed: int

    @property
    def key(self) -> Hashable:
        """A key that equal trainings share."""
        return self.configuration, self.epochs, self.seed


class FurtherTrainings:
    """The stored trainings of a run's networks; makes those that are missing.

    Args:
        run: The run.
        evaluator: The user's evaluator of the run, as `path/to/file.py:name`, which is run where
            trainings are missing; None for the built-in training.
        make: Makes evaluators, in place of `again.evaluators`, for a program that holds the data
            and the code of the run.
        folder: Name of the folder in that of the run: trainings with other scores have their own.
    """

    def __init__(
        self,
        run: Run,
        evaluator: str | None = None,
        make: again.Make | None = None,
        folder: str = "further",
    ) -> None:
        self._run = run
        self._evaluator = evaluator
        self._make_evaluator = make
        self.path = run.path / folder

    def check(self) -> None:
        """Refuse a run whose networks cannot be trained again as they were.

        Raises:
            ValueError: its evaluator is the user's own and is not given or not the same, its data
                have changed, or there is no whole training to repeat.
        """
        _ = self._training

    def missing(
        self, requests: Sequence[TrainingRequest], *, retry: bool = False
    ) -> list[TrainingRequest]:
        """List the requested trainings that are not stored, each once.

        Args:
            requests: The trainings to look up.
            retry: List those that failed with a cause in `TRANSIENT` as well.

        Raises:
            ValueError: a journal is damaged; names the line.
        """
        known = self._known(requests)
        if retry:
            known = {
                k: t
                for k, t in known.items()
                if t.failure is None or t.failure.cause not in TRANSIENT
            }
        distinct = {request.key: request for request in requests if request.key not in known}
        return list(distinct.values())

    def trials(
        self,
        requests: Sequence[TrainingRequest],
        progress: Callable[[Trial], None] | None = None,
        *,
        retry: bool = False,
    ) -> dict[Hashable, Trial]:
        """Make and record the missing trainings; return all, by the keys of their requests.

        The number of a trial is its line in its journal.

        Args:
            requests: The trainings to return.
            progress: Called with each training that is made.
            retry: Repeat trainings that failed with a cause in `TRANSIENT`.

        Raises:
            ValueError: the data or the space have changed since the search, another process is
                training networks of the run, or a journal is damaged.
        """
        if self.missing(requests, retry=retry):
            self.path.mkdir(exist_ok=True)
            with writing(self.path):
                for trial in self._make(self.missing(requests, retry=retry)):
                    if progress is not None:
                        progress(trial)
        known = self._known(requests)
        return {request.key: known[request.key] for request in requests}

    def _known(self, requests: Iterable[TrainingRequest]) -> dict[Hashable, Trial]:
        found: dict[Hashable, Trial] = {}
        for epochs, seed in sorted({(request.epochs, request.seed) for request in requests}):
            for trial in Journal(self._file(epochs, seed)):
                found[TrainingRequest(trial.configuration, epochs, seed).key] = trial
        return found

    def _make(self, requests: Sequence[TrainingRequest]) -> Iterator[Trial]:
        from nas.evaluators import training

        space = space_of(self._run)
        with training.threads(self._run.settings.threads):
            for request in requests:
                trial = self._train(request, space)
                with closing(Journal(self._file(request.epochs, request.seed))) as journal:
                    journal.append(trial)
                yield trial

    def _train(self, request: TrainingRequest, space: JointSpace) -> Trial:
        evaluator = self._training(request.epochs, request.seed)
        trial = guarded.evaluate(evaluator, 0, Proposal(request.configuration))
        costs = asdict(space.cost(request.configuration)) if space.has_costs else {}
        return replace(
            trial,
            number=sum(1 for _ in Journal(self._file(request.epochs, request.seed))),
            scores={**trial.scores, **costs},
        )

    @cached_property
    def _training(self) -> Callable[[int, int], Evaluator]:
        """A factory of evaluators, from epochs and seed; reads the data once."""
        return self._make_evaluator or again.evaluators(self._run, self._evaluator)

    def _file(self, epochs: int, seed: int) -> Path:
        return self.path / f"epochs-{epochs:04d}-seed-{seed:04d}.jsonl"
