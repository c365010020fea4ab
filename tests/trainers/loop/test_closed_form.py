"""Kernel machines: the solution is scikit-learn's, its errors are those of machines without the row."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn import datasets
from sklearn.kernel_ridge import KernelRidge
from torch import nn

import trainers
from search_spaces.tabular.network import RadialBasis
from trainers import Dataset, Recipe
from trainers.checkpoints import pausing
from trainers.loop import closed_form
from trainers.tasks.registry import make_task


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Dataset:
    path = tmp_path_factory.mktemp("wine") / "wine.npz"
    x, y = datasets.load_wine(return_X_y=True)
    np.savez(path, x=x.astype(np.float32), y=y)
    return trainers.load(path)


def _net(columns: int, outputs: int, *, centers: int = 256, kernel: str = "gaussian") -> nn.Module:
    return nn.Sequential(
        RadialBasis(columns, centers=centers, kernel=kernel), nn.Linear(centers, outputs)
    )


def _solved(data: Dataset, net: nn.Module, **recipe: object) -> list[trainers.Epoch]:
    return list(trainers.train(net, data, Recipe.from_dict({"epochs": 3, **recipe}), seed=0))


@pytest.mark.parametrize("weighted", [False, True])
def test_the_solution_is_kernel_ridge_regression(data, weighted):
    """With weights w, the ridge of row n is divided by w_n; scikit-learn's `alpha` is the ridge."""
    x, targets = data.tensors("train")
    x, y = x[:60].double(), nn.functional.one_hot(targets[:60]).double()
    w = torch.linspace(0.5, 1.5, 60, dtype=torch.float64) if weighted else torch.ones(60).double()
    layer = RadialBasis(x.shape[1], centers=60, kernel="gaussian")
    with torch.no_grad():
        found = closed_form._tried(layer, x, y, w, scale=0.3)
    ridge = min(
        closed_form.RIDGES, key=lambda r: _left_out(x, y, w, r).square().mul(w[:, None]).mean()
    )
    model = KernelRidge(alpha=ridge, kernel="rbf", gamma=0.3**2)
    model.fit(x.numpy(), y.numpy(), sample_weight=w.numpy())
    alone = y - _left_out(x, y, w, ridge)
    torch.testing.assert_close(found.left_out, alone, atol=1e-4, rtol=1e-4)
    with torch.no_grad():
        got = layer(x) @ found.weights
    np.testing.assert_allclose(got.numpy(), model.predict(x.numpy()), atol=1e-4)


def _left_out(x, y, w, ridge):
    """Errors of rows by machines that were fitted without them, one by one."""
    kernel = torch.exp(-(0.3**2) * torch.cdist(x, x) ** 2)
    errors = []
    for n in range(len(x)):
        rest = [m for m in range(len(x)) if m != n]
        noise = torch.diag(ridge / w[rest])
        weights = torch.linalg.solve(kernel[rest][:, rest] + noise, y[rest])
        errors.append(y[n] - kernel[n, rest] @ weights)
    return torch.stack(errors)


@pytest.mark.parametrize("kernel", ["gaussian", "matern", "exponential"])
def test_a_network_is_solved_for_at_once(data, kernel):
    net = _net(13, 3, kernel=kernel)
    epochs = _solved(data, net)
    assert [epoch.number for epoch in epochs] == [1, 2, 3]
    assert len({epoch.loss for epoch in epochs}) == 1
    assert epochs[-1].accuracy > 0.9
    assert epochs[-1].loss < 0.4  # its outputs are calibrated: of values 0 and 1 it were 0.55
    rows = len(data.train)
    assert torch.equal(net[0].centers[rows:], torch.zeros(256 - rows, 13))
    assert torch.equal(net[1].weight[:, rows:], torch.zeros(3, 256 - rows))


def test_fewer_centres_than_rows_are_a_draw_by_the_seed(data):
    one, same, other = (_net(13, 3, centers=16) for _ in range(3))
    for net, seed in ((one, 0), (same, 0), (other, 1)):
        list(trainers.train(net, data, Recipe(epochs=1), seed=seed))
    assert torch.equal(one[0].centers, same[0].centers)
    assert not torch.equal(one[0].centers, other[0].centers)


def test_a_paused_network_is_not_solved_again(data):
    recipe, net, again = Recipe(epochs=3), _net(13, 3), _net(13, 3)
    optimizer = trainers.make_optimizer(net, recipe)
    first = next(trainers.train(net, data, recipe, seed=0, optimizer=optimizer))
    state = pausing.state(net, optimizer, [first])
    pausing.restore(again, trainers.make_optimizer(again, recipe), state)
    rest = list(trainers.train(again, data, recipe, seed=0, done=1, earlier=[first]))
    assert [(epoch.number, epoch.train_loss) for epoch in rest] == [
        (2, first.train_loss),
        (3, first.train_loss),
    ]
    assert torch.equal(net[1].weight, again[1].weight)


def test_rows_of_weight_0_are_no_centres_and_rare_classes_may_count_as_much(data):
    weights = torch.ones(len(data.train))
    weights[:100] = 0
    without = replace(data, train=replace(data.train, weights=weights))
    net = _net(13, 3)
    _solved(without, net)
    left = len(data.train) - 100
    assert not net[0].centers[left:].any()
    assert net[0].centers[:left].any(dim=1).all()
    rare = replace(data, train=data.train.part(torch.cat(_rows_of(data, (40, 40, 4)))))
    biases = []
    for class_weights in ("none", "balanced"):
        net = _net(13, 3)
        _solved(rare, net, class_weights=class_weights)
        biases.append(net[1].bias.tolist())
    assert biases[0][2] < min(biases[0][:2])
    assert max(biases[1]) - min(biases[1]) < 1e-4


def _rows_of(data: Dataset, counts: tuple[int, ...]) -> list[torch.Tensor]:
    targets = data.train.targets
    return [(targets == label).nonzero()[:count, 0] for label, count in enumerate(counts)]


def test_a_regression_is_in_standardised_units(tmp_path):
    x, y = datasets.load_diabetes(return_X_y=True)
    np.savez(tmp_path / "diabetes.npz", x=x.astype(np.float32), y=y)
    data = trainers.load(tmp_path / "diabetes.npz")
    net = _net(10, 1, centers=512, kernel="matern")
    assert _solved(data, net)[-1].metrics["r2"] > 0.3
    rows = len(data.train)
    outputs = net(data.tensors("train")[0]).detach()
    assert abs(float(outputs.mean())) < 0.05
    assert make_task(data.targets).predict(outputs).mean() == pytest.approx(
        data.train.targets.mean().item(), rel=0.02
    )
    assert net[1].weight[:, :rows].any()


def test_a_network_is_exported_for_any_number_of_rows():
    net = _net(5, 2, kernel="matern").eval()
    batch = {0: torch.export.Dim("batch")}
    exported = torch.export.export(net, (torch.randn(2, 5),), dynamic_shapes=(batch,))
    for rows in (1, 40):
        x = torch.randn(rows, 5)
        torch.testing.assert_close(exported.module()(x), net(x))
