"""Learning from earlier searches, on tables: trials to a score with good and with misleading sources.

    python scripts/benchmark_transfer.py TABLES [--part nasbench201] [--seeds 20]

TABLES is a folder with `nasbench201.csv.gz`, `nasbench201_tasks_latency_energy.csv.gz`,
`lcbench.csv.gz`, `lcbench_configurations.csv` or `nas_bench_graph.csv.gz`; each part needs its own.
Parts: `nasbench201` searches CIFAR-100 after searches of CIFAR-10 by `predictor`, and back; `darcy`
searches Darcy flow after CIFAR-100, and back; `lcbench` leaves each data set out in turn, after 100
random trials of each of the others; `graph` likewise. Tables without a space of their own are
searched row by row: a mutant is the row nearest to it.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from math import inf
from pathlib import Path
from random import Random

import numpy as np

from nas.core.candidates import Candidates
from nas.core.configuration import Configuration
from nas.core.earlier import EarlierSearch
from nas.core.joint_space import JointSpace
from nas.core.objectives import Objectives
from nas.core.trial import Trial
from nas.engine.learning.elsewhere import translated
from nas.evaluators.table import Table
from nas.strategies.predictor import Predictor
from search_spaces import (
    Architecture,
    Choice,
    Integer,
    Real,
    Record,
    SearchSpace,
    Struct,
    Task,
    get,
)

AT = (1, 3, 5, 10, 20, 30, 50)
SOURCE_TRIALS, RANDOM_TRIALS = 60, 100
Score = Callable[[Configuration], float]  # to be maximised


def search(
    candidates: Candidates,
    score: Score,
    trials: int,
    seed: int,
    earlier: Sequence[EarlierSearch],
    enough: float = inf,
) -> list[tuple[Configuration, float]]:
    """The configurations of one search by `predictor`, and their scores; it ends with a score of `enough`."""
    strategy = Predictor(candidates, Objectives.parse(("accuracy",)))
    strategy.learn(earlier)
    found: list[tuple[Configuration, float]] = []
    for number in range(trials):
        proposal = strategy.ask(Random(f"{seed}/{number}"))
        candidates.ledger.add(proposal)
        value = score(proposal.configuration)
        scores = {"accuracy": value}
        strategy.tell(Trial(number=number, proposal=proposal, recipe={}, scores=scores))
        found.append((proposal.configuration, value))
        if value >= enough:
            break
    return found


def source(found: Sequence[tuple[Configuration, float]], name: str = "source") -> EarlierSearch:
    """A search as one that others learn from."""
    configurations, scores = zip(*found, strict=True)
    return EarlierSearch(
        name=name, configurations=configurations, scores={"accuracy": tuple(-s for s in scores)}
    )


def changed(one: EarlierSearch, how: str, seed: int) -> EarlierSearch:
    """A misleading search: its scores permuted or reversed."""
    scores = list(one.scores["accuracy"])
    if how == "permuted":
        Random(f"permuted/{seed}").shuffle(scores)
    else:
        scores = [-score for score in scores]
    return EarlierSearch(
        name=how, configurations=one.configurations, scores={"accuracy": tuple(scores)}
    )


def print_curves(name: str, curves: Sequence[Sequence[float]], goal: float, optimum: float) -> None:
    """Print the mean best after some trials, and trials to a goal; none counts as one more."""
    best = np.maximum.accumulate(np.array(curves), axis=1)
    count = best.shape[1]
    error = best.std(axis=0) / len(best) ** 0.5
    at = "  ".join(f"{n}: {best[:, n - 1].mean():.2f}±{error[n - 1]:.2f}" for n in AT if n <= count)
    to = [
        np.where((best >= g).any(axis=1), (best >= g).argmax(axis=1) + 1, count + 1)
        for g in (goal, optimum)
    ]
    print(
        f"{name:24} {at}  to {goal:g}: {to[0].mean():.1f}±{to[0].std() / len(best) ** 0.5:.1f}  "
        f"optimum: {to[1].mean():.1f}, {(best[:, -1] >= optimum).mean():.0%} of {len(best)}",
        flush=True,
    )


class Cells:
    """Searches of NAS-Bench-201 by columns of a table, in percent; those of sources are remembered."""

    def __init__(self, file: Path, classes: int = 10) -> None:
        self.space = JointSpace(get("nasbench201"), Task((3, 32, 32), classes))
        self.table = Table(file, self.space.space)
        self._sources: dict[tuple[str, int], EarlierSearch] = {}

    def search(
        self,
        column: str,
        trials: int,
        seed: int,
        earlier: Sequence[EarlierSearch] = (),
        enough: float = inf,
    ) -> list[tuple[Configuration, float]]:
        values = self._percent(column)

        def score(configuration: Configuration) -> float:
            row = self.table.row(configuration.architecture)
            assert row is not None, "the table has every cell"
            return float(values[row])

        return search(Candidates(self.space), score, trials, seed, earlier, enough)

    def _percent(self, column: str) -> np.ndarray:
        values = self.table.column(column)
        return values if values.max() > 1 else values * 100

    def source(self, column: str, seed: int) -> EarlierSearch:
        if (column, seed) not in self._sources:
            found = self.search(column, SOURCE_TRIALS, seed + 1_000)
            self._sources[column, seed] = source(found, column)
        return self._sources[column, seed]

    def _random(self, column: str, seed: int) -> list[tuple[Configuration, float]]:
        """Random configurations and their scores, minimised."""
        rng, values = Random(f"random/{seed}"), self._percent(column)
        drawn = [self.space.sample(rng) for _ in range(SOURCE_TRIALS)]
        rows = [self.table.row(configuration.architecture) for configuration in drawn]
        return [
            (c, -float(values[row])) for c, row in zip(drawn, rows, strict=True) if row is not None
        ]

    def compare(
        self, into: str, out_of: str, goal: float, kinds: Sequence[str], seeds: int
    ) -> None:
        """Search a column after another, in each kind of way."""
        optimum = float(self._percent(into).max()) - 1e-9
        print(f"{out_of} -> {into}, optimum {optimum:.2f}, {seeds} seeds")
        for kind in kinds:
            curves = []
            for seed in range(seeds):
                earlier = self._of_kind(kind, out_of, seed, seeds)
                values = [value for _, value in self.search(into, 50, seed, earlier, optimum)]
                curves.append(values + values[-1:] * (50 - len(values)))
            print_curves(kind, curves, goal, optimum)

    def _of_kind(self, kind: str, column: str, seed: int, seeds: int) -> list[EarlierSearch]:
        first, second, third = (self.source(column, (seed + n) % seeds) for n in range(3))
        match kind:
            case "alone":
                return []
            case "one source":
                return [first]
            case "random trials, by costs":
                scored = self._random(column, seed)
                with suppress(ValueError):  # scores that do not follow from costs are left out
                    return [translated(column, self.space, scored, self.space, "accuracy")]
                return []
            case "three":
                return [first, second, third]
            case "permuted" | "reversed":
                return [changed(first, kind, seed)]
            case "two and one permuted" | "two and one reversed":
                return [first, second, changed(third, kind.split()[-1], seed)]
        raise ValueError(f"want a known kind, got {kind}")


def nasbench201(tables: Path, seeds: int) -> None:
    """CIFAR-10 to CIFAR-100 and back, and from accuracies after 12 epochs."""
    cells = Cells(tables / "nasbench201.csv.gz")
    kinds = (
        "alone",
        "one source",
        "random trials, by costs",
        "permuted",
        "reversed",
        "three",
        "two and one permuted",
        "two and one reversed",
    )
    ten, hundred = "cifar10_test_200ep", "cifar100_test_200ep"
    cells.compare(hundred, ten, 73.4, kinds, seeds)
    cells.compare(hundred, "cifar10_valid_12ep", 73.4, kinds[1:2], seeds)
    cells.compare(ten, hundred, 94.35, (*kinds[:2], *kinds[3:5]), seeds)
    cells.compare(ten, "cifar100_valid_12ep", 94.35, kinds[1:2], seeds)


def darcy(tables: Path, seeds: int) -> None:
    """CIFAR-100 to Darcy flow and back; both are maximised."""
    cells = Cells(tables / "nasbench201_tasks_latency_energy.csv.gz")
    columns = ("accuracy_cifar100", "accuracy_darcy")
    for into, out_of in (columns[::-1], columns):
        values = cells.table.column(into)
        goal = float(np.sort(values)[-10]) * (1 if values.max() > 1 else 100)
        cells.compare(into, out_of, goal, ("alone", "one source"), seeds)


class Rows(Candidates):
    """Candidates that are the rows of a table.

    Args:
        space: The space of the configurations.
        configurations: Those in the table.
        positions: (rows, dimensions) of them, each dimension from 0 to 1.
    """

    def __init__(
        self, space: JointSpace, configurations: Sequence[Configuration], positions: np.ndarray
    ) -> None:
        super().__init__(_RowSpace(space, configurations, positions))


class _RowSpace(JointSpace):
    """A joint space whose random members are rows of a table."""

    def __init__(
        self, space: JointSpace, configurations: Sequence[Configuration], positions: np.ndarray
    ) -> None:
        super().__init__(space.space, space.task, (), space.hyperparameters)
        self._configurations, self._positions = configurations, positions
        self._row = {c: row for row, c in enumerate(configurations)}

    def sample(self, rng: Random) -> Configuration:
        return self._configurations[rng.randrange(len(self._configurations))]

    def mutate(self, configuration: Configuration, rng: Random) -> Configuration:
        row = self._row[configuration]
        moved = self._positions[row].copy()
        moved[rng.randrange(len(moved))] = rng.random()
        return self._nearest(moved, row)

    def crossover(self, a: Configuration, b: Configuration, rng: Random) -> Configuration:
        left, right = self._positions[self._row[a]], self._positions[self._row[b]]
        mixed = [x if rng.random() < 0.5 else y for x, y in zip(left, right, strict=True)]
        return self._nearest(np.array(mixed), None)

    def __iter__(self) -> Iterator[Configuration]:
        return iter(self._configurations)

    def _nearest(self, position: np.ndarray, without: int | None) -> Configuration:
        distances = ((self._positions - position) ** 2).sum(axis=1)
        if without is not None:
            distances[without] = np.inf
        return self._configurations[int(distances.argmin())]


def lookup(values: np.ndarray, row: dict[Configuration, int]) -> Score:
    """The function that looks the score of a configuration up."""
    return lambda configuration: float(values[row[configuration]])


def leave_one_out(
    space: JointSpace,
    configurations: Sequence[Configuration],
    positions: np.ndarray,
    scores: dict[str, np.ndarray],
    reported: dict[str, np.ndarray],
    seeds: int,
) -> None:
    """Search each task after random trials on all others; print the mean normalised regret.

    Args:
        space: The space of the configurations.
        configurations: The rows of the table.
        positions: (rows, dimensions), for mutants.
        scores: (rows,) by task, by which is searched.
        reported: (rows,) by task, of which the regret is that of the best trial in `scores`.
        seeds: Number of searches of each task.
    """
    row = {c: n for n, c in enumerate(configurations)}
    started = time.process_time()
    found: dict[str, list[np.ndarray]] = {"alone": [], "earlier": []}
    worst: dict[str, np.ndarray] = {}
    for task in scores:
        for kind, curves in found.items():
            own = []
            for seed in range(seeds):
                earlier = []
                for other in scores if kind == "earlier" else ():
                    drawn = Random(f"{other}/{seed}").sample(
                        range(len(configurations)), RANDOM_TRIALS
                    )
                    if other != task:
                        trials = [(configurations[n], float(scores[other][n])) for n in drawn]
                        earlier.append(source(trials, other))
                values = scores[task]
                candidates = Rows(space, configurations, positions)
                score = lookup(scores[task], row)
                trials = search(candidates, score, 20, seed, earlier)
                rows = [row[c] for c, _ in trials]
                best = np.array([max(rows[: n + 1], key=lambda r: values[r]) for n in range(20)])
                final = reported[task]
                span = final.max() - final.min()
                own.append((final.max() - final[best]) / span)
            curves.extend(own)
            worst[f"{kind} {task}"] = np.mean(own, axis=0)
        line = "  ".join(f"{k}: {worst[f'{k} {task}'][[4, 19]].round(3)}" for k in found)
        print(f"{task:12} regret after 5 and 20 trials, {line}", flush=True)
    for kind, curves in found.items():
        mean, error = np.mean(curves, axis=0), np.std(curves, axis=0) / len(curves) ** 0.5
        at = "  ".join(f"{n}: {mean[n - 1]:.4f}±{error[n - 1]:.4f}" for n in AT if n <= 20)
        print(f"{kind:10} mean normalised regret  {at}")
    print(f"{time.process_time() - started:.0f} processor seconds")


def lcbench(tables: Path, seeds: int) -> None:
    """Networks for tables with their hyperparameters, on 22 data sets."""
    with (tables / "lcbench_configurations.csv").open() as file:
        lines = list(csv.DictReader(file))
    network = Struct(num_layers=Integer(1, 5), max_units=Integer(64, 1024))
    tree = Struct(
        batch_size=Integer(16, 512),
        learning_rate=Real(1e-4, 0.1, log=True),
        momentum=Real(0.1, 0.99),
        weight_decay=Real(1e-5, 0.1),
        max_dropout=Real(0.0, 1.0),
    )
    space = JointSpace(SearchSpace(name="shapes", tree=network, inputs=(1,)), None, (), tree)
    configurations = []
    for line in lines:
        architecture = Architecture("shapes", {n: int(line[n]) for n in network.fields})
        values = {n: float(line[n]) for n in tree.fields} | {"batch_size": int(line["batch_size"])}
        configurations.append(Configuration.of(architecture, Record(values)))
    names = (*network.fields, *tree.fields)
    positions = np.array([[float(line[n]) for n in names] for line in lines])
    positions[:, [1, 2, 3]] = np.log(positions[:, [1, 2, 3]])
    positions = (positions - positions.min(axis=0)) / np.ptp(positions, axis=0)
    scores: dict[str, np.ndarray] = {}
    with gzip.open(tables / "lcbench.csv.gz", "rt") as file:
        for line in csv.DictReader(file):
            column = scores.setdefault(line["task"], np.zeros(len(lines)))
            column[int(line["config"])] = float(line["val_accuracy_ep52"])
    leave_one_out(space, configurations, positions, scores, scores, seeds)


def graph(tables: Path, seeds: int) -> None:
    """Graph neural networks on four data sets: searched by validation, reported by test accuracy."""
    with gzip.open(tables / "nas_bench_graph.csv.gz", "rt") as file:
        lines = list(csv.DictReader(file))
    links = sorted({line["links"] for line in lines})
    layers = sorted({op for line in lines for op in line["ops"].split("|")})
    tree = Struct(links=Choice(*links), **{f"op{n}": Choice(*layers) for n in range(4)})
    space = JointSpace(SearchSpace(name="graph_networks", tree=tree, inputs=(1,)), None)
    configurations, positions = [], np.zeros((len(lines), 5))
    for row, line in enumerate(lines):
        ops = line["ops"].split("|")
        value = {"links": line["links"], **{f"op{n}": op for n, op in enumerate(ops)}}
        configurations.append(Configuration.of(Architecture("graph_networks", value)))
        positions[row] = [links.index(line["links"]), *map(layers.index, ops)]
    tasks = [name.removeprefix("valid_") for name in lines[0] if name.startswith("valid_")]
    scores, tests = (
        {task: np.array([float(line[f"{kind}_{task}"]) for line in lines]) for task in tasks}
        for kind in ("valid", "test")
    )
    leave_one_out(space, configurations, positions / 8, scores, tests, seeds)


PARTS = {"nasbench201": nasbench201, "darcy": darcy, "lcbench": lcbench, "graph": graph}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", type=Path, help="folder of the tables")
    parser.add_argument("--part", choices=PARTS, default="nasbench201", help="benchmark to run")
    parser.add_argument("--seeds", type=int, default=20, help="searches of each kind")
    chosen = parser.parse_args()
    PARTS[chosen.part](chosen.tables, chosen.seeds)
