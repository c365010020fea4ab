"""Run or resume one search: record its trials, keep checkpoints of the Pareto front."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

from nas import executors, schedules
from nas.core.budgets.budget import MOST_TRIALS, Budget
from nas.core.budgets.retries import retries_of, with_retries
from nas.core.budgets.spending import Reason, Spending
from nas.core.candidates import Candidates
from nas.core.fronts.best import BestTrials
from nas.core.fronts.front import TrialFront
from nas.core.proposal import Proposal
from nas.core.schema import visible
from nas.core.trial import Trial
from nas.engine import account, energy, executing, latency, own_code
from nas.engine.checkpoints import prune
from nas.engine.ending import ending_recorded
from nas.engine.first_proposals import first_proposals
from nas.engine.learning.earlier import learn, write_copy
from nas.engine.loop import run_trials
from nas.engine.observers import Observer, Observers
from nas.engine.planning.forecast import forecast
from nas.engine.planning.plan import Plan
from nas.engine.preparing import strategy as preparing
from nas.engine.problem import Problem
from nas.engine.understood import understood
from nas.evaluators import Evaluator, factories, training
from nas.executors import Autotunable
from nas.plugins import packages_of
from nas.runs.control.ending import forget_ending
from nas.runs.control.energy import write_energy
from nas.runs.control.stop import forget_stop
from nas.runs.header import (
    LEARN_FROM,
    Header,
    environment,
    hypervolume_references,
    is_begun,
    read_header,
    write_header,
)
from nas.runs.lock import writing
from nas.runs.pending import PendingProposals
from nas.runs.resource_limits import ResourceLimits
from nas.runs.run import Run
from nas.runs.same_search import as_begun, check_same_search
from nas.runs.settings import Settings
from nas.runs.understood import aligned, line
from nas.schedules import Schedule
from nas.strategies import LearnsFromEarlier, Strategy, make
from nas.strategies.earlier import portfolio
from search_spaces.user_files import refuse_while_running

ALL_FAILED = 10  # a search whose first trials all fail ends after so many


class SearchFailed(Exception):  # noqa: N818 - the word for it
    """The first trials of a search all failed."""


class Session:
    """One search, new or resumed.

    The constructor reads the data and checks everything that can be checked before the first
    trial; nothing is written before `run`.

    Args:
        settings: The settings that decide the outcome. Paths are made absolute, the device is
            resolved.
        out: The folder of the run, which is resumed if it exists.
        limits: Resource limits of the trials.
        executor: A name of `nas.executors.EXECUTORS`; by default the first that can keep to the
            limits.
        notify: Called with messages for the user, one line each.
        observers: Observers of the search, in the order in which they are called.
        objects: Objects of the program by the setting that they stand for: space, data, evaluator,
            estimators, strategy, schedule, executor.
        retry_failed: Try trials again that failed for want of memory or time, or that crashed.
        temporary: The folder will be removed: nobody is told how to resume the run.

    Attributes:
        problem: The space, the data, the evaluator and their metrics.
        trials: The trials that had been recorded when the search was opened. New ones are
            not kept here: a search of any length takes little memory.

    Raises:
        ValueError: a setting is not allowed, nothing fits the limits, the data cannot be read,
            the run in `out` had other settings, ...
    """

    def __init__(
        self,
        settings: Settings,
        out: Path,
        *,
        limits: ResourceLimits | None = None,
        executor: str | None = None,
        notify: Callable[[str], None] | None = None,
        observers: Iterable[Observer] = (),
        objects: Mapping[str, Any] | None = None,
        retry_failed: bool = False,
        temporary: bool = False,
    ) -> None:
        refuse_while_running()
        self.path = out
        self._temporary = temporary
        self.limits = limits or ResourceLimits()
        self._notify = notify or (lambda _: None)
        self._observers = Observers(observers, self._notify)
        given = objects or {}
        own_code.check_kinds(given)
        self.executor = executors.choose(given.get("executor", executor), self.limits)
        here = executors.trains_here(self.executor)
        settings = as_begun(settings, out)
        self.problem = problem = Problem.of(
            settings, given, folder=out, notify=self._notify, trains_here=here
        )
        self.settings = settings = problem.settings
        self.space = problem.space
        self._epochs = factories.epochs_of(settings)
        self.candidates = Candidates(problem.joint)
        self._learned = learn(settings.learn_from, out, problem.joint, problem.objectives)
        self._first = first_proposals(settings, self.space, problem.joint, self._notify)
        self._first += self._portfolio()
        strategy = self._strategy()
        preparing.check(strategy, problem)
        self._schedule(strategy)  # refuses settings that it does not allow
        if not here:
            cluster = executors.capabilities(self.executor).cluster
            problem.require_sendable(whole_project=cluster)
        self.header = self._header()
        self.trials: list[Trial] = []
        self._retry_failed = retry_failed
        self._read = 0  # bytes of the journal that `trials` were read from
        if is_begun(out):
            self._check_same(read_header(out))
            self._read_trials()

    def run(self, budget: Budget | int) -> Generator[Trial]:
        """Run until the budget is spent, by a number of trials or as given; yield each new trial.

        Stop by not asking for more, with `Run.stop`, or with Ctrl-C: what has been yielded is
        recorded.

        Raises:
            SearchFailed: the first ten trials all failed.
            ValueError: another process is writing to the folder, or the budget names an unknown
                metric, or a time that the executor cannot keep to.
            ChildProcessError: worker processes do not stay alive, or a trial broke the GPU of this one.
        """
        if isinstance(budget, int):
            budget = Budget(trials=budget)
        self.check(budget)
        budget = self._with_retries(budget)
        if not (self.path / "run.json").exists():
            write_header(self.path, self.header)
        if self.settings.learn_from:
            write_copy(self.path, self._learned)
        latency.write_table(self.path, self.problem.estimated_latency)
        if (passed := self.settings.passed) and not self._temporary:
            self._notify(
                f"passed by the program, not by a file: {', '.join(passed)}; only a program that passes "
                f"the same can continue {self.path}"
            )
        with writing(self.path), training.threads(self.settings.threads):
            yield from self._run(budget)

    def check(self, budget: Budget) -> None:
        """Refuse a budget whose goal is of unknown metrics, with a ValueError that lists those known."""
        account.check(budget, self.problem)

    @property
    def understood(self) -> tuple[str, ...]:
        """The search as it was understood and its folder, in lines of at most 80 columns."""
        return tuple(aligned([*self.header.understood, ("folder", visible(str(self.path)))]))

    def plan(
        self,
        budget: Budget,
        *,
        thorough: bool = False,
        clock: Callable[[], float] = perf_counter,
    ) -> Plan:
        """Forecast the search: see `nas.engine.planning.forecast`. The trials stay the same.

        Args:
            budget: The budget.
            thorough: Take seconds for it, instead of a small share of the search.
            clock: Seconds.
        """
        with training.threads(self.settings.threads):
            found = forecast(
                self.problem,
                budget,
                folder=self.path,
                limits=self.limits,
                fingerprint=self.header.fingerprint,
                first=self._first,
                trains_here=executors.trains_here(self.executor),
                done=len(self.trials),
                thorough=thorough,
                clock=clock,
            )
        return replace(found, before=preparing.work(self._strategy(), self.settings, self.path))

    def spent(self, budget: Budget) -> tuple[Reason, str] | None:
        """The reason for which the recorded trials have spent a budget; None if they have not."""
        budget = self._with_retries(budget)
        return account.spent(self._account(budget, self.trials), self.trials)

    def _with_retries(self, budget: Budget) -> Budget:
        return with_retries(budget, len(self.trials), len(self._retries()))

    def _retries(self) -> list[Proposal]:
        """The proposals of failed trials that are tried again.

        Raises:
            ValueError: the schedule has a population, whose members are counted.
        """
        if not self._retry_failed:
            return []
        if self.settings.schedule.partition(":")[0] in ("pbt", "pb2"):
            raise ValueError(
                f"retry-failed: want a schedule without a population, got {self.settings.schedule}"
            )
        return retries_of(self.trials)

    def _read_trials(self) -> None:
        """Read the recorded trials, and refuse those that are not of this search."""
        run = Run(self.path, self.space)
        self._read = run.journal.size
        for trial in run.trials:
            where = f"{run.journal.path}, line {trial.number + 1}"
            self.candidates.space.check(trial.configuration, where)
        self.trials = run.trials

    def _run_of_trials(self) -> Run:
        """The run with the trials that have been read, and with the data."""
        return Run(self.path, self.space, trials=self.trials, data=self.problem.data)

    def _run(self, budget: Budget) -> Generator[Trial]:
        forget_ending(self.path)
        forget_stop(self.path)
        settings, run = self.settings, self._run_of_trials()
        if run.journal.size != self._read:  # another process has written before the lock was held
            self._read_trials()
            run = self._run_of_trials()
        spending = self._account(budget, run.trials)
        checkpoints = self.path / "checkpoints"
        checkpoints.mkdir(exist_ok=True)
        for torn in checkpoints.glob(".*.tmp"):  # a kill left it
            torn.unlink()
        front = TrialFront(self.problem.objectives)
        best = BestTrials(self.problem.objectives, self.limits.keep)
        for trial in run.trials:
            front.add(trial)
            best.add(trial)
        strategy = self._strategy()
        schedule = self._schedule(strategy)
        able = executors.capabilities(self.executor)
        charged = energy.open_account(
            self.problem, self.limits, able, self.path, run.trials, self._workers
        )
        executor = executing.executor(
            self.executor, self.problem, self.path, checkpoints, self.limits, self._notify
        )
        account.charge_to(spending, charged, self._workers, self._notify)
        journal = run.journal
        ended = {trial.number for trial in run.trials}
        failed: Counter[str] = Counter(str(t.failure) for t in run.failures)
        completed = len(run.trials) - failed.total()
        self._observers.started(run)
        try:
            with ending_recorded(self.path, spending, self._notify):
                account.keep_to(spending, executor, self._notify)
                prepared = self.problem.evaluator
                if prepared is not None and not executing.prepare(
                    prepared, self.problem, self.path, checkpoints, self._notify, spending
                ):
                    return
                if self.limits.auto:
                    assert isinstance(executor, Autotunable)
                    self.limits = executing.autotuned(
                        executor, self.candidates, settings, self.limits, self._notify
                    )
                if not preparing.prepare(
                    strategy,
                    self.problem,
                    self.path,
                    spending,
                    self._observers,
                    self._notify,
                    read_energy=charged.meter.read,
                ):
                    return
                for trial in run_trials(
                    schedule,
                    self.candidates.ledger,
                    executor,
                    journal,
                    trials=budget.trials or MOST_TRIALS,
                    seed=settings.seed,
                    estimators=self.problem.estimators,
                    recorded=run.trials,
                    max_pending=settings.max_pending,
                    first=self._first,
                    retries=self._retries(),
                    pending=None
                    if settings.ordered
                    else PendingProposals(self.path / "in_flight.json"),
                    spending=spending,
                    charge=charged.charge,
                ):
                    front.add(trial)
                    ended.add(trial.number)
                    best.add(trial)
                    resumable = schedule.keep()
                    shown = [*front.items, *front.may_return(resumable), *best.items]
                    prune(checkpoints, shown, resumable, ended)
                    if trial.completed:
                        completed += 1
                    else:
                        failed[str(trial.failure)] += 1
                    self._observers.observed(trial)
                    self._say(trial)
                    yield trial
                    if not completed and failed.total() >= ALL_FAILED:
                        causes = "; ".join(f"{n} x {why}" for why, n in failed.most_common(3))
                        raise SearchFailed(
                            f"the first {failed.total()} trials all failed: {causes}"
                        )
        finally:
            utilization = executor.utilization()
            executor.close()
            journal.close()
            write_energy(self.path, charged.close())
            self._observers.ended(run)
        if not executors.trains_here(self.executor) and utilization.busy:
            turns = executors.capabilities(self.executor).in_turns
            what = "slots" if turns else "workers"
            self._notify(
                f"{self.limits.workers} {what}; {utilization.idle_share:.1%} of their time was idle"
            )

    def _say(self, trial: Trial) -> None:
        """Notify the user of what was unusual about a trial."""
        if why := trial.measured.get("restarted"):
            self._notify(f"trial {trial.number} was trained from the beginning: {why}")
        if noisy := trial.measured.get("latency", {}).get("too_noisy"):
            self._notify(f"trial {trial.number}: {noisy}")
        if trial.cut:
            self._notify(f"trial {trial.number} was {trial.measured['cut']}")

    def _account(self, budget: Budget, recorded: Sequence[Trial]) -> Spending:
        spending = account.open_account(budget, self.problem, self.header, self.path, recorded)
        preparing.count(spending, self.path)
        return spending

    def repeated(self, epochs: int, seed: int) -> Evaluator:
        """The evaluator with another seed; it measures no latency and keeps no weights.

        Args:
            epochs: Epochs of each training.
            seed: The seed, from which and that of the search a new one is derived.
        """
        settings = factories.repeated(self.settings, epochs, seed)
        return executing.evaluator(self.problem, self.path, settings, None)

    def _workers(self) -> int:
        """The number of trials that run at a time."""
        return min(self.limits.workers, self.settings.max_pending)

    def _strategy(self) -> Strategy:
        """Make the strategy, and teach it the earlier searches if it learns from them."""
        problem, given = self.problem, self.problem.objects.get("strategy")
        strategy: Strategy = (
            make(self.settings.strategy, self.candidates, problem.objectives)
            if given is None
            else given(self.candidates, problem.objectives)
        )
        if self._learned.searches and isinstance(strategy, LearnsFromEarlier):
            strategy.learn(self._learned.searches)
        return strategy

    def _portfolio(self) -> list[Proposal]:
        """The best of earlier searches, for a strategy that does not learn from them itself."""
        if not self._learned.searches or isinstance(self._strategy(), LearnsFromEarlier):
            return []
        return portfolio(self.candidates, self._learned.searches, self.problem.objectives)

    def _schedule(self, strategy: Strategy) -> Schedule:
        """Wrap the strategy in its schedule."""
        settings, problem = self.settings, self.problem
        objectives, given = problem.objectives, problem.objects
        if given.get("schedule") is not None:
            made: Schedule = given["schedule"](strategy, self.candidates, objectives, self._epochs)
            return made
        return schedules.make(
            settings.schedule, strategy, self.candidates, objectives, self._epochs
        )

    def _header(self) -> Header:
        problem, code, lines = self.problem, dict(self.problem.code), understood(self.problem)
        if self.settings.learn_from:
            code[LEARN_FROM] = self._learned.sha256
            lines = (*lines, line("learns from", self._learned.said))
        return Header(
            settings=self.settings,
            data=None if problem.data is None else training.facts_of(problem.data),
            task=problem.task,
            metrics=problem.metrics,
            hyperparameters=problem.joint.hyperparameters,
            code=code,
            hypervolume_reference=hypervolume_references(problem.joint, problem.objectives),
            made={**environment(executing.device_of(problem)), "plugins": self._packages()},
            understood=lines,
        )

    def _packages(self) -> dict[str, str]:
        chosen = self.settings
        return packages_of(space=chosen.space, strategy=chosen.strategy, schedule=chosen.schedule)

    def _check_same(self, before: Header) -> None:
        """Refuse to resume another search; see `nas.runs.same_search`."""
        check_same_search(self.header, before, self.path)
