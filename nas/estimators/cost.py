"""The exact cost of a network: parameters, multiply-accumulates, peak activation memory."""

from __future__ import annotations

from dataclasses import fields

from nas.core.configuration import Configuration
from nas.core.joint_space import JointSpace
from nas.core.metrics import METRICS
from search_spaces import Cost

COSTS = tuple(METRICS[field.name] for field in fields(Cost))
_NAMES = tuple(metric.name for metric in COSTS)


class ExactCost:
    """Estimates `parameters`, `macs` and `peak_activation_bytes` for one input; all are exact.

    Args:
        space: The space of the configurations; it remembers what it has counted.
    """

    metrics = COSTS

    def __init__(self, space: JointSpace) -> None:
        self._space = space

    def estimate(self, configuration: Configuration) -> dict[str, int]:
        """Return the exact costs of the network."""
        cost = self._space.cost(configuration)
        return {name: getattr(cost, name) for name in _NAMES}
