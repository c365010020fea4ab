"""The latency table of a space: networks are sampled, measured in turn, and the model is fitted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from random import Random
from statistics import median
from typing import Any

import numpy as np
import torch

import trainers
from nas.estimators.latency.backends import measure_calls, measure_networks
from nas.estimators.latency.operations import Block, operations_of
from nas.estimators.latency.table import (
    FOR_ANY,
    Array,
    LatencyTable,
    features,
    fit_factors,
    fit_sizes,
)
from nas.estimators.latency.timing import Latency
from nas.runs.header import environment
from search_spaces import Architecture, SearchSpace, Task

NETWORKS = 30  # measured whole
FOLDS = 5  # of cross-validation
MOST_BLOCKS = 300  # measured alone; the times of others are predicted from their sizes
SECONDS = 0.6  # for each network
BLOCK_SECONDS = 0.03  # for each block
_DRAWS = 20  # for each network that is wanted


def fit_table(
    space: SearchSpace,
    task: Task,
    *,
    batch: int = 1,
    device: str = "cpu",
    backend: str = "torch",
    seed: int = 0,
    networks: int = NETWORKS,
) -> LatencyTable:
    """Measure networks of a space and the blocks they are made of, and fit the additive model.

    It takes about half a minute for small networks. One thread of the CPU is used.

    Args:
        space: The search space.
        task: The task of the networks.
        batch: Inputs in the batch.
        device: The device; networks in ONNX Runtime run on the CPU.
        backend: "torch", "onnxruntime" or "cuda-graph". Blocks are measured in PyTorch for all: the
            fitted factors stand for fused operations and launches that are left out.
        seed: Seed of the sampled networks.
        networks: Number of networks to measure.

    Raises:
        ValueError: the space has too few networks that can be built, or they cannot be exported.
    """
    where = torch.device("cpu" if backend == "onnxruntime" else device)
    chosen, calls = _sampled(space, task, batch, seed, networks)
    blocks = measure_blocks(_most_used(calls), where)
    measured = list(_measured(space, task, chosen, batch, where, backend).values())
    milliseconds = np.array([latency.milliseconds for latency in measured])
    return fitted(
        calls,
        milliseconds,
        blocks,
        setup={
            "space": space.name,
            "input_shape": list(task.input_shape),
            "classes": task.outputs,
            "device": str(where),
            "backend": backend,
            "batch": batch,
            "threads": 1,
            "seed": seed,
        },
        noise=median(latency.noise for latency in measured),
        made=environment(str(where)),
    )


def fitted(
    calls: Sequence[Mapping[Block, int]],
    milliseconds: Array,
    blocks: Mapping[Block, float],
    *,
    setup: Mapping[str, Any],
    noise: float,
    made: Mapping[str, Any],
) -> LatencyTable:
    """The table of networks and blocks that have been measured.

    Args:
        calls: The calls of blocks of each network.
        milliseconds: The time of each network.
        blocks: Milliseconds of blocks.
        setup: See `LatencyTable`.
        noise: The median noise of the networks' times, as a share.
        made: See `LatencyTable`.
    """
    kinds = sorted({block.kind for counted in calls for block in counted})
    times = {block.name: ms for block, ms in blocks.items()}
    sizes = fit_sizes(blocks)
    rows = features(calls, kinds, times, sizes)
    coefficients, common = fit_factors(rows, milliseconds)
    constant, call, *factors = coefficients.tolist()
    return LatencyTable(
        setup=setup,
        blocks=times,
        sizes=sizes,
        constant=constant,
        call=call,
        factors={**dict(zip(kinds, factors, strict=True)), FOR_ANY: common},
        errors={**errors(rows, milliseconds), "noise": noise},
        made=made,
    )


def errors(rows: Array, milliseconds: Array) -> dict[str, Any]:
    """The errors of networks held out of the fit: Spearman, mean absolute percentage error.

    Cross-validation: each fifth of the networks is estimated by coefficients fitted to the others.
    """
    from scipy.stats import rankdata

    count = len(rows)
    folds = min(FOLDS, count)
    estimates = np.zeros(count)
    for fold in range(folds):
        out = np.arange(count) % folds == fold
        estimates[out] = rows[out] @ fit_factors(rows[~out], milliseconds[~out])[0]
    rank = None
    if count >= 3 and np.ptp(estimates) > 0 and np.ptp(milliseconds) > 0:
        rank = float(np.corrcoef(rankdata(estimates), rankdata(milliseconds))[0, 1])
    return {
        "spearman": rank,
        "mape": float(np.mean(np.abs(estimates / milliseconds - 1))),
        "networks": count,
    }


def measure_blocks(blocks: Sequence[Block], device: torch.device) -> dict[Block, float]:
    """Milliseconds of each block alone, measured in turn."""
    runs = {block.name: block.on(device) for block in blocks}
    found = measure_calls(runs, device, seconds=BLOCK_SECONDS)
    return {block: found[block.name].milliseconds for block in blocks}


def _sampled(
    space: SearchSpace, task: Task, batch: int, seed: int, networks: int
) -> tuple[list[Architecture], list[Counter[Block]]]:
    """Sample networks of different function, and the calls of each."""
    chosen: dict[object, Architecture] = {}
    calls: list[Counter[Block]] = []
    reason = ""
    for draw in range(_DRAWS * networks):
        architecture = space.sample(Random(f"{seed}/latency/{draw}"))
        key = space.canonical(architecture)
        if key in chosen:
            continue
        try:
            calls.append(operations_of(_build(space, architecture, task), task.input_shape, batch))
        except Exception as error:  # a space of the user's own may have such members
            reason = " ".join(f" ({type(error).__name__}: {error})".split())[:200]
            continue
        chosen[key] = architecture
        if len(chosen) == networks:
            break
    if len(chosen) < 2:
        raise ValueError(
            f"estimated_latency_ms: want at least 2 networks of {space.name} that can be built, got "
            f"{len(chosen)} {reason}"
        )
    return list(chosen.values()), calls


def _build(space: SearchSpace, architecture: Architecture, task: Task) -> Callable[[], Any]:
    return lambda: space.compile(architecture, task)


def _most_used(calls: Sequence[Mapping[Block, int]]) -> list[Block]:
    """The blocks with the largest sum of calls times size."""
    weight: Counter[Block] = Counter()
    for counted in calls:
        for block, count in counted.items():
            weight[block] += count * (block.macs + block.values + 1)
    return [block for block, _ in weight.most_common(MOST_BLOCKS)]


def _measured(
    space: SearchSpace,
    task: Task,
    chosen: Sequence[Architecture],
    batch: int,
    device: torch.device,
    backend: str,
) -> dict[str, Latency]:
    with trainers.seeded(0):
        networks = {
            str(number): (space.compile(architecture, task), task.input_shape)
            for number, architecture in enumerate(chosen)
        }
    return measure_networks(networks, batch=batch, device=device, backend=backend, seconds=SECONDS)
