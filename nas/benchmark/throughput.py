"""The speed of brief training: one architecture by our loop, by a plain one, and by phase."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from os import times
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import nn

import trainers
from nas.estimators import training_demand as sizing
from nas.evaluators import training
from search_spaces import Architecture, SearchSpace
from trainers import Dataset, Epoch, Split, memory
from trainers.data.split import stratified
from trainers.loop.precision import choose
from trainers.profiling import roofline
from trainers.profiling.phases import split_pass
from trainers.profiling.plain_loop import train_plainly

LOOP_SECONDS = 1.0  # of steps on a GPU, whose speed is compared with the roofline
Loop = Callable[[nn.Module], Iterator[Epoch]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """The cost of training one candidate.

    Attributes:
        seconds: Wall time from the architecture to its score.
        cpu_seconds: CPU time of this process and of the processes of its `DataLoader`.
        images: Training examples processed, over all epochs.
        accuracy: Validation accuracy at the end, 0..1.
        peak_bytes: Peak memory of the GPU, or of this whole process; None where the system does
            not report it.
    """

    seconds: float
    cpu_seconds: float
    images: int
    accuracy: float
    peak_bytes: int | None


class Bench:
    """Trains architectures on a data set by a recipe, and measures the cost.

    Args:
        data: The data, as for `nas search`.
        recipe: Fields of the recipe.
        device: "auto", "cpu", "cuda" or "cuda:N".
        loader_workers: Processes of the plain loop's `DataLoader`.
        images: The number of examples to use: four fifths for training, one fifth for validation,
            stratified by class. None: all.

    Raises:
        ValueError: the data cannot be read, the recipe is not allowed, or `images` is out of range.
    """

    def __init__(
        self,
        data: str,
        recipe: Mapping[str, Any],
        *,
        device: str,
        loader_workers: int,
        images: int | None = None,
    ) -> None:
        self.recipe = training.make_recipe(recipe)
        self._cpu_data = training.load_data(data, device="cpu")
        if (task := self._cpu_data.targets.task) != "classification":
            raise ValueError(f"--data: want a classification, which both loops train, got {task}")
        if images is not None:
            self._cpu_data = _fewer(self._cpu_data, images)
        self.data = self._cpu_data.to(trainers.resolve(device))
        self.task = training.task_of(self.data)
        self._loader_workers = loader_workers
        self._rates: dict[str, roofline.Rates] = {}

    def described(self) -> dict[str, Any]:
        """The circumstances of the measurements: data, recipe, threads and loader processes."""
        return {
            "data": self.data.name,
            "examples": {"train": len(self.data.train), "validation": len(self.data.validation)},
            "recipe": asdict(self.recipe),
            "loader_workers": self._loader_workers,
            "threads": torch.get_num_threads(),
        }

    def ours(self, space: SearchSpace, architecture: Architecture, seed: int) -> Training:
        """Train by the loop that searches use."""
        return self._timed(
            space,
            architecture,
            seed,
            lambda net: trainers.train(net, self.data, self.recipe, seed=seed),
        )

    def plain(self, space: SearchSpace, architecture: Architecture, seed: int) -> Training:
        """Train by the plain loop of PyTorch tutorials, with a `DataLoader`."""
        return self._timed(
            space,
            architecture,
            seed,
            lambda net: train_plainly(
                net, self._cpu_data, self.recipe, seed=seed, workers=self._loader_workers
            ),
        )

    def profile(self, space: SearchSpace, architecture: Architecture) -> dict[str, Any]:
        """The seconds of each phase of a training step, and its speed relative to the roofline.

        On a GPU, where phases are synchronised, the speed is that of the whole loop, which replays
        its steps.
        """
        device = self.data.device
        net = training.build(space, architecture, self.task, seed=0).to(device)
        computed = choose(self.recipe.precision, net, self.data.input_shape, device)
        few = sizing.first(self.data, sizing.RATED * self.recipe.batch_size)
        phases = split_pass(net, few, self.recipe, seed=0)
        if computed not in self._rates:
            self._rates[computed] = roofline.measure_rates(device, computed)
        rates = self._rates[computed]
        work = roofline.count_step(net, self.data.input_shape, self.recipe.batch_size, computed)
        least, seconds = work.seconds(rates), phases.busy
        if device.type == "cuda":
            examples = sizing.throughput(net, self.data, self.recipe, LOOP_SECONDS)
            seconds = self.recipe.batch_size / examples
        return {
            "computed": computed,
            "step_seconds": asdict(phases),
            "operations": work.operations,
            "bytes": work.bytes,
            "rates": asdict(rates),
            "roofline_seconds": least,
            "seconds": seconds,
            "roofline_share": least / seconds,
        }

    def _timed(
        self, space: SearchSpace, architecture: Architecture, seed: int, loop: Loop
    ) -> Training:
        memory.release()
        peak = _Peak(self.data.device)
        start, cpu_start = perf_counter(), _cpu_seconds()
        net = training.build(space, architecture, self.task, seed).to(self.data.device)
        *_, last = loop(net)
        seconds = perf_counter() - start
        return Training(
            seconds=seconds,
            cpu_seconds=_cpu_seconds() - cpu_start,
            images=self.recipe.epochs * len(self.data.train),
            accuracy=last.accuracy,
            peak_bytes=peak.read(),
        )


def _cpu_seconds() -> float:
    """CPU seconds of this process and of its children that have ended."""
    spent = times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _fewer(data: Dataset, images: int) -> Dataset:
    """The data set with `images` examples: four fifths for training, one fifth for validation."""
    least = len(data.classes)  # examples to sample and to leave: one of each class

    def sampled(split: Split, count: int) -> Split:
        if not least <= count <= len(split) - least:
            raise ValueError(
                f"--images: {images} are {count} of a split of {len(split):,}; want a number that "
                f"gives {least} to {len(split) - least:,} of it"
            )
        chosen = torch.from_numpy(stratified(split.targets.numpy(), count, seed=0))
        return split.part(chosen)

    return replace(
        data,
        train=sampled(data.train, images - images // 5),
        validation=sampled(data.validation, images // 5),
    )


class _Peak:
    """The peak memory in use since its construction."""

    _RESET, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")  # Linux

    def __init__(self, device: torch.device) -> None:
        self._device = device
        memory.forget_peak(device)
        if device.type == "cpu" and self._RESET.exists():
            self._RESET.write_text("5")  # "the peak resident set size": proc(5)

    def read(self) -> int | None:
        """The peak, in bytes; None where the system does not report it."""
        if self._device.type == "cuda":
            return memory.peak_bytes(self._device)
        if not self._RESET.exists():
            return None
        found = re.search(r"VmHWM:\s+(\d+) kB", self._STATUS.read_text())
        return int(found[1]) * 1024 if found else None
