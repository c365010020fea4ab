"""The evaluator `proxies`: zero-cost proxies as the metrics of a search that trains nothing."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING

import numpy as np

from nas.core.configuration import Configuration
from nas.core.failure import EvaluationFailed, Failure
from nas.core.metrics import COMBINED, PROXIES, Metric
from nas.estimators import proxies
from nas.evaluators.job import Job, Workspace

if TYPE_CHECKING:
    from nas.estimators.proxy_scores import ProxyScores

_REFERENCE = 32  # random architectures
_FAR = 2.0  # interquartile ranges from the median


class ProxyEvaluator:
    """Measures zero-cost proxies of the untrained network.

    The metric `proxies` combines those of `auto`: the mean of their distances from the median of random
    architectures of the space, in interquartile ranges, at most two; a proxy that is missing counts as two
    below. Others are metrics where objectives or limits name them.

    Args:
        named: Names of metrics of objectives and limits.
    """

    def __init__(self, named: Iterable[str]) -> None:
        self._names = tuple(name for name in PROXIES if name in set(named))
        self.metrics: tuple[Metric, ...] = (COMBINED, *(PROXIES[name] for name in self._names))
        self._workspace: Workspace | None = None

    def prepare(self, workspace: Workspace) -> None:
        """Nothing is prepared."""

    def evaluate(self, job: Job) -> dict[str, float]:
        """Return the proxies of the untrained network."""
        self._workspace = job.workspace
        names = tuple(dict.fromkeys((*proxies.AUTO, *self._names)))
        found = self._scores.scores(job.configuration, names)
        missing = self._scores.missing(job.architecture)
        for name in self._names:
            if name not in found:
                raise EvaluationFailed(Failure("invalid", f"{name}: {missing[name]}"))
        if not any(name in found for name in proxies.AUTO):
            why = "; ".join(f"{name}: {missing[name]}" for name in proxies.AUTO)
            raise EvaluationFailed(Failure("invalid", why))
        distances = [
            np.clip((found[name] - low) / spread, -_FAR, _FAR) if name in found else -_FAR
            for name, (low, spread) in self._reference.items()
        ]
        combined = float(np.mean(distances)) if distances else 0.0
        return {COMBINED.name: combined, **{name: found[name] for name in self._names}}

    @cached_property
    def _scores(self) -> ProxyScores:
        from nas.estimators.proxy_batch import Batch
        from nas.estimators.proxy_scores import ProxyScores

        shared = self._workspace
        assert shared is not None, "an evaluation has begun"
        if shared.data is None or shared.task is None or shared.space.build is None:
            raise ValueError("evaluator proxies: want a space with networks, and data")
        data = shared.data
        return ProxyScores(
            shared.space,
            shared.task,
            tuple(dict.fromkeys((*proxies.AUTO, *self._names))),
            batch=lambda: Batch.of(data, shared.seed),
            seed=shared.seed,
        )

    @cached_property
    def _reference(self) -> dict[str, tuple[float, float]]:
        """The median and the interquartile range of each proxy that varies in the space."""
        assert self._workspace is not None, "an evaluation has begun"
        rng, space = Random("proxies"), self._workspace.space
        drawn = [Configuration.of(space.sample(rng)) for _ in range(_REFERENCE)]
        found = [self._scores.scores(configuration, proxies.AUTO) for configuration in drawn]
        ranges = {}
        for name in proxies.AUTO:
            if values := [scores[name] for scores in found if name in scores]:
                low, median, high = np.quantile(values, (0.25, 0.5, 0.75))
                if high > low:
                    ranges[name] = (float(median), float(high - low))
        return ranges
