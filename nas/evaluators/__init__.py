"""Evaluators: metrics of a configuration by evaluating it: trained, or looked up in a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from nas.core.configuration import Configuration
from nas.estimators.demand import MemoryDemand
from nas.evaluators.job import Job


class Evaluator(Protocol):
    """Evaluates one configuration at a time.

    To add one: write a class, or a function that makes one, and name it in a `Blueprint`.
    """

    def evaluate(self, job: Job) -> Mapping[str, float]:
        """Return the scores of a configuration by name, each a finite number.

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
