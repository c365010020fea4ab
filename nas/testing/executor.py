"""The contract of executors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nas import executors
from nas.core.budgets.deadline import Deadline, TimeUp
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.evaluators.blueprint import Blueprint
from nas.executors import Executor, Timed
from nas.runs.resource_limits import ResourceLimits
from nas.testing.clauses import completes, in_one_line, name_of, require
from nas.testing.faulty import blueprint, processes_left, proposal, score, wait_until

MakeExecutor = Callable[[Blueprint, ResourceLimits], Executor]

TIMEOUT = 1.0  # seconds of the trials that hang
GRACE = 5.0  # seconds beyond a time limit
START = 20.0  # seconds in which processes must have started
CLOSE = 2.0  # seconds in which everything that runs must have been stopped
ORPHANED = 10.0  # seconds in which the processes of a killed search must have ended
MEMORY = 200_000_000  # bytes of the trials that take too much


def check_executor(make: str | MakeExecutor, *, quick: bool = True) -> None:
    """Check that an executor keeps the contract of `nas.executors.Executor`.

    The faults are real: trials crash, hang and allocate memory. Clauses of every executor:

    - Each trial submitted is returned once, with its number, proposal and the evaluator's scores.
    - An evaluator is made once for many trials, in the installation that the search runs in, and is
      given the objects of the blueprint, be they closures of the program.
    - An exception, `SystemExit` and a score that is not finite fail that trial alone, with their
      cause; a full disk is raised as `OSError` instead.
    - Nothing is made before a trial is submitted; closing twice is allowed; no process is left.

    Those of executors that can keep to time limits (`capabilities.deadlines`), whose trials
    therefore have processes of their own, and of those whose trials share a worker process
    (`capabilities.in_turns`):

    - A process that ends fails the trial that ended it alone, as `crashed`; one that was killed from
      outside is replaced, and its trial runs once more.
    - A trial that hangs at the end of the search's time is ended; none is begun after it.
    - Output and forks of a trial disturb nothing.
    - No process outlives a search that is killed.
    - An evaluator that cannot be made is a `ValueError`; processes that do not stay alive are a
      `ChildProcessError`, but not after a few of them.

    Of executors with `capabilities.deadlines`:

    - A trial that exceeds its time fails as `timeout`, whatever it does to avoid that.
    - Closing stops what runs, at once, while others of its trials go on.

    And of executors with `capabilities.memory_caps` and `capabilities.workers`:

    - A trial that exceeds its memory fails as `out-of-memory`.
    - Trials run side by side; busy and idle time are measured.

    And of those with `capabilities.in_turns`:

    - Where a process that several share is ended, each of them runs again alone.

    Args:
        make: Makes the executor from a blueprint and limits, or the name of a registered executor.
        quick: Inject one fault of each kind only, and kill no search.

    Raises:
        AssertionError: a clause is broken; one sentence says which and how.
    """
    with TemporaryDirectory(prefix="nas-testing-") as folder:
        subject = Subject(make, Path(folder), quick=quick)
        for clause in clauses(subject):
            clause(subject)


class Subject:
    """An executor to be checked.

    Args:
        make: Makes it, or its name.
        folder: The folder for traces of trials.
        quick: Inject one fault of each kind only.

    Raises:
        ValueError: there is no executor of that name.
    """

    def __init__(self, make: str | MakeExecutor, folder: Path, *, quick: bool) -> None:
        if isinstance(make, str):
            executors.choose(make, ResourceLimits())
        self.name = name_of(make)
        self.quick = quick
        self.given = make
        self._folder = folder
        self._count = 0

    def make(self, made: Blueprint, **limits: Any) -> Executor:
        """Make the executor."""
        with completes(self.name, "be made from a blueprint and limits"):
            if isinstance(self.given, str):
                return executors.make(self.given, made, ResourceLimits(**limits))
            return self.given(made, ResourceLimits(**limits))

    def new_folder(self) -> Path:
        """A new folder for traces."""
        self._count += 1
        folder = self._folder / str(self._count)
        folder.mkdir()
        return folder

    def run(
        self,
        proposals: Sequence[Proposal],
        folder: Path | None = None,
        objects: Mapping[str, Any] | None = None,
        **limits: Any,
    ) -> list[Trial]:
        """Evaluate proposals; return the trials in the order of their numbers."""
        folder = folder or self.new_folder()
        ended: dict[int, Trial] = {}
        made = replace(blueprint(folder), objects=objects or {})
        with closing(self.make(made, **limits)) as executor:
            for number, each in enumerate(proposals):
                executor.submit(number, each)
            for _ in proposals:
                with completes(self.name, "return a trial"):
                    trial = executor.wait()
                self.require(trial.number not in ended, f"returns trial {trial.number} twice")
                ended[trial.number] = trial
        self.require_no_process(folder)
        self.require(
            sorted(ended) == list(range(len(proposals))),
            f"returns the trials {sorted(ended)} of {len(proposals)} that were submitted",
        )
        for number, each in enumerate(proposals):
            self.require(
                ended[number].proposal == each, f"returns trial {number} with another proposal"
            )
        return [ended[number] for number in range(len(proposals))]

    def require(self, kept: bool, breach: str) -> None:
        """Refuse the executor unless a clause is kept."""
        require(kept, self.name, breach)

    def require_scores(self, trial: Trial, because: str = "", factor: float = 1.0) -> None:
        """Refuse the executor unless a trial has the scores of its evaluator, times a factor."""
        got = trial.failure or dict(trial.scores)
        self.require(
            trial.completed and trial.scores == {"accuracy": factor * score(trial.number)},
            f"gives trial {trial.number} other scores than its evaluator{because}: {got}",
        )

    def require_failure(self, trial: Trial, cause: str, *, after: str, says: str = "") -> None:
        """Refuse the executor unless a trial failed for a cause, with a message and no scores."""
        failure = trial.failure
        self.require(
            failure is not None and failure.cause == cause and not trial.scores,
            f"records a trial that {after} as {failure or trial.scores}: want the failure {cause}",
        )
        assert failure is not None
        self.require(
            says in f"{failure.message}{failure.traceback}",
            f"does not say {says!r} of a trial that {after}, but {failure.message!r}",
        )

    def require_no_process(self, folder: Path, seconds: float = CLOSE) -> None:
        """Refuse the executor if a process of its trials is alive after `seconds`."""
        left = processes_left(folder, seconds)
        self.require(not left, f"leaves processes behind: {', '.join(map(str, left))}")


def clauses(subject: Subject) -> list[Callable[[Subject], None]]:
    """The clauses that hold for an executor, by its capabilities."""
    capabilities = subject.make(blueprint(subject.new_folder())).capabilities
    found: list[Callable[[Subject], None]] = [
        results_are_the_evaluators,
        _exceptions_fail_their_trial,
        _full_disk_is_raised,
        _nothing_starts_too_early,
    ]
    if capabilities.deadlines:
        found += [_time_limits_are_kept, _closing_stops_what_runs]
    if capabilities.deadlines or capabilities.in_turns:
        found += [
            _ended_processes_fail_their_trial,
            _killed_trials_run_once_more,
            _output_and_forks_disturb_nothing,
            _unusable_evaluators_are_reported,
        ]
        if not subject.quick:
            found += [_dying_workers_are_replaced, _no_process_outlives_a_killed_search]
            found += [_the_end_of_the_time_is_kept]
    if capabilities.memory_caps and sys.platform == "linux":
        found.append(_memory_limits_are_kept)
    if capabilities.workers:
        found += [_trials_run_side_by_side]
    if capabilities.in_turns:
        found += [_neighbours_do_not_pay]
    return found


# -- the clauses -------------------------------------------------------------------------------


def results_are_the_evaluators(subject: Subject) -> None:
    """Each trial has the scores of an evaluator that is made once, in this installation.

    The evaluator is given a closure, which no other process can import, and which is larger than
    what a socket holds.
    """
    folder = subject.new_folder()
    held = [0.5] * 1_000_000
    objects = {"score": lambda number: held[number] * score(number)}
    for trial in subject.run([proposal()] * 5, folder, objects):
        subject.require_scores(trial, factor=0.5)
        subject.require(
            trial.measured.get("seconds", 0) > 0 and "ended" in trial.measured,
            f"does not record the seconds and the end of trial {trial.number} in `measured`",
        )
        tries = (folder / f"tried-{trial.number}.txt").read_text().count("\n")
        subject.require(tries == 1, f"evaluates trial {trial.number} {tries} times")
    made = (folder / "made.txt").read_text().splitlines()
    subject.require(len(made) == 1, f"makes {len(made)} evaluators for 5 trials of one worker")
    subject.require(
        sys.prefix in made[0],
        f"evaluates in another installation than {sys.prefix}, where the search runs: {made[0]}",
    )


def _exceptions_fail_their_trial(subject: Subject) -> None:
    faults = {
        "raises": ("error", "KeyError: 'a bug of mine'"),
        "leaves": ("crashed", "SystemExit: 3"),
        "diverges": ("diverged", "training loss is nan"),
        "scores_nan": ("diverged", "accuracy is nan"),
    }
    folder = subject.new_folder()
    well, *failed, last = subject.run([proposal(), *map(proposal, faults), proposal()], folder)
    for trial, (name, (cause, message)) in zip(failed, faults.items(), strict=True):
        subject.require_failure(trial, cause, after=name, says=message)
        if name in ("raises", "leaves"):
            subject.require_failure(trial, cause, after=name, says=f", in {name}\n")
    for trial in (well, last):
        subject.require_scores(trial, " beside failed trials")
    made = (folder / "made.txt").read_text().count("\n")
    subject.require(made == 1, f"makes {made} evaluators where trials merely raise exceptions")


def _full_disk_is_raised(subject: Subject) -> None:
    if not Path("/dev/full").exists():
        return
    folder = subject.new_folder()
    with closing(subject.make(blueprint(folder))) as executor:
        executor.submit(0, proposal("fills_the_disk"))
        outcome: object = None
        try:
            outcome = executor.wait().failure
        except OSError as error:
            outcome = error
        subject.require(
            isinstance(outcome, OSError) and "No space left on device" in str(outcome),
            f"blames the trial for a full disk: want OSError, got {outcome}",
        )
    subject.require_no_process(folder)


def _nothing_starts_too_early(subject: Subject) -> None:
    folder = subject.new_folder()
    executor = subject.make(blueprint(folder))
    elsewhere = executor.capabilities.deadlines or executor.capabilities.in_turns
    early = elsewhere and (folder / "made.txt").exists()
    with completes(subject.name, "be closed twice"):
        executor.close()
        executor.close()
    early |= elsewhere and (folder / "made.txt").exists()
    subject.require(not early, "starts a process before a trial is submitted")


def _ended_processes_fail_their_trial(subject: Subject) -> None:
    deadly = {
        "segfaults": "SIGSEGV",
        "is_killed": "SIGKILL",
        "aborts": "SIGABRT",
        "exits": "exit status 7",
        "forks_and_dies": "exit status 9",
        "starts_a_program_and_dies": "exit status 9",
    }
    for fault in list(deadly)[: 2 if subject.quick else None]:
        folder = subject.new_folder()
        before, ended, after = subject.run([proposal(), proposal(fault, 7), proposal()], folder)
        subject.require_failure(ended, "crashed", after=fault, says=deadly[fault])
        if fault == "segfaults":
            subject.require_failure(ended, "crashed", after=fault, says="in segfaults")
        for trial in (before, after):
            subject.require_scores(trial, f" beside a trial that {fault}")
        tries = (folder / "tried-1.txt").read_text().count("\n")
        wanted = 2 if fault == "is_killed" else 1  # once more where it may be the machine
        subject.require(
            tries == wanted, f"evaluates a trial that {fault} {tries} times: want {wanted}"
        )


def _killed_trials_run_once_more(subject: Subject) -> None:
    (trial,) = subject.run([proposal("is_killed_once")])
    subject.require_scores(trial, ", which was killed from outside once")
    subject.require(
        "SIGKILL" in trial.measured.get("retried", ""),
        'does not record in `measured["retried"]` that a trial was killed and ran once more',
    )


def _time_limits_are_kept(subject: Subject) -> None:
    hanging = ("hangs_in_c", "hangs_in_python", "ignores_signals", "forks_and_hangs")
    for fault in hanging[: 1 if subject.quick else None]:
        start, folder = time.monotonic(), subject.new_folder()
        hung, other = subject.run([proposal(fault), proposal()], folder, timeout=TIMEOUT)
        seconds = time.monotonic() - start
        where = fault.removeprefix("forks_and_").removeprefix("ignores_")
        subject.require_failure(hung, "timeout", after=fault, says="no result after 1 s")
        subject.require_failure(hung, "timeout", after=fault, says=where)
        subject.require_scores(other, " after a trial that exceeded its time")
        subject.require(
            hung.measured["seconds"] < TIMEOUT + GRACE and seconds < TIMEOUT + 2 * GRACE + START,
            f"stops a trial that {fault} only after {hung.measured['seconds']} s: want {TIMEOUT} s",
        )
        tries = (folder / "tried-0.txt").read_text().count("\n")
        subject.require(tries == 1, f"evaluates a trial that exceeded its time {tries} times")


def _the_end_of_the_time_is_kept(subject: Subject) -> None:
    """A trial that hangs at a deadline fails, and one that waits is not begun."""
    folder = subject.new_folder()
    began: list[float] = []

    def clock() -> float:  # it begins with the trial that hangs
        if not began and not (folder / "tried-1.txt").exists():
            return 0.0
        began[:] = began or [time.monotonic()]
        return time.monotonic() - began[0]

    with closing(subject.make(blueprint(folder))) as executor:
        if not isinstance(executor, Timed):
            return
        executor.keep_to(Deadline(at=TIMEOUT, clock=clock))
        for number, fault in enumerate(("nothing", "hangs_in_python", "nothing")):
            executor.submit(number, proposal(fault))
        subject.require_scores(executor.wait(), " before a deadline")
        hung = executor.wait()
        subject.require_failure(hung, "timeout", after="hangs at the end of the time")
        subject.require(
            hung.cut, "does not record in `measured` that the end of the time cut a trial"
        )
        try:
            late: object = executor.wait().number
        except TimeUp:
            late = None
        subject.require(late is None, f"begins trial {late} after the end of the time: want TimeUp")
    subject.require(
        not (folder / "tried-2.txt").exists(), "begins a trial after the end of the time"
    )
    subject.require_no_process(folder)


def _memory_limits_are_kept(subject: Subject) -> None:
    amounts = {"allocates": (10**9, 10**7), "grows": (1000, 10)}
    for fault in list(amounts)[: 1 if subject.quick else None]:
        much, little = amounts[fault]
        folder = subject.new_folder()
        proposals = [proposal(fault, much), proposal(fault, little), proposal(fault, much)]
        first, within, last = subject.run(proposals, folder, memory=MEMORY)
        for trial in (first, last):
            subject.require_failure(trial, "out-of-memory", after="exceeds its memory")
        subject.require_scores(within, " within its memory")
        made = (folder / "made.txt").read_text().count("\n")
        subject.require(made == 1, f"makes {made} evaluators where a trial exceeds its memory")


def _output_and_forks_disturb_nothing(subject: Subject) -> None:
    shown = subject.new_folder() / "stdout.txt"
    with _stdout_to(shown):
        trials = subject.run([proposal("prints", 3_000_000), proposal()])
    for trial in trials:
        subject.require_scores(trial, " where a trial prints much")
    subject.require(not shown.read_text(), "lets trials print to the output of the search")
    for trial in subject.run([proposal("forks_and_goes_on"), proposal(), proposal()]):
        subject.require_scores(trial, " where a trial forks")


def _closing_stops_what_runs(subject: Subject) -> None:
    folder = subject.new_folder()
    with closing(subject.make(blueprint(folder), workers=2)) as executor:
        executor.submit(0, proposal("forks_and_hangs"))
        executor.submit(1, proposal())
        number = executor.wait().number
        subject.require(number == 1, f"returns trial {number}, which hangs")
        wait_until((folder / "forked.txt").exists)
        start = time.monotonic()
    seconds = time.monotonic() - start
    subject.require(seconds < CLOSE, f"takes {seconds:.1f} s to close: want less than {CLOSE} s")
    subject.require_no_process(folder)


def _trials_run_side_by_side(subject: Subject) -> None:
    folder = subject.new_folder()
    with closing(subject.make(blueprint(folder), workers=2)) as executor:
        for number, seconds in enumerate((0.1, 0.6)):
            executor.submit(number, proposal("takes", seconds))
        order = [executor.wait().number, executor.wait().number]
        subject.require(
            order == [0, 1], f"returns two trials in the order {order}: the first ends first"
        )
        spent = executor.utilization()
        subject.require(
            0.7 <= spent.busy < 1.5 and 0.1 < spent.idle < 1.5,  # idle: 0.5 if both begin at once
            f"measures {spent} where two trials took 0.1 and 0.6 s side by side",
        )
        executor.submit(2, proposal())
        idle = executor.wait().measured.get("idle", 0)
        subject.require(idle > 0, 'does not record in `measured["idle"]` that a worker was idle')
    subject.require_no_process(folder)


def _neighbours_do_not_pay(subject: Subject) -> None:
    """A trial that ends the process of several is found, and is the only one that fails."""
    folder = subject.new_folder()
    proposals = [proposal("takes", 0.2), proposal("segfaults"), proposal("takes", 0.2), proposal()]
    first, guilty, *others = subject.run(proposals, folder, workers=3)
    subject.require_failure(guilty, "crashed", after="segfaults beside others", says="SIGSEGV")
    for trial in (first, *others):
        subject.require_scores(trial, " beside a trial that ends the process of several")
    for number in (0, 1):
        tries = (folder / f"tried-{number}.txt").read_text().count("\n")
        subject.require(tries == 2, f"evaluates trial {number} {tries} times: want it again, alone")
        retried = "retried" in (first, guilty)[number].measured
        subject.require(retried, f"does not say of trial {number} that it was run again")


def _unusable_evaluators_are_reported(subject: Subject) -> None:
    folder = subject.new_folder()
    made = blueprint(folder, unusable="no such\ndata")
    outcome = _outcome(subject, made)
    subject.require(
        isinstance(outcome, ValueError)
        and "no such data" in str(outcome)
        and "\n" not in str(outcome),
        f"does not raise the ValueError of an evaluator that cannot be made, in one line, but "
        f"{_described(outcome)}",
    )
    subject.require_no_process(folder)


def _dying_workers_are_replaced(subject: Subject) -> None:
    for deaths in (2, 99):
        folder = subject.new_folder()
        outcome = _outcome(subject, blueprint(folder, dies_at_start=deaths))
        if deaths == 2:
            subject.require(
                isinstance(outcome, Trial) and outcome.completed,
                f"does not replace workers that die at their start: {_described(outcome)}",
            )
        else:
            subject.require(
                isinstance(outcome, ChildProcessError) and "SIGKILL" in str(outcome),
                f"does not raise ChildProcessError when all workers die at their start, but "
                f"{_described(outcome)}",
            )
        subject.require_no_process(folder)


def _outcome(subject: Subject, made: Blueprint) -> Trial | Exception:
    with closing(subject.make(made)) as executor:
        executor.submit(0, proposal())
        try:
            return executor.wait()
        except Exception as error:
            return error


def _described(outcome: Trial | Exception) -> str:
    if isinstance(outcome, Exception):
        return in_one_line(outcome)
    return f"returns {outcome.failure or dict(outcome.scores)}"


_SEARCH = """
from importlib import import_module
from pathlib import Path
from nas.executors import ResourceLimits
from nas.testing.faulty import blueprint, proposal
make = getattr(import_module({module!r}), {function!r})
executor = make(*{first!r}, blueprint(Path({folder!r})), ResourceLimits(workers=2))
executor.submit(0, proposal("takes", 600))
executor.submit(1, proposal({fault!r}))
executor.wait()
"""


def _no_process_outlives_a_killed_search(subject: Subject) -> None:
    place = _place_of(subject.given)
    if place is None:
        return  # another process cannot import it
    for fault in ("forks_and_hangs", "hangs_in_c"):
        folder = subject.new_folder()
        code = _SEARCH.format(**place, folder=str(folder), fault=fault)
        path = {"PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", code]
        with subprocess.Popen(command, env={**os.environ, **path}) as child:  # noqa: S603 - ours
            begun = wait_until(lambda: len(list(folder.glob("tried-*.txt"))) == 2)  # noqa: B023
            if fault == "forks_and_hangs":
                begun &= wait_until((folder / "forked.txt").exists)
            child.send_signal(signal.SIGKILL)
        subject.require(begun, "does not begin two trials in a new process")
        subject.require_no_process(folder, ORPHANED)


def _place_of(make: str | MakeExecutor) -> dict[str, Any] | None:
    if isinstance(make, str):
        return {"module": "nas.executors", "function": "make", "first": (make,)}
    module, name = getattr(make, "__module__", ""), getattr(make, "__qualname__", "")
    with suppress(ImportError, ValueError):
        if getattr(import_module(module), name, None) is make:
            return {"module": module, "function": name, "first": ()}
    return None


@contextmanager
def _stdout_to(file: Path) -> Iterator[None]:
    """Send what this process, and its children, write to descriptor 1 to a file."""
    sys.stdout.flush()
    saved = os.dup(1)
    try:
        with file.open("wb") as opened:
            os.dup2(opened.fileno(), 1)
        yield
    finally:
        sys.stdout.flush()
        os.dup2(saved, 1)
        os.close(saved)
