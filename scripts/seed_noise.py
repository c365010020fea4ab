"""Accuracy and noise of a seed by recipe: is a learning rate too hot?

    python scripts/seed_noise.py --out noise.jsonl --data digits --epochs 5
        --recipe default --recipe learning_rate=0.1 --recipe learning_rate=0.05

The same networks, drawn from the default space without dead parts, are trained by every recipe with the
same seeds, recipes in turns. Trainings that stand in `--out` are not repeated.
"""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from random import Random
from typing import Annotated, Any

import numpy as np
import typer
from scipy import stats

import search_spaces
import trainers
from search_spaces import Architecture, SearchSpace, Task
from search_spaces import notation as named


def main(
    out: Annotated[Path, typer.Option(help="Results, one line each; continued if it is there.")],
    recipe: Annotated[list[str], typer.Option(help="Fields, as learning_rate=0.1; or default.")],
    data: Annotated[str, typer.Option(help="As for nas search.")] = "digits",
    epochs: int = 5,
    networks: int = 6,
    seeds: int = 5,
    image_size: Annotated[int | None, typer.Option(help="Resize images to it.")] = None,
) -> None:
    """Train the networks by each recipe, and print accuracy and deviation over seeds."""
    trainers.set_threads(1)
    dataset = trainers.load(data, image_size=image_size)
    space = search_spaces.get("nasbench201", channels=8, cells=1)
    rng, chosen = Random(0), list[Architecture]()
    while len(chosen) < networks:
        architecture = space.sample(rng)
        if space.simplified(architecture) == architecture:
            chosen.append(architecture)
    known = {line["key"]: line["accuracy"] for line in _lines(out)}
    scores = np.zeros((len(recipe), networks, seeds))
    for network, seed, row in product(range(networks), range(seeds), range(len(recipe))):
        key = f"{data} {image_size} {epochs} {chosen[network]} {recipe[row]} {seed}"
        if key not in known:
            known[key] = _accuracy(space, chosen[network], dataset, recipe[row], epochs, seed)
            with out.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, "accuracy": known[key]}) + "\n")
        scores[row, network, seed] = known[key]
    for text, own in zip(recipe, scores, strict=True):
        noise = np.sqrt(own.var(axis=1, ddof=1).mean())
        worst = (own.max(axis=1) - own.min(axis=1)).max()
        more = 100 * (own - scores[0]).mean(axis=1)
        half = stats.t.ppf(0.975, networks - 1) * more.std(ddof=1) / networks**0.5
        print(
            f"{text}: accuracy {own.mean():.2%}, deviation of a seed {100 * noise:.2f} points, largest "
            f"range {100 * worst:.1f}, more than the first {more.mean():+.2f} ± {half:.2f} points"
        )


def _accuracy(
    space: SearchSpace, architecture: Architecture, data: Any, fields: str, epochs: int, seed: int
) -> float:
    """Validation accuracy after the last epoch; 0 where the loss diverged."""
    _, others = named.parse("recipe" if fields == "default" else f"recipe:{fields}")
    recipe = trainers.Recipe.from_dict({"epochs": epochs, **others})
    task = Task(data.input_shape, len(data.classes))
    with trainers.seeded(seed):
        net = space.compile(architecture, task)
    try:
        return [epoch.accuracy for epoch in trainers.train(net, data, recipe, seed=seed)][-1]
    except trainers.Diverged:
        return 0.0


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    typer.run(main)
