"""One set of weights for all networks: trained once, resumed exactly, believed only as far as it ranks."""

from dataclasses import replace
from random import Random

import pytest
import torch

import nas
import trainers
from nas.core.budgets.budget import Budget
from nas.core.budgets.deadline import TimeUp
from nas.core.budgets.spending import Spending
from nas.core.constraints import Constraint
from nas.core.joint_space import JointSpace
from nas.core.objectives import Objectives
from nas.engine.preparing import strategy as preparing
from nas.evaluators.job import Workspace
from nas.evaluators.supernet import training
from nas.evaluators.supernet.evaluator import SupernetEvaluator, refuse_unbelieved
from nas.evaluators.supernet.probe import probe_error, read
from nas.evaluators.supernet.sampling import Paths
from nas.evaluators.supernet.settings import SupernetSettings
from nas.evaluators.supernet.step import PathStep, recalibrate
from nas.evaluators.supernet.trust import agreement, compare
from nas.runs.control.ending import read_ending
from nas.runs.control.energy import read_energy
from nas.runs.control.supernet import Compared, read_facts, write_facts
from nas.runs.settings import Settings
from nas.testing import check_evaluator
from nas.views.terminal.run import overview
from nas.winners.retrain import retrain
from search_spaces import Task, get
from search_spaces.supernet.weights import SharedWeights
from trainers.checkpoints import weights as checkpoint
from trainers.loop.batch_step import EagerStep
from trainers.tasks.registry import make_task

SPACE = get("nasbench201", channels=4, cells=1)
SMALL = "nasbench201:channels=4,cells=1"


@pytest.fixture(scope="module")
def digits():
    data = trainers.load("digits")
    train = data.train.part(slice(128))
    return replace(data, train=train, validation=data.validation.part(slice(64)))


def workspace_of(data, folder, notify=lambda _: None, constraints=()):
    task = Task(data.input_shape, 10)
    return Workspace(
        space=SPACE,
        task=task,
        data=data,
        device="cpu",
        seed=0,
        epochs=1,
        checkpoints=None,
        folder=folder,
        joint=JointSpace(SPACE, task, constraints),
        notify=notify,
    )


class KilledError(Exception):
    """Stands for SIGKILL."""


def test_a_training_that_is_killed_goes_on_as_if_it_never_was(digits, tmp_path):
    settings = SupernetSettings(epochs=2, batch_size=64)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    wanted = training.train(workspace_of(digits, whole), settings, digits).state_dict()

    def kill(text):
        raise KilledError(text)

    with pytest.raises(KilledError, match="epoch 1 of 2"):
        training.train(workspace_of(digits, parts, kill), settings, digits)
    for _ in range(2):  # the second time nothing is left to train
        found = training.train(workspace_of(digits, parts), settings, digits).state_dict()
        assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    assert len(read_facts(parts).losses) == 2
    assert read_facts(parts).losses == read_facts(whole).losses


def test_the_evaluator_keeps_its_contract(digits):
    check_evaluator(SupernetEvaluator(SupernetSettings(epochs=1, trust=0)), SPACE, data=digits)


def test_the_error_of_a_probe_is_that_of_regressions_without_each_example():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(30, 4, generator=generator)
    targets = torch.arange(30) % 3
    x[:, 0] += targets  # says something about the classes
    scaled = ((x - x.mean(0)) / (x.std(0) + 1e-6)).double()
    wanted = torch.nn.functional.one_hot(targets).double()
    total = 0.0
    for left_out in range(30):
        others = torch.arange(30) != left_out
        centre, share = scaled[others].mean(0), wanted[others].mean(0)
        known = scaled[others] - centre
        fitted = torch.linalg.solve(
            known.T @ known + 0.3 * torch.eye(4), known.T @ (wanted[others] - share)
        )
        total += (
            (wanted[left_out] - share - (scaled[left_out] - centre) @ fitted).square().sum().item()
        )
    variance = (wanted - wanted.mean(0)).square().sum().item()
    assert probe_error(x, targets, 3) == pytest.approx(total / variance, abs=1e-6)
    assert probe_error(wanted.float(), targets, 3) < 1e-3
    assert probe_error(torch.zeros(30, 2), targets, 3) == pytest.approx((30 / 29) ** 2)


