"""The search behind the front door, in a fixed order: baselines, a search, an ensemble.

1. The data decide the space, the recipe and the metric, as in any search (`nas.evaluators.chosen`).
   Fewer than `FEW` vectors are judged by cross-validation: each configuration is trained on five
   folds, whose networks predict together. Of more examples, a fifth is held out.
2. Established baselines are trained first: a linear model, then the portfolio.
3. Architecture and hyperparameters are searched together for the rest of the time.
4. The best configurations are weighed by their predictions of what they did not learn from
   (`nas.winners.ensemble`). The first choice is the best single one, so that the ensemble is never
   worse there than a baseline.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING, Any

from nas.automl.fitted import Fitted
from nas.automl.portfolio import portfolio
from nas.automl.refit import refit
from nas.bundles.preprocessing import with_columns
from nas.core.budgets.budget import Budget
from nas.core.configuration import WarmStart
from nas.core.schema import refuse
from nas.runs.option import parse_budget
from nas.runs.settings import AUTO
from nas.winners.from_trials import bundle_of_ensemble
from nas.winners.scoring import scores_on_test
from trainers.data.understood import KINDS

if TYPE_CHECKING:
    from nas.api import Run
    from nas.bundles.bundle import Bundle
    from nas.engine.session import Session
    from trainers import Dataset
    from trainers.data.assembly import Held
    from trainers.data.reading import Layout

FEW = 2_000  # vectors, below which they are judged by cross-validation
FOLDS = 5
KEPT = 40  # trials from which an ensemble is chosen
RESERVED = 0.05  # share of a budget of time for the ensemble,
REFITTED = 0.25  # more of it for training on examples that are held out,
LEAST_RESERVED = 0.5  # seconds of it at least
_LOG = logging.getLogger("nas")
_TASKS = (AUTO, "classification", "multilabel", "regression")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The parameters of an estimator, checked.

    Attributes:
        budget: The budget of the whole fit.
        ensemble: Most configurations of the ensemble.
        given: The settings of the search, by keyword of `nas.search`.
        out: The folder of the run; None for a temporary one.
        progress: Show the progress.
    """

    budget: Budget
    ensemble: int
    given: Mapping[str, Any]
    out: Path | None
    progress: bool

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Plan:
        """The plan of the parameters of an estimator.

        Raises:
            ValueError: one is not allowed; names it.
        """
        given = dict(parameters)
        ensemble, out = given.pop("ensemble"), given.pop("out")
        if type(ensemble) is not int or not 1 <= ensemble <= KEPT:
            raise ValueError(f"ensemble: want 1 to {KEPT} configurations, got {ensemble!r}")
        if out is not None and not isinstance(out, str | Path):
            raise refuse("out", "a folder", out)
        return cls(
            budget=parse_budget(given.pop("budget"), "budget"),
            ensemble=ensemble,
            out=None if out is None else Path(out),
            progress=bool(given.pop("progress")),
            given={name: value for name, value in given.items() if not _is_absent(value)},
        )


def _is_absent(value: object) -> bool:
    """True for the values that stand for a default; False is what scikit-learn's checks set `warm_start` to."""
    return value is None or value is False or value == ()


def is_folded(rows: int, axes: int) -> bool:
    """True if configurations are judged by cross-validation: those for few vectors.

    Args:
        rows: Number of examples.
        axes: Number of axes of an array of them: 2 of vectors.
    """
    return axes == 2 and rows < FEW


def read_file(
    name_or_path: str,
    *,
    target: str | None,
    task: str,
    layout: Layout | None,
    sample_weight: str | None = None,
) -> Dataset:
    """The data set of a file or a folder, with a validation split only where none is cross-validated.

    Args:
        name_or_path: See `trainers.load`.
        target: The target column of a table, or several separated by commas.
        task: The task, or "auto".
        layout: The axes of arrays; None to infer them.
        sample_weight: The column of a table with the weights of its rows in the loss.

    Raises:
        ValueError: see `trainers.load`; or the task has no front door.
    """
    import trainers

    if task not in _TASKS:
        raise ValueError(f"task: want {', '.join(_TASKS)}, got {task!r}")
    reading: dict[str, Any] = {
        "target": target,
        "task": None if task == AUTO else task,
        "layout": layout,
        "sample_weight": sample_weight,
    }
    data = trainers.load(name_or_path, split_off=(), **reading)
    if data.targets.dense:
        raise ValueError(
            "data: want classes, labels or values to predict, got masks; use nas search"
        )
    if is_folded(len(data.train) + len(data.validation), data.train.inputs.dim()):
        return data
    held_out: tuple[Held, ...] = ("validation",)
    return trainers.load(name_or_path, split_off=held_out, **reading)


