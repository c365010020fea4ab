"""Training of a mixed network: gradients of operation weights, halves, and a resumed training."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

import search_spaces
import trainers
from nas.evaluators.relaxed import training as of_run
from nas.evaluators.relaxed.bilevel import DECAY, MOMENTUM, Bilevel, halves
from nas.evaluators.relaxed.training import STATE, MixedTraining
from nas.evaluators.relaxed.variants import DirichletWeights, EdgeNormalised, Softmax
from nas.runs.control.preparation import FOLDER, read_record
from nas.strategies.preparing import RelaxedTraining
from search_spaces import Task
from trainers import Recipe
from trainers.loop.batches import Batch
from trainers.tasks.registry import make_task

SPACE = search_spaces.get("nasbench201", channels=2, cells=1)
RELAXATION = SPACE.relaxation
SHAPE = (3, 6, 6)
STEP = 1e-7  # small: no ReLU of the network may change its side


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (80, *SHAPE), dtype=np.uint8)
    return trainers.from_objects((x, np.arange(80) % 3), seed=0)


def training(data, parameters, *, order=1, portion=1):
    torch.manual_seed(0)
    net = RELAXATION.build(Task(SHAPE, 3), portion).double()
    settings = RelaxedTraining(order=order, portion=portion, rate=0.1)
    task = make_task(data.targets)
    return Bilevel(net, parameters, data, Recipe(), settings, task=task, seed=0)


def parameters_of(variant):
    torch.manual_seed(1)
    alpha = {"cell": torch.randn(6, 5, dtype=torch.double).requires_grad_()}
    if variant == "softmax":
        return Softmax(alpha)
    beta = {"cell": torch.randn(6, dtype=torch.double).requires_grad_()}
    return EdgeNormalised(alpha, beta, RELAXATION.cells)


def batch(seed):
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(8, *SHAPE, dtype=torch.double, generator=rng)
    return Batch(x, torch.randint(3, (8,), generator=rng), None)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(("variant", "portion"), [("softmax", 1), ("edges", 2)])
def test_gradients_of_operation_weights_are_those_of_finite_differences(
    data, variant, portion, order
):
    parameters = parameters_of(variant)
    own = training(data, parameters, order=order, portion=portion)
    own.step(batch(3))  # so that there is a momentum
    tensors = list(parameters.tensors.values())
    found = torch.autograd.grad(own.operation_loss(batch(1), batch(2)), tensors)
    for tensor, gradient in zip(tensors, found, strict=True):
        for index in [(0,), (3,), (5,)]:
            place = (*index, 2)[: tensor.dim()]
            values = []
            for change in (STEP, -STEP):
                with torch.no_grad():
                    tensor[place] += change
                loss = own.operation_loss(batch(1), batch(2)).detach()
                values.append(float(loss))
                with torch.no_grad():
                    tensor[place] -= change
            expected = (values[0] - values[1]) / (2 * STEP)
            assert float(gradient[place]) == pytest.approx(expected, rel=1e-4, abs=1e-8)


def test_the_second_order_loss_is_that_after_the_step(data):
    parameters = parameters_of("softmax")
    own = training(data, parameters, order=2)
    own.step(batch(3))
    unrolled = float(own.operation_loss(batch(1), batch(2)).detach())
    group = own.optimizer.param_groups[0]
    assert (group["momentum"], group["weight_decay"]) == (MOMENTUM, DECAY)
    own.net.train()
    own.optimizer.zero_grad()
    weights = {name: w.detach() for name, w in parameters.weights().items()}
    first = cross_entropy(own.net(batch(1).inputs, weights), batch(1).targets, label_smoothing=0.1)
    first.backward()
    own.optimizer.step()
    after = cross_entropy(own.net(batch(2).inputs, weights), batch(2).targets, label_smoothing=0.1)
    assert unrolled == pytest.approx(float(after.detach()), rel=1e-9)


def test_edge_weights_add_up_to_1_at_each_node():
    weights = parameters_of("edges").weights()["cell"].detach().sum(dim=1)
    nodes = [
        [n for n, (_, to) in enumerate(RELAXATION.cells["cell"]) if to == j] for j in (1, 2, 3)
    ]
    assert [float(weights[numbers].sum()) for numbers in nodes] == pytest.approx([1, 1, 1])


def test_dirichlet_weights_have_the_gradient_of_their_mean():
    alpha = torch.tensor([0.7, -0.4, 0.0], dtype=torch.double, requires_grad=True)
    parameters = DirichletWeights({"cell": alpha.expand(40_000, 3)})
    torch.manual_seed(0)
    (drawn,) = torch.autograd.grad(parameters.weights()["cell"].mean(dim=0)[0], alpha)
    (exact,) = torch.autograd.grad(parameters.expected()["cell"][0, 0], alpha)
    torch.testing.assert_close(drawn, exact, rtol=0, atol=5e-3)
    flat = DirichletWeights({"cell": torch.zeros(2, 3)})
    assert float(flat.penalty()) == pytest.approx(0, abs=1e-7)
    assert float(parameters.penalty().detach()) > 0
    extreme = torch.tensor([[-200.0, 50.0, 0.0]], requires_grad=True)
    weights = DirichletWeights({"cell": extreme}).weights()["cell"]
    weights[0, 1].backward()
    assert extreme.grad.isfinite().all()


def test_halves_share_no_example_and_leave_validation_alone(data):
    first, second = halves(data, 0)
    rows = [set(half.train.rows.tolist()) for half in (first, second)]
    assert rows[0] | rows[1] == set(data.train.rows.tolist())
    assert not rows[0] & rows[1]
    assert first.validation is data.validation
    other, _ = halves(data, 1)
    assert set(other.train.rows.tolist()) != rows[0]


class Stopped(Exception):  # noqa: N818
    """The budget is over, or a kill."""


def trained(data, folder, variant="darts", *, stop_before=None, seed=0, epochs=3):
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    seen = []

    def before():
        if len(seen) == stop_before:
            raise Stopped

    train = MixedTraining(
        SPACE,
        Task(SHAPE, 3),
        data,
        Recipe(),
        seed=seed,
        folder=folder,
        learned=None,
        before=before,
        after=lambda epoch, of: seen.append((epoch.number, of)),
    )
    warmup = 1 if variant == "pcdarts" else 0
    portion = 2 if variant == "pcdarts" else 1
    settings = RelaxedTraining(
        variant=variant, epochs=epochs, batch_size=16, rate=0.1, warmup=warmup, portion=portion
    )
    weights = train(settings)
    return weights, seen


def epochs_of(folder):
    return [{**epoch.to_dict(), "seconds": 0} for epoch in read_record(folder).epochs]


@pytest.mark.parametrize("variant", ["darts", "pcdarts", "drnas"])
def test_a_training_that_was_stopped_ends_as_one_that_was_not(data, variant, tmp_path):
    whole, seen = trained(data, tmp_path / "whole", variant)
    assert seen == [(1, 3), (2, 3), (3, 3)]
    with pytest.raises(Stopped):
        trained(data, tmp_path / "stopped", variant, stop_before=2)
    again, seen = trained(data, tmp_path / "stopped", variant)
    assert seen == [(3, 3)]
    assert again == whole
    assert epochs_of(tmp_path / "stopped") == epochs_of(tmp_path / "whole")
    assert not (tmp_path / "stopped" / FOLDER / STATE).exists()
    assert trained(data, tmp_path / "stopped", variant) == (whole, [])  # read, not trained


@pytest.mark.long
def test_a_kill_between_record_and_state_costs_an_epoch(data, tmp_path, monkeypatch):
    whole, _ = trained(data, tmp_path / "whole")
    save, saved = of_run.checkpoint.save_sealed, []

    def killed(path, tensors):
        saved.append(path)
        if len(saved) == 2:
            raise Stopped
        save(path, tensors)

    with monkeypatch.context() as patch:
        patch.setattr(of_run.checkpoint, "save_sealed", killed)
        with pytest.raises(Stopped):
            trained(data, tmp_path / "killed")
    assert len(epochs_of(tmp_path / "killed")) == 2
    again, seen = trained(data, tmp_path / "killed")
    assert [number for number, _ in seen] == [2, 3]
    assert again == whole


def test_the_seed_decides(data, tmp_path):
    one, _ = trained(data, tmp_path / "one", epochs=1)
    same, _ = trained(data, tmp_path / "same", epochs=1)
    other, _ = trained(data, tmp_path / "other", epochs=1, seed=1)
    assert one == same != other


def test_the_record_of_another_training_is_refused(data, tmp_path):
    trained(data, tmp_path, epochs=1)
    with pytest.raises(
        ValueError, match="trained for another seed: want 1, got 0; remove the folder"
    ):
        trained(data, tmp_path, epochs=1, seed=1)
    file = tmp_path / FOLDER / "operations.json"
    file.write_text(file.read_text().replace('"done":true', '"done":false'))
    with pytest.raises(
        ValueError, match=r"operations\.json: damaged \(sha256: want that of the rest"
    ):
        trained(data, tmp_path, epochs=1)
