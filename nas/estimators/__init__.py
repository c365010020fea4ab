"""Estimators: metrics of a configuration without training it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from nas.core.configuration import Configuration
from nas.core.metrics import Metric


@runtime_checkable
class Estimator(Protocol):
    """Metrics of a configuration that are known, or predicted, before it is trained.

    To add one: write a class with these two, and hand an object to `nas.search(estimators=...)`.

    Examples:
        >>> import nas, search_spaces
        >>> from nas.core.joint_space import JointSpace
        >>> class Depth:
        ...     metrics = (nas.Metric("depth", "minimize", low=0),)
        ...
        ...     def estimate(self, configuration):
        ...         return {"depth": len(configuration.architecture["hidden"])}
        >>> space = search_spaces.SearchSpace(
        ...     name="plain",
        ...     tree=search_spaces.Struct(
        ...         hidden=search_spaces.Repeat(search_spaces.Choice(8, 16), 1, 3)
        ...     ),
        ... )
        >>> nas.testing.check_estimator(Depth(), JointSpace(space, None))
    """

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that `estimate` returns."""

    def estimate(self, configuration: Configuration) -> Mapping[str, float]:
        """Return metrics by name. An exception fails the trial before it is evaluated."""
