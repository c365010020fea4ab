"""Measured latency as a metric: the network of each trial is timed when its evaluation has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nas.core.configuration import Configuration
from nas.core.failure import EvaluationFailed, Failure
from nas.core.metrics import METRICS
from nas.estimators.demand import MemoryDemand
from nas.evaluators import Evaluator, Placed, Predictable
from nas.evaluators.job import Job, Workspace
from search_spaces import Task

if TYPE_CHECKING:
    from torch import nn

    from nas.estimators.latency.timing import Latency

LATENCY = METRICS["latency_ms"]
ATTEMPTS = 3  # the time limit of each is twice that of the one before
_SECONDS = 1.0

# torch is imported late: a listing of evaluators does without it.


class Timed:
    """Adds `latency_ms` to the metrics of an evaluator: the latency of the network of the trial.

    It is measured in the process of the evaluation, on the device of the network, on one thread of the CPU:
    see `nas.estimators.latency`. Milliseconds are those at the speed that the machine had when the run
    began, by the time that a reference network takes: so trials that are measured hours apart, or beside
    other work, can be compared. `measured["latency"]` has the milliseconds as they were measured, their
    confidence interval and the time of the reference network. A measurement that is too
    noisy is repeated twice, each time for longer; then the last number counts and
    `measured["latency"]["too_noisy"]` says so: the training is not lost.

    Args:
        evaluator: The evaluator. A user's builds its network with `job.network()`.
        task: The task of the networks.
        batch: Inputs in the batch.
        backend: "torch", "onnxruntime" or "cuda-graph".
        reference: Seconds of the reference network when the run began.
    """

    def __init__(
        self, evaluator: Evaluator, task: Task, *, batch: int, backend: str, reference: float
    ) -> None:
        self.metrics = (*evaluator.metrics, LATENCY)
        self._evaluator = evaluator
        self._task = task
        self._batch = batch
        self._backend = backend
        self._reference = reference

    @property
    def device(self) -> str:
        """The device of the evaluator; empty if it does not say."""
        return self._evaluator.device if isinstance(self._evaluator, Placed) else ""

    def prepare(self, workspace: Workspace) -> None:
        """Prepare the evaluator that is wrapped."""
        self._evaluator.prepare(workspace)

    def evaluate(self, job: Job) -> dict[str, float]:
        """Evaluate, then measure the latency of the network."""
        scores = dict(self._evaluator.evaluate(job))
        if job.built is None:
            raise _invalid(
                "want a network that job.network() built, got none; declare latency_ms in the "
                "metrics of your evaluator to return it yourself"
            )
        latency = self._measure(job.built)
        job.measured["latency"] = {
            "measured_ms": latency.milliseconds,
            "low_ms": 1000 * latency.low,
            "high_ms": 1000 * latency.high,
            "rounds": latency.rounds,
            "reference_ms": 1000 * latency.reference,
            "drift": latency.drift,
            "clock": latency.clock,
            "too_noisy": latency.too_noisy,
        }
        return {**scores, LATENCY.name: latency.milliseconds_at(self._reference)}

    def memory_demand(self, configuration: Configuration) -> MemoryDemand:
        """Predict what the evaluator that is wrapped predicts."""
        if isinstance(self._evaluator, Predictable):
            return self._evaluator.memory_demand(configuration)
        return MemoryDemand("", 0)

    def throughput(self, configuration: Configuration, seconds: float) -> float:
        """Measure what the evaluator that is wrapped measures."""
        if isinstance(self._evaluator, Predictable):
            return self._evaluator.throughput(configuration, seconds)
        return 0.0

    def _measure(self, network: nn.Module) -> Latency:
        from nas.estimators.latency.backends import device_of, measure_networks

        device, networks = device_of(network), {"": (network, self._task.input_shape)}
        for attempt in range(ATTEMPTS):
            try:
                latency = measure_networks(
                    networks,
                    batch=self._batch,
                    device=device,
                    backend=self._backend,
                    seconds=_SECONDS * 2**attempt,
                )[""]
            except (RuntimeError, ValueError) as error:
                reason = " ".join(str(error).split())[:200]
                shape = "x".join(map(str, self._task.input_shape))
                raise _invalid(
                    f"the network cannot be run on inputs of {shape}: {reason}"
                ) from error
            if not latency.too_noisy:
                break
        return latency


def _invalid(message: str) -> EvaluationFailed:
    return EvaluationFailed(Failure("invalid", f"{LATENCY.name}: {message}"))
