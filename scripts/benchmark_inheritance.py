"""Inheritance of weights: a mutated network that inherits them against one from initial weights.

    python scripts/benchmark_inheritance.py [--parents 10] [--epochs 5] [--to inheritance.jsonl]

In each space, random parents are trained on digits at a constant learning rate. One decision of each is
mutated; the child is trained from what it inherits, and from initial weights. Printed are the
validation accuracy of both before any training of their own, and the epochs that both take to the
accuracy that initial weights reach at the end. The epochs of the parent are not among them: a
population has trained it anyway. Lines in `--to` are not measured again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from statistics import median
from typing import Annotated, Any

import typer
from torch import nn

import search_spaces
import trainers
from nas.evaluators import training
from nas.evaluators.resuming import forking
from search_spaces import Architecture, SearchSpace
from trainers import Dataset, Recipe
from trainers.checkpoints import pausing

SPACES = "mlp,nasbench201:channels=8;cells=1,resnet"
RECIPE = Recipe(schedule="constant", optimizer="adamw", learning_rate=0.003)


def main(
    spaces: Annotated[str, typer.Option(help="Spaces; `;` between settings.")] = SPACES,
    data: Annotated[str, typer.Option(help="As for nas search.")] = "digits",
    parents: Annotated[int, typer.Option(help="Parents in each space.")] = 10,
    epochs: Annotated[int, typer.Option(help="Epochs of parents, and of children.")] = 5,
    max_macs: Annotated[int, typer.Option(help="Most multiply-accumulates.")] = 2_000_000,
    to: Annotated[Path, typer.Option(help="Measurements, continued.")] = Path("inheritance.jsonl"),
) -> None:
    """Measure, and print a line for each space."""
    trainers.set_threads(1)
    dataset = trainers.load(data)
    done = [json.loads(line) for line in to.read_text().splitlines()] if to.exists() else []
    for name in spaces.replace(";", "\0").split(","):
        text = name.replace("\0", ",")
        space = search_spaces.load(text)
        found = [one for one in done if one["space"] == text][:parents]
        for seed in range(len(found), parents):
            one = {"space": text, "seed": seed, **measure(space, dataset, seed, epochs, max_macs)}
            with to.open("a") as file:
                file.write(json.dumps(one) + "\n")
            found.append(one)
        report(text, found, epochs)


def measure(
    space: SearchSpace, data: Dataset, seed: int, epochs: int, max_macs: int
) -> dict[str, Any]:
    """Train a parent, and its child from inherited and from initial weights."""
    rng, task = Random(seed), training.task_of(data)

    def small(architecture: Architecture) -> bool:
        return space.cost(architecture, task).macs <= max_macs

    parent = next(filter(small, iter(lambda: space.sample(rng), None)))
    child = next(filter(small, iter(lambda: space.mutate(parent, rng), None)))
    recipe = replace(RECIPE, epochs=epochs)
    net, optimizer = begun(space, parent, data, recipe, seed)
    curve = list(trainers.train(net, data, recipe, seed=seed, optimizer=optimizer))
    state = pausing.state(net, optimizer, curve, 1)
    state[forking.ARCHITECTURE] = forking.written(parent)
    fork = forking.Fork(space, child, state)
    results: dict[str, Any] = {
        "parent": space.format(parent),
        "child": space.format(child),
        "parent_accuracy": curve[-1].accuracy,
    }
    for start in ("inherited", "initial"):
        net, optimizer = begun(space, child, data, recipe, seed + 1_000)
        if start == "inherited":
            pausing.inherit(net, optimizer, state, fork.adapt)
        before = trainers.evaluate(net, data.validation, data)["accuracy"]
        passes = trainers.train(net, data, recipe, seed=seed + 1_000, optimizer=optimizer)
        results[start] = [before, *(epoch.accuracy for epoch in passes)]
    return {**results, "tensors": fork.facts.get("inherited", {})}


def begun(
    space: SearchSpace, architecture: Architecture, data: Dataset, recipe: Recipe, seed: int
) -> tuple[nn.Module, trainers.Optimizer]:
    """A network with initial weights, and its optimiser."""
    net = training.build(space, architecture, training.task_of(data), seed)
    return net, trainers.make_optimizer(net, recipe)


def report(space: str, found: Sequence[dict[str, Any]], epochs: int) -> None:
    """Print what inheriting is worth in one space."""
    pairs = list(epochs_to_equal(found, epochs))
    at_once = median(one["inherited"][0] for one in found)
    initial = median(one["initial"][0] for one in found)
    quicker = sum(2 * inherited <= fresh for inherited, fresh in pairs)
    print(
        f"{space:32} {len(found)} parents of {median(one['parent_accuracy'] for one in found):.3f}; at "
        f"the start {at_once:.3f} inherited, {initial:.3f} initial; epochs to the accuracy of initial weights "
        f"{median(a for a, _ in pairs):g} against {median(b for _, b in pairs):g}, at most half in "
        f"{quicker} of {len(pairs)}",
        flush=True,
    )


def epochs_to_equal(found: Sequence[dict[str, Any]], epochs: int) -> Iterator[tuple[int, int]]:
    """Epochs to the last accuracy of initial weights: of the heir, one more than all if never; of the other."""
    for one in found:
        goal = one["initial"][-1]
        yield (
            next((n for n, a in enumerate(one["inherited"]) if a >= goal), epochs + 1),
            next(n for n, a in enumerate(one["initial"]) if a >= goal),
        )


if __name__ == "__main__":
    typer.run(main)