def fit(
    data: Dataset,
    plan: Plan,
    *,
    columns: Sequence[str] = (),
    began: float | None = None,
    say: Callable[[str], None] = _LOG.info,
) -> Fitted:
    """Search within the budget, and return the best ensemble.

    Args:
        data: The data set; with an empty validation split, configurations are cross-validated.
        plan: The parameters.
        columns: Names of the values of vectors, by which the bundle takes rows of a table.
        began: The time, by `time.monotonic`, at which the budget began; None for now.
        say: Called with messages for the user, what was understood first.

    Raises:
        ValueError: a parameter is not allowed, or nothing can be learnt from the data.
        nas.SearchFailed: all trainings failed.
    """
    began = monotonic() if began is None else began
    with _folder(plan.out) as out:
        session = _session(data, plan, out, say)
        for line in session.understood:
            say(line)
        _search(
            session, _of_search(plan.budget, monotonic() - began, held_out=len(data.validation) > 0)
        )
        run = _opened(session)
        if not any(trial.completed for trial in run.trials):  # the time was too short for one
            _search(_session(data, plan, out, say), Budget(trials=len(run.trials) + 1))
            run = _opened(session)
        bundle = bundle_of_ensemble(run, data, most=plan.ensemble)
        weights = bundle.read_weights()  # before a temporary folder is removed
        described = {
            **bundle.described,
            "preprocessing": with_columns(bundle.described["preprocessing"], columns),
        }
        bundle = replace(bundle, described=described, read_weights=partial(bytes, weights))
        if plan.budget.seconds is not None:
            bundle = refit(run, bundle, data, until=began + plan.budget.seconds)
        if len(data.test):
            scores = scores_on_test(bundle.net(), data, run.settings.objectives)
            bundle = replace(bundle, metrics={**bundle.metrics, "test": scores})
        return Fitted(
            bundle=bundle,
            leaderboard=_leaderboard(run, bundle),
            understood=session.understood,
        )


def _search(session: Session, budget: Budget) -> None:
    for _ in session.run(budget):
        pass


def _session(data: Dataset, plan: Plan, out: Path, say: Callable[[str], None]) -> Session:
    from nas.api import open_session, read_request

    folds = 0 if len(data.validation) else min(FOLDS, len(data.train))
    given = {
        "data": data,
        "folds": folds,
        "keep": KEPT,
        **_first(data, plan),
        **plan.given,
        "out": out,
    }
    return open_session(
        read_request(given), observers=_observers(plan), notify=say, temporary=plan.out is None
    )


def _first(data: Dataset, plan: Plan) -> dict[str, Any]:
    """The settings that follow from the portfolio: what is trained first, and what is searched."""
    if plan.given.get("space", AUTO) != AUTO:
        return {}
    kind = KINDS[len(data.input_shape)]
    members = portfolio(len(data.train), data.input_shape[0], data.targets.task, kind)
    if not members:
        return {"baselines": True}
    texts = [str(WarmStart(member["architecture"], member["recipe"])) for member in members]
    return {"warm_start": texts, "tune": list(members[0]["recipe"])}


def _observers(plan: Plan) -> list[Any]:
    found: list[Any] = []
    if plan.out is not None:
        from nas.views.tensorboard import TensorBoard

        found.append(TensorBoard())
    if plan.progress:
        from rich.console import Console

        from nas.views.notebook_progress import notebook_views
        from nas.views.terminal.live import live_view

        def workers() -> int:
            return int(plan.given["workers"])

        console = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
        lines = live_view(plan.budget, console, workers=workers)
        found += notebook_views(plan.budget, workers) or [lines]
    return found


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    if out is not None:
        yield out
        return
    with TemporaryDirectory(prefix="nas-") as folder:
        yield Path(folder) / "run"


def _of_search(budget: Budget, spent: float, *, held_out: bool) -> Budget:
    """The part of the budget that is searched for, where some seconds are spent already."""
    if budget.seconds is None:
        return budget
    share = RESERVED + (REFITTED if held_out else 0.0)
    reserved = max(LEAST_RESERVED, share * budget.seconds)
    return replace(budget, seconds=max(0.1, budget.seconds - reserved - spent))


def _opened(session: Session) -> Run:
    from nas.api import Run

    return Run(session.path, session.space, data=session.problem.data)


def _leaderboard(run: Run, bundle: Bundle) -> list[Mapping[str, Any]]:
    """The completed trials, the best first, with their weight in the ensemble."""
    metric = run.objectives.first
    members = bundle.metrics["ensemble"]["members"]
    total = sum(member["count"] for member in members)
    weights = {member["trial"]: member["count"] / total for member in members}
    completed = [trial for trial in run.trials if trial.completed]
    completed.sort(key=lambda trial: metric.minimized(trial.scores[metric.name]))
    return [
        {
            "rank": rank,
            **trial.scores,
            "in_ensemble": weights.get(trial.number, 0.0),
            "seconds": trial.seconds,
            "trial": trial.number,
            "configuration": str(trial.configuration),
        }
        for rank, trial in enumerate(completed, start=1)
    ]
