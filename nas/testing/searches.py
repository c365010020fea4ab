"""Small searches without training, whose every trial is decided by settings and seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, NoReturn, TypeAlias

from nas.core.candidates import Candidates
from nas.core.constraints import Constraint
from nas.core.failure import EvaluationFailed, Failure
from nas.core.joint_space import JointSpace
from nas.core.metrics import METRICS
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.engine.loop import run_trials
from nas.estimators.cost import ExactCost
from nas.evaluators import Evaluator
from nas.evaluators.job import Job, Workspace
from nas.executors.in_process import InProcess
from nas.runs.journal import Journal
from nas.strategies import Strategy
from nas.strategies.preparing import Prepares
from nas.testing.preparation import preparation
from search_spaces import Choice, Cost, SearchSpace, Struct, Task, get
from search_spaces.tree.relaxation import Relaxation
from search_spaces.tree.values import Value

TASK = Task((3, 32, 32), 10)
EPOCHS = 9  # of the recipe
BOTH = ("accuracy", "parameters")
TINY = SearchSpace(
    name="tiny",
    tree=Struct(a=Choice(1, 2, 4), b=Choice(*"xyzw")),
    build=lambda *_: _never_built(),
    count=lambda *_: Cost(1_000, 10_000, 100),
    relaxation=Relaxation(
        cells={"cell": ((0, 1), (0, 2))},
        operations=tuple("wxyz"),
        build=lambda *_: _never_built(),
        decisions=lambda weights: [
            list(zip(weights["cell"][0], (1, 2, 4), strict=False)),
            list(zip(weights["cell"][1], "xyzw", strict=True)),
        ],
        value=lambda answers: dict(zip("ab", answers, strict=True)),
    ),
)
TINY_SIZE = 12

Make: TypeAlias = Callable[[Candidates, Objectives], Strategy]


class Learning:
    """Simulated training: accuracy rises with the epochs to the share of 3x3 convolutions.

    Its noise is decided by the configuration and fades with the epochs. `measured["seconds"]` is
    the number of evaluations that this evaluator has begun, so that it depends on the order of
    execution, as wall time does.

    Args:
        epochs: Epochs of the recipe.
        fails: True for the number of each trial that is to fail.

    Attributes:
        evaluated: Numbers of the trials evaluated so far, in order.
    """

    metrics = (METRICS["accuracy"], METRICS["loss"])

    def __init__(
        self, epochs: int = EPOCHS, fails: Callable[[int], bool] = lambda _: False
    ) -> None:
        self.epochs, self.fails = epochs, fails
        self.evaluated: list[int] = []

    def prepare(self, workspace: Workspace) -> None:
        """Nothing is prepared."""

    def evaluate(self, job: Job) -> Mapping[str, float]:
        """Simulate a training; its accuracy rises to the share of 3x3 convolutions."""
        self.evaluated.append(job.number)
        job.measured["seconds"] = float(len(self.evaluated))
        job.recipe = {"epochs": self.epochs}
        if self.fails(job.number):
            raise EvaluationFailed(Failure("error", "on purpose"))
        proposal = job.proposal
        decisions = _leaves(proposal.architecture.value)
        share = sum(option in ("nor_conv_3x3", 4) for option in decisions) / len(decisions)
        noise = Random(f"{proposal.architecture}{proposal.hyperparameters}")
        for epoch in range(1, (proposal.epochs or self.epochs) + 1):
            accuracy = share * (1 - 0.5**epoch) + 0.2 * noise.random() / epoch
            job.curve.append({"number": epoch, "accuracy": accuracy, "loss": 1 - accuracy})
        return {"accuracy": job.curve[-1]["accuracy"], "loss": job.curve[-1]["loss"]}


class Shuffled(InProcess):
    """Runs the newest of the pending evaluations first."""

    def wait(self) -> Trial:
        """Return the newest pending trial."""
        self._waiting.rotate(1)
        return super().wait()


def run_search(
    make: Make,
    path: Path,
    *,
    trials: int,
    seed: int = 0,
    max_pending: int = 1,
    objectives: Sequence[str] = BOTH,
    evaluator: Evaluator | None = None,
    executor: Callable[[Evaluator], InProcess] = InProcess,
    constraints: Sequence[Constraint] = (),
    hyperparameters: Struct | None = None,
    space: SearchSpace | None = None,
    first: Sequence[Proposal] = (),
    observe: Callable[[Trial], None] = lambda _: None,
) -> list[Trial]:
    """Run a search, or resume it from its journal; return all its trials without `measured`.

    Args:
        make: Makes the strategy, in its schedule if it has one.
        path: The journal.
        trials: Number of trials in all.
        seed: Seed of the search.
        max_pending: Greatest number of proposals that are being evaluated.
        objectives: Names of the scores to optimise.
        evaluator: `Learning` by default.
        executor: Makes the executor from the evaluator.
        constraints: Bounds on metrics; those on costs are kept before training.
        hyperparameters: The tree of the hyperparameters that are searched.
        space: NAS-Bench-201's by default.
        first: Proposals that precede those of the strategy.
        observe: Called with each new trial, once it is told.

    Raises:
        Exhausted: there is nothing left to propose.
    """
    joint = JointSpace(space or get("nasbench201"), TASK, constraints, hyperparameters)
    candidates = Candidates(joint)
    strategy = make(candidates, Objectives.parse(tuple(objectives), constraints=constraints))
    if isinstance(strategy, Prepares):
        strategy.prepare(preparation(joint.space, TASK, path.parent, seed))
    with closing(Journal(path)) as journal:
        for trial in run_trials(
            strategy,
            candidates.ledger,
            executor(evaluator or Learning()),
            journal,
            trials=trials,
            seed=seed,
            estimators=(ExactCost(joint),),
            max_pending=max_pending,
            first=first,
        ):
            observe(trial)
    return read(path)


def read(path: Path) -> list[Trial]:
    """The trials of a journal, without what another run would measure differently."""
    return [replace(trial, measured={}) for trial in Journal(path)]


class Searches:
    """Searches by one strategy, or by one schedule around it, each with a journal of its own.

    Args:
        name: The name by which sentences call the strategy or the schedule.
        make: Makes it.
        folder: The folder of the journals.

    Attributes:
        made: All that `make` has made.
    """

    def __init__(self, name: str, make: Make, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.made: list[Strategy] = []
        self._make = make
        self._undisturbed: dict[str, list[Trial]] = {}

    def run(self, file: str, trials: int = 60, **settings: Any) -> list[Trial]:
        """Run or resume the search of the journal `file`; see `run_search`."""
        return run_search(self._made, self.folder / file, trials=trials, **settings)

    def undisturbed(self, max_pending: int = 1, trials: int = 60) -> list[Trial]:
        """The trials of a search that nothing interrupts; run once."""
        file = f"undisturbed-{max_pending}-{trials}"
        if file not in self._undisturbed:
            self._undisturbed[file] = self.run(file, trials, max_pending=max_pending)
        return self._undisturbed[file]

    def require_equal(self, found: list[Trial], wanted: list[Trial], breach: str) -> None:
        """Refuse the strategy if two searches that should be equal differ.

        Raises:
            AssertionError: they differ; names the first trial that does.
        """
        if found != wanted:
            pairs = zip(found, wanted, strict=False)
            number = next(
                (n for n, (a, b) in enumerate(pairs) if a != b), min(len(found), len(wanted))
            )
            raise AssertionError(f"{self.name} {breach} (trial {number} differs)")

    def _made(self, candidates: Candidates, objectives: Objectives) -> Strategy:
        self.made.append(self._make(candidates, objectives))
        return self.made[-1]


def _leaves(value: Value) -> list[object]:
    return list(value.values()) if hasattr(value, "values") else [value]


def _never_built() -> NoReturn:
    raise AssertionError("the networks of this space are never built")
