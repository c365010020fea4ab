"""Parameters that can change the output of a network, known before it is trained."""

from __future__ import annotations

import torch
from torch import Tensor

from nas.core.configuration import Configuration
from nas.core.metrics import METRICS
from nas.estimators.proxy_batch import Batch
from search_spaces import SearchSpace, Task
from search_spaces.cost.effective import effective_parameters
from trainers import Dataset


class EffectiveParameters:
    """Counts the parameters that can change the output: see `search_spaces.cost.effective`.

    A network is built, and passed forwards and backwards once: 0.02 s for a small one, seconds for a
    large one.

    Args:
        space: The space of the architectures, whose networks can be built.
        task: The task of the networks.
        data: The data, for inputs as the networks take them; None for random numbers.
    """

    metrics = (METRICS["effective_parameters"],)

    def __init__(self, space: SearchSpace, task: Task, data: Dataset | None = None) -> None:
        self._space = space
        self._task = task
        self._inputs = random_inputs(task) if data is None else Batch.of(data, 0, count=8).inputs

    def estimate(self, configuration: Configuration) -> dict[str, float]:
        """Return the number of parameters that can change the output."""
        found = effective_parameters(
            lambda: self._space.compile(configuration.architecture, self._task), self._inputs
        )
        return {"effective_parameters": found.effective}


def random_inputs(task: Task, count: int = 8) -> Tensor:
    """Inputs of N(0, 1), [count, ...], the same each time."""
    return torch.randn(count, *task.input_shape, generator=torch.Generator().manual_seed(0))
