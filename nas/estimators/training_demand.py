"""Memory demand and throughput of a training, predicted or measured before it begins."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from time import perf_counter

import torch

import trainers
from nas.estimators.demand import MemoryDemand
from search_spaces import Architecture, SearchSpace, Task
from trainers import Dataset, Recipe, Split
from trainers.loop import precision
from trainers.profiling import footprint

RATED = 20  # batches of a measured pass
CONTEXT_BYTES = 600 * 2**20  # memory of a GPU that each process takes for its context
# Memory of a GPU beside the step: augmenting a block (169 MiB for one of 59 MiB, on a CPU), the
# workspaces of cuBLAS and cuDNN, the outputs of an evaluation. Never compared with a GPU.
BESIDE_STEP_BYTES = 400 * 2**20
SHARE = 0.9  # of the free memory; the rest is for the workspaces of kernels


def free_bytes(data: Dataset, workers: int) -> int | None:
    """The bytes of the GPU of `data` that `workers` trainings may take together; None on a CPU.

    Every worker has a copy of the data there.
    """
    device = data.device
    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    here = sum(
        t.nbytes
        for s in (data.train, data.validation, data.test)
        for t in (s.inputs, s.targets)
        if t.device == device
    )
    return max(2**20, int(SHARE * (free - workers * (CONTEXT_BYTES + here))))


def memory(
    space: SearchSpace, architecture: Architecture, task: Task, recipe: Recipe, device: torch.device
) -> MemoryDemand:
    """Predict the memory of a training: see `trainers.profiling.footprint`."""
    with torch.device("meta") if device.type == "cuda" else nullcontext():
        net = space.compile(architecture, task)
    computed = precision.choose(recipe.precision, net, task.input_shape, device)
    demand = footprint.step_bytes(net, task.input_shape, recipe, computed=computed)
    beside = BESIDE_STEP_BYTES if device.type == "cuda" else 0
    return MemoryDemand(str(device), demand + beside)


def first(data: Dataset, count: int) -> Dataset:
    """The data set with its first training examples only, and no validation split."""

    def cut(split: Split, most: int) -> Split:
        return split.part(slice(most))

    return replace(data, train=cut(data.train, count), validation=cut(data.validation, 0))


def throughput(net: torch.nn.Module, data: Dataset, recipe: Recipe, seconds: float) -> float:
    """Measure training examples per second, after a first pass in which much is initialised.

    Passes are short: they use few examples.
    """
    some = first(data, RATED * recipe.batch_size)
    passes = trainers.train(net, some, replace(recipe, epochs=1_000_000), seed=0)
    next(passes)
    start, done = perf_counter(), 0
    for _ in passes:
        done += len(some.train)
        if perf_counter() - start >= seconds:
            break
    return done / (perf_counter() - start)
