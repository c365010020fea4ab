"""The device, generated data and networks of all parts, and figures that survive a kill."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

import numpy as np
import torch

import search_spaces
import trainers
from nas.core.configuration import Configuration
from nas.core.metrics import METRICS
from nas.core.proposal import Proposal
from nas.core.trial import Trial as EndedTrial
from nas.evaluators import factories
from nas.evaluators.training import Training, build
from nas.executors import guarded
from nas.executors.workers import Workers
from nas.runs.resource_limits import ResourceLimits
from nas.runs.settings import Settings
from search_spaces import Architecture, Integer, Record, SearchSpace, Struct, Task
from trainers import Dataset, Recipe, Split
from trainers.data.dataset import mean_and_std
from trainers.data.targets import of_classes
from trainers.loop.batch_step import EagerStep
from trainers.tasks.classification import Classification

SHAPES = {1: (20,), 2: (3, 64), 3: (3, 32, 32)}
MEASURED = ("seconds", "micro_batches", "peak_bytes", "launched")
WIDTHS = {"mobile": "mobile:width=0.25"}  # of spaces whose networks are large


@dataclass
class Trial:
    """The circumstances of a part, and its figures.

    Attributes:
        device: "cuda" or "cpu".
        tiny: True for sizes that test the program, not the GPU.
        file: File that the figures are written to, after each of them.
        data: An .npz file of images; empty for generated ones.
        table: A CSV file of NAS-Bench-201, for `ranking`.
        found: Figures by name.
    """

    device: str
    tiny: bool
    file: Path
    data: str = ""
    table: str = ""
    found: dict[str, Any] = field(default_factory=dict)

    @property
    def on_gpu(self) -> bool:
        return self.device.startswith("cuda")

    @property
    def torch_device(self) -> torch.device:
        return trainers.resolve(self.device)

    def put(self, name: str, value: Any) -> None:
        """Add a figure, and write all of them."""
        self.found[name] = value
        temporary = self.file.with_suffix(".tmp")
        temporary.write_text(json.dumps(self.found, default=str))
        temporary.replace(self.file)
        print(name, str(value)[:500], flush=True)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Note an error inside the block as the figure `name`, and go on."""
        try:
            yield
        except Exception as error:
            where = traceback.format_exc(limit=-5)[-1500:]
            self.put(name, {"error": f"{type(error).__name__}: {error}"[:800], "where": where})

    def seconds(self, work: Callable[[], object], times: int = 1) -> float:
        """Mean seconds of a call, everything that it launches included."""
        self.synchronise()
        start = perf_counter()
        for _ in range(times):
            work()
        self.synchronise()
        return (perf_counter() - start) / times

    def synchronise(self) -> None:
        if self.on_gpu:
            torch.cuda.synchronize()

    def dataset(self, examples: int, shape: tuple[int, ...] = (3, 32, 32)) -> Dataset:
        """Generated examples of 10 classes that can be told apart, on the device."""
        count = examples + 128
        rng = torch.Generator().manual_seed(0)
        labels = torch.arange(count) % 10
        if len(shape) == 3:
            means = torch.randint(0, 128, (10, *shape), generator=rng, dtype=torch.uint8)
            noise = torch.randint(0, 128, (count, *shape), generator=rng, dtype=torch.uint8)
            inputs = means[labels] + noise
        else:
            inputs = torch.randn(count, *shape, generator=rng) + labels.view(-1, *[1] * len(shape))
        splits = [
            Split(x, y)
            for x, y in zip(
                inputs.split((examples, 64, 64)), labels.split((examples, 64, 64)), strict=True
            )
        ]
        mean, std = mean_and_std(splits[0].inputs)
        classes = tuple(map(str, range(10)))
        data = Dataset(
            "generated", *splits, targets=of_classes(classes), mean=mean, std=std, flippable=True
        )
        return data.to(self.torch_device)

    def npz(self, images: int, side: int = 32) -> str:
        """The file of the user, or one of random images, four fifths of them to train on."""
        if self.data:
            return self.data
        file = self.file.parent / f"random{images}.npz"
        if not file.exists():
            rng = np.random.default_rng(0)
            pixels = rng.integers(0, 256, (images, 3, side, side), dtype=np.uint8)
            labels = rng.permutation(np.arange(images) % 10)
            few = images // 10
            np.savez(file, x_train=pixels, y_train=labels, x_test=pixels[:few], y_test=labels[:few])
        return str(file)

    def workers(self, space: str, recipe: dict[str, Any], count: int) -> Workers:
        """Worker processes that train networks of a space on the device."""
        settings = Settings(
            space=space,
            data=self.npz(400 if self.tiny else 10_000),
            device=self.device,
            recipe={"epochs": 1, **recipe},
        )
        metrics = (METRICS["accuracy"], METRICS["loss"])
        made = factories.blueprint(settings, self.file.parent, self.device, metrics=metrics)
        return Workers(made, ResourceLimits(workers=count))

    def network(self, name: str, seed: int = 0) -> tuple[torch.nn.Module, Task]:
        """A small network of a space, always the same, on the device."""
        space, architecture, task = sampled(name)
        net = build(space, architecture, task, seed).to(self.torch_device)
        return net.to(memory_format=torch.channels_last), task

    def eager_step(self, net: torch.nn.Module, recipe: Recipe, computed: Any) -> EagerStep:
        return EagerStep(
            net=net.train(),
            optimizer=trainers.make_optimizer(net, recipe),
            criterion=Classification().criterion(recipe, trainers.load("digits")),
            computed=computed,
        )


def text_of(ended: EndedTrial) -> str | None:
    """The failure of a trial; None if it has none."""
    return str(ended.failure) if ended.failure else None


def sampled(name: str, most: int = 2_000_000) -> tuple[SearchSpace, Architecture, Task]:
    """A space, one of its architectures with at most so many parameters, and a task."""
    space = search_spaces.load(WIDTHS.get(name, name))
    task = Task(SHAPES[space.inputs[-1]], 10, dense=space.dense)
    rng = Random(0)
    samples = [space.sample(rng) for _ in range(30)]
    sizes = [space.cost(architecture, task).parameters for architecture in samples]
    fitting = [n for n, size in enumerate(sizes) if 50_000 < size <= most]
    chosen = fitting[0] if fitting else sizes.index(min(sizes))
    return space, samples[chosen], task


def evaluated(data: Dataset, make: Callable[[], torch.nn.Module], **recipe: Any) -> dict[str, Any]:
    """Evaluate a network as a search does; how the trial ended."""
    space = SearchSpace(name="trial", tree=Struct(depth=Integer(1, 2)), build=lambda *_: make())
    training = Training(space, data, fixed={"epochs": 1, **recipe}, seed=0)
    architecture = Architecture("trial", Record({"depth": 1}))
    trial = guarded.evaluate(training, 0, Proposal(Configuration.of(architecture)))
    return {
        "failure": text_of(trial),
        "accuracy": trial.scores.get("accuracy"),
        **{name: trial.measured.get(name) for name in MEASURED},
    }
