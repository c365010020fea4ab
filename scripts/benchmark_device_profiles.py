"""Latency and energy of NAS-Bench-201 cells on devices, from few measured cells and other devices.

    python scripts/benchmark_device_profiles.py DEVICES.csv.gz [MORE.csv.gz] [--cells 10] [--seeds 5]

Each table has a column `arch` and columns of latencies or energies (`lat...`, `energy...`). Every column is
taken for the new device in turn: the most informative of 400 random cells are measured, and all cells that
were measured are ranked. The sources are other devices, known by 300 random cells each: all that share no
word of `--devices` with it, so that no other batch size or runtime of the same device helps. `alone` has no
sources, `ridge` is a ridge regression on counts of operations from as many random cells (to be beaten), and
`all cells` is the same linear model from every cell: the most that it can reach. `10 %`: share of cells
within 10 % of the truth. Columns `...pi5...` were measured once for each published canonical string, for
the first cell that has it: the counts are those of that cell.

`over`: share of the cells that the estimates put within the median latency of the column whose true latency is
above it (by more than 10 %), and `lost`: accuracy (CIFAR-100, in points) that the best of them within the true
limit is below the best cell within it.

The model has no setting that was chosen on these columns but the list of spreads and noises, over which it
averages by evidence.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import re
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from nas.estimators.device.transfer import (
    Array,
    Known,
    Readings,
    fit_device,
    informative,
    known_device,
)

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
OPERATIONS = ("skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
DEVICES = "1080ti,titanx,pi5"
ACCURACY = "accuracy_cifar100"
POOL, KNOWN, JUDGED = 400, 300, 4_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tables", nargs="+", type=Path)
    parser.add_argument("--cells", type=int, default=10, help="cells measured on the new device")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--devices", default=DEVICES, help="words: columns with the same one are of one device"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    cells, columns, accuracy = read(arguments.tables)
    counted = operation_counts(cells)
    words = [word for word in arguments.devices.split(",") if word]
    known = {
        name: known_device(readings(counted, name, values, Random(f"known/{name}"), KNOWN))
        for name, values in columns.items()
    }
    rows = []
    for name, values in columns.items():
        sources = [d for other, d in known.items() if not same_device(name, other, words)]
        row = judged(name, values, counted, sources, arguments.cells, arguments.seeds, accuracy)
        rows.append(row)
        if not arguments.json:
            show(rows[-1])
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    for way in ("spearman", "alone", "ridge", "all_cells", "within"):
        found = [row[way] for row in rows]
        print(f"{way:<10} median {np.median(found):.3f}, worst {min(found):.3f}")


def show(row: dict[str, Any]) -> None:
    """One line for a column."""
    print(
        f"{row['device']:<32} Spearman {row['spearman']:.3f} (worst {row['worst']:.3f})  "
        f"alone {row['alone']:.3f}  ridge {row['ridge']:.3f}  all cells {row['all_cells']:.3f}  "
        f"10 %: {row['within']:.0%}"
        + ("" if row["over"] is None else f"  over {row['over']:.1%}  lost {row['lost']:.2f}"),
        flush=True,
    )


def read(tables: list[Path]) -> tuple[list[str], dict[str, Array], Array | None]:
    """The cells, the columns of latencies and energies by name, and the accuracies if there are any."""
    cells: list[str] = []
    accuracy: Array | None = None
    columns: dict[str, Array] = {}
    for table in tables:
        with gzip.open(table, "rt") as file:
            rows = list(csv.DictReader(file))
        found = [row["arch"] for row in rows]
        if cells and found != cells:
            raise ValueError(f"{table}: want the same cells in the same order as the first table")
        cells = found
        if ACCURACY in rows[0]:
            accuracy = np.array([float(row[ACCURACY]) for row in rows])
        for name in rows[0]:
            if name.startswith(("lat", "energy")):
                columns[name] = np.array([float(row[name]) for row in rows])
    return cells, columns, accuracy


def operation_counts(cells: list[str]) -> dict[str, tuple[Array, Array]]:
    """By "own" and "first" (see the top): counts of operations of all cells, by kind of runtime."""
    own = np.array([counts_of(cell) for cell in cells])
    seen: dict[str, int] = {}
    first = [seen.setdefault(published_string(cell), n) for n, cell in enumerate(cells)]
    both = (own[:, 0], own[:, 1])
    return {"own": both, "first": (both[0][first], both[1][first])}


def published_string(cell: str) -> str:
    """The canonical string of the benchmark (`to_unique_str`): one for cells that it takes for one."""
    labels = re.findall(r"([a-z0-9_]+)~", cell)
    nodes = {0: "0"}
    for node in (1, 2, 3):
        terms = []
        for (start, end), label in zip(EDGES, labels, strict=True):
            if end != node:
                continue
            if label == "none" or nodes[start] == "#":
                terms.append("#")
            elif label == "skip_connect":
                terms.append(nodes[start])
            else:
                terms.append(f"({nodes[start]})@{label}")
        nodes[node] = "+".join(sorted(terms))
    return nodes[3]


def counts_of(cell: str) -> tuple[list[float], list[float]]:
    """The counts of one cell: 1, each operation, and a last feature that differs by kind.

    It is the number of edges without an operation, or 1 if the input reaches the output.
    """
    labels = re.findall(r"([a-z0-9_]+)~", cell)
    reaches = {3}
    for (start, end), label in reversed(list(zip(EDGES, labels, strict=True))):
        if end in reaches and label != "none":
            reaches.add(start)
    read_later = [label for (_, end), label in zip(EDGES, labels, strict=True) if end in reaches]
    executed = [1.0, *(float(labels.count(o)) for o in OPERATIONS), float(labels.count("none"))]
    reaching = [1.0, *(float(read_later.count(o)) for o in OPERATIONS), float(0 in reaches)]
    return executed, reaching


def readings(
    counted: dict[str, tuple[Array, Array]], name: str, values: Array, rng: Random, cells: int
) -> Readings:
    """Measurements of random cells."""
    chosen = rng.sample(range(len(values)), cells)
    both = counts_for(counted, name)
    return Readings(counts=(both[0][chosen], both[1][chosen]), values=values[chosen])


def counts_for(counted: dict[str, tuple[Array, Array]], name: str) -> tuple[Array, Array]:
    """The counts of the cells that were measured for a column."""
    return counted["first" if "pi5" in name else "own"]


def same_device(name: str, other: str, words: list[str]) -> bool:
    """True if both columns are of one device."""
    return name == other or any(word in name and word in other for word in words)


def judged(
    name: str,
    values: Array,
    counted: dict[str, tuple[Array, Array]],
    sources: list[Known],
    cells: int,
    seeds: int,
    accuracy: Array | None,
) -> dict[str, Any]:
    """Rank correlations and errors of one device, the mean of all seeds."""
    counts = counts_for(counted, name)
    found: dict[str, list[float]] = {"spearman": [], "alone": [], "ridge": [], "within": []}
    limited: list[tuple[float, float]] = []
    for seed in range(seeds):
        rng = Random(f"{seed}/{name}")
        pool = rng.sample(range(len(values)), POOL)
        judges = rng.sample(range(len(values)), JUDGED)
        of_pool = (counts[0][pool], counts[1][pool])
        of_judges = (counts[0][judges], counts[1][judges])
        for way, known in (("spearman", sources), ("alone", [])):
            chosen = [pool[i] for i in informative(of_pool, cells, known)]
            measured = Readings(
                counts=(counts[0][chosen], counts[1][chosen]), values=values[chosen]
            )
            estimates = fit_device(measured, known).estimate(of_judges)
            found[way].append(rank_correlation(estimates, values[judges]))
            if way == "spearman":
                near = np.abs(estimates / values[judges] - 1) <= 0.1
                found["within"].append(float(near.mean()))
                if accuracy is not None:
                    limited.append(within_limit(estimates, values[judges], accuracy[judges]))
        chosen = pool[:cells]
        x, y = counts[0][chosen][:, 1:], values[chosen]
        weights = np.linalg.solve(
            (x - x.mean(0)).T @ (x - x.mean(0)) + np.eye(x.shape[1]),
            (x - x.mean(0)).T @ (y - y.mean()),
        )
        found["ridge"].append(rank_correlation(of_judges[0][:, 1:] @ weights, values[judges]))
    whole = known_device(Readings(counts=counts, values=values))
    ceiling = rank_correlation(counts[whole.kind] @ whole.coefficients, values)
    return {
        "device": name,
        "worst": min(found["spearman"]),
        "all_cells": ceiling,
        "over": float(np.mean([over for over, _ in limited])) if limited else None,
        "lost": float(np.mean([lost for _, lost in limited])) if limited else None,
        **{way: float(np.mean(each)) for way, each in found.items()},
    }


def within_limit(estimates: Array, values: Array, accuracy: Array) -> tuple[float, float]:
    """Share of cells over the limit by a tenth, and accuracy lost, where estimates keep the limit."""
    limit = float(np.median(values))
    kept, true = estimates <= limit, values <= limit
    over = float((values[kept] > 1.1 * limit).mean())
    return over, float(accuracy[true].max() - accuracy[kept & true].max())


def rank_correlation(estimates: Array, values: Array) -> float:
    """Spearman's."""
    return float(spearmanr(estimates, values)[0])


if __name__ == "__main__":
    main()
