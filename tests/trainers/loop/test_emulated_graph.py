"""The logic of captured steps, on an emulated GPU: bit-equal to eager, and robust to failures."""

import gc
import random
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nas.core.configuration import Configuration
from nas.core.proposal import Proposal
from nas.evaluators.training import Training
from nas.executors import guarded
from search_spaces import Architecture, Integer, Record, SearchSpace, Struct
from tests.trainers.loop.emulated import compare, emulated
from trainers import Recipe, load, memory, seeded, train
from trainers.data.dataset import Dataset, Split
from trainers.loop import cuda_graph
from trainers.loop.batches import batch_sizes


def small_digits() -> Dataset:
    """230 digits to train on, 20 to validate on."""
    digits = load("digits")
    train_split = Split(digits.train.inputs[:230], digits.train.targets[:230])
    few = Split(digits.validation.inputs[:20], digits.validation.targets[:20])
    return Dataset(
        name="digits",
        train=train_split,
        validation=few,
        test=few,
        targets=digits.targets,
        mean=digits.mean,
        std=digits.std,
        flippable=True,
    )


@pytest.fixture(scope="module")
def data() -> Dataset:
    return small_digits()


def network() -> nn.Module:
    with seeded(0):
        return nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(16, 10),
        )


class Reading(nn.Module):
    """Reads one of its values on the CPU."""

    def __init__(self) -> None:
        super().__init__()
        self.net = network()

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x) * (2.0 if x.sum().item() > 1e12 else 1.0)


