"""The contract of evaluators."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from nas.core.configuration import Configuration
from nas.core.joint_space import JointSpace
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.evaluators import Evaluator, Predictable, Tunable
from nas.evaluators.factories import load_data, task_of
from nas.evaluators.function import Function, as_evaluator
from nas.evaluators.hosted import Hosted
from nas.evaluators.job import Job, Workspace
from nas.runs.settings import Settings
from nas.testing.clauses import (
    check_metrics,
    completes,
    global_generators_untouched,
    in_one_line,
    name_of,
    other_global_seeds,
    require,
)
from search_spaces import SearchSpace, strict_json
from search_spaces.user_files import PASSED

if TYPE_CHECKING:
    from trainers import Dataset

CONFIGURATIONS = 3
MOST_EPOCHS = 1_000  # of a whole training, of which a check trains the first


def check_evaluator(
    evaluator: Evaluator | Function,
    configurations: JointSpace | SearchSpace | Iterable[Configuration],
    *,
    epochs: int | None = None,
    data: Any = None,
) -> None:
    """Check that an evaluator keeps the contract of `nas.evaluators.Evaluator`.

    Clauses:

    - `evaluate` returns the metrics that it declares by name, each a finite number.
    - An evaluation is repeatable: the configuration and `job.root` decide its scores, its recipe
      and its curve; earlier evaluations and the global generators do not.
    - What it reports to the job can be recorded: a recipe and `measured` that JSON can hold, and a
      curve of numbers with rising `number`, the epoch.
    - The global generators of random, numpy and torch are left as they were.
    - With `epochs`: a training that pauses after half of them and is resumed ends as one that was
      never paused, and a curve begins with the records of earlier stages.
    - The memory that it predicts, if it does, is a number of bytes.

    Args:
        evaluator: The evaluator, or a function of a job.
        configurations: Configurations that it can evaluate, or a space to draw 3 from. With a
            `SearchSpace` the evaluator is a user's: its jobs know a search, with this space.
        epochs: Epochs to train for, an even number; None for evaluations without epochs.
        data: The data of that search, as `nas.search` takes them; None for an evaluator with data of
            its own.

    Raises:
        AssertionError: a clause is broken; one sentence says which and how.
    """
    name = name_of(evaluator)
    with TemporaryDirectory() as folder:
        if isinstance(configurations, SearchSpace):
            evaluator, configurations = _hosted(evaluator, configurations, data, Path(folder))
        assert isinstance(evaluator, Evaluator), "want a SearchSpace with a function"
        if isinstance(configurations, JointSpace):
            space, rng = configurations, Random(0)
            configurations = [space.sample(rng) for _ in range(CONFIGURATIONS)]
        _check(name, evaluator, [Proposal(each, epochs=epochs) for each in configurations])


def _hosted(
    evaluator: Evaluator | Function, space: SearchSpace, given: Any, folder: Path
) -> tuple[Evaluator, JointSpace]:
    """A user's evaluator as a search runs it, and the configurations of that search."""
    own = as_evaluator(evaluator, name_of(evaluator))
    data = _data(given)
    tree = own.hyperparameters if isinstance(own, Tunable) else None
    task = task_of(data, own) if space.build or space.count else None
    workspace = Workspace(
        space=space,
        task=task,
        data=data,
        device="cpu",
        seed=0,
        epochs=MOST_EPOCHS,
        checkpoints=folder,
        folder=folder,
    )
    joint = JointSpace(space, task, hyperparameters=tree)
    own.prepare(replace(workspace, joint=joint))
    return Hosted(own, tuple(own.metrics), workspace), joint


def _data(given: Any) -> Dataset | None:
    if given is None:
        return None
    if isinstance(given, str | Path):
        return load_data(Settings(data=str(given)), "cpu", {})
    return load_data(Settings(data=f"{PASSED}:data"), "cpu", {"data": given})


