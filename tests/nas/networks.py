"""Networks of every registered space, for tests of bundles and of their source."""

import math
from pathlib import Path
from random import Random

import torch

import search_spaces
from nas.bundles.bundle import Bundle, unnamed_classes
from nas.bundles.preprocessing import preprocessing
from search_spaces import Task
from search_spaces.tree.values import thaw
from trainers.checkpoints.weights import pack

SHAPES = {1: (5,), 2: (3, 64), 3: (3, 32, 32)}


def task_of(space, shape=None, classes=10):
    return Task(shape or SHAPES[space.inputs[-1]], classes, dense=space.dense)


def small(space, rng, task, most=3_000_000):
    """A sample that is quick to build and run: the smallest of 50, if none is small enough."""
    drawn = []
    for _ in range(50):
        architecture = space.sample(rng)
        cost = space.cost(architecture, task)
        drawn.append((cost.parameters, len(drawn), architecture))
        if cost.parameters <= most:
            return architecture
    return min(drawn)[2]


def labels_of(task, batch):
    """Classes of some inputs, or of each of their pixels."""
    shape = (batch, *task.input_shape[1:]) if task.dense else (batch,)
    return torch.arange(math.prod(shape)).view(shape) % task.outputs


def trained(space, architecture, task, seed=0, steps=2):
    """A network after some steps of training, which set the statistics of its norms."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = space.compile(architecture, task).train()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
        for _ in range(steps):
            x, labels = torch.randn(4, *task.input_shape), labels_of(task, 4)
            loss = torch.nn.functional.cross_entropy(net(x), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net.eval()


def unwritten(space, architecture, task, net=None, targets=None, **facts):
    """The bundle of a network that comes from no run; `facts` are of its data."""
    channels = task.input_shape[0]
    data = {
        "name": "noise",
        "fingerprint": "0" * 64,
        "input_shape": list(task.input_shape),
        "mean": [float(n) for n in range(channels)],
        "std": [64.5] * channels,
        **facts,
    }
    cost = space.cost(architecture, task)
    unnamed = unnamed_classes(0) | ({"task": "segmentation"} if task.dense else {})
    names = [f"class {n}" for n in range(task.outputs)]
    weights = b"" if net is None else pack(net.state_dict())
    return Bundle(
        path=Path("unwritten"),
        architecture=architecture,
        task=task,
        described={
            "space": space.name,
            "architecture": {"space": architecture.space, "value": thaw(architecture.value)},
            "notation": space.format(architecture),
            "targets": targets or {**unnamed, "names": names},
            "preprocessing": preprocessing(data),
        },
        metrics={
            "parameters": cost.parameters,
            "macs": cost.macs,
            "peak_activation_bytes": cost.peak_activation_bytes,
            "data": data,
            "validation": None,
            "test": None,
            "recipe": {},
            "made": {"versions": {"torch": torch.__version__}},
        },
        read_weights=lambda: weights,
        known_space=space,
    )


def sampled(name, seed=0):
    """(space, architecture, task) of a small network of a registered space."""
    space = search_spaces.get(name)
    task = task_of(space)
    return space, small(space, Random(seed), task), task
