"""The baseline gate of a finished search: what is missing is run, and the winner is judged.

Baselines are known networks of the space, random search at equal cost, and simple models of the task.
Networks are trained by the recipe of the winner with seeds that no training had, and scored on the test
split. Trainings and the random search are stored in the folder `gate` of the run: after a kill the same
call continues. A baseline that fails is said, and ends nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from shlex import quote
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.analysis.retraining import confirm as races
from nas.analysis.retraining.ablation import SETS
from nas.analysis.retraining.further import FurtherTrainings, TrainingRequest
from nas.analysis.retraining.gate import Rival, Scored, against_random, cost_of, judge, scored_of
from nas.analysis.retraining.rivals import known_networks, simple_rivals
from nas.analysis.statistics import paired_difference
from nas.core.budgets.budget import Budget
from nas.core.configuration import Configuration
from nas.core.numbers import counted
from nas.core.trial import Trial
from nas.engine import executing
from nas.engine.session import SearchFailed, Session
from nas.estimators.energy.design_power import of_this_machine
from nas.estimators.energy.spell import Spell, gpus_of
from nas.evaluators import Evaluator, factories
from nas.runs.control.energy import write_energy
from nas.runs.control.gate import FOLDER, Gate, read_gate, write_gate
from nas.runs.journal import Journal
from nas.runs.options import CONFIRM, Request
from nas.runs.resource_limits import ResourceLimits
from nas.runs.run import Run
from nas.runs.settings import TRAINING, UNTRAINED, Settings, is_supernet
from search_spaces.user_files import is_code

if TYPE_CHECKING:
    from nas.core.metrics import Metric

SEEDS = 5  # of each network, by default and at least
FIRST = races.FIRST + SETS  # the first seed: no other training has it
RANDOM = "random"  # the folder of the random search


@dataclass(frozen=True, slots=True, kw_only=True)
class Messages:
    """The functions that are told of the progress.

    Attributes:
        begin: Called with a message and the most trainings, before the first.
        progress: Called with each training that is made.
        notify: Called with messages for the user.
    """

    begin: Callable[[str, int], None] = lambda _message, _trainings: None
    progress: Callable[[Trial], None] = lambda _: None
    notify: Callable[[str], None] = lambda _: None


def gate(
    run: Run,
    *,
    seeds: int = SEEDS,
    evaluator: str | None = None,
    objects: Mapping[str, Any] | None = None,
    limits: ResourceLimits | None = None,
    messages: Messages | None = None,
) -> Gate:
    """Judge the winner of a run against its baselines, and record it in its folder.

    Args:
        run: The run, whose search has ended.
        seeds: Trainings of each network.
        evaluator: The user's evaluator of the run, as `path/to/file.py:name`, which is run.
        objects: Objects of the program that searched, by the setting that they stand for: its code
            may be run. None for a run that is read from its folder.
        limits: Resource limits of the random search.
        messages: The functions that are told of the progress.

    Raises:
        ValueError: there are too few seeds; the run has no winner; its code may not be run, its data
            have changed or a program passed them; or another process writes to the folder.
    """
    if not SEEDS <= seeds <= SETS:
        raise ValueError(f"--seeds: want {SEEDS} to {SETS}, got {seeds}")
    if not run.front:
        raise ValueError(f"{run.path}: want a trial within the limits to judge, got none")
    stored = read_gate(run.path, len(run.trials))
    named = _winner(run).number  # a confirmation since then may have changed it
    if stored is not None and (stored.seeds, stored.winner) == (seeds, named):
        return stored
    told = messages or Messages()
    session = Session(
        _random_settings(run, evaluator, named=objects is None),
        run.path / FOLDER / RANDOM,
        limits=limits,
        notify=told.notify,
        objects={k: v for k, v in (objects or {}).items() if k not in ("strategy", "schedule")},
    )
    _check_same(run, session)
    if objects is None:
        _check_code(run, session)
    judging = _Judging(run=run, winner=_winner(run), session=session, seeds=seeds, told=told)
    power = of_this_machine(session.limits.thread_watts)
    spent = Spell(gpus_of(session.problem.first_device), power=power)
    try:
        with spent:
            found = judging.judged()
    finally:  # what was stopped has cost its energy too
        if (energy := run.energy) is not None:
            write_energy(run.path, replace(energy, gate_wh=energy.gate_wh + spent.wh))
    write_gate(run.path, found)
    return found


def require_alike(runs: Sequence[Run]) -> None:
    """Refuse runs that differ in more than their seed.

    Raises:
        ValueError: two do, or one is given twice.
    """
    first = runs[0]
    for run in runs[1:]:
        same = {**run.settings.to_dict(), "seed": None} == {
            **first.settings.to_dict(),
            "seed": None,
        }
        if not same or run.header.fingerprint != first.header.fingerprint:
            raise ValueError(
                f"want runs that differ only in their seed, got {first.path} and {run.path}"
            )
    if len({run.settings.seed for run in runs}) < len(runs):
        raise ValueError("want runs of different seeds, got one seed twice")


def after_search(session: Session, request: Request, messages: Messages) -> Gate | None:
    """Judge the winner of a search that asked for it; what prevents it is notified, and fails nothing.

    Args:
        session: The session, which has ended.
        request: The search as it was asked for.
        messages: The functions that are told of the progress.
    """
    if not request.gate:
        return None
    run = Run(session.path, session.space, data=session.problem.data)
    limits = replace(session.limits, keep=0)
    try:
        return gate(run, objects=session.problem.objects, limits=limits, messages=messages)
    except (ValueError, SearchFailed, ChildProcessError) as error:
        messages.notify(f"the winner was not judged: {error}")
        return None


@dataclass(frozen=True, kw_only=True)
class _Judging:
    """One gate under way.

    Attributes:
        run: The run.
        winner: The trial that is judged.
        session: The session of the random search, which has the data and the evaluator.
        seeds: Trainings of each network.
        told: The functions that are told of the progress.
    """

    run: Run
    winner: Trial
    session: Session
    seeds: int
    told: Messages

    @property
    def metric(self) -> Metric:
        """The metric that is compared."""
        return self.run.objectives.first

    @property
    def trials(self) -> int:
        """Number of trials of the random search: as many whole trainings as the run has paid for."""
        whole = factories.epochs_of(self.session.settings)
        return max(1, round(cost_of(self.run, whole) / whole))

    def judged(self) -> Gate:
        """Run what is missing, and judge."""
        problem, winner = self.session.problem, self.winner.configuration
        built_in = problem.evaluator is None
        if built_in and not (problem.data is not None and len(problem.data.test)):
            return self._record(
                None, (), "the data have no test split, which nothing was chosen by"
            )
        known = known_networks(problem.joint, winner)
        count = 2 + len(known.networks)
        self.told.begin(
            f"the gate: {counted(self.trials, 'trial')} of random search, and up to "
            f"{count * self.seeds} trainings of {counted(count, 'network')}",
            self.trials + count * self.seeds,
        )
        random, failed = self._random_search()
        networks = {"": winner, **known.networks}
        if random is not None:
            networks[RANDOM] = _winner(random).configuration
        scores = self._trained(networks)
        rivals = [
            Rival(kind="known", name=f"the known {name}", note=known.note, scored=scores[name])
            for name in known.networks
        ]
        rivals += [
            Rival(kind="known", name=f"the known {name}", failed="not within the limits")
            for name in known.left_out
        ]
        rivals.append(
            Rival(
                kind="random",
                name="random search at equal cost",
                note=counted(self.trials, "trial"),
                failed=failed,
                scored=scores.get(RANDOM),
                top=None
                if random is None
                else against_random(
                    self.run, random, whole=factories.epochs_of(self.session.settings)
                ),
            )
        )
        if built_in and problem.data is not None and problem.learned is not None:
            rivals += simple_rivals(problem.data, problem.learned, self.metric, self.seeds)
        return self._record(scores[""], rivals)

    def _record(self, ours: Scored | None, rivals: Sequence[Rival], reason: str = "") -> Gate:
        """The gate, from scores or with the reason for which there are none."""
        problem, own = self.session.problem, None
        if ours is not None and ours.completed:
            known = ~np.isnan(ours.values)
            left = None if ours.left_out is None else ours.left_out[known]
            own = paired_difference(ours.values[known], left)
        built_in, data = problem.evaluator is None, problem.data
        return Gate(
            trials=len(self.run.trials),
            winner=self.winner.number,
            metric=self.metric.name,
            split="test" if built_in else "own",
            examples=len(data.test) if built_in and data is not None else None,
            epochs=self.winner.epochs or 1,
            seeds=self.seeds,
            seconds=self._seconds(),
            mean=None if own is None else self.metric.minimized(-own.mean) + 0.0,  # not -0.0
            half=None if own is None else own.half,
            random_trials=self.trials,
            reason=reason or ("" if own else "no training of the winner completed"),
            baselines=() if ours is None or own is None else judge(ours, rivals, self.metric),
        )

    def _seconds(self) -> float:
        """The seconds of all trainings that are recorded, those before a kill included."""
        journals = (self.run.path / FOLDER).rglob("*.jsonl")
        trials = (trial for file in journals for trial in Journal(file, ordered=False))
        return sum(trial.seconds for trial in trials)

    def _random_search(self) -> tuple[Run | None, str]:
        """Random search at equal cost, with a race of its best where this search had one.

        Returns:
            Its run, or None and the reason for which it has no winner.
        """
        session, budget = self.session, Budget(trials=self.trials)
        try:
            if session.spent(budget) is None:
                for trial in session.run(budget):
                    self.told.progress(trial)
        except (SearchFailed, ChildProcessError) as error:
            return None, str(error)
        run = Run(session.path, session.space, data=self.run.data)
        if not run.front:
            return None, "no trial completed within the limits"
        if self.run.confirmation is not None and run.confirmation is None:
            race = races.Race.of(run, CONFIRM)
            if race is not None:
                races.confirm(run, race, make=session.repeated)
        return run, ""

    def _trained(self, networks: Mapping[str, Configuration]) -> dict[str, Scored]:
        """The scores of networks, each with all seeds; equal networks are trained once."""
        further = FurtherTrainings(self.run, make=self._make(), folder=FOLDER)
        epochs = self.winner.epochs or 1
        requests = {
            name: [TrainingRequest(c, epochs, FIRST + seed) for seed in range(self.seeds)]
            for name, c in networks.items()
        }
        by_seed = [its[seed] for seed in range(self.seeds) for its in requests.values()]
        made = further.trials(by_seed, self.told.progress, retry=True)
        return {
            name: scored_of([_scores(made[request.key]) for request in its], self.metric)
            for name, its in requests.items()
        }

    def _make(self) -> Callable[[int, int], Evaluator]:
        """A factory of evaluators, from epochs and seed; those of the toolkit score on the test split."""
        from nas.evaluators.held_out.scoring import HeldOut, without_test

        session, problem = self.session, self.session.problem
        if problem.evaluator is not None:
            checkpoints = session.path / "checkpoints"
            executing.prepare(
                problem.evaluator, problem, session.path, checkpoints, self.told.notify
            )
        data = None if problem.data is None else problem.data.to(problem.first_device)

        def make(epochs: int, seed: int) -> Evaluator:
            settings = replace(factories.repeated(self.run.settings, epochs, seed), folds=0)
            if problem.learned is None or data is None:
                return executing.evaluator(problem, session.path, settings, None)
            held = replace(problem, data=without_test(data))
            inner = executing.evaluator(held, session.path, settings, None)
            return HeldOut(inner, data, problem.learned, self.metric.name)

        return make


def _winner(run: Run) -> Trial:
    """The trial that a search names: the confirmed one, else the best."""
    return run.best("recommended" if run.confirmation is not None else "best")


def _scores(trial: Trial) -> tuple[Mapping[str, float], Sequence[float] | None]:
    from nas.evaluators.held_out.scoring import LEFT_OUT

    return trial.scores if trial.completed else {}, trial.measured.get(LEFT_OUT)


def _random_settings(run: Run, evaluator: str | None, *, named: bool) -> Settings:
    """The settings of the random search: those of the run, without what it learned from.

    Args:
        run: The run.
        evaluator: The user's evaluator, if it may be run.
        named: Refuse code of the user's own but that evaluator and the space.
    """
    _ = run.space  # one in a file is run only if it is named
    settings = _named(run, evaluator) if named else run.settings
    seed = sha256(f"{run.settings.seed}/gate".encode()).digest()
    return replace(
        settings,
        strategy="random",
        schedule="none",
        baselines=False,
        warm_start=(),
        learn_from=(),
        seed=int.from_bytes(seed[:5], "big"),
    )


def _named(run: Run, evaluator: str | None) -> Settings:
    """The settings of a run, whose evaluator may be run if it was named.

    Raises:
        ValueError: the run needs other code of the user's own, or what a program passed.
    """
    settings, path = run.settings, run.path
    own = [t for t in (settings.loss, *settings.metric, *settings.estimators) if is_code(t)]
    if settings.passed:
        raise ValueError(
            f"{path}: a program passed {', '.join(settings.passed)}: only it can ask for the gate, by "
            f"nas.search(gate=True)"
        )
    if own:
        raise ValueError(
            f"{path}: it has code of your own ({own[0]}), which only a search runs: repeat its "
            f"command with --gate"
        )
    if settings.evaluator == TRAINING:
        if evaluator is not None:
            raise ValueError(f"--evaluator: {path} has the built-in training, got {evaluator}")
        return settings
    if evaluator is None and is_code(settings.evaluator):
        raise ValueError(
            f"{path}: its evaluator is your own, which is run only if it is named: add "
            f"--evaluator {quote(settings.evaluator)}"
        )
    return replace(settings, evaluator=evaluator or settings.evaluator)


def _check_same(run: Run, session: Session) -> None:
    """Refuse a session of other data than those of the run, or without trainings.

    Raises:
        ValueError: they differ, or networks are not trained by themselves.
    """
    first, problem = run.objectives.first, session.problem
    if run.settings.evaluator == UNTRAINED or is_supernet(run.settings.evaluator):
        raise ValueError(
            f"{run.path}: want networks that are trained by themselves, to compare them; got those of "
            f"--evaluator {run.settings.evaluator}"
        )
    if first.name not in {metric.name for metric in problem.evaluated}:
        raise ValueError(
            f"{run.path}: want a first objective that training gives, to compare networks that are "
            f"trained again; got {first.name}"
        )
    if session.header.fingerprint != run.header.fingerprint:
        raise ValueError(f"{run.settings.data} has changed since the search")


def _check_code(run: Run, session: Session) -> None:
    """Refuse files that have changed since the search.

    Raises:
        ValueError: one has.
    """
    for name in ("evaluator", "space", "loss"):
        if session.problem.code.get(name) != run.header.code.get(name):
            raise ValueError(f"{run.path}: its {name} has changed since the search")
