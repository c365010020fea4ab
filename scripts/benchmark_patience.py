r"""Searches that `--patience` ends: trials until then, and whether they have a score by then.

    nas benchmark search --table tests/nas/data/nasbench201_cifar100.csv.gz --space nasbench201 \
        --classes 100 --accuracy cifar100_test_200ep --strategies predictor,local,evolution \
        --trials 150 --seeds 200 --out runs/patience
    python scripts/benchmark_patience.py runs/patience --strategies predictor,local,evolution

The rule itself (`nas.core.budgets.spending`) looks at the trials of each search of the benchmark, whose
table and column are given as there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from nas.benchmark import searches
from nas.core.budgets.budget import Budget
from nas.core.budgets.spending import Spending
from nas.core.configuration import Configuration
from nas.core.metrics import METRICS
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.evaluators.table import Table
from search_spaces import load


def main() -> None:
    """Print, for each strategy and patience, the searches that ended in time with the score."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of the benchmark")
    parser.add_argument("--table", default="tests/nas/data/nasbench201_cifar100.csv.gz")
    parser.add_argument("--space", default="nasbench201")
    parser.add_argument("--accuracy", default="cifar100_test_200ep")
    parser.add_argument("--strategies", default="predictor")
    parser.add_argument("--trials", type=int, default=150, help="most trials")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--score", type=float, default=73.3, help="accuracy to have, percent")
    parser.add_argument("--patience", type=int, nargs="+", default=[20, 25, 30, 40, 50])
    options = parser.parse_args()
    table = Table(Path(options.table), load(options.space))
    column, names = table.accuracy(options.accuracy), options.strategies.split(",")
    found = searches.read(options.folder, names, trials=options.trials, seeds=options.seeds)
    for name in names:
        for patience in options.patience:
            ends = [_ended(table, column, search, patience) for search in found[name]]
            in_time = [end is not None and best >= options.score / 100 for end, best in ends]
            stops = [options.trials if end is None else end for end, _ in ends]
            print(
                f"{name}, patience {patience}: {sum(in_time)} of {len(ends)} ended within "
                f"{options.trials} trials having {options.score:g} %, after {np.mean(stops):.0f} on "
                f"average, {max(stops)} at most"
            )


def _ended(
    table: Table, column: np.ndarray, search: searches.Search, patience: int
) -> tuple[int | None, float]:
    """The number of trials at which the rule ends a search, None if it does not, and the best score."""
    spending = Spending(Budget(patience=patience), Objectives((METRICS["accuracy"],)))
    best = 0.0
    for number, row in enumerate(search.rows):
        best = max(best, float(column[row]))
        configuration = Configuration.of(table.architectures[row])
        spending.observe(
            Trial(
                number=number,
                proposal=Proposal(configuration),
                recipe={},
                scores={"accuracy": float(column[row])},
            )
        )
        if spending.reached():
            return number + 1, best
    return None, best


if __name__ == "__main__":
    main()
