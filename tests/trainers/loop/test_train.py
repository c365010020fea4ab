import math
from contextlib import nullcontext
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from trainers import (
    Dataset,
    Diverged,
    Epoch,
    Recipe,
    Split,
    accuracy,
    evaluate,
    load,
    seeded,
    train,
)
from trainers.loop.batch_step import dropout
from trainers.loop.batches import batch_sizes, batches, steps_per_epoch
from trainers.loop.train import evaluation_batch
from trainers.recipes.optimizers import learning_rates, make_optimizer

QUICK = Recipe(epochs=2, batch_size=128)


def network(seed: int = 0, channels: int = 12) -> nn.Module:
    def conv(i: int, o: int, stride: int) -> list[nn.Module]:
        return [nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU()]

    c = channels
    with seeded(seed):
        body = [*conv(1, c, 1), *conv(c, 2 * c, 2), *conv(2 * c, 2 * c, 1)]
        return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * c, 10))


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


@pytest.fixture(scope="module")
def few(digits) -> Dataset:
    """200 training examples: enough to train on, not to learn from."""
    return replace(digits, train=Split(digits.train.inputs[:200], digits.train.targets[:200]))


def trained(data: Dataset, recipe: Recipe, seed: int = 0) -> tuple[nn.Module, list[Epoch]]:
    net = network()
    return net, list(train(net, data, recipe, seed=seed))


def weights(net: nn.Module) -> list[Tensor]:
    return list(net.state_dict().values())


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(weights(a), weights(b), strict=True))


def test_learns_digits_in_seconds(digits):
    net, epochs = trained(digits, Recipe(epochs=8))
    assert [e.number for e in epochs] == list(range(1, 9))
    assert epochs[-1].accuracy > 0.95
    assert epochs[-1].train_loss < epochs[0].train_loss
    assert all(e.seconds > 0 for e in epochs)
    assert epochs[-1].accuracy == accuracy(net, digits.validation, digits)
    assert accuracy(net, digits.test, digits) > 0.95


def test_adamw_learns_too(digits):
    assert trained(digits, Recipe(epochs=5, optimizer="adamw"))[1][-1].accuracy > 0.9


def test_vectors_are_learnt_too(digits):
    flat = {
        part: Split(getattr(digits, part).inputs.flatten(1).float(), getattr(digits, part).targets)
        for part in ("train", "validation", "test")
    }
    data = replace(digits, **flat, mean=torch.full((64,), 80.0), std=torch.full((64,), 90.0))
    with seeded(0):
        net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    assert list(train(net, data, Recipe(epochs=5), seed=0))[-1].accuracy > 0.9


def test_same_seed_same_bits_other_seed_other_bits(few):
    recipe = replace(QUICK, dropout=0.2)
    (a, epochs_a), (b, epochs_b), (c, _) = (trained(few, recipe, seed) for seed in (0, 0, 1))
    assert same(a, b)
    assert not same(a, c)
    assert [replace(e, seconds=0) for e in epochs_a] == [replace(e, seconds=0) for e in epochs_b]


def test_deterministic_kernels_are_asked_for_in_each_step(few, monkeypatch):
    devices = []

    def same_bits(device):
        devices.append(device)
        return nullcontext()

    monkeypatch.setattr("trainers.loop.train.same_bits", same_bits)
    trained(few, QUICK)
    assert not devices
    trained(few, replace(QUICK, deterministic=True))
    assert devices == [few.device] * 4  # two epochs of two steps


def test_global_randomness_is_neither_used_nor_disturbed(few):
    recipe = replace(QUICK, dropout=0.2)
    nets = []
    for seed in (3, 4):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        net = network()
        for _ in train(net, few, recipe, seed=0):
            assert torch.equal(torch.get_rng_state(), before)
        nets.append(net)
    assert same(*nets)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("parts", [2, 3, 4])
def test_batches_in_parts_make_the_same_steps_where_no_norm_looks_at_a_batch(few, optimizer, parts):
    """In float64, so that only the order of additions is left to differ."""
    recipe = Recipe(epochs=3, batch_size=64, optimizer=optimizer)
    few = replace(few, train=Split(few.train.inputs[:131], few.train.targets[:131]))
    found = []
    for micro_batches in (1, parts):
        with seeded(0):
            net = nn.Sequential(Double(), nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(144, 10))
        net.double()
        epochs = list(train(net, few, recipe, seed=0, micro_batches=micro_batches))
        found.append((net, epochs))
    (whole, expected), (in_parts, epochs) = found
    for a, b in zip(whole.parameters(), in_parts.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-9)
    for a, b in zip(expected, epochs, strict=True):
        assert a.train_loss == pytest.approx(b.train_loss, rel=1e-6)
        assert (a.accuracy, a.learning_rate) == (b.accuracy, b.learning_rate)


