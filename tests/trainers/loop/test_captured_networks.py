"""Captured steps of every space and every task, on an emulated GPU, are bit-equal to eager ones."""

from dataclasses import replace

import pytest
import torch

import search_spaces
from nas.evaluators.training import build
from tests.nas.networks import labels_of, sampled
from tests.trainers.loop.emulated import compare
from tests.trainers.tasks import test_tasks
from tests.trainers.tasks.test_tasks import DATA
from trainers import Dataset, Recipe, from_objects, seeded
from trainers.data.dataset import Split
from trainers.data.targets import Targets
from trainers.tasks.registry import TASKS

BATCH = 2
STEPS = 11  # in an epoch; with two epochs enough to be captured


QUICK = ("mlp", "conv1d", "regnet")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in QUICK else pytest.mark.long)
        for name in search_spaces.SPACES
    ],
)
def test_networks_of_a_space_train_alike(name):
    space, architecture, task = sampled(name)
    with seeded(0):
        inputs = torch.randn(BATCH * STEPS, *task.input_shape)
    labels = labels_of(task, len(inputs))
    names = tuple(map(str, range(task.outputs)))
    part = Split(inputs, labels.to(torch.uint8) if task.dense else labels)
    channels = torch.ones(task.input_shape[0])
    data = Dataset(
        name="noise",
        train=part,
        validation=part.part(slice(4)),
        test=part.part(slice(0)),
        targets=Targets(task="segmentation" if task.dense else "classification", names=names),
        mean=0 * channels,
        std=channels,
        flippable=False,
    )
    recipe = Recipe(epochs=2, batch_size=BATCH, learning_rate=1e-3, precision="float32")
    compare(lambda: build(space, architecture, task, seed=0), data, recipe)


@pytest.mark.parametrize("name", TASKS)
def test_every_task_trains_alike(name):
    data = from_objects(DATA[name])
    count = len(data.train)
    weights = torch.linspace(0.5, 1.5, count)
    data = replace(data, train=replace(data.train, weights=weights))
    balanced = "balanced" if name in ("classification", "segmentation") else "none"
    size = -(-count // STEPS)
    recipe = Recipe(epochs=2, batch_size=size, precision="float32", class_weights=balanced)
    compare(lambda: test_tasks.network(name, data.targets.outputs), data, recipe)
