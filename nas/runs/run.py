"""A run: the folder that holds one search."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from nas.core.fronts.front import front_of
from nas.core.fronts.hypervolume import hypervolume_of
from nas.core.numbers import counted
from nas.core.trial import Trial, checkpoint_name
from nas.runs.control.confirmation import Confirmation, read_confirmation
from nas.runs.control.ending import Ending, read_ending
from nas.runs.control.energy import RunEnergy, read_energy
from nas.runs.control.gate import Gate, read_gate
from nas.runs.control.preparation import RelaxedRecord, read_record
from nas.runs.control.stop import request_stop
from nas.runs.header import read_header
from nas.runs.journal import Journal
from nas.runs.settings import TRAINING, Settings, is_own
from nas.runs.space_files import open_space
from search_spaces import SearchSpace, Task


class Run:
    """One search, read from its folder. Reading writes nothing, and executes no code that it names.

    An observer is given the run when a search begins, and may stop it; so may any program that opens
    the folder.

    Args:
        path: The folder.
        space: The search space, if it is in a file of the user's own: as for `search_spaces.load`,
            or the space itself.
        trials: The trials of its journal, if they have been read already.
        data: The data of the search, if this program holds them.

    Attributes:
        header: The settings, the metrics and the facts about the data of the search.
        data: The data, a `trainers.Dataset` or whatever `trainers.from_objects` reads; None where
            this program does not hold them.
        objectives: The objectives and constraints of the search.

    Raises:
        ValueError: the folder is not a run, is damaged, or was made by a newer version.
    """

    def __init__(
        self,
        path: str | Path,
        space: str | SearchSpace | None = None,
        *,
        trials: Iterable[Trial] | None = None,
        data: object = None,
    ) -> None:
        self.path = Path(path)
        self.data = data
        self.header = read_header(self.path)
        self.objectives = self.header.objectives
        self._given = space
        if trials is not None:
            self.trials = list(trials)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, {counted(len(self.trials), 'trial')})"

    @property
    def settings(self) -> Settings:
        """The settings that decide the outcome."""
        return self.header.settings

    @property
    def ending(self) -> Ending | None:
        """The end of its last session; None while it runs, after a kill, and in older runs.

        Raises:
            ValueError: the file is damaged.
        """
        return read_ending(self.path)

    @property
    def energy(self) -> RunEnergy | None:
        """The energy of its sessions in Wh; None for runs of versions that recorded none.

        Raises:
            ValueError: the file is damaged.
        """
        return read_energy(self.path, self.trials)

    @property
    def mixed_network(self) -> RelaxedRecord | None:
        """The mixed network that the strategy trained before the first trial, with its operation weights.

        None for a strategy that trains none.

        Raises:
            ValueError: the file is damaged.
        """
        return read_record(self.path)

    def stop(self) -> None:
        """Ask the search that writes to this folder to stop, from any thread or process.

        It stops before it uses another result. What is recorded stays; trials that run in worker
        processes are abandoned within a second or so, one in the process of the search ends first.

        Raises:
            ValueError: no search is writing to the folder.
        """
        request_stop(self.path)

    @cached_property
    def journal(self) -> Journal:
        """The record of the trials; close it after `append`."""
        return Journal(self.path / "trials.jsonl", ordered=self.settings.ordered)

    @cached_property
    def trials(self) -> list[Trial]:
        """All trials recorded so far, in the order of the journal, which is read once.

        Raises:
            ValueError: one is damaged, or cannot be a trial of a search; names its line.
        """
        trials = list(self.journal)
        for line, trial in enumerate(trials, start=1):
            self._check(trial, line)
        return trials

    def _check(self, trial: Trial, line: int) -> None:
        """Refuse a well-formed trial that no search can have recorded."""
        where, proposal = f"{self.journal.path}, line {line}: trial", trial.proposal
        for metric in self.header.metrics:
            if trial.completed and metric.name not in trial.scores:
                raise ValueError(
                    f"{where}.scores: want {metric.name!r} of a completed trial, got none"
                )
            if metric.name in trial.scores:
                try:
                    metric.check(trial.scores[metric.name])
                except ValueError as error:
                    raise ValueError(f"{where}.scores: {error}") from None
        for other in (*proposal.parents, proposal.resume_from, proposal.root):
            if other is not None and other >= trial.number:
                raise ValueError(f"{where}: want numbers of trials before it, got {other}")

    @cached_property
    def space(self) -> SearchSpace:
        """The search space.

        Raises:
            ValueError: it is in a file, which is code and is run only if the user names it.
        """
        if isinstance(self._given, SearchSpace):
            return self._given
        return open_space(self.settings.space, self._given, self.path, self.header.space_sha256)

    @property
    def task(self) -> Task:
        """The task of the networks.

        Raises:
            ValueError: it is not known.
        """
        if self.header.task is None:
            raise ValueError(f"{self.path}: its trials have no networks that are known here")
        return self.header.task

    @cached_property
    def front(self) -> list[Trial]:
        """The completed trials that no other dominates, ordered by the last objective.

        A network that was trained in stages counts once, by its last stage.
        """
        return front_of(self.trials, self.objectives)

    @property
    def failures(self) -> list[Trial]:
        """The trials that failed."""
        return [trial for trial in self.trials if not trial.completed]

    @property
    def all_failed(self) -> bool:
        """True if there are trials and none has completed."""
        return 0 < len(self.trials) == len(self.failures)

    def hypervolume(self) -> float:
        """Hypervolume of the front in the objectives; see `nas.core.fronts.hypervolume`.

        Of a single objective that is a share, the best value (of one to minimise, 1 less it). Of any
        other single objective it says nothing: see `objectives.has_hypervolume`.
        """
        references = self.header.hypervolume_reference
        return hypervolume_of(self.trials, self.front, self.objectives, references)

    def best(self, select: str = "best", *, max_parameters: int | None = None) -> Trial:
        """Select a trial of the Pareto front; the recommended one may not be on it.

        Args:
            select: "best" in the first objective; "smallest" in parameters; "knee", the one
                farthest below the line, or the plane, through the ends of the front, with each
                objective scaled to its range there; or "recommended", the one that the confirmation of
                the search names, or without one the best in the first objective according to a
                model fitted to all scores, which removes their noise.
            max_parameters: The most parameters that the network may have.

        Raises:
            ValueError: no completed trial within the constraints has so few parameters, the
                trials have no parameters to compare, or `select` is none of these.
        """
        from nas.runs.selection import select_trial

        return select_trial(self, select, max_parameters)

    @property
    def confirmation(self) -> Confirmation | None:
        """The candidates for the winner, trained again with other seeds; None if they were not.

        Raises:
            ValueError: the file is damaged.
        """
        return read_confirmation(self.path, len(self.trials))

    @property
    def gate(self) -> Gate | None:
        """The winner against its baselines; None if they were not compared: see `nas.gating`.

        Raises:
            ValueError: the file is damaged.
        """
        return read_gate(self.path, len(self.trials))

    def trial(self, number: int) -> Trial:
        """The trial with a number.

        Raises:
            ValueError: there is no such trial.
        """
        for trial in self.trials:
            if trial.number == number:
                return trial
        last = max((trial.number for trial in self.trials), default=-1)
        raise ValueError(f"{self.path}: want a trial from 0 to {last}, got {number}")

    def weights_path(self, trial: Trial) -> Path:
        """The file with the weights of a trial on the front, or of one of the best that are kept.

        Raises:
            ValueError: they were not kept, or there are none.
        """
        folder = self.path / "checkpoints"
        path = folder / checkpoint_name(trial.number)
        untrained = self.settings.evaluator != TRAINING
        if untrained and trial.completed and trial.weights_sha256 is None:
            raise ValueError(
                f"{self.path}: trial {trial.number} has no weights: its evaluator did not take "
                f"its network from job.network()"
            )
        if trial.weights_sha256 is None or not path.exists():
            kept = [
                str(t.number) for t in self.trials if (folder / checkpoint_name(t.number)).exists()
            ]
            raise ValueError(
                f"{self.path}: the weights of trial {trial.number} were not kept (of these trials "
                f"they were: {', '.join(kept) or 'none'}){self.advice_on_lost_weights}"
            )
        return path

    @property
    def advice_on_lost_weights(self) -> str:
        """The end of an error; networks of a user's evaluator are not trained again here."""
        return "; nas retrain trains it again" if not is_own(self.settings.evaluator) else ""