def test_a_probe_does_not_depend_on_the_classifier(digits):
    net = SPACE.compile(SPACE.known["resnet"], Task(digits.input_shape, 10))
    before = read(net, digits.validation, digits)
    assert before.features.shape == (64, 16)
    with torch.no_grad():
        assert torch.allclose(net.head[-1](before.features), before.outputs, atol=1e-6)
        net.head[-1].weight.neg_()
    after = read(net, digits.validation, digits)
    assert torch.equal(before.features, after.features)
    assert not torch.equal(before.outputs, after.outputs)


def test_the_features_of_a_network_without_a_linear_layer_at_its_end_are_its_outputs(digits):
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10), torch.nn.ReLU())
    found = read(net, digits.validation, digits)
    assert torch.equal(found.features, found.outputs)


def test_fairness_trains_every_option_once_in_a_step():
    paths = Paths(SPACE, Task((3, 8, 8), 10), "fair")
    for step in range(3):
        drawn = paths.draw(Random(step))
        assert len(drawn) == 5
        for edge in ("0->1", "2->3"):
            assert len({architecture[edge] for architecture in drawn}) == 5


class Fixed(Paths):
    """Always the same two cells, one of which alone has a 1x1 convolution."""

    def draw(self, rng):
        edges = SPACE.known["resnet"].value
        return SPACE.known["resnet"], SPACE.architecture({**edges, "0->1": "nor_conv_1x1"})


def test_a_weight_learns_from_the_mean_gradient_of_the_subnets_that_have_it(digits):
    task = Task(digits.input_shape, 10)
    weights = SharedWeights(SPACE, task, seed=0)
    recipe = SupernetSettings().recipe
    inputs, targets = (x[:32] for x in digits.tensors("train"))
    criterion = make_task(digits.targets).criterion(recipe, digits)
    eager = EagerStep(
        net=weights,
        optimizer=trainers.make_optimizer(weights, replace(recipe, learning_rate=1e-9)),
        criterion=criterion,
        computed="float32",
    )
    paths = Fixed(SPACE, task, "uniform")
    PathStep(eager, weights, paths, "0", 0)(inputs, targets)
    stem, alone = (
        weights.get_parameter(name)
        for name in ("stem/0/weight", "cell 0 0->1 nor_conv_1x1/1/weight")
    )
    found = [stem.grad.clone(), alone.grad.clone()]
    apart = []
    for architecture in paths.draw(Random()):
        weights.zero_grad()
        outputs = weights.subnet(architecture).train()(inputs)
        (criterion(outputs, targets, None) / 32).backward()
        apart.append(stem.grad.clone())
    assert torch.allclose(found[0], (apart[0] + apart[1]) / 2, atol=1e-5)
    assert torch.allclose(found[1], alone.grad, atol=1e-5)


def test_paths_stay_within_the_limits(digits, tmp_path):
    least = Constraint.parse("parameters>=15000")
    workspace = workspace_of(digits, tmp_path, constraints=[least])
    accepts = training.accepts_of(workspace)
    for sampling in ("uniform", "fair", "sandwich"):
        drawn = Paths(SPACE, workspace.task, sampling, accepts).draw(Random(0))
        assert all(SPACE.cost(a, workspace.task).parameters >= 15_000 for a in drawn)


def test_a_sandwich_has_the_smallest_and_the_largest():
    task = Task((3, 8, 8), 10)
    drawn = Paths(SPACE, task, "sandwich").draw(Random(0))
    sizes = [SPACE.cost(a, task).parameters for a in drawn]
    assert len(drawn) == 4
    assert sizes[0] == min(sizes)
    assert set(drawn[1].value.values()) == {"nor_conv_3x3"}


