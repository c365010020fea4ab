"""Facts of a run for its report."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from nas.analysis.context import AnalysisContext, has_drawings
from nas.analysis.explanation.explain import Explanation, explain
from nas.analysis.lineage import Lineage
from nas.analysis.mistakes.of_trial import mistakes_of
from nas.analysis.mistakes.report import Mistakes
from nas.analysis.retraining.ablation import Ablation, ablate
from nas.analysis.retraining.ablation import requests_of as ablation_requests
from nas.analysis.retraining.further import FurtherTrainings, TrainingRequest
from nas.analysis.retraining.trust import Trust, trust
from nas.analysis.retraining.trust import requests_of as trust_requests
from nas.core.trial import Trial
from nas.runs.run import Run
from nas.views.columns import fields_of, metrics_of, scores_text, violation_text
from nas.views.drawings.description import Drawing, describe
from nas.views.drawings.text import lines
from nas.views.terminal.next_steps import evaluator_option, space_option
from search_spaces import SearchSpace

DRAWN = 60  # most networks with a drawing on the page

Found = TypeVar("Found")


@dataclass(frozen=True)
class Facts:
    """A run and its analyses; a missing analysis is replaced by a line with the reason.

    Attributes:
        run: The run.
        space: Its search space; None if its file is gone, and then there are no drawings.
        best: The winner; None if no trial completed.
        lineage: The lineage of the trials; None without a space.
        baselines: Names of published architectures, by trial number.
        drawn: Trials drawn without a model or a parent, as random search draws them.
        explanation: Importance of decisions and effects of options.
        ablation: Ablation of the winner, from stored trainings of `nas explain --ablate`.
        trust: Trust in the front, from stored trainings of `nas trust`.
        mistakes: The mistakes of the winner on the validation split.
    """

    run: Run
    space: SearchSpace | None
    best: Trial | None
    lineage: Lineage | None
    baselines: dict[int, str]
    drawn: Sequence[Trial]
    explanation: Explanation | str
    ablation: Ablation | str
    trust: Trust | str
    mistakes: Mistakes | str

    @property
    def completed(self) -> list[Trial]:
        """The completed trials."""
        return [trial for trial in self.run.trials if trial.completed]

    @property
    def ancestry(self) -> list[Trial]:
        """The trials from the winner's first ancestor to itself, one parent each."""
        if self.best is None or self.lineage is None:
            return []
        return [self.run.trials[number] for number in self.lineage.ancestry(self.best.number)]

    def drawing(self, trial: Trial) -> Drawing | None:
        """The drawing of a trial, with the differences to its parent; None without a space."""
        space = self.space
        if space is None or not has_drawings(space, self.run.header.task):
            return None
        parent = None if self.lineage is None else self.lineage.parent(trial.number)
        before = None if parent is None else self.run.trials[parent].architecture
        return describe(space, trial.architecture, self.run.header.task, parent=before)

    def texts(self) -> dict[str, str]:
        """The text about every completed trial, by its number."""
        telling = [t.number for t in (*self.run.front, *self.ancestry)] + list(self.baselines)
        drawn = set(list(dict.fromkeys(telling))[:DRAWN])
        return {str(t.number): "\n".join(self._lines(t, t.number in drawn)) for t in self.completed}

    def _lines(self, trial: Trial, drawn: bool) -> list[str]:
        objectives = self.run.objectives
        others = [m for m in metrics_of(self.run.header) if m not in objectives.metrics]
        told = scores_text(others, trial)
        violated = violation_text(objectives, trial)
        found = [
            f"trial {trial.number}: {scores_text(objectives.metrics, trial)}",
            ", ".join(part for part in (violated, told, f"{trial.seconds:.1f} s") if part),
        ]
        if trial.number in self.baselines:
            found.append(f"the published {self.baselines[trial.number]}")
        if trial.proposal.parents:
            found.append(f"made from {', '.join(map(str, trial.proposal.parents))}")
        searched = fields_of(trial.hyperparameters)
        found += [f"{name} {value}" for name, value in searched.items()]
        drawing = self.drawing(trial) if drawn else None
        if drawing is not None:
            return [*found, "", *lines(drawing)]
        space = self.space
        return [
            *found,
            str(trial.architecture) if space is None else space.format(trial.architecture),
        ]


def gather(run: Run) -> Facts:
    """Gather the facts of a run; train nothing.

    The winner predicts the validation split, unless its mistakes are known.
    """
    try:
        space: SearchSpace | None = run.space
    except ValueError:
        space = None
    winner = "best" if run.confirmation is None else "recommended"
    best = run.best(winner) if run.front else None
    known = {} if space is None else {a: name for name, a in space.known.items()}
    first = run.trials[: len(known)] if run.settings.baselines else []
    baselines = {t.number: known[t.architecture] for t in first if t.architecture in known}
    return Facts(
        run=run,
        space=space,
        best=best,
        lineage=None if space is None else AnalysisContext.of(run).lineage(run.trials),
        baselines=baselines,
        drawn=_drawn(run, baselines),
        explanation=_or_reason(lambda: explain(run)),
        ablation=_or_reason(lambda: _known_ablation(run)),
        trust=_or_reason(lambda: _known_trust(run)),
        mistakes=_or_reason(lambda: _mistakes(run, best)),
    )


def _or_reason(find: Callable[[], Found]) -> Found | str:
    try:
        return find()
    except ValueError as error:
        return str(error)


def _drawn(run: Run, baselines: dict[int, str]) -> list[Trial]:
    """The completed trials before the first with a parent, except published architectures."""
    found: list[Trial] = []
    for trial in run.trials:
        if trial.proposal.parents or trial.proposal.resume_from is not None:
            break
        if trial.completed and trial.number not in baselines:
            found.append(trial)
    return found if run.settings.strategy.partition(":")[0] in _DRAWS_FIRST else []


# Strategies whose first trials are uniform draws.
_DRAWS_FIRST = ("random", "evolution", "nsga2", "local", "annealing", "predictor")


def _known_ablation(run: Run) -> Ablation:
    best = run.best()
    _refuse_to_train(run, ablation_requests(run, best), "explain RUN --ablate")
    return ablate(run, best)


def _known_trust(run: Run) -> Trust:
    _refuse_to_train(run, trust_requests(run), "trust RUN")
    return trust(run)


def _mistakes(run: Run, best: Trial | None) -> Mistakes:
    if best is None:
        raise ValueError("no trial is on the front")
    return mistakes_of(AnalysisContext.of(run), best)


def _refuse_to_train(run: Run, requests: Sequence[TrainingRequest], command: str) -> None:
    if FurtherTrainings(run).missing(requests):
        options = f"{evaluator_option(run.settings)}{space_option(run.settings)}"
        path = shlex.quote(str(run.path))
        raise ValueError(f"Not trained yet: nas {command.replace('RUN', path)}{options}")
