"""Evaluators that a program passes: they run in workers and on Ray, and a run knows them again."""

import json
import os
import re
import subprocess
import sys
import threading
import time

import nbformat
import pytest
from nbclient import NotebookClient

import nas
from nas.api import open_session, read_request
from nas.cli.main import main
from nas.views.html.reproduction import circumstances
from search_spaces import Choice, Real, SearchSpace, Struct

# Ray waits a second for what it has killed, and a busy machine may take longer.
RAYS_OWN = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
NO_FILE = "was passed by a program and no file holds it: want a program that passes it again"
FACTOR = 2.0


def space():
    tree = Struct(act=Choice("relu", "tanh"), width=Real(1e-4, 1, log=True))
    return SearchSpace(name="mine", tree=tree, build=None)


def search(out, evaluator, **more):
    return nas.search(**asked(out, evaluator, **more))


def asked(out, evaluator, **more):
    given = {"space": space(), "objectives": ["f1:max"], "trials": 5, **more}
    return {"evaluator": evaluator, "out": out, **given}


def closure(factor):
    def train(job):
        return {"f1": factor * job.architecture["width"]}

    return train


def told(run):
    return [(str(trial.configuration), dict(trial.scores)) for trial in run.trials]


def command(capfd, *arguments):
    """The single line of a command that refuses."""
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert ended.value.code == 2
    output, error = capfd.readouterr()
    assert (output, error.count("\n")) == ("", 1)
    return error


@pytest.mark.parametrize(
    "evaluator",
    [
        pytest.param(lambda job: {"f1": FACTOR * job.architecture["width"]}, id="lambda"),
        pytest.param(closure(2.0), id="closure", marks=pytest.mark.long),
    ],
)
def test_a_function_without_a_file(evaluator, tmp_path, capfd):
    """The same trials here and in workers; resumed by who passes it, refused to all others."""
    here = search(tmp_path / "here", evaluator, trials=7)
    assert [t.scores["f1"] / t.configuration.architecture["width"] for t in here.trials] == [2] * 7
    there = tmp_path / "there"
    assert told(search(there, evaluator, workers=2)) == told(here)[:5]
    header = json.loads((there / "run.json").read_text())
    assert header["settings"]["evaluator"] in ("object:lambda", "object:train")
    assert len(header["code"]["evaluator"]) == 64
    assert not any(b"cloudpickle" in f.read_bytes() for f in there.rglob("*") if f.is_file())

    assert told(search(there, evaluator, trials=7)) == told(here)
    for other in (lambda job: {"f1": 2.0 * job.architecture["width"]}, closure(2.5)):
        with pytest.raises(ValueError, match=NO_FILE) as error:
            search(there, other, trials=9)
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="its space object:SearchSpace was passed by a program"):
        search(there, evaluator, space="mlp", trials=9)
    assert "its space object:SearchSpace was passed" in command(capfd, "search", "--out", there)
    assert len(nas.open_run(there, space()).trials) == 7
    assert "was passed by a program: pass it again" in command(capfd, "show", there)


def test_the_run_says_that_only_a_program_can_resume_it(tmp_path):
    said = []
    session = open_session(read_request(asked(tmp_path / "run", closure(2.0))), notify=said.append)
    list(session.run(1))
    assert said[0] == (
        f"passed by the program, not by a file: space object:SearchSpace, evaluator object:train; "
        f"only a program that passes the same can continue {tmp_path / 'run'}"
    )
    told_in_report = dict(circumstances(nas.open_run(tmp_path / "run", session.space)))
    passed = "space object:SearchSpace, evaluator object:train"
    assert told_in_report["passed by a program, which alone can repeat it"] == passed


@RAYS_OWN
@pytest.mark.long
def test_functions_without_a_file_on_ray(tmp_path):
    for number, evaluator in enumerate(
        [lambda job: {"f1": FACTOR * job.architecture["width"]}, closure(2.0)]
    ):
        here = search(tmp_path / f"here{number}", evaluator, trials=7)
        there = tmp_path / f"there{number}"
        assert told(search(there, evaluator, executor="ray", workers=2, trials=7)) == told(here)


