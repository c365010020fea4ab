r"""Compare constrained domination with penalties, under a limit on a measured metric of a table.

Shows: trials until the best architecture within the limit is found, on NAS-Bench-201. The limit is on
what is known only after a trial, such as a published latency (a column of --metrics) or, as if it had to
be measured, `macs`. A penalty method maximises accuracy less a weight times the relative excess; what is
constrained needs no weight. Cells of equal function have the means of their numbers: only one of them
is ever proposed.

    python scripts/benchmark_constraints.py --table nasbench201.csv.gz \
        --metrics nasbench201_latency_devices.csv.gz --metric latency_ms_raspi4
"""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from nas.core.candidates import Candidates
from nas.core.constraints import Constraint
from nas.core.fronts.front import front_of
from nas.core.joint_space import JointSpace
from nas.core.metrics import Metric
from nas.core.objectives import Objectives
from nas.core.trial import Trial
from nas.engine.loop import run_trials
from nas.evaluators.job import Job, Workspace
from nas.evaluators.table import Table
from nas.executors.in_process import InProcess
from nas.runs.journal import Journal
from nas.strategies import make
from nas.surrogates.gaussian_process import Array
from search_spaces import Task, get

SPACE, TASK = get("nasbench201"), Task((3, 32, 32), 100)
ACCURACY = Metric("accuracy", "maximize", 0, 1)
PENALISED = Metric("penalised", "maximize")
NEAR = 0.005  # of accuracy: an architecture is near the best if it is within half a percent


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A table of accuracies and of a limited metric, with the best architecture within the limit.

    Attributes:
        table: Gives the row of an architecture.
        accuracy: Accuracy by row, 0 to 1.
        metric: The limited metric by row.
        limit: The limit on it.
    """

    table: Table
    accuracy: Sequence[float]
    metric: Sequence[float]
    limit: Constraint

    metrics = (ACCURACY, Metric("measured", "minimize"), PENALISED)

    def look_up(self, job: Job, weight: float) -> Mapping[str, float]:
        """The metrics of a trial; `weight` is that of the penalty."""
        row = self.table.row(job.configuration.architecture)
        assert row is not None
        accuracy, measured = float(self.accuracy[row]), float(self.metric[row])
        penalised = accuracy - weight * self.limit.violation(measured)
        return {"accuracy": accuracy, "measured": measured, "penalised": penalised}

    @property
    def best(self) -> int:
        """Row of the best architecture within the limit."""
        return int(
            np.argmax(np.where(np.array(self.metric) <= self.limit.bound, self.accuracy, -1))
        )


@dataclass(frozen=True)
class Lookup:
    """Evaluates a configuration by the table; `weight` is that of the penalty."""

    measured: Measured
    weight: float

    metrics = Measured.metrics

    def prepare(self, workspace: Workspace) -> None:
        """Nothing is prepared."""

    def evaluate(self, job: Job) -> Mapping[str, float]:
        """The metrics of one job."""
        return self.measured.look_up(job, self.weight)


@dataclass(frozen=True, kw_only=True)
class Found:
    """Results of one search.

    Attributes:
        optimum: Trials until the best architecture within the limit was evaluated; None if never.
        answer: Trials until it was the best of the search by what the search optimises; None if never.
        near: Trials until one was evaluated that is within the limit and nearly as accurate.
        regret: Accuracy of the best less that of the best that was found within the limit.
        feasible: Share of the trials within the limit.
        violations: Trials on the front of the search that are not.
    """

    optimum: int | None
    answer: int | None
    near: int | None
    regret: float
    feasible: float
    violations: int


def search(
    measured: Measured, strategy: str, penalty: float | None, *, trials: int, seed: int
) -> Found:
    """Search by constrained domination, or by a penalty with a weight."""
    metric = ACCURACY if penalty is None else PENALISED
    objectives = Objectives((metric,), (measured.limit,) if penalty is None else ())
    candidates = Candidates(JointSpace(SPACE, TASK))
    with TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "trials.jsonl")
        done = list(
            run_trials(
                make(strategy, candidates, objectives),
                candidates.ledger,
                InProcess(Lookup(measured, penalty or 0.0)),
                journal,
                trials=trials,
                seed=seed,
            )
        )
        journal.close()
    return summary(measured, done, objectives)


def summary(measured: Measured, trials: Sequence[Trial], objectives: Objectives) -> Found:
    """The results of the trials of a search."""
    most = float(measured.accuracy[measured.best])

    def is_good(trial: Trial, lost: float) -> bool:
        scores = trial.scores
        return scores["accuracy"] >= most - lost and scores["measured"] <= measured.limit.bound

    def first(found: Iterable[Trial], lost: float) -> int | None:
        return next((n for n, trial in enumerate(found, 1) if is_good(trial, lost)), None)

    def better(a: Trial, b: Trial) -> Trial:
        return min(a, b, key=lambda trial: objectives.vector(trial.scores))

    answers = accumulate(trials, better)
    within = [t for t in trials if t.scores["measured"] <= measured.limit.bound]
    front = front_of(trials, objectives)
    return Found(
        optimum=first(trials, 1e-9),
        answer=first(answers, 1e-9),
        near=first(trials, NEAR),
        regret=most - max((t.scores["accuracy"] for t in within), default=0.0),
        feasible=len(within) / len(trials),
        violations=sum(measured.limit.violation(t.scores["measured"]) > 0 for t in front),
    )


def read(args: argparse.Namespace) -> Measured:
    """The table of accuracies and the limited metric, with the limit at a quantile."""
    table = Table(Path(args.table), SPACE)
    if args.metric == "macs":
        values = [float(SPACE.cost_of_member(a, TASK).macs) for a in table.architectures]
    else:
        other = Table(Path(args.metrics), SPACE)
        rows = [other.row(a) for a in table.architectures]
        column = other.column(args.metric)
        values = [float(column[row]) for row in rows if row is not None]
        if len(values) < len(rows):
            raise ValueError(f"{args.metrics}: want all {len(rows):,} cells, got {len(values):,}")
    functions = np.unique([hash(SPACE.canonical(a)) for a in table.architectures], True, True)
    first, function = functions[1:]
    metric = means(values, function)
    limit = float(np.quantile(metric[first], args.quantile))
    return Measured(
        table=table,
        accuracy=means(table.accuracy(args.accuracy), function).tolist(),
        metric=metric.tolist(),
        limit=Constraint("measured", "<=", limit),
    )


def means(values: Sequence[float] | Array, group: NDArray[np.intp]) -> Array:
    """The mean of the values of each group, for each value."""
    total: Array = np.bincount(group, values) / np.bincount(group)
    return total[group]


def line(name: str, found: Sequence[Found], trials: int) -> str:
    """The results of all seeds in one line; what was never found counts as all trials and one."""

    def quartiles(counts: Sequence[int | None]) -> str:
        known = [trials + 1 if n is None else n for n in counts]
        low, high = np.quantile(known, [0.25, 0.75])
        reached = sum(n is not None for n in counts)
        return f"{median(known):6.0f} ({low:.0f} to {high:.0f}) {reached:2}/{len(counts)}"

    regret = 100 * np.array([one.regret for one in found])
    error = regret.std(ddof=1) / len(found) ** 0.5 if len(found) > 1 else float("nan")
    return (
        f"{name:26} {quartiles([one.optimum for one in found]):>26} "
        f"{quartiles([one.answer for one in found]):>26} "
        f"{quartiles([one.near for one in found]):>26}   {regret.mean():5.2f} +- {error:.2f}   "
        f"{np.mean([one.feasible for one in found]):4.0%}   {sum(one.violations for one in found):5}"
    )


def main(argv: Sequence[str] | None = None) -> dict[str, list[Found]]:
    """Run all searches and print a table of their results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", required=True, help="accuracies of NAS-Bench-201")
    parser.add_argument("--accuracy", default="cifar100_test_200ep", help="its column")
    parser.add_argument("--metrics", help="another table, with the limited metric")
    parser.add_argument("--metric", default="macs", help="its column; or macs, which are counted")
    parser.add_argument("--quantile", type=float, default=0.1, help="share within the limit")
    parser.add_argument("--strategies", nargs="+", default=["evolution", "nsga2", "predictor"])
    parser.add_argument("--weights", nargs="*", type=float, default=[0.1, 1.0, 10.0])
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=20)
    args = parser.parse_args(argv)

    measured = read(args)
    best = measured.accuracy[measured.best]
    print(
        f"{args.metric} <= {measured.limit.bound:,.6g} ({args.quantile:.0%} of the space): the best "
        f"has {best:.2%}, without the limit {max(measured.accuracy):.2%}; {args.trials} trials, "
        f"{args.seeds} seeds; medians (quartiles), how many searches got there\n"
        f"{'':26} {'trials to the best':>26} {'until it is the answer':>26} {'within half a percent':>26}   "
        f"regret (points)   within limit   violations on the front"
    )
    results: dict[str, list[Found]] = {}
    for strategy in args.strategies:
        for penalty in (None, *args.weights):
            name = f"{strategy} " + ("constrained" if penalty is None else f"penalty {penalty:g}")
            results[name] = [
                search(measured, strategy, penalty, trials=args.trials, seed=seed)
                for seed in range(args.seeds)
            ]
            print(line(name, results[name], args.trials), flush=True)
    return results


if __name__ == "__main__":
    main()
