"""The preparation of strategies in searches without training."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from nas.strategies.preparing import Preparation, RelaxedTraining
from search_spaces import SearchSpace, Task
from search_spaces.tree.relaxation import OperationWeights

if TYPE_CHECKING:
    from trainers import Dataset

EXAMPLES = 60


def preparation(space: SearchSpace, task: Task, folder: Path, seed: int) -> Preparation:
    """A preparation with data of noise; operation weights are drawn by the seed, not trained.

    Args:
        space: The search space.
        task: The task of its networks: a classification of images.
        folder: Folder for files of the strategy.
        seed: Seed of the search.
    """

    def relax(settings: RelaxedTraining) -> OperationWeights:  # noqa: ARG001
        if space.relaxation is None:
            raise ValueError(f"want a space with a relaxation, got {space.name}")
        rng, found = Random(f"operations/{seed}"), {}
        for name, edges in space.relaxation.cells.items():
            rows = [[rng.random() for _ in space.relaxation.operations] for _ in edges]
            found[name] = [[one / sum(row) for one in row] for row in rows]
        return found

    return Preparation(
        space=space,
        task=task,
        data=_noise(task.input_shape, task.outputs),
        folder=folder,
        seed=seed,
        device="cpu",
        relax=relax,
    )


@cache
def _noise(shape: tuple[int, ...], classes: int) -> Dataset:
    import numpy as np

    import trainers

    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (EXAMPLES, *shape), dtype=np.uint8)
    return trainers.from_objects((x, np.arange(EXAMPLES) % classes), seed=0)
