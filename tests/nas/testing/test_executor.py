"""Each clause of the contract of executors refuses an executor that breaks it, by its sentence."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import nas
from nas import executors
from nas.core.failure import Failure
from nas.core.trial import Trial
from nas.executors.in_process import InProcess
from nas.testing import executor as contract
from nas.testing.executor.subject import Subject
from nas.testing.faulty import proposal


class Here:
    """An executor in this process that keeps the contract, to be broken in one way."""

    capabilities = InProcess.capabilities

    def __init__(self, blueprint, limits):
        self.blueprint = blueprint
        self.inner = self.make(limits)
        self.ended = []

    def make(self, limits):
        return InProcess(self.blueprint.make())

    @property
    def folder(self):
        return Path(self.blueprint.arguments["folder"])

    def submit(self, number, proposal):
        self.inner.submit(number, proposal)

    def wait(self):
        self.ended.append(self.inner.wait())
        return self.ended[-1]

    def utilization(self):
        return self.inner.utilization()

    def close(self):
        self.inner.close()


class There(Here):
    """An executor in worker processes that keeps the contract, to be broken in one way."""

    def make(self, limits):
        made = executors.make("workers", self.blueprint, limits)
        self.capabilities = made.capabilities
        return made


def test_an_executor_of_a_users_own_passes():
    nas.testing.check_executor(Here, quick=False)
    nas.testing.check_executor(There)


class Repeating(Here):
    def wait(self):
        super().wait()
        return self.ended[0]


class Renumbering(Here):
    def wait(self):
        trial = super().wait()
        return replace(trial, number=trial.number + 1)


class Swapping(Here):
    def wait(self):
        return replace(super().wait(), proposal=proposal("takes", 7))


class Rescoring(Here):
    def wait(self):
        return replace(super().wait(), scores={"accuracy": 0.5})


class Timeless(Here):
    def wait(self):
        return replace(super().wait(), measured={})


class Wasteful(Here):
    """Makes an evaluator for each trial."""

    def submit(self, number, proposal):
        self.blueprint.make()
        super().submit(number, proposal)


class Twice(Here):
    """Evaluates everything twice."""

    def submit(self, number, proposal):
        super().submit(number, proposal)
        super().submit(number, proposal)

    def wait(self):
        super().wait()
        return super().wait()


class Elsewhere(Here):
    """Evaluates with another Python."""

    def make(self, limits):
        made = super().make(limits)
        file = self.folder / "made.txt"
        file.write_text(file.read_text().replace(sys.prefix, "/elsewhere"))
        return made


class Unguarded(Here):
    def wait(self):
        trial = super().wait()
        if trial.failure:
            raise RuntimeError(str(trial.failure))
        return trial


class Vague(Here):
    def wait(self):
        trial = super().wait()
        return trial if trial.completed else replace(trial, failure=Failure("error", "went wrong"))


class Blaming(Here):
    def wait(self):
        try:
            return super().wait()
        except OSError as error:
            failure = Failure("error", str(error))
            return Trial(number=0, proposal=proposal(), recipe={}, scores={}, failure=failure)


class ClosedOnce(Here):
    closed = False

    def close(self):
        if self.closed:
            raise RuntimeError("closed already")
        self.closed = True


class Early(There):
    def make(self, limits):
        (self.folder / "made.txt").touch()
        return super().make(limits)


class Littering(There):
    """Leaves a process behind."""

    left: list = []  # noqa: RUF012

    def close(self):
        super().close()
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        self.left.append(process)
        (self.folder / "forked.txt").write_text(f"{process.pid}\n")


class Mistaken(There):
    """Blames everything on the evaluator."""

    def wait(self):
        trial = super().wait()
        if trial.failure is None:
            return trial
        return replace(trial, failure=replace(trial.failure, cause="error"))


class Silent(There):
    def wait(self):
        return replace(super().wait(), measured={"seconds": 1.0, "ended": "now"})


class Loud(There):
    def wait(self):
        os.write(1, b"a trial has ended\n")
        return super().wait()


class Slow(There):
    def close(self):
        time.sleep(2.1)
        super().close()


class Alone(There):
    """Runs one trial at a time."""

    def make(self, limits):
        return super().make(replace(limits, workers=1))


class Cryptic(There):
    def wait(self):
        try:
            return super().wait()
        except (ValueError, ChildProcessError) as error:
            raise RuntimeError("it did not work") from error


class Impatient(There):
    """Gives up when a worker dies at its start."""

    def wait(self):
        if not (self.folder / "made.txt").exists():
            raise ChildProcessError("a worker died: SIGKILL")
        return super().wait()


class Orphaning(There):
    """Starts a process that lives on when the search is killed."""

    def submit(self, number, proposal):
        super().submit(number, proposal)
        process = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(20)"], start_new_session=True
        )
        with (self.folder / "forked.txt").open("a") as file:
            file.write(f"{process.pid}\n")


class Uncut(There):
    """Does not say of a trial that the end of the time stopped it."""

    def keep_to(self, deadline):
        self.inner.keep_to(deadline)

    def wait(self):
        trial = super().wait()
        return replace(trial, measured={k: v for k, v in trial.measured.items() if k != "cut"})


BROKEN = [
    (Repeating, contract.results_are_the_evaluators, "returns trial 0 twice"),
    (
        Renumbering,
        contract.results_are_the_evaluators,
        r"returns the trials \[1, 2, 3, 4, 5\] of 5",
    ),
    (Swapping, contract.results_are_the_evaluators, "returns trial 0 with another proposal"),
    (
        Rescoring,
        contract.results_are_the_evaluators,
        "gives trial 0 other scores than its evaluator",
    ),
    (Timeless, contract.results_are_the_evaluators, "does not record the seconds and the end of"),
    (Twice, contract.results_are_the_evaluators, "returns trial 0 twice|evaluates trial 0 2 times"),
    (Wasteful, contract.results_are_the_evaluators, "makes 6 evaluators for 5 trials"),
    (Elsewhere, contract.results_are_the_evaluators, "evaluates in another installation than"),
    (Unguarded, contract.exceptions_fail_their_trial, "fails to return a trial: RuntimeError"),
    (Vague, contract.exceptions_fail_their_trial, 'does not say "KeyError'),
    (Blaming, contract.full_disk_is_raised, "blames the trial for a full disk: want OSError"),
    (ClosedOnce, contract.nothing_starts_too_early, "fails to be closed twice: RuntimeError"),
    (Early, contract.nothing_starts_too_early, "starts a process before a trial is submitted"),
    (Littering, contract.results_are_the_evaluators, r"leaves processes behind: \d+"),
    (
        Mistaken,
        contract.ended_processes_fail_their_trial,
        "that segfaults as error: .* want the fa",
    ),
    (Mistaken, contract.time_limits_are_kept, "that hangs_in_c as error: .*want the failure time"),
    (
        Mistaken,
        contract.memory_limits_are_kept,
        "memory as error: .*want the failure out-of-memory",
    ),
    (Silent, contract.killed_trials_run_once_more, "that a trial was killed and ran once more"),
    (Loud, contract.output_and_forks_disturb_nothing, "lets trials print to the output"),
    (Slow, contract.closing_stops_what_runs, "takes 2.* s to close: want less than 2.0 s"),
    (Alone, contract.trials_run_side_by_side, "where two trials took 0.1 and 0.6 s side by side"),
    (
        Cryptic,
        contract.unusable_evaluators_are_reported,
        "does not raise the ValueError .*RuntimeEr",
    ),
    (Impatient, contract.dying_workers_are_replaced, "does not replace workers that die"),
    (
        Uncut,
        contract.the_end_of_the_time_is_kept,
        "does not record .* the end of the time cut a tr",
    ),
    (Orphaning, contract.no_process_outlives_a_killed_search, "leaves processes behind"),
]


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
@pytest.mark.parametrize(
    ("broken", "clause", "sentence"),
    BROKEN,
    ids=[f"{b.__name__}-{c.__name__}" for b, c, _ in BROKEN],
)
def test_each_clause_refuses_what_breaks_it(broken, clause, sentence, tmp_path):
    with pytest.raises(AssertionError, match=f"^{broken.__name__} .*({sentence})") as error:
        clause(Subject(broken, tmp_path, quick=True))
    assert "\n" not in str(error.value)
    for process in Littering.left:
        process.kill()
        process.wait()


def test_the_clauses_are_chosen_by_capabilities(tmp_path):
    names = ("in-process", "workers")
    for name in names:
        (tmp_path / name).mkdir()
    here, there = (contract.clauses(Subject(n, tmp_path / n, quick=False)) for n in names)
    assert len(here) == 4
    assert set(here) < set(there)
    assert {clause for _, clause, _ in BROKEN} == set(there)


def test_a_name_that_is_no_executor_is_refused():
    with pytest.raises(ValueError, match="want an executor"):
        nas.testing.check_executor("dask")
