"""Captured steps on a GPU give the same results. Skipped without a GPU and NAS_GPU_TESTS=1."""

import logging
from dataclasses import replace
from time import perf_counter

import pytest
import torch
from torch import Tensor, nn

from trainers import Recipe, load, make_optimizer, seeded, train
from trainers.loop.batch_step import EagerStep, make_step
from trainers.loop.batches import batches
from trainers.recipes.averaging import Average
from trainers.tasks.classification import Classification

needs_gpu = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a CUDA device, and NAS_GPU_TESTS=1"
)


class Curious(nn.Module):
    """Reads its values in the forward pass, which a graph cannot hold."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.flatten(1)) * (2.0 if x.sum().item() > 1e9 else 1.0)


def network() -> nn.Module:
    with seeded(0):
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(32, 10),
        )


def eager_of(net: nn.Module, recipe: Recipe) -> EagerStep:
    return EagerStep(
        net=net.train(),
        optimizer=make_optimizer(net, recipe),
        criterion=Classification().criterion(recipe, load("digits")),
        computed="float32",
    )


@pytest.fixture(scope="module")
def digits():
    return load("digits").to("cuda:0")


def test_without_a_gpu_and_in_parts_steps_are_launched_one_by_one():
    eager = eager_of(network(), Recipe())
    assert make_step(eager, torch.device("cpu")) is eager
    in_parts = replace(eager, micro_batches=2)
    assert make_step(in_parts, torch.device("cuda", 0)) is in_parts


@needs_gpu
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_eager_and_captured_steps_give_the_same_losses(digits, optimizer):
    recipe = Recipe(epochs=1, batch_size=100, optimizer=optimizer, learning_rate=0.01)
    found = []
    for captured in (False, True):
        net = network().to("cuda:0", memory_format=torch.channels_last)
        step = eager_of(net, recipe)
        step = make_step(step, digits.device) if captured else step
        losses = [step(x, y).clone() for x, y, _ in batches(digits, recipe, epoch=1, seed=0)]
        found.append(torch.stack(losses))
        if captured:
            assert step.fallback == ""
            assert 1 <= len(step._captured) <= 2  # sizes of batches
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-4)


@needs_gpu
def test_the_learning_rate_of_every_replay_is_the_one_that_was_set(digits):
    """With a rate of zero nothing changes, whatever it was at the time of the capture."""
    from trainers.recipes.optimizers import set_learning_rate

    recipe = Recipe(batch_size=115, momentum=0.0, weight_decay=0.0)
    net = network().to("cuda:0", memory_format=torch.channels_last)
    step = make_step(eager_of(net, recipe), digits.device)
    for number, (x, y, _) in enumerate(batches(digits, recipe, epoch=1, seed=0)):
        if number == 6:
            set_learning_rate(step.eager.optimizer, 0.0)
            before = [p.clone() for p in net.parameters()]
        step(x, y)
    assert step._captured
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))


@needs_gpu
def test_what_cannot_be_captured_is_trained_eagerly_and_said_once(digits, caplog):
    net = Curious().to("cuda:0")
    with caplog.at_level(logging.WARNING):
        epochs = list(train(net, digits, Recipe(epochs=6), seed=0))
    assert epochs[-1].accuracy > 0.8
    assert sum("launched one by one" in message for message in caplog.messages) == 1


@needs_gpu
def test_a_graph_is_captured_in_less_than_a_second(digits):
    recipe = Recipe(batch_size=115)
    net = network().to("cuda:0", memory_format=torch.channels_last)
    step = make_step(eager_of(net, recipe), digits.device)
    slowest = 0.0
    for x, y, _ in batches(digits, recipe, epoch=1, seed=0):
        torch.cuda.synchronize()
        start = perf_counter()
        known = len(step._captured)
        step(x, y)
        torch.cuda.synchronize()
        if len(step._captured) > known:
            slowest = max(slowest, perf_counter() - start)
    assert 0 < slowest < 1


@needs_gpu
@pytest.mark.filterwarnings("ignore:Synchronization debug mode")  # torch calls it a prototype
def test_captured_steps_never_wait_for_the_device(digits, monkeypatch):
    """Nor does augmentation, block by block, nor averaging."""
    monkeypatch.setattr("trainers.loop.batches.BLOCK_BYTES", 1)  # one batch
    recipe = Recipe(batch_size=115, augmentation=1.0, averaging=0.9)
    net = network().to("cuda:0", memory_format=torch.channels_last)
    step = make_step(eager_of(net, recipe), digits.device)
    average = Average(net, recipe.averaging, steps=10)
    source = batches(digits, recipe, epoch=1, seed=0)
    for _ in range(5):
        step(*next(source))
        average.follow()
    try:
        torch.cuda.set_sync_debug_mode("error")
        for batch in source:
            step(*batch)
            average.follow()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@needs_gpu
def test_dropout_in_a_graph_differs_from_step_to_step(digits):
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).to("cuda:0")
    recipe = Recipe(batch_size=128, dropout=0.5, learning_rate=1e-12)
    from trainers.loop.batch_step import dropout

    step = make_step(eager_of(net, recipe), digits.device)
    x = digits.train.inputs[:128].float()
    y = digits.train.targets[:128]
    with dropout(net, 0.5), seeded(0, digits.device):
        losses = [step(x, y).item() for _ in range(10)]
    assert step._captured
    assert len(set(losses[-5:])) > 1
