"""The contract every executor obeys. A new one joins by joining EXECUTORS."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from nas import executors
from nas.executors import EXECUTORS, ResourceLimits
from nas.testing.faulty import blueprint, proposal, score

GRACE = 5  # seconds beyond a deadline
SLOW = {"ray": 20}  # seconds that one needs to start: its tests are long, but for one


# Ray waits a second for what it has killed, and a busy machine may take longer.
RAYS_OWN = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")


def marked(names, *marks):
    return [pytest.param(n, marks=[RAYS_OWN, *marks] if n in SLOW else []) for n in names]


@pytest.fixture(params=marked(EXECUTORS, pytest.mark.long))
def any_executor(request):
    return request.param


@pytest.fixture(params=marked((n for n in EXECUTORS if n != "in-process"), pytest.mark.long))
def safe(request):
    """An executor whose trials have processes of their own."""
    return request.param


def run(name, folder, proposals, **terms):
    """All outcomes, by number; whatever was started is gone in the end."""
    with closing(executors.make(name, blueprint(folder), ResourceLimits(**terms))) as executor:
        for number, what in enumerate(proposals):
            executor.submit(number, what)
        outcomes = {trial.number: trial for trial in (executor.wait() for _ in proposals)}
    gone(folder)
    return outcomes


def gone(folder):
    """Nothing that evaluators ran in, or that trials forked, is alive."""
    files = [*folder.glob("tried-*.txt"), *folder.glob("made.txt"), *folder.glob("forked.txt")]
    pids = {int(line.split()[-1]) for file in files for line in file.read_text().splitlines()}
    end = time.monotonic() + 2  # for the kernel to clear up
    while left := [pid for pid in pids if pid != os.getpid() and alive(pid)]:
        assert time.monotonic() < end, f"still alive: {left}"
        time.sleep(0.02)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("name", marked(EXECUTORS))
def test_outcomes_are_those_of_the_evaluator(name, tmp_path):
    outcomes = run(name, tmp_path, [proposal()] * 5)
    assert sorted(outcomes) == list(range(5))
    assert {n: o.scores for n, o in outcomes.items()} == {
        n: {"accuracy": score(n)} for n in range(5)
    }
    (made,) = (tmp_path / "made.txt").read_text().splitlines()  # one, and it was kept
    assert sys.prefix in made  # this installation: Ray under `uv run` copies it for each search
    assert all((tmp_path / f"tried-{n}.txt").read_text().count("\n") == 1 for n in range(5))


@pytest.mark.parametrize(
    ("name", "failure"),
    [
        ("raises", "error: KeyError: 'a bug of mine'"),
        ("leaves", "crashed: SystemExit: 3"),
        ("diverges", "diverged: training loss is nan"),
        ("scores_nan", "diverged: accuracy is nan"),
    ],
)
def test_what_is_raised_costs_that_trial_only(any_executor, tmp_path, name, failure):
    outcomes = run(any_executor, tmp_path, [proposal(), proposal(name), proposal()])
    assert str(outcomes[1].failure) == failure
    assert not outcomes[1].scores
    assert outcomes[0].scores == {"accuracy": score(0)}
    assert outcomes[2].scores == {"accuracy": score(2)}
    if name in ("raises", "leaves"):
        assert f", in {name}\n" in outcomes[1].failure.traceback
    assert len((tmp_path / "made.txt").read_text().splitlines()) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="wants /dev/full")
def test_a_full_disk_is_no_fault_of_the_trial(any_executor, tmp_path):
    with closing(executors.make(any_executor, blueprint(tmp_path), ResourceLimits())) as executor:
        executor.submit(0, proposal("fills_the_disk"))
        with pytest.raises(OSError, match="No space left on device"):
            executor.wait()
    gone(tmp_path)


def test_nothing_is_made_before_there_is_a_trial_and_closing_twice_is_closing(safe, tmp_path):
    executor = executors.make(safe, blueprint(tmp_path), ResourceLimits(workers=2))
    executor.close()
    executor.close()
    assert not (tmp_path / "made.txt").exists()


def test_closing_ends_what_runs_at_once(safe, tmp_path):
    executor = executors.make(safe, blueprint(tmp_path), ResourceLimits(workers=2))
    with closing(executor):
        executor.submit(0, proposal("forks_and_hangs"))
        executor.submit(1, proposal())
        assert executor.wait().number == 1
        until((tmp_path / "forked.txt").exists)
        start = time.monotonic()
    assert time.monotonic() - start < 2
    gone(tmp_path)


def test_trials_run_side_by_side_and_idle_time_is_measured(safe, tmp_path):
    executor = executors.make(safe, blueprint(tmp_path), ResourceLimits(workers=2))
    with closing(executor):
        for number, seconds in enumerate((0.1, 0.6)):
            executor.submit(number, proposal("takes", seconds))
        assert [executor.wait().number, executor.wait().number] == [0, 1]
        spent = executor.utilization()
        assert 0.7 <= spent.busy < 1.5
        assert 0.1 < spent.idle < 1.5  # 0.5 where both can begin at once
        executor.submit(2, proposal())
        assert executor.wait().measured["idle"] > 0
    gone(tmp_path)


DEADLY = {
    "segfaults": ("crashed", "SIGSEGV"),
    "aborts": ("crashed", "SIGABRT"),
    "exits": ("crashed", "exit status 7"),
    "is_killed": ("crashed", "SIGKILL"),
    "forks_and_dies": ("crashed", "exit status 9"),
    "starts_a_program_and_dies": ("crashed", "exit status 9"),
}


@pytest.mark.parametrize("name", DEADLY)
def test_the_end_of_a_process_costs_that_trial_only(safe, tmp_path, name):
    outcomes = run(safe, tmp_path, [proposal(), proposal(name, 7), proposal()])
    cause, said = DEADLY[name]
    assert outcomes[1].failure.cause == cause
    assert said in outcomes[1].failure.message
    assert outcomes[0].scores == {"accuracy": score(0)}
    assert outcomes[2].scores == {"accuracy": score(2)}
    tries = (tmp_path / "tried-1.txt").read_text().count("\n")
    assert tries == (2 if name == "is_killed" else 1)  # once more where it may be the machine
    if name == "segfaults":
        assert "in segfaults" in outcomes[1].failure.traceback


def test_what_was_ended_from_outside_is_tried_once_more(safe, tmp_path):
    outcomes = run(safe, tmp_path, [proposal("is_killed_once")])
    assert outcomes[0].scores == {"accuracy": score(0)}
    assert "SIGKILL" in outcomes[0].measured["retried"]


@pytest.mark.parametrize(
    "name", ["hangs_in_python", "hangs_in_c", "ignores_signals", "forks_and_hangs"]
)
def test_a_trial_has_its_time_and_no_more(safe, tmp_path, name):
    start = time.monotonic()
    allowed = 2 * GRACE + 1 + SLOW.get(safe, 0)  # two starts of a process, on a busy machine too
    outcomes = run(safe, tmp_path, [proposal(name), proposal()], timeout=1.0)
    ended = time.monotonic() - start
    assert str(outcomes[0].failure) == "timeout: no result after 1 s"
    assert name.removeprefix("forks_and_").removeprefix("ignores_") in outcomes[0].failure.traceback
    assert outcomes[1].scores == {"accuracy": score(1)}
    assert outcomes[0].measured["seconds"] < 1 + GRACE
    assert ended < allowed
    assert (tmp_path / "tried-0.txt").read_text().count("\n") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="the system has no cap")
@pytest.mark.parametrize("name", ["allocates", "grows"])
def test_a_trial_has_its_memory_and_no_more(safe, tmp_path, name):
    much, little = (10**9, 10**7) if name == "allocates" else (1000, 10)
    proposals = [proposal(name, much), proposal(name, little), proposal(name, much)]
    outcomes = run(safe, tmp_path, proposals, memory=200_000_000)
    assert outcomes[0].failure.cause == outcomes[2].failure.cause == "out-of-memory"
    assert outcomes[1].scores == {"accuracy": score(1)}
    assert len((tmp_path / "made.txt").read_text().splitlines()) == 1  # nothing had to be replaced


def test_output_does_not_disturb(safe, tmp_path, capfd):
    outcomes = run(safe, tmp_path, [proposal("prints", 3_000_000), proposal()])
    assert {n: o.scores["accuracy"] for n, o in outcomes.items()} == {0: score(0), 1: score(1)}
    assert capfd.readouterr().out == ""


def test_a_fork_of_a_trial_has_no_say(safe, tmp_path):
    outcomes = run(safe, tmp_path, [proposal("forks_and_goes_on"), proposal(), proposal()])
    assert {n: o.scores["accuracy"] for n, o in outcomes.items()} == {n: score(n) for n in range(3)}


def test_an_evaluator_that_cannot_be_made_is_told(safe, tmp_path):
    made = blueprint(tmp_path, unusable="no such\ndata")
    with closing(executors.make(safe, made, ResourceLimits())) as executor:
        executor.submit(0, proposal())
        with pytest.raises(ValueError, match=r"^a worker cannot begin: no such data$"):
            executor.wait()
    gone(tmp_path)


def test_workers_that_die_before_they_begin_are_replaced_a_few_times(safe, tmp_path):
    for deaths in (2, 99):
        folder = tmp_path / str(deaths)
        folder.mkdir()
        made = blueprint(folder, dies_at_start=deaths)
        with closing(executors.make(safe, made, ResourceLimits())) as executor:
            executor.submit(0, proposal())
            if deaths == 2:
                assert executor.wait().scores == {"accuracy": score(0)}
            else:
                with pytest.raises(ChildProcessError, match=r"did not begin: .* SIGKILL"):
                    executor.wait()
        gone(folder)


COORDINATOR = """
from pathlib import Path
from nas import executors
from nas.executors import ResourceLimits
from nas.testing.faulty import blueprint, proposal
executor = executors.make({name!r}, blueprint(Path({folder!r})), ResourceLimits(workers=2))
executor.submit(0, proposal("takes", 600))
executor.submit(1, proposal({deed!r}))
executor.wait()
"""


@pytest.mark.parametrize("deed", ["forks_and_hangs", "hangs_in_c"])
def test_no_process_outlives_a_coordinator_that_is_killed(safe, tmp_path, deed):
    code = COORDINATOR.format(name=safe, folder=str(tmp_path), deed=deed)
    with subprocess.Popen([sys.executable, "-c", code]) as child:
        until(lambda: len(list(tmp_path.glob("tried-*.txt"))) == 2)
        if deed == "forks_and_hangs":
            until((tmp_path / "forked.txt").exists)
        child.send_signal(signal.SIGKILL)
    gone(tmp_path)


def until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"workers": 0}, "workers: want at least 1, got 0"),
        ({"timeout": 0}, "trial-timeout: want seconds above 0, got 0"),
        ({"timeout": float("nan")}, "trial-timeout: want seconds above 0, got nan"),
        ({"memory": 5}, "trial-memory: want at least 1MB, got 5 bytes"),
        ({"resources": {"CPU": 0}}, "resources: want CPU above 0, got 0"),
    ],
)
def test_terms_that_cannot_be(terms, message):
    with pytest.raises(ValueError, match=message):
        ResourceLimits(**terms)


def test_the_simplest_executor_that_will_do():
    assert executors.choose(None, ResourceLimits()) == "in-process"
    assert executors.choose(None, ResourceLimits(workers=2)) == "workers"
    assert executors.choose(None, ResourceLimits(timeout=9)) == "workers"
    assert executors.choose("workers", ResourceLimits()) == "workers"
    with pytest.raises(ValueError, match="it has no deadline; want workers or ray"):
        executors.choose("in-process", ResourceLimits(timeout=9))
    with pytest.raises(ValueError, match=r"want an executor \(in-process, workers.*\), got 'dask'"):
        executors.choose("dask", ResourceLimits())
