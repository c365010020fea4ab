"""The same seed, with any number of workers and on any executor: the same search, but for times."""

from __future__ import annotations

from pathlib import Path

import subjects

from faults import Finding

STRATEGIES = ("random", "evolution", "halving")
WORKERS = (2, 4, 8)
TRIALS = 24  # evolution begins to mutate after 20


def run(*, quick: bool, folder: Path) -> Finding:
    """Compare searches that train on the processor with the one in a single process."""
    seeds = range(1 if quick else 5)
    strategies = ("halving",) if quick else STRATEGIES
    differs, searches = [], 0
    for seed in seeds:
        for strategy in strategies:
            alone = folder / f"{strategy}-{seed}-1"
            reference = subjects.run_to_the_end(alone, "training", strategy, TRIALS, seed=seed)
            weights = _weights(alone)
            for workers in (2,) if quick else WORKERS:
                there = folder / f"{strategy}-{seed}-{workers}"
                same = reference == subjects.run_to_the_end(
                    there, "training", strategy, TRIALS, seed=seed, workers=workers
                )
                searches += 1
                if not same or _weights(there) != weights:
                    differs.append(f"{strategy}, seed {seed}, {workers} workers: another search")
    line = (
        f"{searches} searches of {TRIALS} trainings with {', '.join(map(str, WORKERS))} workers, "
        f"{len(seeds)} seeds, {', '.join(strategies)}: {len(differs)} differ from one worker's"
    )
    if quick:
        line = line.replace(", ".join(map(str, WORKERS)), "2")
    return Finding(held=not differs, lines=(line, *differs))


def _weights(folder: Path) -> dict[str, bytes]:
    """The files of weights, to the bit."""
    return {file.name: file.read_bytes() for file in (folder / "checkpoints").iterdir()}
