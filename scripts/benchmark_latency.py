"""Measure how well latency is measured and estimated on this machine.

    python scripts/benchmark_latency.py                     # the default space, inputs 1x8x8
    python scripts/benchmark_latency.py --space mobile --input 3x32x32 --backend onnxruntime

Three figures. Repeated: 30 measurements of each of a few networks, one after the other, against their median.
Estimated: the additive model, fitted to 30 networks of the space, against the measured latency of 30 others.
Compared: multiply-accumulates as an estimate of the same ranks. The load of the machine stands beside them: they
mean little on a busy one.
"""

from __future__ import annotations

import argparse
import os
import time
from random import Random
from statistics import median

import numpy as np
from scipy.stats import spearmanr
from torch import nn

import trainers
from nas.estimators.latency.backends import measure_networks
from nas.estimators.latency.fit import fit_table
from nas.estimators.latency.operations import operations_of
from nas.estimators.latency.timing import Latency
from search_spaces import SearchSpace, Task, load
from search_spaces.task import parse_shape

REPEATED, REPETITIONS = 4, 30


def main() -> None:
    """Run the command."""
    arguments = parse()
    space, task = load(arguments.space), Task(arguments.input, 10)
    say_load("start")
    repeat(sampled(space, task, REPEATED, "repeat"), task, arguments.backend)
    say_load("after the repetitions")
    estimate(space, task, arguments)
    say_load("end")


def repeat(networks: list[nn.Module], task: Task, backend: str) -> None:
    """Measure each network again and again; print the deviations from its median.

    A search records latencies at the speed of its beginning; they stand beside those as measured.
    """
    found: list[list[Latency]] = [[] for _ in networks]
    for _ in range(REPETITIONS):
        for network, latencies in zip(networks, found, strict=True):
            measured = measure_networks({"": (network, task.input_shape)}, backend=backend)
            latencies.append(measured[""])
    noisy = sum(bool(one.too_noisy) for latencies in found for one in latencies)
    print(f"{REPETITIONS} measurements of a network; {noisy} of all said to be too noisy")
    for latencies in found:
        first = latencies[0].reference
        print(f"  as measured             {spread([one.milliseconds for one in latencies])}")
        print(
            f"  at the speed of a search {spread([one.milliseconds_at(first) for one in latencies])}"
        )


def spread(values: list[float]) -> str:
    """The deviations of values from their median."""
    middle = median(values)
    off = [abs(value / middle - 1) for value in values]
    within = sum(one <= 0.1 for one in off)
    return (
        f"{middle:7.3f} ms: {within} within 10 %, worst {max(off):.1%}, "
        f"standard deviation {np.std(values) / middle:.1%}"
    )


def estimate(space: SearchSpace, task: Task, arguments: argparse.Namespace) -> None:
    """Fit the additive model, and compare its estimates with networks that it has not seen."""
    begin = time.perf_counter()
    table = fit_table(space, task, backend=arguments.backend, seed=arguments.seed)
    print(f"fitted in {time.perf_counter() - begin:.0f} s: {table.summary()}")
    networks = sampled(space, task, arguments.networks, f"held out/{arguments.seed}")
    measured = measure_networks(
        {str(n): (network, task.input_shape) for n, network in enumerate(networks)},
        backend=arguments.backend,
    )
    true = np.array([latency.milliseconds for latency in measured.values()])
    begin = time.perf_counter()
    calls = [operations_of(lambda n=n: n, task.input_shape) for n in on_meta(networks)]
    seconds = time.perf_counter() - begin
    estimates = np.array([table.estimate(one) for one in calls])
    macs = [sum(block.macs * count for block, count in one.items()) for one in calls]
    off = np.abs(estimates / true - 1)
    noise = median(latency.noise for latency in measured.values())
    print(
        f"{len(true)} other networks, {true.min():.2f} to {true.max():.2f} ms, measured to within "
        f"{noise:.1%}: Spearman {spearmanr(estimates, true)[0]:.3f} (MACs alone "
        f"{spearmanr(macs, true)[0]:.3f}), mean absolute percentage error {off.mean():.1%}, worst "
        f"{off.max():.1%}; {1000 * seconds / len(true):.0f} ms for each estimate"
    )


def sampled(space: SearchSpace, task: Task, count: int, name: str) -> list[nn.Module]:
    """Networks of different function."""
    found, draw = {}, 0
    while len(found) < count and draw < 50 * count:
        architecture = space.sample(Random(f"{name}/{draw}"))
        found.setdefault(space.canonical(architecture), architecture)
        draw += 1
    with trainers.seeded(0):
        return [space.compile(architecture, task) for architecture in found.values()]


def on_meta(networks: list[nn.Module]) -> list[nn.Module]:
    """The networks on the meta device, which moves them."""
    return [network.to("meta") for network in networks]


def say_load(when: str) -> None:
    """Print the mean number of processes that want a core."""
    loads = ", ".join(f"{load:.2f}" for load in os.getloadavg())
    print(f"load ({when}): {loads} over 1, 5, 15 minutes on {os.cpu_count()} cores", flush=True)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--space", default="nasbench201:channels=8,cells=1")
    parser.add_argument("--input", type=parse_shape, default=(1, 8, 8), help="such as 3x32x32")
    parser.add_argument("--backend", default="torch", choices=("torch", "onnxruntime"))
    parser.add_argument("--networks", type=int, default=30, help="held out")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
