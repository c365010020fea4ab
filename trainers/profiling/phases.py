"""Time of each phase of a training step in the loop of `trainers.train`."""

from dataclasses import dataclass
from time import perf_counter, process_time

import torch
from torch import nn

from trainers.data.dataset import Dataset
from trainers.determinism import derive_seed, seeded
from trainers.loop.batch_step import EagerStep, dropout
from trainers.loop.batches import batches, steps_per_epoch
from trainers.loop.convolutions import quick_convolutions
from trainers.loop.precision import choose
from trainers.recipes.averaging import Average
from trainers.recipes.optimizers import learning_rates, make_optimizer, set_learning_rate
from trainers.recipes.recipe import Recipe
from trainers.tasks.registry import make_task


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """Mean seconds of a step: processor time on a CPU, wall time on a GPU.

    Attributes:
        data: Time for ordering, gathering and augmenting examples.
        forward: Time of the forward pass and the loss.
        backward: Time of the backward pass.
        optimiser: Time of the update, averaging included.
        idle: Wall time beyond these, in which other processes had the processor. 0 on a GPU, which
            is synchronised after each phase.
    """

    data: float
    forward: float
    backward: float
    optimiser: float
    idle: float

    @property
    def busy(self) -> float:
        """The sum of all phases without the idle time."""
        return self.data + self.forward + self.backward + self.optimiser


def split_pass(net: nn.Module, data: Dataset, recipe: Recipe, *, seed: int) -> Phases:
    """Train `net` for one pass over `data.train`, and time the phases of its steps.

    One step runs before the measurement, because much is initialised in it.
    """
    device = data.device
    net.to(memory_format=torch.channels_last).train()
    optimizer = make_optimizer(net, recipe)
    step = EagerStep(
        net=net,
        optimizer=optimizer,
        criterion=make_task(data.targets).criterion(recipe, data),
        computed=choose(recipe.precision, net, data.input_shape, device),
    )
    a_pass = steps_per_epoch(len(data.train), recipe.batch_size)
    average = Average(net, recipe.averaging, steps=recipe.epochs * a_pass)
    clock = _Clock(device)
    with (
        seeded(derive_seed(seed, "network", 1), device),
        dropout(net, recipe.dropout, hidden=len(data.input_shape) == 1),
        quick_convolutions(net),
    ):
        step(*next(batches(data, recipe, epoch=1, seed=seed)))
        rates = learning_rates(recipe, a_pass)
        started = perf_counter()
        clock.lap()
        for batch in batches(data, recipe, epoch=1, seed=seed):
            clock.lap("data")
            set_learning_rate(optimizer, next(rates))
            optimizer.zero_grad()
            loss = step.loss(*batch)
            clock.lap("forward")
            (loss / len(batch.targets)).backward()  # type: ignore[no-untyped-call]
            clock.lap("backward")
            optimizer.step()
            average.follow()
            clock.lap("optimiser")
        wall = perf_counter() - started
    parts = {name: seconds / a_pass for name, seconds in clock.laps.items()}
    return Phases(**parts, idle=max(0.0, wall / a_pass - sum(parts.values())))


class _Clock:
    """Adds up the seconds of each phase, including the kernels launched in it."""

    def __init__(self, device: torch.device) -> None:
        self.laps = dict.fromkeys(("data", "forward", "backward", "optimiser"), 0.0)
        self._device = device
        self._at = 0.0

    def lap(self, phase: str | None = None) -> None:
        """End a phase."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        now = perf_counter() if self._device.type == "cuda" else process_time()
        if phase is not None:
            self.laps[phase] += now - self._at
        self._at = now
