"""Evaluators: metrics of a configuration by evaluating it: trained, or looked up in a table."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Protocol, runtime_checkable

from nas.core.configuration import Configuration
from nas.core.metrics import Metric
from nas.estimators.demand import MemoryDemand
from nas.evaluators.job import Job, Workspace
from search_spaces import Struct, Task


@runtime_checkable
class Evaluator(Protocol):
    """Evaluates one configuration at a time.

    A user's own is passed to `nas.search(evaluator=...)`, as an object with these members or as a
    function from a job to its metrics (see `nas.evaluators.function`).
    """

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that `evaluate` returns."""

    def prepare(self, workspace: Workspace) -> None:
        """Prepare for the trials, once a search: train a supernet, cache features.

        It is called in the process of the search before any trial, also when a run is resumed.
        Workers, which may be on other machines, find what it writes to the folder. It may be killed at
        any moment, and is then called again.

        Args:
            workspace: Everything that the jobs of the search share, and its limits. Its folder is for
                files of the evaluator; it exists.
        """

    def evaluate(self, job: Job) -> Mapping[str, float]:
        """Return the metrics of a configuration by name, each a finite number.

        All randomness is seeded by `job.root`. Epochs are reported to `job` as they end. Any
        exception ends the evaluation and is recorded as the failure of its trial.

        Raises:
            EvaluationFailed: the evaluation failed for the cause it names.
            OSError: the disk is full, which is not the trial's fault: the search stops.
        """


@runtime_checkable
class Predictable(Evaluator, Protocol):
    """An evaluator that can predict the memory and measure the throughput of an evaluation."""

    def memory_demand(self, configuration: Configuration) -> MemoryDemand:
        """Predict the memory that an evaluation of `configuration` takes."""

    def throughput(self, configuration: Configuration, seconds: float) -> float:
        """Measure examples per second for `seconds`; nothing is kept."""


@runtime_checkable
class Placed(Evaluator, Protocol):
    """An evaluator that says where it trains."""

    @property
    def device(self) -> str:
        """The device, such as "cpu" or "cuda:0"."""


@runtime_checkable
class Stepwise(Evaluator, Protocol):
    """An evaluator whose evaluations can take turns in one process."""

    def evaluate_in_steps(self, job: Job) -> Generator[None, None, Mapping[str, float]]:
        """Evaluate as `evaluate` does, and yield after every step of the training.

        Between steps other evaluations run: nothing global, such as the random state, may depend on
        them or change for them.
        """

    def train_in_steps(self, configuration: Configuration) -> Generator[int]:
        """Train without an end, to measure throughput; nothing is kept.

        Yield after every step: 0, or the examples since the last number, once they are learned.
        """


@runtime_checkable
class Tunable(Evaluator, Protocol):
    """An evaluator with hyperparameters of its own."""

    @property
    def hyperparameters(self) -> Struct:
        """The decisions that are searched together with the architecture."""


@runtime_checkable
class Shaped(Evaluator, Protocol):
    """An evaluator that declares the task of the networks."""

    @property
    def task(self) -> Task | None:
        """The shape of the inputs and the number of outputs; None for those of the data."""
