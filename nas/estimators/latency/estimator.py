"""Latency estimated before training, from a table of measured blocks."""

from __future__ import annotations

from functools import lru_cache

from nas.core.configuration import Configuration
from nas.core.metrics import METRICS
from nas.estimators.latency.operations import operations_of
from nas.estimators.latency.table import LatencyTable
from search_spaces import Architecture, SearchSpace, Task

_CACHED = 1 << 13


class EstimatedLatency:
    """Estimates `estimated_latency_ms` by an additive model; the same table gives the same estimates.

    A network is passed through on the meta device, which takes tens of milliseconds; the results are
    remembered.

    Args:
        table: The measured blocks and the model: see `nas.estimators.latency.fit.fit_table`.
        space: The space of the architectures.
        task: The task of the networks; with the table's input shape and classes.

    Raises:
        ValueError: the table is of another space or another task.
    """

    metrics = (METRICS["estimated_latency_ms"],)

    def __init__(self, table: LatencyTable, space: SearchSpace, task: Task) -> None:
        mine = {"space": space.name, "input_shape": list(task.input_shape), "classes": task.outputs}
        for name, value in mine.items():
            if table.setup[name] != value:
                raise ValueError(
                    f"latency table: want one of {name} {value}, got {table.setup[name]}"
                )
        self.table = table
        self._space = space
        self._task = task
        self._milliseconds = lru_cache(maxsize=_CACHED)(self._estimate)

    def estimate(self, configuration: Configuration) -> dict[str, float]:
        """Return the latency of the network in milliseconds."""
        return {"estimated_latency_ms": self._milliseconds(configuration.architecture)}

    def _estimate(self, architecture: Architecture) -> float:
        calls = operations_of(
            lambda: self._space.compile(architecture, self._task),
            self._task.input_shape,
            self.table.setup["batch"],
        )
        return self.table.estimate(calls)
