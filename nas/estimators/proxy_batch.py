"""The batch of a search that zero-cost proxies are measured on, and their measurement."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor, nn

import trainers
from nas.estimators import proxies
from nas.estimators.proxies.probe import Missing, Probe
from search_spaces import Architecture, SearchSpace, Task
from trainers import Dataset, Recipe
from trainers.determinism import threads
from trainers.tasks import Criterion
from trainers.tasks.registry import make_task

BATCH = 32  # examples


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The examples that all networks of a search are measured on, on the CPU.

    Attributes:
        inputs: Normalised inputs, float32 [B, ...].
        targets: Targets, as in `trainers.data.dataset.Split`.
        criterion: The sum of the losses of outputs and targets.
    """

    inputs: Tensor
    targets: Tensor
    criterion: Criterion

    @classmethod
    def of(
        cls, data: Dataset, seed: int, *, task: trainers.Task | None = None, count: int = BATCH
    ) -> Batch:
        """Draw examples of the training split, never of another.

        Args:
            data: The data set, on any device.
            seed: Seed of the draw.
            task: The loss; None for that of the data.
            count: Number of examples; all, if there are fewer.
        """
        generator = torch.Generator().manual_seed(trainers.derive_seed(seed, "proxies", "batch"))
        rows = torch.randperm(len(data.train), generator=generator)[:count]
        split = data.train.part(rows.to(data.train.inputs.device)).to("cpu")
        inputs = trainers.normalise(split.inputs, data.mean.cpu(), data.std.cpu())
        chosen = make_task(data.targets) if task is None else task
        criterion = chosen.criterion(Recipe(label_smoothing=0.0), data)
        return cls(inputs=inputs, targets=split.targets, criterion=criterion)

    @classmethod
    def random(cls, task: Task, seed: int, *, count: int = BATCH) -> Batch:
        """Inputs from N(0, 1) and classes in turn, where there are no data."""
        generator = torch.Generator().manual_seed(trainers.derive_seed(seed, "proxies", "batch"))
        inputs = torch.randn(count, *task.input_shape, generator=generator)
        shape = (count, *task.input_shape[1:]) if task.dense else (count,)
        targets = torch.arange(torch.Size(shape).numel()) % task.outputs
        return cls(inputs=inputs, targets=targets.reshape(shape), criterion=_cross_entropy)


def _cross_entropy(
    outputs_BK: Tensor, targets_B: Tensor, weights_B: Tensor | None = None, /
) -> Tensor:
    assert weights_B is None, "random examples have no weights"
    return nn.functional.cross_entropy(outputs_BK, targets_B, reduction="sum")


def measure(
    space: SearchSpace,
    architecture: Architecture,
    task: Task,
    names: Iterable[str],
    batch: Batch,
    *,
    seed: int,
) -> tuple[dict[str, float], dict[str, str]]:
    """Measure scores of an untrained network, on one thread.

    Args:
        space: The search space.
        architecture: The architecture.
        task: The task of the network.
        names: Names of scores, see `proxies.parse`.
        batch: The examples.
        seed: Seed of the initial weights and of all that is drawn.

    Returns:
        Finite scores by name, and the reasons of those that are missing.
    """
    names = tuple(names)
    found: dict[str, float] = {}
    missing: dict[str, str] = {}

    def build() -> nn.Module:
        with trainers.seeded(trainers.derive_seed(seed, "weights")):
            return space.compile(architecture, task)

    with threads(1):
        probe = Probe(
            build=build,
            inputs=batch.inputs,
            targets=batch.targets,
            criterion=batch.criterion,
            macs=lambda: space.cost(architecture, task).macs,
            seed=trainers.derive_seed(seed, "proxies"),
        )
        for proxy in proxies.needed(names):
            try:
                with trainers.seeded(trainers.derive_seed(seed, "proxies", proxy)):
                    scores = proxies.load(proxy)(probe)
                wrong = [name for name, score in scores.items() if not isfinite(score)]
                if wrong:
                    raise Missing(f"want a finite score, got {scores[wrong[0]]}")
                found |= {name: score for name, score in scores.items() if name in names}
            except Exception as error:  # of a user's own network, or one too large
                why = f"{'' if isinstance(error, Missing) else type(error).__name__ + ': '}{error}"
                reason = " ".join(why.split())
                missing |= {name: reason for name in proxies.PROXIES[proxy] if name in names}
    return found, missing
