"""Latency estimated before training, by the profile of a device."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from nas.core.configuration import Configuration
from nas.core.metrics import METRICS
from nas.core.numbers import counted
from nas.estimators.device.counts import operation_counts
from nas.estimators.device.profile import DeviceProfile, space_text
from search_spaces import Architecture, SearchSpace, Task

_CACHED = 1 << 13


class DeviceLatency:
    """Estimates `estimated_latency_ms` by the profile of a device, which may be another machine.

    Args:
        profile: The profile.
        space: The space of the architectures.
        task: The task of the networks; with the profile's input shape and outputs.

    Raises:
        ValueError: the profile is of another space or another task.
    """

    metrics = (METRICS["estimated_latency_ms"],)

    def __init__(self, profile: DeviceProfile, space: SearchSpace, task: Task) -> None:
        mine = {
            "space": space_text(space),
            "input_shape": list(task.input_shape),
            "classes": task.outputs,
        }
        if any(profile.setup[name] != value for name, value in mine.items()):
            shape = "x".join(map(str, task.input_shape))
            raise ValueError(
                f"device profile {profile.name} was made for {_described(profile.setup)}; this search has "
                f"{_described(mine)}; make one for it: nas latency --calibrate {mine['space']} "
                f"--input {shape} --classes {task.outputs} --to FILE"
            )
        self.profile = profile
        self._space, self._task = space, task
        self._milliseconds = lru_cache(maxsize=_CACHED)(self._estimate)

    def estimate(self, configuration: Configuration) -> dict[str, float]:
        """The latency of the network of a configuration."""
        return {"estimated_latency_ms": self._milliseconds(configuration.architecture)}

    def _estimate(self, architecture: Architecture) -> float:
        counts = operation_counts(
            lambda: self._space.compile(architecture, self._task),
            self._task.input_shape,
            self.profile.setup["batch"],
        )
        return self.profile.estimate(counts)


def _described(setup: Mapping[str, Any]) -> str:
    """The space, the inputs and the outputs of networks, in words."""
    shape = "x".join(map(str, setup["input_shape"]))
    return f"{setup['space']}, inputs {shape}, {counted(setup['classes'], 'output')}"
