"""Forecast a search before its first trial: time a few steps of some members, add up the trials.

The members are those that the search begins with: random draws from the same seeds, which `random`
proposes throughout, and other strategies until they have learnt. Five of them are timed, as long as that
takes a small share of the time that is forecast. No state of the search changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import inf, sqrt
from pathlib import Path
from random import Random
from statistics import mean, median, pstdev
from time import perf_counter
from typing import TYPE_CHECKING

from nas.core.budgets.budget import Budget
from nas.core.candidates import Candidates, Exhausted
from nas.core.configuration import Configuration
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.engine.planning.earlier_runs import earlier_runs
from nas.engine.planning.members import count_within_limits, left_out
from nas.engine.planning.plan import Plan, Range
from nas.engine.problem import Problem
from nas.estimators.energy.design_power import of_this_machine
from nas.runs.resource_limits import ResourceLimits
from nas.runs.settings import TRAINING

if TYPE_CHECKING:
    from nas.estimators.training_time import Size, Timed
    from trainers import Dataset

Clock = Callable[[], float]

DRAWN = 40  # members whose sizes are said
MOST = 100  # members whose times are forecast
PILOTS = (
    0.5,
    0.99,
    0.0,
    0.75,
    0.25,
)  # of these, by rank of size: those that are timed, in this order
SHARE = 0.04  # of the time of a search that its forecast may take
ENUMERATED = 0.02  # seconds in which architectures are counted one by one
ENUMERATED_THOROUGHLY = 5.0
_WIDTH = 1.28  # standard deviations of an interval that holds four times in five
_ERROR = 0.15  # relative: what the search makes of the space, and the machine of the time
_SIMULATED = 200  # trials of a schedule, at most
_OVERHEAD = 0.01  # seconds of a trial beside its training
_JOURNAL, _BOARD, _KEPT = 1_200, 6_000, 5  # bytes of a trial; networks of a usual front


def forecast(
    problem: Problem,
    budget: Budget,
    *,
    folder: Path,
    limits: ResourceLimits,
    fingerprint: str | None,
    first: Sequence[Proposal],
    trains_here: bool,
    done: int = 0,
    thorough: bool = False,
    clock: Clock = perf_counter,
) -> Plan:
    """The forecast of a search.

    Args:
        problem: The problem of the search.
        budget: The budget.
        folder: The folder of the run; those beside it may hold earlier runs.
        limits: Resource limits of the trials.
        fingerprint: SHA-256 of the data.
        first: Proposals that precede those of the strategy.
        trains_here: True if trials run in this process, so that its device may be timed.
        done: Number of trials that are recorded already.
        thorough: Time all members that there are to time, count architectures for longer, and predict
            memory, which takes seconds; otherwise at most a share of the search.
        clock: Seconds.
    """
    start = clock()
    seconds = ENUMERATED_THOROUGHLY if thorough else ENUMERATED
    architectures, counted = count_within_limits(problem, seconds, clock)
    plan = Plan(
        architectures=architectures,
        counted=counted,
        members=problem.space.size,
        left_out=left_out(problem),
        earlier=earlier_runs(folder, fingerprint, problem.objectives.metrics[0]),
    )
    members = list(_members(problem, first, max(DRAWN, budget.trials or 0)))
    drawn = [one for one in members[: budget.trials or DRAWN] if one is not None]
    if problem.joint.has_costs and drawn:
        costs = [problem.joint.cost(one) for one in members[:DRAWN] if one is not None]
        plan = replace(
            plan,
            parameters=_range([cost.parameters for cost in costs]),
            macs=_range([cost.macs for cost in costs]),
        )
    why = _unknown(problem, trains_here, thorough=thorough)
    if why or not drawn:
        return replace(plan, unknown=why, trials=budget.trials, took=clock() - start)
    epochs = epochs_of_trials(problem, budget.trials or _SIMULATED)
    workers = min(limits.workers, problem.settings.max_pending)
    timing = _Timing(problem, drawn, share=inf if thorough else SHARE, clock=clock)
    times = timing.run(sum(epochs) / len(epochs), budget, workers)
    if not times:
        unknown = "no member could be trained"
        return replace(plan, unknown=unknown, trials=budget.trials, took=clock() - start)
    plan = replace(
        plan,
        trial_seconds=_range(times),
        memory_bytes=_memory(problem, timing.order[-1]) if thorough else None,
    )
    exact = problem.settings.strategy == "random" and len(epochs) == 1
    watts = _watts(problem, limits)
    plan = _with_time(plan, budget, times, epochs, workers, watts, done, timing.error, exact=exact)
    if watts is not None and plan.seconds is not None:
        plan = replace(plan, watt_hours=watts * workers * plan.seconds.middle / 3600)
    weights = 0.0 if plan.parameters is None else 4 * plan.parameters.middle
    disk = (plan.trials or 0) * (_JOURNAL + _BOARD) + (_KEPT + limits.keep) * weights
    return replace(plan, disk_bytes=round(disk), took=clock() - start)


def _with_time(
    plan: Plan,
    budget: Budget,
    seconds: Sequence[float],
    epochs: Sequence[int],
    workers: int,
    watts: float | None,
    done: int,
    error: float,
    *,
    exact: bool,
) -> Plan:
    """A plan with the time of the search.

    Args:
        plan: The forecast so far.
        budget: The budget.
        seconds: Seconds of the first trials, each of a mean number of epochs.
        epochs: Epochs of the trials.
        workers: Trials that run at a time.
        watts: Power of a trial; None if it is not known.
        done: Trials that are recorded already.
        error: Relative error of the seconds.
        exact: True if the trials are these.
    """
    each = mean(seconds) / workers
    bounds = [budget.trials] if budget.trials is not None else []
    if budget.seconds is not None:
        bounds.append(max(1, int(budget.seconds / each)))
    if budget.epochs is not None:
        bounds.append(max(1, round(budget.epochs * len(epochs) / sum(epochs))))
    if budget.watt_hours is not None and watts is not None:
        bounds.append(max(1, int(3600 * budget.watt_hours / (mean(seconds) * watts))))
    if not bounds:
        bound = (
            "a goal" if budget.watt_hours is None else "energy, which is known after some trials"
        )
        return replace(plan, unknown=f"its end is not known: it has no bound but {bound}")
    left = max(0, min(bounds) - done)
    total = left * each
    if done < min(bounds) <= len(seconds):
        total = sum(seconds[done : min(bounds)]) / workers
    spread = 0.0 if exact else pstdev(seconds) / mean(seconds) / sqrt(len(seconds))
    width = min(0.9, _WIDTH * sqrt(error**2 / len(PILOTS) + spread**2 + _ERROR**2))
    most = budget.seconds or inf
    return replace(
        plan,
        trials=min(bounds),
        epochs=round(left * sum(epochs) / len(epochs)),
        seconds=Range(*(min(most, total * share) for share in (1 - width, 1, 1 + width))),
    )


def _watts(problem: Problem, limits: ResourceLimits) -> float | None:
    """Power of a trial that keeps its threads busy, as energy is estimated; None on a GPU."""
    if problem.device != "cpu":
        return None
    return of_this_machine(limits.thread_watts).thread_watts * problem.settings.threads


def _unknown(problem: Problem, trains_here: bool, *, thorough: bool) -> str:
    """The reason why times are not forecast; empty if they are.

    Networks by code of the user's own may hang, or break the process that worker processes are to
    protect: they are timed only where a forecast is all that was asked for.
    """
    if problem.settings.evaluator != TRAINING or problem.data is None:
        return "the time of a trial is the evaluator's, known after the first ones"
    if not trains_here and problem.device.startswith("cuda"):
        return "the time of a trial is known after the first ones: this process uses no GPU"
    own = problem.settings.space_in_file or "space" in problem.objects
    if own and not thorough:
        return "the time of a trial is known after the first ones (nas search --plan measures it)"
    return ""


def _members(
    problem: Problem, first: Sequence[Proposal], trials: int
) -> Iterator[Configuration | None]:
    """The configurations of the first trials, as far as they do not depend on scores; None of one that fails."""
    candidates = Candidates(problem.joint)
    for number in range(min(trials, MOST)):
        if number < len(first):
            proposal = first[number]
        else:
            try:
                rng = Random(f"{problem.settings.seed}/{number}")
                proposal = Proposal(candidates.sample(rng))
            except Exhausted:
                return
        candidates.ledger.add(proposal)
        try:
            if problem.joint.has_costs:
                problem.joint.cost(proposal.configuration)
        except Exception:  # a space of the user's own may build what cannot run
            yield None
            continue
        yield proposal.configuration


def _range(values: Sequence[float]) -> Range:
    return Range(min(values), median(values), max(values))


def _memory(problem: Problem, largest: Configuration) -> int | None:
    """Bytes that the training of a member takes, as predicted."""
    from nas.estimators import training_demand
    from nas.evaluators import training

    assert problem.task is not None
    assert problem.data is not None
    recipe = training.make_recipe(problem.settings.recipe, largest)
    found = training_demand.memory(
        problem.space, largest.architecture, problem.task, recipe, problem.data
    )
    return found.bytes


class _Timing:
    """Times members, as long as that takes at most a share of the search."""

    def __init__(
        self, problem: Problem, drawn: Sequence[Configuration], *, share: float, clock: Clock
    ) -> None:
        self._problem, self._clock = problem, clock
        self._share, self._drawn = share, drawn
        self.order = sorted(drawn, key=self._macs)
        self.error = 0.0  # relative, of the model

    def run(self, epochs: float, budget: Budget, workers: int) -> list[float]:
        """Seconds of a trial of each member; none if no member can be trained."""
        from nas.estimators.training_time import PASSES, STEPS, TrainingTime

        sizes = [self._size(one, epochs) for one in self._drawn]
        known = dict(zip(self._drawn, sizes, strict=True))
        found: list[Timed] = []
        spent = 0.0
        for place in PILOTS:
            member = self.order[int(place * len(self.order))]
            if (size := known[member]) is None:
                continue
            if found:
                model = TrainingTime(found)
                trials = (budget.trials or MOST) / workers
                whole = budget.seconds or trials * mean(
                    model.seconds(one) for one in sizes if one is not None
                )
                larger = max(1.0, size.macs / max(1.0, *(one.size.macs for one in found)))
                cost = PASSES * (STEPS + 1) * model.step(size) + larger * model.build
                if spent + cost > self._share * whole:
                    continue
            start = self._clock()
            if not found:  # what is imported late is not the time of a trial
                self._time(member, size)
            timed = self._time(member, size)
            if found:  # the first takes time that the first trial of the search would take
                spent += self._clock() - start
            found += [timed] if timed is not None else []
        if not found:
            return []
        model = TrainingTime(found)
        self.error = model.error
        folds = max(1, self._problem.settings.folds)
        return [_OVERHEAD + folds * model.seconds(one) for one in sizes if one is not None]

    def _time(self, configuration: Configuration, size: Size) -> Timed | None:
        """Measurements of a member; None if it cannot be trained."""
        from nas.estimators.training_time import time_steps
        from nas.evaluators import training

        problem, start = self._problem, self._clock()
        data = self._data
        try:
            recipe = training.make_recipe(problem.settings.recipe, configuration)
            assert problem.task is not None
            net = training.build(problem.space, configuration.architecture, problem.task, seed=0)
            net = net.to(data.device)
            build = self._clock() - start
            return time_steps(
                net,
                size,
                data,
                recipe,
                task=problem.learned,
                build=build,
                clock=self._clock,
            )
        except (ArithmeticError, RuntimeError, ValueError):  # a network that cannot be trained
            return None

    def _size(self, configuration: Configuration, epochs: float) -> Size | None:
        from nas.estimators.training_time import size_of
        from nas.evaluators import training

        problem = self._problem
        assert problem.task is not None
        try:
            net = problem.space.outline(configuration.architecture, problem.task)
            recipe = training.make_recipe(problem.settings.recipe, configuration)
        except (ArithmeticError, RuntimeError, ValueError):
            return None
        own = recipe.epochs if "epochs" in problem.settings.tune else epochs
        size = size_of(net, self._macs(configuration), self._data, recipe, own)
        if not (folds := problem.settings.folds):
            return size
        examples = len(self._data.train) + len(self._data.validation)
        trained = examples * (folds - 1) // folds
        steps = -(-trained // recipe.batch_size)
        return replace(size, steps=steps, validated=examples // folds)

    @property
    def _data(self) -> Dataset:
        data = self._problem.data
        assert data is not None
        return data

    def _macs(self, configuration: Configuration) -> float:
        joint = self._problem.joint
        return joint.cost(configuration).macs if joint.has_costs else 0.0


def epochs_of_trials(problem: Problem, trials: int) -> list[int]:
    """Epochs that each of the first trials trains: those of the recipe, or as a schedule has it.

    A schedule is asked for its proposals with random scores.
    """
    from nas import schedules
    from nas.evaluators import factories
    from nas.strategies import make

    whole = factories.epochs_of(problem.settings)
    if problem.settings.schedule == "none" or problem.objects.get("schedule") is not None:
        return [whole]
    candidates = Candidates(problem.joint)
    strategy = make("random", candidates, problem.objectives)
    schedule = schedules.make(
        problem.settings.schedule, strategy, candidates, problem.objectives, whole
    )
    rng, found = Random("plan/schedule"), []
    for number in range(min(trials, _SIMULATED)):
        try:
            proposal = schedule.ask(rng)
        except Exhausted:
            break
        candidates.ledger.add(proposal)
        last = proposal.epochs or whole
        scores = {metric.name: rng.random() for metric in problem.objectives.metrics}
        scores |= dict.fromkeys((c.metric for c in problem.objectives.constraints), 0.0)
        curve = tuple({"number": n, **scores} for n in range(1, last + 1))
        schedule.tell(
            Trial(
                number=number,
                proposal=proposal,
                recipe={"epochs": whole},
                scores=scores,
                curve=curve,
            )
        )
        found.append(last - proposal.start_epoch)
    return found or [whole]