def test_no_part_of_a_batch_is_a_single_example(few):
    few = replace(few, train=Split(few.train.inputs[:7], few.train.targets[:7]))
    recipe = Recipe(epochs=1, batch_size=3)
    assert list(train(network(), few, recipe, seed=0, micro_batches=4))  # batch norm would refuse


class Double(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.double()


def test_dropout_acts_while_training_and_leaves_a_plain_network(few):
    net = network()
    for _ in train(net, few, replace(QUICK, dropout=0.5), seed=0):
        assert not any(module._forward_pre_hooks for module in net.modules())
        assert not net.training
    assert not same(net, trained(few, QUICK)[0])


@pytest.mark.parametrize("hidden", [False, True])
def test_dropout_is_before_the_last_layer_or_before_each_but_the_first(hidden):
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 3), nn.Linear(3, 2)).train()
    with dropout(net, 0.5, hidden=hidden):
        dropped = [bool(layer._forward_pre_hooks) for layer in net]
    assert dropped == [False, False, hidden, True]
    with dropout(net[0], 0.5, hidden=hidden):
        assert bool(net[0]._forward_pre_hooks) is not hidden
    assert not any(module._forward_pre_hooks for module in net.modules())


def test_dropout_is_gone_after_an_error_too(few):
    net = nn.Sequential(nn.Linear(1, 1))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        next(train(net, few, replace(QUICK, dropout=0.5), seed=0))
    assert not net[0]._forward_pre_hooks


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_norms_and_biases_do_not_decay(optimizer):
    net = network()
    groups = make_optimizer(net, Recipe(optimizer=optimizer, weight_decay=0.1)).groups
    decay = {id(p): group.weight_decay for group in groups for p in group.parameters}
    for name, parameter in net.named_parameters():
        assert decay[id(parameter)] == (
            0.1 if name.endswith("weight") and parameter.dim() > 1 else 0
        )


class Poisoned(nn.Module):
    """Gives NaN when it is trained (or when it is evaluated)."""

    def __init__(self, when_training: bool) -> None:
        super().__init__()
        self.linear, self.when_training = nn.Linear(64, 10), when_training

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.flatten(1)) * (math.nan if self.training == self.when_training else 1)


@pytest.mark.parametrize(("when_training", "which"), [(True, "training"), (False, "validation")])
def test_nan_is_a_failure_that_says_when(few, when_training, which):
    message = rf"^{which} loss is nan in epoch 1; lower the learning rate$"
    with pytest.raises(Diverged, match=message) as caught:
        list(train(Poisoned(when_training), few, QUICK, seed=0))
    assert isinstance(caught.value, ArithmeticError)


def test_a_real_divergence_is_a_failure(few):
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.Linear(64, 10))
    with pytest.raises(Diverged):
        list(train(net, few, Recipe(epochs=20, learning_rate=1e12), seed=0))


def test_chance_is_not_a_failure(few):
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    (epoch,) = train(net, few, Recipe(epochs=1, learning_rate=1e-9), seed=0)
    assert 0 <= epoch.accuracy < 0.5


def test_learning_rate_rises_once_then_falls_to_almost_zero():
    rates = list(learning_rates(Recipe(epochs=10, learning_rate=0.4), steps_per_epoch=50))
    assert len(rates) == 500
    top = rates.index(max(rates))
    assert 0.39 < rates[top] <= 0.4
    assert all(a < b for a, b in pairwise(rates[: top + 1]))
    assert all(a > b for a, b in pairwise(rates[top + 1 :]))
    assert 0 < rates[0] < 0.01
    assert 0 < rates[-1] < 0.004
    assert next(learning_rates(Recipe(epochs=1), steps_per_epoch=1)) > 0


def test_the_last_epoch_reports_the_end_of_the_schedule(few):
    epochs = trained(few, QUICK)[1]
    assert epochs[-1].learning_rate < 0.5 * epochs[0].learning_rate


