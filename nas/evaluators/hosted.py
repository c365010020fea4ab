"""A user's evaluator in a search: its jobs know the search, and its metrics are checked."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

from nas.core.failure import BudgetSpent, EvaluationFailed, Failure
from nas.core.metrics import Metric
from nas.evaluators import Evaluator
from nas.evaluators.job import STOPPED, Job, Workspace
from search_spaces.tree.values import thaw


class Hosted:
    """Runs a user's evaluator: gives its jobs the workspace, checks metrics, keeps weights.

    Args:
        evaluator: The user's evaluator.
        metrics: The metrics that it has to return.
        workspace: Everything that its jobs share.
    """

    def __init__(
        self, evaluator: Evaluator, metrics: tuple[Metric, ...], workspace: Workspace
    ) -> None:
        self.metrics = metrics
        self._evaluator = evaluator
        self._workspace = workspace

    @property
    def device(self) -> str:
        """The device that its jobs are to train on."""
        return self._workspace.device

    def prepare(self, workspace: Workspace) -> None:
        """Prepare the user's evaluator."""
        self._evaluator.prepare(workspace)

    def evaluate(self, job: Job) -> dict[str, float]:
        """Call the user's evaluator, and check what it returns."""
        job.open(self._workspace)
        job.recipe = {**thaw(job.hyperparameters), "epochs": self._workspace.epochs}
        try:
            returned: Any = self._evaluator.evaluate(job)
        except BudgetSpent:
            returned = self._last_epoch(job)
        except FloatingPointError as error:
            raise EvaluationFailed(Failure("diverged", str(error))) from error
        if returned is None and job.curve:
            returned = {k: v for k, v in job.curve[-1].items() if k in self._names}
        scores = self._checked(returned)
        job.keep_weights()
        return scores

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(metric.name for metric in self.metrics)

    def _last_epoch(self, job: Job) -> dict[str, float]:
        """The metrics that the last epoch reported.

        Raises:
            EvaluationFailed: it did not report all.
        """
        record = job.curve[-1]
        if missing := [name for name in self._names if name not in record]:
            why = f"{STOPPED}, and epoch {record['number']:g} did not report {missing[0]}"
            raise EvaluationFailed(Failure("timeout", why))
        return {name: record[name] for name in self._names}

    def _checked(self, returned: Any) -> dict[str, float]:
        """The metrics that were returned, as plain numbers.

        Raises:
            EvaluationFailed: one is missing, is not declared, is not a number, or is NaN.
        """
        names = self._names
        if isinstance(returned, Real) and len(names) == 1:
            returned = {names[0]: returned}
        wanted = ", ".join(names)
        if not isinstance(returned, Mapping):
            raise _invalid(f"want a dict with {wanted}, got {_said(returned)}")
        if missing := [name for name in names if name not in returned]:
            got = ", ".join(map(str, returned)) or "nothing"
            raise _invalid(f"want the metrics {wanted}, got {got}: {missing[0]} is missing")
        if more := [str(name) for name in returned if name not in names]:
            raise _invalid(
                f"want the metrics {wanted}, got {more[0]} too; declare it in the metrics of "
                f"@nas.evaluator"
            )
        try:
            return {metric.name: metric.check(returned[metric.name]) for metric in self.metrics}
        except ValueError as error:
            raise _invalid(str(error)) from None
        except FloatingPointError as error:
            raise EvaluationFailed(Failure("diverged", str(error))) from None


def _said(returned: object) -> str:
    """A returned value that is no metrics, in words."""
    if returned is None:
        return "nothing: it returned nothing, and reported no epoch"
    kind = type(returned).__name__
    return f"{kind}; return its .item()" if kind in ("Tensor", "ndarray") else kind


def _invalid(message: str) -> EvaluationFailed:
    return EvaluationFailed(Failure("invalid", message))
