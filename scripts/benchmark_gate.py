r"""False alarms and power of the gate against random search, on a table of published scores.

    python scripts/benchmark_gate.py --table tests/nas/data/nasbench201_cifar100.csv.gz \
        --space nasbench201 --classes 100 --accuracy cifar100_test_200ep --out runs/gate

Pairs of searches are judged as `nas gate` does it, by the same functions: random search against random
search, and the strategy against random search. The score of a training of the gate is that of the table
with normal noise, whose deviation in points is given. Searches are stored; it goes on where it was stopped.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from nas.analysis.retraining.gate import Rival, Scored, judge, verdict_of
from nas.analysis.statistics import paired_difference, top_share
from nas.benchmark import searches
from nas.core.metrics import METRICS


def main() -> None:
    """Run the searches, judge all pairs, and print a line for each noise and number of seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", required=True)
    parser.add_argument("--space", required=True)
    parser.add_argument("--accuracy", required=True, help="column to search by and to report")
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--strategy", default="evolution")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--null", type=int, default=2000, help="pairs of random searches")
    parser.add_argument("--pairs", type=int, default=200, help="pairs of the strategy and random")
    parser.add_argument("--seeds", type=int, nargs="+", default=[5, 10])
    parser.add_argument("--searches", type=int, nargs="+", default=[5, 10])
    parser.add_argument("--noise", type=float, nargs="+", default=[0.0, 0.1, 0.2, 0.4])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/gate"))
    options = parser.parse_args()
    benchmark = searches.Benchmark(
        table=options.table,
        space=options.space,
        accuracy={1: options.accuracy},
        report=options.accuracy,
        classes=options.classes,
    )
    random = _scores(benchmark, "random", 2 * options.null + options.pairs, options)
    strategy = _scores(benchmark, options.strategy, options.pairs, options)
    null = list(zip(random[: options.null], random[options.null : 2 * options.null], strict=True))
    pairs = list(zip(strategy, random[2 * options.null :], strict=True))
    print(f"{len(null)} pairs of random searches, {len(pairs)} of {options.strategy} and random")
    for noise in options.noise:
        for seeds in options.seeds:
            alarms, plain = _claims(null, seeds, noise / 100)
            power, plainly = _claims(pairs, seeds, noise / 100)
            print(
                f"noise {noise:g} points, {seeds} seeds: random claims {alarms:.1%} (by the winners "
                f"alone {plain:.1%}), {options.strategy} {power:.1%} ({plainly:.1%})"
            )
    for count in options.searches:
        shares = [_over(chosen, count) for chosen in (null, pairs)]
        print(
            f"over {count} searches: random claims {shares[0]:.1%}, {options.strategy} {shares[1]:.1%}"
        )


def _over(pairs: Sequence[tuple[np.ndarray, np.ndarray]], count: int, draws: int = 2000) -> float:
    """The share of draws of several pairs over which the first are said to beat the second."""
    rng = np.random.default_rng(0)
    differences = np.array([ours.max() - theirs.max() for ours, theirs in pairs])
    drawn = [differences[rng.choice(len(pairs), count, replace=False)] for _ in range(draws)]
    found = (paired_difference(each) for each in drawn)
    return float(np.mean([verdict_of(one, one.p) == "beaten" for one in found]))


def _scores(
    benchmark: searches.Benchmark, name: str, count: int, options: argparse.Namespace
) -> list[np.ndarray]:
    """The scores of the trials of each search, 0..1."""
    given = {"trials": options.trials, "seeds": count}
    folder = options.out / name.partition(":")[0]
    for _ in searches.run(benchmark, [name], out=folder, workers=options.workers, **given):
        pass
    column = benchmark.open_table().accuracy(benchmark.report)
    found = searches.read(folder, [name], **given)[name]
    return [column[[row for row in search.rows if row >= 0]] for search in found]


def _claims(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]], seeds: int, noise: float
) -> tuple[float, float]:
    """The shares of pairs whose first search is said to beat the second: by the gate, by winners alone."""
    found = list(_judged(pairs, seeds, noise))
    gated, alone = np.array(found).mean(axis=0)
    return float(gated), float(alone)


def _judged(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]], seeds: int, noise: float
) -> Iterator[tuple[bool, bool]]:
    rng = np.random.default_rng(0)
    for ours, theirs in pairs:
        scored = [Scored(scores.max() + rng.normal(0, noise, seeds)) for scores in (ours, theirs)]
        yield tuple(
            judge(
                scored[0],
                [Rival(kind="random", name="random search", scored=scored[1], top=top)],
                METRICS["accuracy"],
            )[0].verdict
            == "beaten"
            for top in (top_share(ours, theirs), None)
        )


if __name__ == "__main__":
    main()