@pytest.mark.parametrize(
    ("examples", "batch_size"), [(200, 64), (129, 64), (65, 64), (3, 2), (2, 9), (5, 2)]
)
def test_every_example_once_and_never_a_batch_of_one(digits, examples, batch_size):
    images = torch.arange(examples, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 8, 8)
    data = replace(
        digits,
        train=Split(images, digits.train.targets[:examples]),
        mean=torch.zeros(1),
        std=torch.ones(1),
    )
    recipe = Recipe(batch_size=batch_size, augmentation=0)
    found = list(batches(data, recipe, epoch=1, seed=0))
    sizes = [len(labels) for _, labels, _ in found]
    seen = torch.cat([x[:, 0, 0, 0] for x, _, _ in found])
    labels = torch.cat([labels for _, labels, _ in found])
    assert len(found) == steps_per_epoch(examples, batch_size)
    assert sorted(seen.tolist()) == list(range(examples))
    assert torch.equal(labels, data.train.targets[seen.long()])
    assert min(sizes) >= 2
    assert max(sizes) <= batch_size + 1
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("examples", [*range(2, 40), 1000, 45_000])
def test_sizes_of_batches(examples):
    """On a GPU all but the first are equal, unless that would be small."""
    for batch_size in (2, 3, 7, 64, 256):
        steps = steps_per_epoch(examples, batch_size)
        on_cpu, on_gpu = (
            batch_sizes(examples, batch_size, torch.device(name)) for name in ("cpu", "cuda")
        )
        assert on_cpu == [len(part) for part in torch.arange(examples).tensor_split(steps)]
        assert sum(on_gpu) == examples
        assert len(on_gpu) == steps
        assert min(on_gpu) >= 2
        assert max(on_gpu) == max(on_cpu)
        first, *others = on_gpu
        assert on_gpu == on_cpu or (len(set(others)) <= 1 and 2 * first >= max(others, default=0))


def test_epochs_differ_in_order_and_blocks_do_not_show(digits, monkeypatch):
    recipe = Recipe(augmentation=0)
    first, second = (list(batches(digits, recipe, epoch=e, seed=0)) for e in (1, 2))
    assert not torch.equal(first[0][1], second[0][1])
    monkeypatch.setattr("trainers.loop.batches.BLOCK_BYTES", 1)
    for (x, y, _), (x_small, y_small, _) in zip(
        first, batches(digits, recipe, epoch=1, seed=0), strict=True
    ):
        assert torch.equal(x, x_small)
        assert torch.equal(y, y_small)


def test_evaluation_is_the_definition(digits):
    net = network().eval()
    x = (digits.test.inputs.float() - digits.mean) / digits.std
    with torch.no_grad():
        logits = net(x)
    found = evaluate(net, digits.test, digits, batch_size=100)
    labels = digits.test.targets
    assert found["accuracy"] == pytest.approx((logits.argmax(1) == labels).double().mean().item())
    loss = nn.functional.cross_entropy(logits, labels).item()
    assert found == {"accuracy": found["accuracy"], "loss": pytest.approx(loss, rel=1e-5)}


def test_without_validation_nothing_is_measured(few):
    epochs = trained(
        replace(few, validation=Split(few.validation.inputs[:0], few.validation.targets[:0])), QUICK
    )[1]
    assert math.isnan(epochs[-1].accuracy)
    assert math.isnan(epochs[-1].loss)


def test_the_caller_may_stop(few):
    net = network()
    epochs = train(net, few, QUICK, seed=0)
    assert next(epochs).number == 1
    epochs.close()
    assert not net.training


def test_impossible_training_is_refused(digits, few):
    one = replace(digits, train=Split(digits.train.inputs[:1], digits.train.targets[:1]))
    with pytest.raises(ValueError, match=r"^train: want at least 2 training examples, got 1$"):
        next(train(network(), one, QUICK, seed=0))
    none = replace(few, train=replace(few.train, weights=torch.zeros(len(few.train))))
    with pytest.raises(
        ValueError, match=r"^train: want a weight above 0, got training examples of"
    ):
        next(train(network(), none, QUICK, seed=0))
    with pytest.raises(ValueError, match=r"^train: the network is on meta, the data on cpu;"):
        next(train(network().to("meta"), few, QUICK, seed=0))


def test_more_is_evaluated_at_once_on_a_gpu():
    digits = load("digits")
    assert evaluation_batch(64, 1, digits) == 256
    assert evaluation_batch(64, 2, digits) == 128
    gpu = SimpleNamespace(device=torch.device("cuda", 0), input_shape=(3, 32, 32))
    assert evaluation_batch(64, 1, gpu) == 1024
    assert evaluation_batch(512, 1, gpu) == 4096
    assert evaluation_batch(64, 2, gpu) == 128
    large = SimpleNamespace(device=torch.device("cuda", 0), input_shape=(3, 224, 224))
    assert evaluation_batch(64, 1, large) == 256
