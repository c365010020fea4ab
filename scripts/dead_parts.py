"""Searches of NAS-Bench-201 with and without cells that have dead parts, on published scores.

    python scripts/dead_parts.py --table nasbench201.csv.gz --seeds 30 --trials 100

Counts winners and members of the front with dead parts; the accuracy of a winner is that after 200 epochs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import typer
from scipy import stats

from nas.core.candidates import Candidates
from nas.core.fronts.front import TrialFront
from nas.core.joint_space import JointSpace
from nas.core.objectives import Objectives
from nas.core.trial import Trial
from nas.engine.loop import run_trials
from nas.estimators.cost import ExactCost
from nas.evaluators.table import Lookup, Table
from nas.executors.in_process import InProcess
from nas.runs.journal import Journal
from nas.strategies import make
from search_spaces import Task, get

SPACE, TASK = get("nasbench201"), Task((3, 32, 32), 100)
OBJECTIVES = Objectives.parse(("accuracy", "parameters"))


def main(
    table: Annotated[Path, typer.Option(help="Published accuracies, CSV or CSV.gz.")],
    strategies: str = "evolution,random,local,nsga2",
    seeds: int = 30,
    trials: int = 100,
    brief: Annotated[str, typer.Option(help="Column that is searched.")] = "cifar100_valid_12ep",
    final: Annotated[str, typer.Option(help="Column of the winners.")] = "cifar100_test_200ep",
) -> None:
    """Run the searches and print a line for each strategy."""
    published = Table(table, SPACE)
    accuracy = published.accuracy(final)

    def found(strategy: str, seed: int, *, dead_parts: bool) -> tuple[float, bool, int, int]:
        done = _search(Lookup(published, {12: brief}), strategy, seed, trials, dead_parts)
        best = max(done, key=lambda trial: trial.scores["accuracy"])
        row = published.row(best.architecture)
        front = TrialFront(OBJECTIVES)
        for trial in done:
            front.add(trial)
        members = front.items
        return float(accuracy[row]), _is_dead(best), sum(map(_is_dead, members)), len(members)

    for strategy in strategies.split(","):
        _print(strategy, range(seeds), found)


def _print(
    strategy: str, seeds: Iterable[int], found: Callable[..., tuple[float, bool, int, int]]
) -> None:
    means = []
    for dead_parts in (True, False):
        scores, dead, on_front, members = zip(
            *(found(strategy, seed, dead_parts=dead_parts) for seed in seeds), strict=True
        )
        means.append(100 * np.array(scores))
        print(
            f"{strategy} {'with' if dead_parts else 'without'} dead parts: {means[-1].mean():.2f} %; "
            f"{sum(dead)} of {len(dead)} winners, {sum(on_front)} of {sum(members)} on the front have some",
            flush=True,
        )
    more = means[1] - means[0]
    half = stats.t.ppf(0.975, len(more) - 1) * more.std(ddof=1) / len(more) ** 0.5
    print(f"{strategy} without less with: {more.mean():+.2f} ± {half:.2f} points", flush=True)


def _search(lookup: Lookup, strategy: str, seed: int, trials: int, dead_parts: bool) -> list[Trial]:
    space = JointSpace(SPACE, TASK, dead_parts=dead_parts)
    candidates = Candidates(space)
    with TemporaryDirectory() as folder, closing(Journal(Path(folder) / "trials")) as journal:
        return list(
            run_trials(
                make(strategy, candidates, OBJECTIVES),
                candidates.ledger,
                InProcess(lookup),
                journal,
                trials=trials,
                seed=seed,
                estimators=(ExactCost(space),),
                max_pending=4,
            )
        )


def _is_dead(trial: Trial) -> bool:
    return SPACE.simplified(trial.architecture) != trial.architecture


if __name__ == "__main__":
    typer.run(main)