def test_an_object_that_cannot_be_sent_leaves_no_folder(tmp_path):
    lock = threading.Lock()

    def train(job):
        with lock:
            return {"f1": 1.0}

    with pytest.raises(ValueError, match=r"^evaluator: it cannot be sent .*: its variable lock: "):
        search(tmp_path / "run", train, workers=2)
    assert not (tmp_path / "run").exists()
    assert search(tmp_path / "run", train).trials[4].completed, "in this process, nothing is sent"


SCRIPT = """
import os
import nas
from search_spaces import Choice, Real, SearchSpace, Struct

with open("runs.txt", "a") as file:
    file.write("once ")
tree = Struct(act=Choice("relu", "tanh"), width=Real(1e-4, 1, log=True))
space = SearchSpace(name="mine", tree=tree, build=None)

def train(job):
    return {"f1": scaled(job.architecture["width"])}

def scaled(width):
    return 2.0 * width

if GUARD:
    workers, trials, executor = os.environ.get("SEARCH", "1 5 in-process").split()
    run = nas.search(space=space, evaluator=train, objectives=["f1:max"], out="run",
                     workers=int(workers), trials=int(trials), executor=executor)
    for trial in run.trials:
        print(trial.configuration, dict(trial.scores))
"""


def run(*arguments, search=""):
    program, environment = [sys.executable, *arguments], {**os.environ, "SEARCH": search}
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines(), done.stderr


@pytest.mark.long
@pytest.mark.parametrize("guard", ["True", "__name__ == '__main__'"])
def test_a_function_of_a_script(guard, tmp_path, capfd, monkeypatch):
    """Workers do not run the script again, whether or not it guards its search."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "script.py").write_text(SCRIPT.replace("GUARD", guard))
    here = search(tmp_path / "here", closure(2.0))
    status, lines, errors = run("script.py", search="2 5 workers")
    assert status == 0, errors
    said = r"data +none, the evaluator has its own\n(.+\n)+"  # what was understood
    assert re.fullmatch(said + r"2 workers; [\d.]+% of their time was idle\n", errors)
    assert lines == [f"{trial.configuration} {dict(trial.scores)}" for trial in here.trials]
    assert (tmp_path / "runs.txt").read_text() == "once "
    command_line = ("search", "--out", "run", "--trials", "7", "--objectives", "f1:max")
    named = ("--space", "script.py:space", "--evaluator", "script.py:train")
    if guard == "True":
        error = command(capfd, *command_line, *named)
        assert (
            "script.py begins a search when it is loaded: put that under `if __name__ ==" in error
        )
        return
    status, lines, errors = run("script.py", search="1 6 in-process")
    assert (status, len(lines)) == (0, 6)
    assert re.fullmatch(said, errors)
    status, lines, errors = run("-m", "nas", *command_line, *named, "--json")
    assert status == 0, errors
    status, lines, errors = run("script.py", search="2 8 ray")
    assert (status, len(lines)) == (0, 8), errors
    content = (tmp_path / "script.py").read_text()
    (tmp_path / "script.py").write_text(content.replace("int(trials)", "1 + int(trials)"))
    status, lines, errors = run("script.py", search="1 8 in-process")
    assert (status, len(lines)) == (0, 9), errors
    (tmp_path / "script.py").write_text(content.replace("2.0", "3.0"))
    status, lines, errors = run("script.py", search="1 9 in-process")
    assert status == 1
    assert "script.py:train has changed since the run began" in errors.splitlines()[-1]


CELLS = """
import nas
from search_spaces import Choice, Real, SearchSpace, Struct
tree = Struct(act=Choice("relu", "tanh"), width=Real(1e-4, 1, log=True))
space = SearchSpace(name="mine", tree=tree, build=None)
def search(out, **more):
    run = nas.search(evaluator=train, space=space, objectives=["f1:max"], out=out, **more)
    print([(str(trial.configuration), dict(trial.scores)) for trial in run.trials])
---
factor = 2.0
def train(job):
    return {"f1": factor * job.architecture["width"]}
