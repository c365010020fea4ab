"""The memory of a training, predicted, against what torch's own profiler sees allocated."""

from dataclasses import replace
from random import Random
from types import SimpleNamespace

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

import search_spaces
import trainers
from nas.estimators import training_demand
from nas.evaluators.training import build
from tests.nas.networks import labels_of, small, task_of
from trainers.loop.batch_step import EagerStep
from trainers.loop.batches import laid_out
from trainers.loop.convolutions import quick_convolutions
from trainers.profiling.footprint import footprint
from trainers.tasks.classification import Classification

BATCH = 32


def network(name):
    space = search_spaces.get(name)
    task = task_of(space, (3, 16, 16) if space.inputs[-1] == 3 else None)
    return build(space, small(space, Random(0), task), task, seed=0), task


def step_bytes(net, task, recipe, computed="float32"):
    found = footprint(net, task.input_shape, recipe, computed=computed, evaluated=0)
    assert found.evaluation == 0
    return found.state + found.step


def allocated(net, task, recipe):
    """Bytes at the peak of the second step of a training."""
    net.train().to(memory_format=torch.channels_last)
    held = sum(t.nbytes for t in [*net.parameters(), *net.buffers()])
    x_B = laid_out(torch.rand(recipe.batch_size, *task.input_shape))
    labels_B = labels_of(task, recipe.batch_size)
    step = EagerStep(
        net=net,
        optimizer=trainers.make_optimizer(net, recipe),
        criterion=Classification().criterion(recipe, trainers.load("digits")),
        computed="float32",
    )
    profiler = profile(activities=[ProfilerActivity.CPU], profile_memory=True)
    with profiler as seen, quick_convolutions(net):
        step(x_B, labels_B)
        step(x_B, labels_B)
    events = [e for e in seen.profiler.kineto_results.events() if e.name() == "[memory]"]
    now = peak = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    return held + x_B.nbytes + labels_B.nbytes + peak


QUICK = ("conv1d", "mlp", "nasbench201", "regnet", "resnet")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in QUICK else pytest.mark.long)
        for name in search_spaces.SPACES
    ],
)
def test_within_a_fifth_for_a_network_of_every_space(name):
    recipe = trainers.Recipe(batch_size=BATCH)
    net, task = network(name)
    found = step_bytes(net, task, recipe)
    assert found == pytest.approx(allocated(net, task, recipe), rel=0.2)


@pytest.mark.parametrize("fields", [{"optimizer": "adamw"}, {"momentum": 0.0}, {"batch_size": 64}])
def test_the_recipe_decides_what_is_kept(fields):
    recipe = trainers.Recipe(**{"batch_size": BATCH} | fields)
    net, task = network("mlp")
    found = step_bytes(net, task, recipe)
    assert found == pytest.approx(allocated(net, task, recipe), rel=0.05)


def test_half_the_memory_in_bfloat16_and_nothing_of_the_network_changes():
    net, task = network("nasbench201")
    before = {name: t.clone() for name, t in net.state_dict().items()}
    net.eval()
    recipe = trainers.Recipe(batch_size=BATCH)
    wide, narrow = (step_bytes(net, task, recipe, c) for c in ("float32", "bfloat16"))
    assert 0.45 < narrow / wide < 0.75
    assert not net.training
    after = net.state_dict()
    assert all(torch.equal(t, after[name]) for name, t in before.items())
    assert all(p.grad is None for p in net.parameters())


def data_of(task, device, train=1_000):
    """A data set in numbers alone."""
    return SimpleNamespace(
        train=range(train),
        validation=range(4_000),
        device=torch.device(device),
        input_shape=task.input_shape,
    )


def test_the_memory_of_a_gpu_is_that_of_all_that_is_alive_at_a_time():
    """A captured step keeps its memory; those of another size and evaluations have theirs."""
    space = search_spaces.get("conv1d")
    task = task_of(space)
    architecture = small(space, Random(0), task)
    recipe = trainers.Recipe(precision="float32", batch_size=20)

    def demand(device, train, recipe=recipe):
        data = data_of(task, device, train)
        return training_demand.memory(space, architecture, task, recipe, data).bytes

    net = space.compile(architecture, task)

    def parts(evaluated):
        return footprint(net, task.input_shape, recipe, computed="float32", evaluated=evaluated)

    few, many = parts(4 * 20), parts(16 * 20)  # which a GPU evaluates at once
    assert few.gradients == sum(p.nbytes for p in net.parameters())
    assert many.evaluation == pytest.approx(4 * few.evaluation, rel=0.05)
    on_cpu = few.state + max(few.step, few.gradients + few.evaluation)
    assert demand("cpu", 1_000) == demand("cpu", 1_001) == on_cpu
    patient = replace(recipe, patience=1)  # which keeps the weights of the best epoch
    assert demand("cpu", 1_000, patient) == on_cpu + few.gradients
    captured = many.state + many.step + training_demand.BESIDE_STEP_BYTES
    assert demand("cuda:0", 1_000) == captured + many.evaluation
    assert demand("cuda:0", 1_001) == captured + max(many.step, many.evaluation)


def test_a_gpu_holds_bfloat16_copies_of_weights_and_both_gradients_at_the_end_of_a_step(
    monkeypatch,
):
    """Weights decide where they are many and examples few."""
    space = search_spaces.get("mlp")
    task = task_of(space)
    architecture = small(space, Random(0), task)
    monkeypatch.setattr(training_demand.precision, "choose", lambda *_: "bfloat16")
    recipe = trainers.Recipe(batch_size=2, momentum=0.0)
    demand = training_demand.memory(
        space, architecture, task, recipe, data_of(task, "cuda:0", 1_000)
    )
    net = space.compile(architecture, task)
    linear = [m for m in net.modules() if isinstance(m, torch.nn.Linear)]
    copies = sum(2 * w.numel() for m in linear for w in m.parameters())
    step = 2 * sum(w.nbytes for w in net.parameters()) + 2 * copies  # weights, copies, gradients
    found = demand.bytes - training_demand.BESIDE_STEP_BYTES
    assert step <= found <= step + copies  # of one layer at a time, in an evaluation


def test_an_evaluation_has_what_a_layer_reads_and_writes():
    net = torch.nn.Sequential(*(torch.nn.Linear(64, 64) for _ in range(8)))
    recipe = trainers.Recipe(batch_size=16)
    found = footprint(net, (64,), recipe, computed="float32", evaluated=100)
    layer = 100 * 64 * 4
    assert found.evaluation == pytest.approx(2 * layer, rel=0.5)
    assert found.state == 2 * sum(p.nbytes for p in net.parameters())  # weights, momentum