class Drawing(nn.Module):
    """Leaves out its first layer at random."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.net = nn.Conv2d(1, 1, 3, padding=1), network()

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x if random.random() < 0.5 else self.layer(x))


class Failing(nn.Module):
    """Raises an error when it is captured."""

    def __init__(self, gpu, error: Exception) -> None:
        super().__init__()
        self.net = network()
        self.gpu, self.error = gpu, error

    def forward(self, x: Tensor) -> Tensor:
        if self.training and self.gpu.captures:
            raise self.error
        return self.net(x)


RECIPES = {
    "sgd": {},
    "adamw": {"optimizer": "adamw", "learning_rate": 0.003},
    "averaging and dropout": {"averaging": 0.9, "dropout": 0.2},
    "bfloat16": {"precision": "bfloat16"},
}


@pytest.mark.parametrize("fields", RECIPES.values(), ids=RECIPES)
def test_captured_steps_are_bit_equal_to_eager_ones(data, fields):
    recipe = Recipe(epochs=4, batch_size=10, **{"precision": "float32", **fields})
    compare(network, data, recipe)


def test_two_sizes_share_a_pool_and_a_stream(data):
    recipe = Recipe(epochs=20, batch_size=12)  # 20 steps of 12 and 11
    with emulated() as gpu:
        list(train(network(), data, recipe, seed=1))
        list(train(network(), data, recipe, seed=2))
    first, second = gpu.steps
    assert len(first._captured) == len(second._captured) == 2
    assert len(gpu.captures) == 4
    assert len({id(c["stream"]) for c in gpu.captures}) == 1  # of the process
    pools = [c["pool"] for c in gpu.captures]
    graphs = [c.graph.pool() for c in first._captured.values()]
    assert pools[0] is None
    assert pools[1] == graphs[0]
    assert {c["capture_error_mode"] for c in gpu.captures} == {"thread_local"}
    assert not gpu.collected
    assert set(gpu.devices) == {data.device}  # which a capture synchronises
    assert gc.isenabled()


def test_one_size_is_captured_and_the_rest_of_an_epoch_is_eager(data, monkeypatch):
    on_gpu = partial(batch_sizes, device=torch.device("cuda"))
    sizes = on_gpu(230, 26)
    assert sizes == [22, *[26] * 8]
    recipe = Recipe(epochs=4, batch_size=26, precision="float32")
    captured, eager = network(), network()
    with emulated() as gpu:
        list(train(captured, data, recipe, seed=1))
    (step,) = gpu.steps
    assert step.counts == {22: 4, 26: 32}
    assert [shape[0] for shape in step._captured] == [26]
    assert [c.graph.replays for c in step._captured.values()] == [32 - 3]
    for module in ("batches", "train"):
        monkeypatch.setattr(
            f"trainers.loop.{module}.batch_sizes", lambda n, size, _: on_gpu(n, size)
        )
    list(train(eager, data, recipe, seed=1))
    for name, tensor in eager.state_dict().items():
        assert torch.equal(tensor, captured.state_dict()[name]), name


def test_a_size_with_few_batches_is_not_captured(data):
    with emulated() as gpu:
        list(train(network(), data, Recipe(epochs=1, batch_size=12), seed=1))
    assert not gpu.captures  # 10 batches of each size


def test_a_network_that_synchronises_is_never_captured(data, caplog):
    with emulated() as gpu:
        list(train(Reading(), data, Recipe(epochs=2, batch_size=10), seed=1))
        assert not cuda_graph.failed_capture()
    assert not gpu.captures
    assert "synchronizing" in gpu.steps[0].fallback
    assert sum("launched one by one" in message for message in caplog.messages) == 1


def test_a_network_that_draws_on_the_cpu_is_never_captured(data):
    """As layers are dropped at random: every replay would drop those of the capture."""
    with emulated() as gpu:
        list(train(Drawing(), data, Recipe(epochs=2, batch_size=10), seed=1))
    assert not gpu.captures
    assert gpu.steps[0].fallback == "the step draws random numbers on the CPU"


@pytest.mark.parametrize("draw", [random.random, np.random.rand, lambda: torch.rand(1)])
def test_every_generator_of_the_cpu_is_watched(draw):
    before = cuda_graph.host_random_state()
    assert cuda_graph.host_random_state() == before
    with torch.random.fork_rng():
        draw()
        assert cuda_graph.host_random_state() != before


@pytest.mark.parametrize("make", [Reading, network])
def test_a_trial_says_why_its_steps_were_not_captured(data, make):
    space = SearchSpace(name="one", tree=Struct(n=Integer(1, 2)), build=lambda *_: make())
    evaluator = Training(space, data, fixed={"epochs": 2, "batch_size": 10}, seed=0)
    proposal = Proposal(Configuration.of(Architecture("one", Record({"n": 1}))))
    with emulated() as gpu:
        trial = guarded.evaluate(evaluator, 0, proposal)
    assert not trial.failure
    if make is network:
        assert gpu.captures
        assert "launched" not in trial.measured
    else:
        assert trial.measured["launched"] == (
            "one by one: the step synchronises with the device: "
            "called a synchronizing CUDA operation (emulated)"
        )


def test_a_failed_capture_is_the_last_of_its_process(data):
    """Nothing warned before; the caller's stream is current again; the reason is the network's."""
    with emulated(watches=False) as gpu:
        main = gpu.streams[-1]
        epochs = list(train(Reading(), data, Recipe(epochs=2, batch_size=10), seed=1))
        assert len(epochs) == 2
        assert gpu.streams == [main]
        assert "not permitted when stream is capturing" in gpu.steps[0].fallback
        assert "not permitted" in cuda_graph.failed_capture()
        list(train(network(), data, Recipe(epochs=2, batch_size=10), seed=1))
    assert len(gpu.captures) == 1
    assert "an earlier capture of this process failed" in gpu.steps[1].fallback
    assert gc.isenabled()


def test_out_of_memory_in_a_capture_is_out_of_memory(data):
    """The end of the capture raises an error of its own on top."""
    with emulated() as gpu:
        main = gpu.streams[-1]
        net = Failing(gpu, torch.OutOfMemoryError("CUDA out of memory"))
        with pytest.raises(RuntimeError) as caught:
            list(train(net, data, Recipe(epochs=2, batch_size=10), seed=1))
        assert gpu.streams == [main]
    assert memory.is_out_of_memory(caught.value)


def test_another_error_in_a_capture_is_not_out_of_memory(data):
    with emulated() as gpu:
        net = Failing(gpu, ValueError("no"))
        with pytest.raises(ValueError, match="no"):  # the eager step raises it again
            list(train(net, data, Recipe(epochs=2, batch_size=10), seed=1))
    assert gpu.steps[0].fallback == "no"