def _check(name: str, evaluator: Evaluator, proposals: Sequence[Proposal]) -> None:
    import sklearn.metrics  # noqa: F401 - its import draws random numbers, not its user

    epochs = proposals[0].epochs
    subject = _Subject(name, evaluator)
    with global_generators_untouched(subject.name):
        whole = [subject.evaluate(number, each) for number, each in enumerate(proposals)]
    with other_global_seeds():
        for trial in reversed(whole):
            again = subject.evaluate(trial.number, trial.proposal)
            _require_equal(subject.name, trial, again, "evaluated a second time")
    if epochs is not None:
        for trial in whole:
            subject.check_stages(trial, epochs)
    if isinstance(evaluator, Predictable):
        for trial in whole:
            with completes(subject.name, f"predict the memory of {trial.configuration}"):
                demand = evaluator.memory_demand(trial.configuration).bytes
            require(
                isinstance(demand, int) and demand >= 0,
                subject.name,
                f"predicts {demand!r} bytes of memory for {trial.configuration}: want a whole "
                f"number, 0 where nothing is predicted",
            )


class _Subject:
    """An evaluator to be checked, by the name that its user gave it."""

    def __init__(self, name: str, evaluator: Evaluator) -> None:
        self.name = name
        self._evaluator = evaluator

    def evaluate(self, number: int, proposal: Proposal) -> Trial:
        """Evaluate a proposal and check what comes of it; the trial, without `measured`."""
        job = Job(number, proposal)
        with completes(self.name, f"evaluate {proposal.configuration}"):
            scores: Mapping[str, float] = self._evaluator.evaluate(job)
        checked = check_metrics(self.name, scores, f"of {proposal.configuration}")
        declared = sorted(metric.name for metric in self._evaluator.metrics)
        require(
            sorted(checked) == declared,
            self.name,
            f"returns {', '.join(sorted(checked))} of {proposal.configuration}: want the metrics "
            f"that it declares, {', '.join(declared)}",
        )
        trial = Trial(
            number=number,
            proposal=proposal,
            recipe=deepcopy(job.recipe),
            scores=checked,
            curve=tuple(map(dict, job.curve)),
            weights_sha256=job.weights_sha256,
            measured=job.measured,
        )
        try:
            text = strict_json.dumps(trial.to_dict())
            require(
                Trial.from_dict(strict_json.loads(text)) == trial,
                self.name,
                f"reports what the journal reads back differently, of {proposal.configuration}",
            )
        except (TypeError, ValueError) as error:
            raise AssertionError(
                f"{self.name} reports what the journal cannot record, of "
                f"{proposal.configuration}: {in_one_line(error)}"
            ) from error
        self._check_curve(trial)
        return replace(trial, measured={})

    def check_stages(self, whole: Trial, epochs: int) -> None:
        """Refuse the evaluator unless training in two stages equals training in one."""
        first = self.evaluate(whole.number, replace(whole.proposal, epochs=epochs // 2))
        second = self.evaluate(whole.number + 1_000, first.resumed(epochs))
        _require_equal(self.name, whole, second, "paused and resumed")

    def _check_curve(self, trial: Trial) -> None:
        numbers = [record.get("number", 0) for record in trial.curve]
        last = trial.proposal.epochs
        require(
            all(a < b for a, b in pairwise([0, *numbers]))
            and (last is None or numbers[-1:] <= [last]),
            self.name,
            f"reports a curve of the epochs {numbers} for {trial.configuration}: want rising "
            f"numbers from 1{'' if last is None else f' to {last}'}",
        )


def _require_equal(name: str, trial: Trial, other: Trial, how: str) -> None:
    for what in ("scores", "recipe", "curve"):
        a, b = getattr(trial, what), getattr(other, what)
        require(
            a == b,
            name,
            f"gives another {what} for {trial.configuration} when it is {how}: {a!r:.300}, then "
            f"{b!r:.300}",
        )
