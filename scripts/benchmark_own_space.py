"""Overhead of a search in a user's own space, whose costs have no closed form, beside a built-in one.

    python scripts/benchmark_own_space.py [--trials 100] [--json]

Milliseconds of CPU time a trial (ask, exact costs, tell, journal; a trial itself takes no time) of
`random` and `predictor`, and of one cost counted whole and from cached parts, on three spaces of eight
three-way choices each: a chain of layers, blocks with code of their own in `forward`, and a network
whose whole `forward` is its own. On one thread.

Aim: under 3 ms for `random` and 30 ms for `predictor`.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import process_time

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import search_spaces
from nas.core.candidates import Candidates
from nas.core.joint_space import JointSpace
from nas.core.objectives import Objectives
from nas.engine.loop import run_trials
from nas.estimators.cost import ExactCost
from nas.evaluators.job import Job
from nas.executors.in_process import InProcess
from nas.runs.journal import Journal
from nas.strategies import make
from search_spaces import Architecture, Choice, SearchSpace, Struct, Task
from search_spaces.cost.measure import measure
from search_spaces.cost.parts import PartsCounter

TASK = Task((3, 32, 32), 10)
WIDTH, WARM, COUNTS = 16, 5, 40


class Block(nn.Module):
    """A residual block."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(WIDTH, WIDTH, kernel, padding="same", bias=False)
        self.second = nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(WIDTH) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """Two convolutions and a sum."""
        y = F.relu(self.norms[0](self.first(x)))
        return F.relu(x + self.norms[1](self.second(y)))


class Own(nn.Module):
    """A network with code of its own from end to end."""

    def __init__(self, kernels: list[int], outputs: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, WIDTH, 3, padding=1)
        self.blocks = nn.ModuleList(Block(kernel) for kernel in kernels)
        self.head = nn.Linear(WIDTH, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Blocks with one connection from the stem to the end."""
        x = first = F.relu(self.stem(x))
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.head((x + first).mean((2, 3)))
        return logits


def kernels_of(architecture: Architecture) -> list[int]:
    """The eight choices."""
    return [architecture[f"kernel{i}"] for i in range(8)]


def head(task: Task) -> list[nn.Module]:
    """Global average and classifier."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTH, task.outputs)]


def chain(architecture: Architecture, task: Task) -> nn.Module:
    """Convolutions, norms and activations."""
    layers: list[nn.Module] = []
    for i, kernel in enumerate(kernels_of(architecture)):
        layers.append(nn.Conv2d(WIDTH if i else 3, WIDTH, kernel, padding="same", bias=False))
        layers += [nn.BatchNorm2d(WIDTH), nn.ReLU()]
    return nn.Sequential(*layers, *head(task))


def blocks(architecture: Architecture, task: Task) -> nn.Module:
    """A stem and residual blocks."""
    made = (Block(kernel) for kernel in kernels_of(architecture))
    return nn.Sequential(nn.Conv2d(3, WIDTH, 3, padding=1), *made, *head(task))


def own(architecture: Architecture, task: Task) -> nn.Module:
    """See `Own`."""
    return Own(kernels_of(architecture), task.outputs)


class Known:
    """Scores without training: long sequences of equal kernels are good."""

    def evaluate(self, job: Job) -> dict[str, float]:
        """The score of a job."""
        decisions = list(job.configuration.architecture.value.values())
        equal = sum(a == b for a, b in itertools.pairwise(decisions))
        return {"accuracy": equal / len(decisions)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tree = Struct(**{f"kernel{i}": Choice(1, 3, 5) for i in range(8)})
    builds: dict[str, Callable[[Architecture, Task], nn.Module]]
    builds = {"chain": chain, "blocks": blocks, "own": own}
    spaces = [SearchSpace(name=name, tree=tree, build=build) for name, build in builds.items()]
    overhead(spaces[0], "predictor", 8)  # imports are no overhead of a trial
    rows = [measured(space, arguments.trials) for space in spaces]
    rows.append(measured(search_spaces.get("nasbench201"), arguments.trials))
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{'ms of CPU':<14}{'random':>9}{'predictor':>11}{'a cost: whole':>15}{'parts':>8}")
    for row in rows:
        print(
            f"{row['space']:<14}{row['random']:>9.2f}{row['predictor']:>11.1f}"
            f"{row['whole']:>15.2f}{row['parts']:>8.2f}"
        )


def measured(space: SearchSpace, trials: int) -> dict[str, object]:
    """All numbers of one space, in milliseconds of CPU time."""
    rng = Random(0)
    drawn = [space.sample(rng) for _ in range(WARM + COUNTS)]
    counter = PartsCounter(space.name)
    assert space.build is not None
    build = space.build

    def seconds(count: Callable[[Architecture], object]) -> float:
        for architecture in drawn[:WARM]:
            count(architecture)
        start = process_time()
        for architecture in drawn[WARM:]:
            count(architecture)
        return (process_time() - start) / COUNTS

    whole = seconds(lambda a: measure(lambda: build(a, TASK), TASK.input_shape))
    parts = seconds(lambda a: counter.count(lambda: build(a, TASK), TASK.input_shape))
    return {
        "space": space.name,
        "random": 1e3 * overhead(space, "random", trials),
        "predictor": 1e3 * overhead(space, "predictor", trials),
        "whole": 1e3 * whole,
        "parts": 1e3 * parts,
    }


def overhead(space: SearchSpace, name: str, trials: int) -> float:
    """CPU seconds a trial of a whole search."""
    start = process_time()
    candidates = Candidates(JointSpace(space, TASK))
    strategy = make(name, candidates, Objectives())
    with TemporaryDirectory() as folder, closing(Journal(Path(folder) / "trials.jsonl")) as journal:
        for _ in run_trials(
            strategy,
            candidates.ledger,
            InProcess(Known()),
            journal,
            trials=trials,
            seed=0,
            estimators=(ExactCost(candidates.space),),
        ):
            pass
    return (process_time() - start) / trials


if __name__ == "__main__":
    main()