def test_recalibrated_statistics_are_those_of_the_training_examples(digits):
    weights = SharedWeights(SPACE, Task(digits.input_shape, 10), seed=0)
    shared = {name: buffer.clone() for name, buffer in weights.named_buffers()}
    subnet = weights.subnet(SPACE.known["resnet"])
    recalibrate(subnet, digits, 128)
    inputs = digits.tensors("train")[0]  # all of them
    with torch.no_grad():
        pixels = subnet.stem[0](inputs)
    norm = subnet.stem[1]
    assert torch.allclose(norm.running_mean, pixels.mean(dim=(0, 2, 3)), atol=1e-5)
    assert torch.allclose(norm.running_var, pixels.var(dim=(0, 2, 3)), rtol=1e-4)
    assert norm.momentum == 0.1
    assert all(torch.equal(shared[name], buffer) for name, buffer in weights.named_buffers())


def test_recalibration_draws_examples_of_all_classes(digits):
    """Arrays are often sorted by class: statistics of the first examples rank nothing."""
    order = digits.train.targets.argsort(stable=True)
    in_order = replace(digits, train=digits.train.part(order))
    weights = SharedWeights(SPACE, Task(digits.input_shape, 10), seed=0)
    found = []
    for data in (digits, in_order):
        subnet = weights.subnet(SPACE.known["resnet"])
        recalibrate(subnet, data, 64)
        found.append(subnet.stem[1].running_mean)
    spread = found[0].abs().mean()
    assert float((found[0] - found[1]).abs().mean()) < 0.2 * float(spread) + 0.05


def compared(*pairs):
    return [Compared(architecture=str(pair), supernet=pair[0], trained=pair[1]) for pair in pairs]


def test_a_supernet_is_believed_where_the_interval_does_not_hold_0():
    same = agreement(compared(*((n, n) for n in range(8))))
    assert same.tau == pytest.approx(1)
    refuse_unbelieved(same)
    other = agreement(compared((1, 3), (2, 1), (3, 2), (4, 5), (5, 8), (6, 4), (7, 7), (8, 6)))
    assert other.tau == pytest.approx(0.5)
    assert other.low == pytest.approx(-0.098, abs=0.001)  # tanh(atanh(tau) - 1.96 sqrt(0.437 / 4))
    assert other.high == pytest.approx(0.833, abs=0.001)
    with pytest.raises(ValueError, match=r"scores are not used: Kendall's tau 0\.50"):
        refuse_unbelieved(other)
    assert agreement(compared(*((n, 0) for n in range(8)))).tau == 0


@pytest.mark.long
def test_too_few_members_to_compare_are_refused(digits, tmp_path):
    limits = [Constraint.parse("parameters<=7600")]
    workspace = workspace_of(digits, tmp_path, constraints=limits)
    few = {str(workspace.joint.sample(Random(n)).architecture) for n in range(50)}
    assert len(few) < 5
    with pytest.raises(
        ValueError, match=r"want at least 5 members within the limits .* got [1-4]: allow"
    ):
        compare(workspace, digits, lambda _: 0.0, 8)


def test_members_that_were_trained_before_a_kill_are_not_trained_again(digits, tmp_path):
    said = []

    def notify(text):
        said.append(text)
        if len(said) == 4:  # one epoch, three members
            raise KilledError(text)

    evaluator = SupernetEvaluator(SupernetSettings(epochs=1, trust=5))
    with pytest.raises(KilledError, match="member 3 of 5"):
        evaluator.prepare(workspace_of(digits, tmp_path, notify))
    before = read_facts(tmp_path).compared
    with pytest.raises(ValueError, match="includes 0"):
        evaluator.prepare(workspace_of(digits, tmp_path, said.append))
    assert len(before) == 3
    assert read_facts(tmp_path).compared[:3] == before
    assert read_facts(tmp_path).tau is not None


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("supernet:sampling=best", "want sampling as one of uniform, fair, sandwich, got 'best'"),
        ("supernet:epochs=0", "want epochs of at least 1"),
        ("supernet:trust=3", "want trust as 0 or at least 5"),
        ("supernet:rate=1", "want one of its settings"),
        ("supernet:recalibration=1", "want recalibration as 0 or at least 2"),
    ],
)
def test_settings_that_are_not_allowed_are_named(text, error):
    with pytest.raises(ValueError, match=error):
        SupernetSettings.parse(text)


