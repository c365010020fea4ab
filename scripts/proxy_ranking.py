"""Rank cells by zero-cost proxies: Spearman correlation with their published accuracy.

    python scripts/proxy_ranking.py --table nasbench201.csv.gz --data cifar10.npz --to proxies.csv
        --column cifar10_test_200ep --column cifar100_test_200ep --cells 1000
        --proxies meco+synflow+swap+nwot+jacov --combine meco+swap+jacov

Random different cells of NAS-Bench-201 are measured at full size, in one thread, and appended to `--to`;
those that stand there are not measured again. Correlations are printed for all cells, for the fifth
with the highest accuracy, and given the number of parameters (partial, of ranks). The combination of up
to three proxies that ranks one half of the cells best is printed with its correlation on the other half, and
so are those of `--combine`.
"""

from __future__ import annotations

import csv
import itertools
import random
from collections.abc import Sequence
from pathlib import Path
from time import process_time
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from scipy.stats import rankdata, spearmanr

import search_spaces
import trainers
from nas.estimators import proxies
from nas.estimators.proxy_batch import Batch, measure
from nas.evaluators.table import Table
from search_spaces import Architecture, Task

Array = NDArray[np.float64]


def main(
    table: Annotated[Path, typer.Option(help="Published accuracies, CSV or CSV.gz.")],
    to: Annotated[Path, typer.Option(help="CSV of scores; continued if it is there.")],
    column: Annotated[list[str], typer.Option(help="Column of accuracies; several times.")],
    data: Annotated[str | None, typer.Option(help="As for nas search; none to print only.")] = None,
    space: Annotated[str, typer.Option(help="The space.")] = "nasbench201:channels=16,cells=5",
    names: Annotated[str, typer.Option("--proxies", help="auto, all, or names.")] = "auto",
    combine: Annotated[list[str] | None, typer.Option(help="Sum of ranks to report.")] = None,
    cells: int = 1000,
    seed: int = 0,
) -> None:
    """Measure cells, and print the correlations."""
    opened = search_spaces.load(space)
    published = Table(table, opened)
    scores = proxies.parse(names)
    drawn = _different(published, seed, cells)
    if data is not None:
        _measure(opened, drawn, scores, data, to, seed)
    found = _read(to)
    have = [a for a in drawn if all(n in found.get(opened.format(a), ()) for n in scores)]
    rows = [published.row(a) for a in have]
    parameters = np.array([opened.cost(a, Task((3, 32, 32), 10)).parameters for a in have])
    values = {name: np.array([found[opened.format(a)][name] for a in have]) for name in scores}
    values["parameters"] = parameters.astype(float)
    print(f"{len(have):,} cells")
    for name in column:
        _report(name, published.accuracy(name)[rows], values, combine or ["+".join(proxies.AUTO)])


def _different(published: Table, seed: int, count: int) -> list[Architecture]:
    """Random cells, none of which has the function of another."""
    shuffled = list(published.architectures)
    random.Random(seed).shuffle(shuffled)
    first = {published.space.canonical(a): a for a in reversed(shuffled)}
    return [a for a in shuffled if first[published.space.canonical(a)] is a][:count]


def _measure(
    space: search_spaces.SearchSpace,
    cells: Sequence[Architecture],
    scores: Sequence[str],
    data: str,
    to: Path,
    seed: int,
) -> None:
    trainers.set_threads(1)
    dataset = trainers.load(data)
    task = Task(dataset.input_shape, len(dataset.classes))
    batch = Batch.of(dataset, seed)
    done = _read(to).keys() if to.exists() else set()
    begun = not to.exists()
    with to.open("a", newline="") as file:
        lines = csv.DictWriter(file, ["arch", *scores, "processor_seconds"])
        if begun:
            lines.writeheader()
        for cell in cells:
            if (text := space.format(cell)) in done:
                continue
            start = process_time()
            found, _ = measure(space, cell, task, scores, batch, seed=seed)
            seconds = round(process_time() - start, 3)
            lines.writerow({"arch": text, **found, "processor_seconds": seconds})
            file.flush()


def _read(path: Path) -> dict[str, dict[str, float]]:
    """The scores of each cell; one that is missing is less than all others."""
    with path.open(newline="") as file:
        return {
            row.pop("arch"): {name: float(text or "-inf") for name, text in row.items()}
            for row in csv.DictReader(file)
        }


def _report(name: str, accuracy: Array, values: dict[str, Array], combined: list[str]) -> None:
    ranks = {its: rankdata(column) for its, column in values.items()}
    halves = np.arange(len(accuracy)) % 2 == 0
    best = accuracy >= np.quantile(accuracy, 0.8)

    def rho(score: Array, among: NDArray[np.bool_]) -> float:
        return float(spearmanr(score[among], accuracy[among]).statistic)

    def line(label: str, score: Array) -> str:
        partial = _partial(score, accuracy, values["parameters"])
        parts = (rho(score, among) for among in (halves | ~halves, halves, ~halves, best))
        return f"{label:32}" + "".join(f"{part:8.3f}" for part in (*parts, partial))

    print(f"{name:32}" + "".join(f"{w:>8}" for w in ("all", "half", "other", "fifth", "partial")))
    for its, rank in ranks.items():
        print(line(its, rank))
    sums = {
        "+".join(chosen): sum((ranks[one] for one in chosen), np.zeros(len(accuracy)))
        for count in (2, 3)
        for chosen in itertools.combinations(ranks, count)
    }
    for its in sorted(sums, key=lambda its: -rho(sums[its], halves))[:8]:
        print(line(its, sums[its]))
    for its in combined:
        if all(one in ranks for one in its.split("+")):
            print(line(f"* {its}", sum((ranks[o] for o in its.split("+")), np.zeros(len(best)))))


def _partial(score: Array, accuracy: Array, given: Array) -> float:
    """Correlation of the ranks of score and accuracy, given the ranks of another."""
    x, y, z = (rankdata(each) for each in (score, accuracy, given))
    if np.array_equal(x, z):
        return float("nan")
    xy, xz, yz = (np.corrcoef(*pair)[0, 1] for pair in ((x, y), (x, z), (y, z)))
    return float((xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2)))


if __name__ == "__main__":
    typer.run(main)
