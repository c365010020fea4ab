"""The contract of estimators."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from nas.core.configuration import Configuration
from nas.core.joint_space import JointSpace
from nas.estimators import Estimator
from nas.testing.clauses import (
    check_metrics,
    completes,
    global_generators_untouched,
    name_of,
    other_global_seeds,
    require,
)

CONFIGURATIONS = 10


def check_estimator(estimator: Estimator, space: JointSpace) -> None:
    """Check that an estimator keeps the contract of `nas.estimators.Estimator`.

    Clauses, each checked on 10 configurations:

    - `estimate` returns metrics by name, each a finite number that JSON can hold.
    - Every configuration has the same metrics.
    - An estimate is repeatable: it depends on the configuration alone, not on earlier ones.
    - The global generators of random, numpy and torch are neither used nor seeded.

    Args:
        estimator: The estimator.
        space: The space of the configurations that it estimates.

    Raises:
        AssertionError: a clause is broken; one sentence says which and how.
    """
    name = name_of(estimator)
    rng = Random(0)
    configurations = [space.sample(rng) for _ in range(CONFIGURATIONS)]
    with global_generators_untouched(name):
        found = [_estimate(name, estimator, each) for each in configurations]
    for configuration, metrics in zip(configurations, found, strict=True):
        require(
            metrics.keys() == found[0].keys(),
            name,
            f"estimates {', '.join(metrics)} of {configuration}, and {', '.join(found[0])} of others",
        )
    with other_global_seeds():
        for configuration, metrics in reversed(list(zip(configurations, found, strict=True))):
            again = _estimate(name, estimator, configuration)
            require(
                again == metrics,
                name,
                f"estimates {configuration} differently a second time: {metrics}, then {again}",
            )


def _estimate(name: str, estimator: Estimator, configuration: Configuration) -> dict[str, float]:
    with completes(name, f"estimate {configuration}"):
        metrics: Mapping[str, float] = estimator.estimate(configuration)
    return check_metrics(name, metrics, f"of {configuration}")