---
search("here", trials=7)
---
search("there", trials=5, workers=2)
---
search("ray", trials=5, workers=2, executor="ray")
---
factor = 2.0
def train(job):
    return {"f1": factor * job.architecture["width"]}
search("there", trials=7)
---
factor = 2.5
try: search("there", trials=9)
except ValueError as error: print(error)
"""


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_function_of_a_notebooks_cell(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS.split("---\n")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": tmp_path}}).execute()
    outputs = ["".join(o.get("text", "") for o in cell.outputs) for cell in notebook.cells]
    printed = [output.strip().rpartition("\n")[2] for output in outputs]  # Ray has warnings first
    whole = told(search(tmp_path / "mine", closure(2.0), trials=7))
    assert printed[2] == printed[5] == str(whole)
    assert printed[3] == printed[4] == str(whole[:5])
    assert "its evaluator object:train was passed by a program" in printed[6]
    assert outputs[6].count("\n") == 1
    pages = [o["data"]["text/html"] for o in notebook.cells[2].outputs if "data" in o]
    assert [page.partition("</progress>")[0] for page in pages] == ['<p><progress value="1.0000">']


# -- faults ------------------------------------------------------------------------------------


def raises(job):
    raise KeyError("a bug\nof mine")


def returns_nan(job):
    return {"f1": float("nan"), "ms": 1.0}


def forgets(job):
    return {"f1": 1.0}


def returns_more(job):
    return {"f1": 1.0, "ms": 1.0, "recall": 1.0}


def returns_a_tensor(job):
    import torch

    return {"f1": torch.tensor(1.0), "ms": 1.0}


def never_returns(job):
    time.sleep(600)


def prints(job):
    for _ in range(50):
        sys.stdout.write("x" * 1_000_000)
        os.write(2, b"y" * 1_000_000)
    return {"f1": 1.0, "ms": 1.0}


FAULTS = {
    raises: ("error", "KeyError: 'a bug\\nof mine'"),
    returns_nan: ("diverged", "f1 is nan"),
    forgets: ("invalid", "want the metrics f1, ms, got f1: ms is missing"),
    returns_more: ("invalid", "want the metrics f1, ms, got recall too; declare it in"),
    returns_a_tensor: ("invalid", "f1: want a number, got Tensor; return its .item()"),
    never_returns: ("timeout", "no result after 1 s"),
    prints: None,
}


def test_each_fault_of_an_evaluator_is_one_typed_failure(tmp_path):
    faults = list(FAULTS)

    @nas.evaluator(
        metrics={"f1": "maximize", "ms": "minimize"}, hyperparameters={"lr": Real(1e-4, 1)}
    )
    def train(job):
        return faults[job.number](job)

    run = nas.search(
        evaluator=train,
        trials=len(faults),
        max_pending=9,
        workers=2,
        trial_timeout=1,
        out=tmp_path / "run",
    )
    for trial, (fault, failure) in zip(run.trials, FAULTS.items(), strict=True):
        if failure is None:
            assert trial.scores == {"f1": 1.0, "ms": 1.0}, fault
            continue
        assert trial.failure is not None, fault
        assert trial.failure.cause == failure[0], trial.failure
        assert trial.failure.message.startswith(failure[1])
        assert "\n" not in trial.failure.message


def test_a_file_that_changes_is_refused(tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "mine.py"
    content = (
        "import nas\nfrom search_spaces import Real\n"
        "@nas.evaluator(metrics={'f1': 'maximize'}, hyperparameters={'lr': Real(1e-4, 1)})\n"
        "def train(job): return {'f1': job.hyperparameters['lr']}\n"
    )
    file.write_text(content)
    nas.search(evaluator="mine.py:train", trials=2, out="run")
    file.write_text(content.replace("['lr']}", "['lr'] / 2}"))
    error = command(capfd, "search", "--evaluator", "mine.py:train", "--trials=4", "--out", "run")
    assert f"run: its evaluator {file}:train has changed since the run began; restore the" in error
    file.rename(tmp_path / "moved.py")
    (tmp_path / "moved.py").write_text(content)
    nas.search(evaluator="moved.py:train", trials=4, out="run")
