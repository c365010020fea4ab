"""Rank cells by a supernet: Spearman correlation of its scores with their published accuracy.

    python scripts/benchmark_supernet.py --table nasbench201.csv.gz --data cifar10.npz --out ranks.jsonl
        --evaluator supernet:epochs=100 --evaluator supernet:sampling=fair,epochs=21 --seeds 3
        --space nasbench201:channels=8,cells=1 --image-size 16 --cells 100 --proxies proxies.csv

A supernet is trained for each evaluator and seed, in one thread, and scores the same random cells by each
of its metrics, with recalibrated batch norms and with the running statistics. Correlations
are printed for all cells and for the better half. With `--proxies`, a CSV as `scripts/proxy_ranking.py`
writes it, the cells are drawn from it, and the ranks are added to those by the proxies of `auto`. What
stands in `--out` is not computed again; a training that was killed goes on in the folder beside it.
"""

from __future__ import annotations

import csv
import json
import random
from dataclasses import replace
from pathlib import Path
from time import process_time
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from scipy.stats import rankdata, spearmanr

import search_spaces
import trainers
from nas.core.metrics import SUPERNET
from nas.estimators import proxies
from nas.evaluators.job import Workspace
from nas.evaluators.supernet import training
from nas.evaluators.supernet.evaluator import SupernetEvaluator
from nas.evaluators.supernet.settings import SupernetSettings
from nas.evaluators.table import Table
from search_spaces import Architecture, Task

Array = NDArray[np.float64]
_SIGNS = {metric.name: -1 if metric.direction == "minimize" else 1 for metric in SUPERNET}


def main(
    table: Annotated[Path, typer.Option(help="Published accuracies, CSV or CSV.gz.")],
    data: Annotated[str, typer.Option(help="As for nas search.")],
    out: Annotated[Path, typer.Option(help="Results, one line each; continued if it is there.")],
    evaluator: Annotated[list[str], typer.Option(help="As for nas search; several times.")],
    column: str = "cifar10_test_200ep",
    space: str = "nasbench201:channels=8,cells=1",
    seeds: int = 3,
    cells: int = 100,
    image_size: Annotated[int | None, typer.Option(help="Resize images to it.")] = None,
    flip: Annotated[bool, typer.Option(help="Flip images in training.")] = False,
    proxy_file: Annotated[
        Path | None, typer.Option("--proxies", help="CSV of scripts/proxy_ranking.py.")
    ] = None,
) -> None:
    """Train the supernets and print the correlations."""
    trainers.set_threads(1)
    opened = search_spaces.load(space)
    published = Table(table, search_spaces.get("nasbench201"))
    known = {} if proxy_file is None else _read(proxy_file)
    offered = [a for a in published.architectures if not known or opened.format(a) in known]
    chosen = random.Random(0).sample(offered, cells)
    accuracy = published.accuracy(column)
    wanted = np.array([accuracy[published.row(a)] for a in chosen])
    dataset = trainers.load(data, image_size=image_size, flippable=flip)
    before = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    done = {json.dumps(line["key"]): line for line in before}
    zero_cost = [_ranks(known, name, opened, chosen) for name in proxies.AUTO] if known else []
    for text in evaluator:
        SupernetSettings.parse(
            text
        )  # a mistake in the last one is told before the first is trained
    for text in evaluator:
        lines = []
        for seed in range(seeds):
            key = [text, seed, space, cells, image_size, flip, data]
            if json.dumps(key) not in done:
                line = {"key": key, **_scored(text, opened, dataset, chosen, seed, out)}
                with out.open("a") as file:
                    file.write(json.dumps(line) + "\n")
                done[json.dumps(key)] = line
            lines.append(done[json.dumps(key)])
            print(text, "seed", seed, flush=True)
            _print(lines[-1:], wanted, zero_cost)
        print(text, f"mean of {seeds} seeds, and the largest distance from it")
        _print(lines, wanted, zero_cost)


def _scored(
    text: str,
    space: search_spaces.SearchSpace,
    data: trainers.Dataset,
    chosen: list[Architecture],
    seed: int,
    out: Path,
) -> dict[str, Any]:
    """Train a supernet and score the cells."""
    settings = SupernetSettings.parse(text)
    folder = out.with_suffix("") / f"{text.replace(':', ' ')} seed {seed}"
    folder.mkdir(parents=True, exist_ok=True)
    workspace = Workspace(
        space=space,
        task=Task(data.input_shape, len(data.classes)),
        data=data,
        device="cpu",
        seed=seed,
        epochs=1,
        checkpoints=None,
        folder=folder,
        notify=lambda said: print(said, f"({process_time():.0f} processor s)", flush=True),
    )
    start = process_time()
    weights = training.train(workspace, settings, data)
    trained = process_time() - start
    found: dict[str, Any] = {"seconds": trained}
    for name, examples in (("recalibrated", settings.recalibration), ("running", 0)):
        measured = SupernetEvaluator(replace(settings, recalibration=examples))
        start = process_time()
        scores = [measured.score(weights, space.architecture(a.value), data)[1] for a in chosen]
        found[f"{name}_seconds"] = (process_time() - start) / len(chosen)
        for metric in _SIGNS:
            found[f"{name}_{metric}"] = [one[metric] for one in scores]
    return found


def _print(lines: list[dict[str, Any]], wanted: Array, zero_cost: list[Array]) -> None:
    seconds = np.mean([line["seconds"] for line in lines])
    each = np.mean([line["recalibrated_seconds"] for line in lines])
    print(f"  {seconds:.0f} processor seconds of training, {each:.2f} s a subnet")
    for name in ("recalibrated", "running"):
        for metric, sign in _SIGNS.items():
            scores = [sign * np.array(line[f"{name}_{metric}"]) for line in lines]
            _line(f"{name} {metric}", scores, wanted)
    if zero_cost:
        combined = sum(zero_cost, np.zeros(len(wanted)))
        _line("proxies alone", [combined], wanted)
        for metric, sign in _SIGNS.items():
            ranks = [rankdata(sign * np.array(line[f"recalibrated_{metric}"])) for line in lines]
            fused = [rank + rankdata(combined) for rank in ranks]
            _line(f"{metric} with proxies", fused, wanted)


def _line(label: str, scores: list[Array], wanted: Array) -> None:
    """Print the correlation over all cells and over the better half; the mean over seeds."""
    better = wanted >= np.median(wanted)
    texts = []
    for among in (np.ones_like(better), better):
        found = [float(spearmanr(one[among], wanted[among]).statistic) for one in scores]
        mean = float(np.mean(found))
        texts.append(f"{mean:6.3f} ± {max(abs(one - mean) for one in found):.3f}")
    print(f"  {label:32} {texts[0]}   better half {texts[1]}")


def _ranks(
    known: dict[str, dict[str, float]],
    name: str,
    space: search_spaces.SearchSpace,
    chosen: list[Architecture],
) -> Array:
    """The ranks of the cells by a proxy."""
    return np.asarray(rankdata([known[space.format(a)][name] for a in chosen]), dtype=np.float64)


def _read(path: Path) -> dict[str, dict[str, float]]:
    """The scores of each cell; one that is missing is less than all others."""
    with path.open(newline="") as file:
        return {
            row.pop("arch"): {name: float(text or "-inf") for name, text in row.items()}
            for row in csv.DictReader(file)
        }


if __name__ == "__main__":
    typer.run(main)
