"""Which trial of a run is best when its noise is taken off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nas.core import hyperparameters
from nas.core.candidates import Candidates, check_proposal
from nas.core.objectives import Objectives
from nas.core.trial import Trial
from nas.strategies.predictor import Predictor

if TYPE_CHECKING:
    from nas.runs.run import Run


def recommend(run: Run, among: Sequence[Trial]) -> Trial:
    """Of `among`, the trial whose first objective the model of `predictor` expects to be the best.

    The best of many brief, noisy scores is too good to be true. The model also sees how
    architectures like it did, whichever strategy proposed them. Where trials were trained for
    different numbers of epochs, only those trained longest count.

    Args:
        run: Its completed trials are what the model learns from.
        among: Completed trials of it.

    Raises:
        ValueError: `among` is empty, the space of the run is not there any more, or a trial is
            none of this space, or the first of `among` is over the limits; names its line.
    """
    settings = run.settings
    tree = hyperparameters.tree(settings.tune, settings.recipe)
    for trial in run.trials:  # a run may come from a stranger
        check_proposal(
            trial.proposal, run.space, tree, f"{run.journal.path}, line {trial.number + 1}"
        )
    if among:
        _check_limits(run, among[0])  # one shows whether limits and data are those of the search
    candidates = Candidates(run.space, run.task, settings.limits, tree)
    model = Predictor(candidates, Objectives(settings.objectives))
    longest = max((trial.epochs for trial in among), default=0)
    for trial in run.trials:
        if trial.epochs == longest or not trial.completed:
            model.tell(trial)
    return model.recommend([t.number for t in among if t.epochs == longest])


def _check_limits(run: Run, trial: Trial) -> None:
    cost = run.space.cost(trial.architecture, run.task)
    if run.settings.limits.excess(cost.parameters, cost.macs):
        raise ValueError(
            f"{run.journal.path}, line {trial.number + 1}: want a network within the limits of the "
            f"search, got {cost.parameters:,} parameters and {cost.macs:,} MACs for input "
            f"{run.task.input_shape} and {run.task.classes} classes"
        )
