"""Selecting one trial of a run: the best, the smallest, a compromise, or the recommended one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nas.core.candidates import Candidates
from nas.core.failure import cause_lines
from nas.core.fronts.front import front_of
from nas.core.joint_space import check_configuration
from nas.core.objectives import Objectives
from nas.core.trial import Trial

if TYPE_CHECKING:
    from nas.runs.run import Run

SELECTIONS = ("best", "knee", "smallest", "recommended")


def select_trial(run: Run, select: str, max_parameters: int | None = None) -> Trial:
    """Select a completed trial within the constraints; see `Run.best`.

    Raises:
        ValueError: no such trial has so few parameters, the trials have no parameters to be the
            smallest in, or `select` is none of `SELECTIONS`.
    """
    if select not in SELECTIONS:
        raise ValueError(f"select: want one of {', '.join(SELECTIONS)}, got {select!r}")
    names = [metric.name for metric in run.header.metrics]
    if "parameters" not in names and (select == "smallest" or max_parameters is not None):
        raise ValueError(
            f"{run.path}: want trials with parameters to select the smallest, got {', '.join(names)}"
        )
    objectives = run.objectives
    allowed = [
        t
        for t in run.trials
        if t.completed
        and objectives.is_feasible(t.scores)
        and (max_parameters is None or t.scores["parameters"] <= max_parameters)
    ]
    if not allowed:
        limits = list(map(str, objectives.constraints))
        if max_parameters is not None:
            limits.append(f"at most {max_parameters:,} parameters")
        wanted = f" with {' and '.join(limits)}" if limits else ""
        raise ValueError(f"{run.path}: {no_trial_text(run.trials, wanted)}")
    if select == "recommended":
        return _confirmed(run, allowed) or recommend(run, allowed)
    front = front_of(allowed, objectives)
    if select == "best":
        return min(front, key=lambda t: objectives.vector(t.scores))
    if select == "smallest":
        return min(front, key=lambda t: t.scores["parameters"])
    return _knee(front, objectives)


def _confirmed(run: Run, among: Sequence[Trial]) -> Trial | None:
    """The trial that the confirmation recommends, else the best of its others; None without one."""
    confirmation, known = run.confirmation, {trial.number: trial for trial in among}
    if confirmation is None:
        return None
    order = [confirmation.recommended, *(each.trial for each in confirmation.candidates)]
    return next((known[number] for number in order if number in known), None)


def no_trial_text(trials: Sequence[Trial], wanted: str = "") -> str:
    """Say that no trial can be selected, such as `no completed trial within its limits among 24`.

    Args:
        trials: All trials of the run.
        wanted: Text of what no completed trial has; it is left out where none has completed.
    """
    if any(trial.completed for trial in trials):
        return f"no completed trial{wanted} among {len(trials)}"
    causes = "; ".join(cause_lines((trial.failure for trial in trials), most=3))
    return f"no completed trial among {len(trials)}{causes and f', all failed: {causes}'}"


def recommend(run: Run, among: Sequence[Trial]) -> Trial:
    """Select the trial with the best expected first objective, according to a model of all scores.

    The best of many brief, noisy scores is too good to be true. The model of the strategy
    `predictor` removes that noise: it also sees the scores of similar architectures, whichever
    strategy proposed them. Where trials were trained for different numbers of epochs, only those
    trained longest count.

    Args:
        run: The run whose completed trials the model is fitted to.
        among: The completed trials of the run to select from.

    Raises:
        ValueError: none of `among` is within the constraints, the space of the run is missing, or a
            trial is not of this space; names its line.
    """
    from nas.strategies.predictor import Predictor  # late: it imports the models of scores

    tree = run.header.hyperparameters
    for trial in run.trials:  # a run may be untrusted
        where = f"{run.journal.path}, line {trial.number + 1}"
        check_configuration(trial.configuration, run.space, tree, where)
    candidates = Candidates(run.header.joint_space(run.space))
    model = Predictor(candidates, run.objectives)
    longest = max((trial.epochs for trial in among), default=0)
    for trial in run.trials:
        if trial.epochs == longest or not trial.completed:
            model.tell(trial)
    return model.recommend([t.number for t in among if t.epochs == longest])


def _knee(front: list[Trial], objectives: Objectives) -> Trial:
    """The point farthest below the line between the ends of the front, each axis scaled to 0..1.

    With more objectives, below the plane through the worst values of each.
    """
    if len(front) < 3:
        return front[len(front) // 2]
    vectors = [objectives.values(t.scores) for t in front]
    axes = range(len(objectives.names))
    low = [min(v[i] for v in vectors) for i in axes]
    span = [max(v[i] for v in vectors) - low[i] or 1.0 for i in axes]
    below = [1 - sum((v[i] - low[i]) / span[i] for i in axes) for v in vectors]
    return front[max(range(len(front)), key=below.__getitem__)]
