"""Rank cells by brief training: Spearman correlation with their published accuracy.

    python scripts/brief_ranking.py --table nasbench201.csv.gz --data cifar10.npz --out ranking.jsonl
        --recipe default --recipe flip=random,nesterov=false,schedule=cosine,label_smoothing=0
        --cells 30 --epochs 4 --channels 8 --image-size 16

Every recipe trains the same random cells of NAS-Bench-201, from the same initial weights, one after
the other in one thread. The correlation and the seconds that it took are printed for each epoch.
Cells that stand in `--out` are not trained again.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Annotated, Any

import numpy as np
import typer
from scipy.stats import spearmanr

import search_spaces
import trainers
from nas.evaluators.table import Table
from search_spaces import Task
from search_spaces import notation as named

RESAMPLES = 1000  # of the cells, for the confidence interval


def main(
    table: Annotated[Path, typer.Option(help="Published accuracies, CSV or CSV.gz.")],
    data: Annotated[str, typer.Option(help="As for nas search.")],
    out: Annotated[Path, typer.Option(help="Results, one line each; continued if it is there.")],
    recipe: Annotated[
        list[str], typer.Option(help="Fields, as averaging=0,flip=random; default for none.")
    ],
    column: str = "cifar10_test_200ep",
    cells: int = 24,
    epochs: int = 2,
    channels: int = 4,
    stacked: int = 1,
    image_size: Annotated[int | None, typer.Option(help="Resize images to it.")] = None,
    seed: int = 0,
    device: str = "auto",
) -> None:
    """Train the cells by each recipe and print the correlations."""
    trainers.set_threads(1)
    published = Table(table, search_spaces.get("nasbench201"))
    accuracy = published.accuracy(column)
    space = search_spaces.get("nasbench201", channels=channels, cells=stacked)
    dataset = trainers.load(data, image_size=image_size).to(trainers.resolve(device))
    task = Task(dataset.input_shape, len(dataset.classes))
    chosen = random.Random(seed).sample(published.architectures, cells)
    known = {json.dumps(line["key"]): line for line in _lines(out)}
    for fields in recipe:
        _recipe(fields, epochs)  # a mistake in the last one is told before the first is trained
    wanted = np.array([accuracy[published.row(a)] for a in chosen])
    scores = []  # of each recipe, at the end
    for fields in recipe:
        lines = []
        for architecture in chosen:
            key = [str(architecture), fields, epochs, channels, stacked, image_size, seed, data]
            if json.dumps(key) not in known:
                brief = _recipe(fields, epochs)
                line = {"key": key, **_trained(space.compile, architecture, task, dataset, brief)}
                known[json.dumps(key)] = line
                _append(out, line)
            lines.append(known[json.dumps(key)])
        _print(fields, lines, wanted)
        scores.append(np.array([line["accuracy"][-1] for line in lines]))
    for fields, found in zip(recipe[1:], scores[1:], strict=True):
        more = partial(_more, scores[0], found, wanted)
        low, high = _interval(more, cells)
        print(f"{recipe[0]} less {fields}: {more(slice(None)):.3f} ({low:.3f} to {high:.3f})")


def _recipe(fields: str, epochs: int) -> trainers.Recipe:
    _, others = named.parse("recipe" if fields == "default" else f"recipe:{fields}")
    return trainers.Recipe.from_dict({"epochs": epochs, **others})


def _trained(
    compiled: Any, architecture: Any, task: Task, data: Any, recipe: trainers.Recipe
) -> dict[str, Any]:
    with trainers.seeded(0):
        net = compiled(architecture, task).to(data.device)
    start, cpu = perf_counter(), process_time()
    try:
        epochs = [epoch.accuracy for epoch in trainers.train(net, data, recipe, seed=0)]
    except trainers.Diverged:
        epochs = [0.0]
    return {
        "accuracy": epochs,
        "seconds": perf_counter() - start,
        "cpu_seconds": process_time() - cpu,
    }


def _print(fields: str, lines: list[dict[str, Any]], wanted: Any) -> None:
    epochs = max(len(line["accuracy"]) for line in lines)
    seconds = np.mean([line["cpu_seconds"] for line in lines])
    print(fields)
    for epoch in range(epochs):  # one that has diverged stays at what it had
        found = np.array(
            [line["accuracy"][min(epoch, len(line["accuracy"]) - 1)] for line in lines]
        )
        ranked = partial(_ranked, found, wanted)
        low, high = _interval(ranked, len(found))
        print(
            f"  after {epoch + 1} of {epochs} epochs, {seconds * (epoch + 1) / epochs:.1f} CPU s a cell: "
            f"Spearman {ranked(slice(None)):.3f} ({low:.2f} to {high:.2f}), "
            f"mean accuracy {found.mean():.4f}",
            flush=True,
        )


def _ranked(found: Any, wanted: Any, drawn: Any) -> float:
    """Spearman correlation over the cells with these indices."""
    return float(spearmanr(found[drawn], wanted[drawn])[0])


def _more(one: Any, other: Any, wanted: Any, drawn: Any) -> float:
    """Difference of the rank correlations of `one` and `other`."""
    return _ranked(one, wanted, drawn) - _ranked(other, wanted, drawn)


def _interval(figure: Callable[[Any], float], cells: int) -> tuple[float, float]:
    """95 % confidence interval of a figure, by resampling the cells."""
    draws = np.random.default_rng(0).integers(cells, size=(RESAMPLES, cells))
    low, high = np.quantile([figure(drawn) for drawn in draws], [0.025, 0.975])
    return float(low), float(high)


def _append(path: Path, line: dict[str, Any]) -> None:
    with path.open("a+b") as file:
        if file.tell() and not path.read_bytes().endswith(b"\n"):
            file.write(b"\n")  # a kill has torn the last line
        file.write(json.dumps(line).encode() + b"\n")


def _lines(path: Path) -> list[dict[str, Any]]:
    """Read the lines that are there, without one that a kill has torn."""
    lines = []
    for text in path.read_text().splitlines() if path.exists() else ():
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            continue
    return lines


if __name__ == "__main__":
    typer.run(main)
