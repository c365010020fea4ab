"""Collapse to skip connections in differentiable search, and what its variants make of it.

    python scripts/differentiable_collapse.py --table nasbench201.csv.gz --data cifar10.npz --out runs
        [--variants darts,drnas,pcdarts] [--seeds 3] [--images 5500] [--epochs 30] [--rate 6e-3]

Each variant trains a mixed network on NAS-Bench-201, and nothing else. Every few epochs a line says
the mean weight of the skip connections and of the 3x3 convolutions over all edges, and the published
200-epoch test accuracy of the cell that would be chosen then. What stands in `--out` is not trained again.
"""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from time import process_time
from typing import Annotated

import numpy as np
import typer

import nas
from nas.evaluators.table import Table
from nas.runs.control.preparation import RelaxedEpoch
from search_spaces import SearchSpace, get

COLUMNS = ("cifar10_test_200ep", "cifar100_test_200ep")  # of the table, %


def main(
    table: Annotated[Path, typer.Option(help="Published accuracies, CSV or CSV.gz.")],
    data: Annotated[Path, typer.Option(help="CIFAR-10 as .npz, with x and y.")],
    out: Annotated[Path, typer.Option(help="Folder of the runs, which are gone on with.")],
    variants: str = "darts,drnas,pcdarts",
    seeds: int = 3,
    first_seed: int = 0,
    images: Annotated[int, typer.Option(help="Random ones of x.")] = 5500,
    epochs: int = 30,
    rate: Annotated[float, typer.Option(help="Learning rate of the operation weights.")] = 6e-3,
    channels: int = 4,
    cells: int = 3,
) -> None:
    """Train mixed networks and print what each would choose."""
    space = get("nasbench201", channels=channels, cells=cells)
    published = Table(table, space)
    with np.load(data) as arrays:
        chosen = np.random.default_rng(0).permutation(len(arrays["x"]))[:images]
        x, y = arrays["x"][chosen], arrays["y"][chosen]
    for seed in range(first_seed, first_seed + seeds):
        for variant in variants.split(","):
            began = process_time()
            run = nas.search(
                data=(x, y),
                image_size=16,
                space=f"nasbench201:channels={channels},cells={cells}",
                strategy=f"darts:variant={variant},epochs={epochs},rate={rate}",
                seed=seed,
                budget=f"{epochs}epochs",  # those of the mixed network: no trial follows
                flip=True,
                out=out / f"{variant}-{seed}",
            )
            assert run.mixed_network is not None
            took = process_time() - began
            for epoch in run.mixed_network.epochs:
                if epoch.number % max(1, epochs // 6) == 0:
                    print(variant, seed, said(epoch, space, published), flush=True)
            print(variant, seed, f"{took:.0f} processor seconds", flush=True)


def said(epoch: RelaxedEpoch, space: SearchSpace, published: Table) -> str:
    """One epoch: losses, weights, and the cell that it would choose with its published accuracy."""
    assert space.relaxation is not None
    rows = [[w / sum(row) for w in row] for row in epoch.weights["cell"]]
    mean = dict(zip(space.relaxation.operations, map(fmean, zip(*rows, strict=True)), strict=True))
    cell = space.architecture(next(space.relaxation.by_probability(epoch.weights)))
    row = published.row(cell)
    accuracies = [f"{100 * published.accuracy(column)[row]:.2f}" for column in COLUMNS]
    return (
        f"epoch {epoch.number}: loss {epoch.loss:.3f}, skip {mean['skip_connect']:.3f}, "
        f"conv3x3 {mean['nor_conv_3x3']:.3f}, {' / '.join(accuracies)} %, {space.format(cell)}"
    )


if __name__ == "__main__":
    typer.run(main)
