"""Measure a few networks of a space on this machine, and learn its profile."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from random import Random
from statistics import median

import numpy as np
import torch

import trainers
from nas.estimators.device.counts import Counts, operation_counts
from nas.estimators.device.profile import DeviceProfile, left_out, rows, space_text
from nas.estimators.device.transfer import Readings, fit_device, informative
from nas.estimators.latency.backends import measure_networks
from nas.runs.header import environment
from search_spaces import Architecture, SearchSpace, Task

NETWORKS = 20
SECONDS = 0.6  # for each network
_POOL = 3  # networks that are counted for each one that is measured
_DRAWS = 20  # for each network that is wanted


def calibrate(
    space: SearchSpace,
    task: Task,
    *,
    name: str,
    networks: int = NETWORKS,
    sources: Sequence[DeviceProfile] = (),
    batch: int = 1,
    device: str = "cpu",
    backend: str = "torch",
    seed: int = 0,
    seconds: float = SECONDS,
) -> DeviceProfile:
    """Measure the networks that say the most about the others, in turn, and fit the model.

    Args:
        space: The search space.
        task: The task of the networks.
        name: Name of the device.
        networks: Number of networks to measure.
        sources: Profiles of other devices; those of too few networks say nothing.
        batch: Inputs in the batch.
        device: The device.
        backend: "torch", "onnxruntime", or on a GPU "cuda-graph".
        seed: Seed of the networks.
        seconds: Time limit for each network.

    Raises:
        ValueError: the space has too few networks that can be built, or they cannot be exported.
    """
    where = torch.device("cpu" if backend == "onnxruntime" else device)
    drawn = _drawn(space, task, _POOL * networks, batch, seed)
    features = sorted({name for counts in drawn.values() for name in counts[0]})
    counted = rows(drawn.values(), features)
    known = [source.known(features) for source in sources if source.is_source]
    chosen = informative(counted, networks, known)
    architectures = [list(drawn)[i] for i in chosen]
    with trainers.seeded(0):
        built = {
            str(number): (space.compile(architecture, task), task.input_shape)
            for number, architecture in enumerate(architectures)
        }
    measured = list(
        measure_networks(
            built, batch=batch, device=where, backend=backend, seconds=seconds
        ).values()
    )
    readings = Readings(
        counts=(counted[0][chosen], counted[1][chosen]),
        values=np.array([latency.milliseconds for latency in measured]),
    )
    model = fit_device(readings, known)
    noise = median(latency.noise for latency in measured)
    return DeviceProfile(
        name=name,
        setup={
            "space": space_text(space),
            "input_shape": list(task.input_shape),
            "classes": task.outputs,
            "device": str(where),
            "backend": backend,
            "batch": batch,
        },
        features=features,
        networks=[
            {
                "architecture": str(architecture),
                "executed": executed[1:].tolist(),
                "reaching": reaching[1:].tolist(),
                "milliseconds": latency.milliseconds,
            }
            for architecture, executed, reaching, latency in zip(
                architectures, *readings.counts, measured, strict=True
            )
        ],
        weights=list(model.weights),
        coefficients=[row.tolist() for row in model.coefficients],
        least=model.least,
        sources=[source.name for source in sources if source.is_source],
        errors={**left_out(readings, known), "noise": noise},
        made=environment(str(where)),
    )


def _drawn(
    space: SearchSpace, task: Task, count: int, batch: int, seed: int
) -> dict[Architecture, Counts]:
    """Random networks of different function, with their counts."""
    found: dict[Architecture, Counts] = {}
    keys: set[object] = set()
    reason = ""
    for draw in range(_DRAWS * count):
        architecture = space.sample(Random(f"{seed}/device/{draw}"))
        key = space.canonical(architecture)
        if key in keys:
            continue
        keys.add(key)
        try:
            found[architecture] = operation_counts(
                partial(space.compile, architecture, task), task.input_shape, batch
            )
        except Exception as error:  # a space of the user's own may have such members
            reason = " ".join(f" ({type(error).__name__}: {error})".split())[:200]
            continue
        if len(found) == count:
            break
    if len(found) < 2:
        raise ValueError(
            f"latency: want at least 2 networks of {space.name} that can be built, got "
            f"{len(found)} {reason}"
        )
    return found
