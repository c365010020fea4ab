"""Memory demand and throughput of a training, predicted or measured before it begins."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import nullcontext
from dataclasses import replace
from time import perf_counter

import torch

import trainers
from nas.estimators.demand import MemoryDemand
from search_spaces import Architecture, SearchSpace, Task
from trainers import Dataset, Recipe, Split
from trainers.loop import precision
from trainers.loop.batches import steps_per_epoch
from trainers.loop.grouped_kernels import copied_bytes
from trainers.loop.train import evaluation_batch, train_in_steps
from trainers.profiling import footprint

RATED = 20  # batches of a measured pass
CONTEXT_BYTES = 600 * 2**20  # memory of a GPU that each process takes for its context
# Memory of a GPU beside steps and evaluations: augmenting a block (169 MiB for one of 59 MiB, on a
# CPU) and the workspaces of cuBLAS and cuDNN. Never compared with a GPU.
BESIDE_STEP_BYTES = 400 * 2**20
SHARE = 0.9  # of the free memory; the rest is for the workspaces of kernels


def free_bytes(data: Dataset, device: str, workers: int, folds: int = 0) -> int | None:
    """The bytes of a GPU that the trainings of `workers` may take together; None on a CPU.

    Every worker has a copy of the data there, or with folds one of the training and validation data
    for each of them.

    Args:
        data: The data set, on any device.
        device: The device of the workers; "cuda" for all GPUs in turn.
        workers: Number of worker processes.
        folds: Number of folds; 0 for one validation split.
    """
    if not device.startswith("cuda"):
        return None
    count = torch.cuda.device_count() if device == "cuda" else 1
    gpus = list(range(count)) if device == "cuda" else [trainers.resolve(device).index]
    free = min(_free(gpus))
    learned = data.train.device_bytes(free) + data.validation.device_bytes(free)
    each = CONTEXT_BYTES + max(1, folds) * learned + data.test.device_bytes(free)
    return max(2**20, int(SHARE * (free - -(-workers // count) * each)))


def _free(gpus: list[int]) -> list[int]:
    """The free bytes of each GPU, asked by another process: whoever asks takes memory of it."""
    program = f"import torch; print(*(torch.cuda.mem_get_info(n)[0] for n in {gpus}))"
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    if done.returncode:
        why = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise ValueError(f"device: want a GPU that says how much of it is free, got {why[0]}")
    return [int(found) for found in done.stdout.split()]


def memory(
    space: SearchSpace, architecture: Architecture, task: Task, recipe: Recipe, data: Dataset
) -> MemoryDemand:
    """Predict the memory of a training: see `trainers.profiling.footprint`.

    On a GPU a captured step keeps its memory: steps of the other batch size, before they are captured
    themselves, and evaluations have theirs beside it. In bfloat16 there are copies of the weights, whose
    gradients are held beside those of the weights at the end of a step.
    """
    device = data.device
    on_gpu = device.type == "cuda"
    with torch.device("meta") if on_gpu else nullcontext():
        net = space.compile(architecture, task)
    computed = precision.choose(recipe.precision, net, task.input_shape, device)
    found = footprint.footprint(
        net,
        task.input_shape,
        recipe,
        computed=computed,
        evaluated=min(evaluation_batch(recipe.batch_size, 1, data), len(data.validation)),
    )
    best = found.gradients if recipe.patience else 0  # the weights of the best epoch
    parts = replace(found, state=found.state + best)
    evaluation = parts.gradients + parts.evaluation
    if not on_gpu:
        return MemoryDemand(str(device), parts.state + max(parts.step, evaluation))
    copies = copied_bytes(net, computed)
    step = max(parts.step - copies, copies + parts.gradients)  # autocast has made the copies, too
    other_size = step if len(data.train) % _steps(data, recipe) else 0
    beside = max(other_size, parts.evaluation) + BESIDE_STEP_BYTES
    return MemoryDemand(str(device), parts.state + copies + step + beside)


def _steps(data: Dataset, recipe: Recipe) -> int:
    return steps_per_epoch(len(data.train), recipe.batch_size)


def first(data: Dataset, count: int) -> Dataset:
    """The data set with its first training examples only, and no validation split."""

    def cut(split: Split, most: int) -> Split:
        return split.part(slice(most))

    return replace(data, train=cut(data.train, count), validation=cut(data.validation, 0))


def throughput(net: torch.nn.Module, data: Dataset, recipe: Recipe, seconds: float) -> float:
    """Measure training examples per second, after a first pass in which much is initialised.

    Passes are short: they use few examples.
    """
    passes = (count for count in trained_examples(net, data, recipe) if count)
    next(passes)
    start, done = perf_counter(), 0
    for count in passes:
        done += count
        if perf_counter() - start >= seconds:
            break
    return done / (perf_counter() - start)


def trained_examples(net: torch.nn.Module, data: Dataset, recipe: Recipe) -> Generator[int]:
    """Train without an end; yield 0 after each step, and the examples of a pass at its end."""
    some = first(data, RATED * recipe.batch_size)
    for epoch in train_in_steps(net, some, replace(recipe, epochs=1_000_000), seed=0):
        yield 0 if epoch is None else len(some.train)
