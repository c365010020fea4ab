"""Steps of networks of every space can be captured: nothing waits for the device or leaves it."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

import search_spaces
from nas.evaluators.training import build
from nas.testing.waits import Waits
from search_spaces import Task
from tests.nas.networks import labels_of, sampled
from tests.trainers.tasks import test_tasks
from tests.trainers.tasks.test_tasks import DATA
from trainers import Recipe, evaluate, from_objects, load, make_optimizer
from trainers.loop import batch_step
from trainers.loop.batch_step import EagerStep, dropout
from trainers.loop.batches import batches, laid_out
from trainers.loop.grouped_kernels import GroupedKernels
from trainers.recipes.averaging import Average
from trainers.tasks.classification import Classification
from trainers.tasks.registry import TASKS, make_task

BATCH = 4


def network(name: str) -> tuple[nn.Module, Task]:
    space, architecture, task = sampled(name)
    net = build(space, architecture, task, seed=0).train().to(memory_format=torch.channels_last)
    return net, task


def make_step(net: nn.Module, recipe: Recipe, computed: str) -> EagerStep:
    """The step that is captured on a GPU."""
    return EagerStep(
        net=net,
        optimizer=make_optimizer(net, recipe),
        criterion=Classification().criterion(recipe, load("digits")),
        computed=computed,
        grouped=GroupedKernels(net, computed),
    )


QUICK = ("mlp", "conv1d", "nats_size", "convnext", "unet")
SPACES = [
    pytest.param(name, marks=[] if name in QUICK else pytest.mark.long)
    for name in search_spaces.SPACES
]


@pytest.mark.parametrize("name", SPACES)
def test_no_step_waits_for_the_device_or_leaves_it(name, monkeypatch):
    net, task = network(name)
    x, labels = laid_out(torch.randn(BATCH, *task.input_shape)), labels_of(task, BATCH)
    for optimizer, computed in (("sgd", "bfloat16"), ("adamw", "float32")):
        recipe = Recipe(batch_size=BATCH, optimizer=optimizer, dropout=0.1)
        step = make_step(net, recipe, computed)
        with dropout(net, recipe.dropout):
            step(x, labels)
            with Waits() as waits:
                step(x, labels)
        assert not waits.found
        assert waits.operations > 10
        for parameter in net.parameters():  # fused optimisers want equal strides
            if parameter.grad is not None:
                assert strides(parameter.grad) == strides(parameter)
    net.zero_grad()
    on_meta = make_step(net.to("meta"), Recipe(batch_size=BATCH), "float32")
    monkeypatch.setattr(batch_step, "autocast", lambda *_: nullcontext())  # knows no meta
    with Waits("meta") as waits, on_meta.grouped.applied():
        on_meta.loss(laid_out(x.to("meta")), labels.to("meta")).backward()
    assert not waits.found
    for parameter in net.parameters():
        if parameter.grad is not None:
            assert strides(parameter.grad) == strides(parameter)


def strides(tensor: Tensor) -> list[int]:
    return [s for s, size in zip(tensor.stride(), tensor.shape, strict=True) if size > 1]


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("name", TASKS)
def test_no_task_waits_for_the_device(name, optimizer):
    data = from_objects(DATA[name])
    weights = torch.linspace(0.5, 1.5, len(data.train))
    data = replace(data, train=replace(data.train, weights=weights))
    weighed = name in ("classification", "segmentation")
    recipe = Recipe(optimizer=optimizer, class_weights="balanced" if weighed else "none")
    net = test_tasks.network(name, data.targets.outputs)
    criterion = make_task(data.targets).criterion(recipe, data)
    step = replace(make_step(net, recipe, "bfloat16"), criterion=criterion)
    first, second, *_ = batches(data, recipe, epoch=1, seed=0)
    step(*first)
    with Waits() as waits:
        step(*second)
    assert not waits.found
    assert waits.operations > 10


def test_batches_and_averaging_wait_for_nothing():
    data = load("digits")
    recipe = Recipe(batch_size=100, augmentation=1.0, flip="random")
    net = nn.Linear(4, 4)
    average = Average(net, 0.9, steps=10)
    with Waits() as waits:
        assert sum(len(y) for _, y, _ in batches(data, recipe, epoch=1, seed=0)) == len(data.train)
        for _ in range(10):
            average.follow()
    assert not waits.found


def test_an_evaluation_waits_once():
    data = load("digits")
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    with Waits() as waits:
        evaluate(net, data.validation, data, batch_size=50)
    assert sum(waits.found.values()) <= 2  # reads of the sums, after the last batch


class Waiting(nn.Module):
    """A network that waits for its device in one way."""

    def __init__(self, way) -> None:
        super().__init__()
        self.linear, self.way = nn.Linear(12, 10), way

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.way(x.flatten(1)))


WAYS = {
    "item": lambda x: x * (2 if x.sum().item() > 1e9 else 1),
    "if": lambda x: x * 2 if x.sum() > 1e9 else x,
    "mask": lambda x: x + x[x > 3].sum() * 0,
    "nonzero": lambda x: x + x.nonzero().sum() * 0,
    "where": lambda x: x + torch.where(x > 0)[0].sum() * 0,
    "unique": lambda x: x + len(torch.unique(x)) * 0,
    "constant": lambda x: x * torch.tensor([1.0] * 12),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_step_that_waits_is_found(way):
    with Waits() as waits:
        Waiting(way)(torch.randn(4, 12)).sum().backward()
    assert waits.found


def test_a_masked_fill_waits_for_nothing():
    def way(x: Tensor) -> Tensor:
        x = x.clone()
        x[x > 3] = 0
        return x

    with Waits() as waits:
        Waiting(way)(torch.randn(4, 12)).sum().backward()
    assert not waits.found