def test_a_search_by_a_supernet_is_an_ordinary_run(tmp_path):
    run = nas.search(
        space=SMALL,
        evaluator="supernet:epochs=1,trust=0",
        budget=3,
        epochs=1,
        out=tmp_path / "run",
    )
    assert [metric.name for metric in run.objectives.metrics] == [
        "supernet_probe_error",
        "parameters",
    ]
    assert all("accuracy" not in trial.scores for trial in run.trials)  # that is of a training
    network = SPACE.compile(run.best().architecture, Task((1, 8, 8), 10))
    network.load_state_dict(checkpoint.load(run.weights_path(run.best())))
    inputs, targets = trainers.load("digits").tensors("validation")
    accuracy = (network.eval()(inputs).argmax(dim=1) == targets).float().mean()
    assert float(accuracy) == pytest.approx(run.best().scores["supernet_accuracy"], abs=1e-6)
    assert any(str(line).startswith("supernet: ") for line in overview(run))


def test_a_spent_budget_ends_the_training_after_an_epoch_and_its_seconds_count_later(
    digits, tmp_path
):
    left = iter([None, None, TimeUp()])  # before the first epoch, after it, after the second

    def check_budget():
        if (error := next(left)) is not None:
            raise error

    workspace = replace(workspace_of(digits, tmp_path), check_budget=check_budget)
    with pytest.raises(TimeUp):
        training.train(workspace, SupernetSettings(epochs=9), digits)
    assert len(read_facts(tmp_path).losses) == 2
    (tmp_path / "run" / "evaluator").mkdir(parents=True)
    write_facts(tmp_path / "run" / "evaluator", replace(read_facts(tmp_path), seconds=100.0))
    spending = Spending(Budget(seconds=60), Objectives())
    preparing.count(spending, tmp_path / "run")
    assert spending.reached()
    settings = Settings(space=SMALL, data="digits", evaluator="supernet:epochs=9,trust=0")
    assert preparing.work(object(), settings, tmp_path / "run") == (
        "the training of the supernet for 9 epochs"
    )


@pytest.mark.long
def test_the_energy_of_a_supernet_that_is_not_believed_and_the_end_are_recorded(digits, tmp_path):
    with pytest.raises(ValueError, match="its scores are not used"):
        nas.search(
            space=SMALL, data=digits, evaluator="supernet:epochs=1,trust=5", trials=2, epochs=1,
            out=tmp_path / "run",
        )  # fmt: skip
    assert read_ending(tmp_path / "run").reason == "failed"
    assert read_energy(tmp_path / "run", []).search_wh > 0


def test_a_network_with_inherited_weights_is_exported_and_trained_from_scratch(tmp_path):
    run = nas.search(
        space=SMALL,
        evaluator="supernet:epochs=1,trust=0",
        budget=3,
        epochs=1,
        out=tmp_path / "run",
    )
    bundle = run.export(run.best(), tmp_path / "bundle")
    scores = bundle.metrics["validation"]
    assert scores["supernet_loss"] == run.best().scores["supernet_loss"]
    again = retrain(bundle, tmp_path / "again", epochs=1)
    assert "accuracy" in again.metrics["test"]


def test_a_supernet_wants_classes_and_a_space_that_shares(tmp_path):
    with pytest.raises(ValueError, match="mlp has no supernet"):
        nas.search(space="mlp", evaluator="supernet:epochs=1", out=tmp_path / "a", budget=1)
