"""Speed of search spaces: operations of a search for each proposal, per second on one thread.

    python scripts/benchmark_spaces.py [--space NAME ...] [--seconds 1] [--json]

For every registered space, or those named, in CPU seconds of this process: uniform samples,
mutations, crossovers, costs in closed form and canonical forms of architectures not seen before;
and samples inside a limit on parameters that one architecture in 100,000 meets (`setup` is the
seconds that it takes to prepare for a limit, once for each search). Where a space is too small
for that, or many of its members are equally small, a larger share meets the limit.

The limit is found by subset simulation: of a population of uniform draws, the smallest tenth
survives, and random walks below its largest member make a new population; after five rounds the
largest survivor is at about one in 10^5.

Aims: 10,000 a second for the cell spaces (nasbench101, nasbench201, nats_size, darts), 2,000 for
the others; 500 constrained samples a second.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from itertools import count
from random import Random
from time import process_time
from typing import Any

import search_spaces
from search_spaces import SPACES, Architecture, Bound, Feasible, SearchSpace, Task

INPUTS = {1: (64,), 2: (3, 128), 3: (3, 32, 32)}  # by the number of axes
COLUMNS = ("samples", "mutations", "crossovers", "costs", "canonical", "constrained")
POPULATION, SURVIVORS, ROUNDS, STEPS = 200, 20, 5, 10


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--space", action="append", help="a registered space; may be repeated; default: all"
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="CPU seconds for each number")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    rows = [measure(name, arguments.seconds) for name in arguments.space or SPACES]
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{'a second':<12}" + "".join(f"{name:>12}" for name in COLUMNS) + f"{'setup':>8}")
    for row in rows:
        rates = "".join(f"{f'{row[name]:,}' if row[name] else '-':>12}" for name in COLUMNS)
        print(f"{row['space']:<12}{rates}{row['setup']:>7.2f}s")


def measure(name: str, seconds: float) -> dict[str, Any]:
    """All numbers of one space; None for `canonical` if it has no canonical form."""
    space = search_spaces.load(name)
    task = Task(INPUTS[max(space.inputs)], outputs=10, dense=space.dense)
    rng = Random(0)
    limit = one_in_100_000(space, task)
    start = process_time()
    feasible = Feasible(space, task, [Bound(name="parameters", high=limit)])
    setup = process_time() - start

    def fresh() -> Iterator[Architecture]:
        while True:
            yield space.sample(rng)

    def pairs() -> Iterator[tuple[Architecture, Architecture]]:
        return zip(fresh(), fresh(), strict=False)

    return {
        "space": name,
        "samples": rate(lambda _: space.sample(rng), count(), seconds),
        "mutations": rate(lambda a: space.mutate(a, rng), fresh(), seconds),
        "crossovers": rate(lambda ab: space.crossover(*ab, rng), pairs(), seconds),
        "costs": rate(lambda a: space.cost_of_member(a, task), fresh(), seconds),
        "canonical": rate(space.canonical, fresh(), seconds) if space.canonical_form else None,
        "constrained": rate(lambda _: feasible.sample(rng), count(), seconds),
        "max_parameters": limit,
        "setup": setup,
    }


def rate(work: Callable[[Any], object], items: Iterator[Any], seconds: float) -> int:
    """Calls of `work` per second; `items` are made off the clock, a hundred at a time."""
    spent, done = 0.0, 0
    while spent < seconds:
        batch = [item for item, _ in zip(items, range(100), strict=False)]
        start = process_time()
        for item in batch:
            work(item)
        spent += process_time() - start
        done += len(batch)
    return round(done / spent)


def one_in_100_000(space: SearchSpace, task: Task) -> int:
    """The number of parameters that one architecture in about 100,000 does not exceed."""
    rng = Random(1)

    def parameters(architecture: Architecture) -> int:
        return space.cost_of_member(architecture, task).parameters

    population = [space.sample(rng) for _ in range(POPULATION)]
    for _ in range(ROUNDS):
        smallest = sorted(population, key=parameters)[:SURVIVORS]
        limit = parameters(smallest[-1])
        population = []
        for number in range(POPULATION):
            here = smallest[number % SURVIVORS]
            for _ in range(STEPS):
                there = space.walk_step(here, rng)
                if parameters(there) <= limit:
                    here = there
            population.append(here)
    return limit


if __name__ == "__main__":
    main()
