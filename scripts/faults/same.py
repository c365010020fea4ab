"""The same seed, with any number of workers and on any executor: the same search, but for times."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import fault_targets
import ray_nodes

from faults import Finding
from nas.executors import ResourceLimits

STRATEGIES = ("random", "evolution", "halving")
WORKERS = (2, 4, 8)
TRIALS = 24  # evolution begins to mutate after 20


def run(*, quick: bool, folder: Path) -> Finding:
    """Compare searches that train on the processor with the one in a single process."""
    seeds = range(1 if quick else 5)
    strategies = ("halving",) if quick else STRATEGIES
    searches: Counter[str] = Counter()
    differs = []
    alone = {}
    for seed in seeds:
        for strategy in strategies:
            name = f"{strategy}, seed {seed}"
            alone[name] = _search(folder / name, strategy, seed)
            for workers in (2,) if quick else WORKERS:
                there = folder / f"{name}, {workers} workers"
                searches[f"{workers} workers"] += 1
                if _search(there, strategy, seed, workers=workers) != alone[name]:
                    differs.append(f"{there.name}: another search")
    if not quick:
        for there, same in _on_ray(folder, seeds, alone):
            searches["Ray on two nodes"] += 1
            if not same:
                differs.append(f"{there}: another search")
    of = ", ".join(f"{n} with {where}" for where, n in searches.items())
    line = (
        f"searches of {TRIALS} trainings, {', '.join(strategies)}, {len(seeds)} seeds: {of}: "
        f"{len(differs)} differ from one worker's"
    )
    return Finding(held=not differs, lines=(line, *differs))


_Made = tuple[list[dict[str, Any]], dict[str, bytes]]


def _search(folder: Path, strategy: str, seed: int, **options: int) -> _Made:
    decided = fault_targets.run_to_the_end(
        folder, "training", strategy, TRIALS, seed=seed, **options
    )
    return decided, _weights(folder)


def _on_ray(folder: Path, seeds: range, alone: dict[str, _Made]) -> list[tuple[str, bool]]:
    """The same searches on one cluster, one after another."""
    found = []
    with ray_nodes.two_nodes() as (cluster, _):
        terms = ResourceLimits(workers=2, address=cluster.address)
        for seed in seeds:
            for strategy in STRATEGIES:
                name = f"{strategy}, seed {seed}"
                there = folder / f"{name}, on Ray"
                for _ in fault_targets.search_training(there, strategy, TRIALS, seed, "ray", terms):
                    pass
                same = (fault_targets.decided(there), _weights(there)) == alone[name]
                found.append((there.name, same))
    return found


def _weights(folder: Path) -> dict[str, bytes]:
    """The files of weights, to the bit."""
    return {file.name: file.read_bytes() for file in (folder / "checkpoints").iterdir()}
