"""The commands that `nas show` and `nas search` print below a run, and searches whose trials fail."""

import json
import logging
import shlex

import pytest

import nas as toolkit
from nas.cli.main import main
from nas.runs.run import Run
from nas.views.terminal.next_steps import next_steps
from tests.nas.synthetic import write_run

OWN = """
import nas
from search_spaces import Choice, Struct


@nas.evaluator(metrics={"error": "minimize"}, hyperparameters=Struct(a=Choice(*range(6))))
def fails(job):
    raise KeyError("no such layer")


@nas.evaluator(metrics={"error": "minimize"}, hyperparameters=Struct(a=Choice(*range(6))))
def works(job):
    return {"error": float(job.hyperparameters["a"])}
"""
ALL_FAILED = "5 x error: KeyError: 'no such layer'"


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OWN)
    return tmp_path / "own.py"


@pytest.fixture
def nas(capfd):
    def call(*arguments):
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in arguments])
        said = capfd.readouterr()
        return end.value.code, said.out, said.err

    return call


def steps(path, **changed):
    """The words of the next commands by their names, with settings changed."""
    header = json.loads((path / "run.json").read_text())
    header["settings"] |= changed
    (path / "run.json").write_text(json.dumps(header))
    words = [shlex.split(step) for step, _ in next_steps(Run(path))]
    return [" ".join(words[:1]) for words in words], words


def test_next_commands_are_those_that_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_run(tmp_path / "a run", 30).path  # trial 24 failed
    best = Run(path).best()
    names, words = steps(path)
    assert names == ["show", "retrain", "gate", "show", "tensorboard"]  # no weights to export
    assert words[1:4] == [["retrain", str(path)], ["gate", str(path)], ["show", str(path), "24"]]
    (path / "retrained" / f"trial-{best.number:05d}").mkdir(parents=True)
    elsewhere = str(path / "retrained" / f"trial-{best.number:05d}-2")
    _, words = steps(path, loss="/my files/own.py:focal")
    assert words[1] == [
        *("retrain", str(path), "--loss", "/my files/own.py:focal", "--to", elsewhere)
    ]
    for passed in ({"loss": "object:focal"}, {"loss": "cross_entropy", "data": "object:data"}):
        assert steps(path, **passed)[0] == ["show", "show", "tensorboard"]
    assert steps(path, space="object:mine")[0] == []


def test_a_search_whose_trials_all_failed_says_why(nas, own, caplog):
    arguments = ("search", "--evaluator", f"{own}:fails", "--trials", 5, "--out", "run")
    status, out, _ = nas(*arguments)
    assert status == 1
    assert "run: evolution of hyperparameters, seed 0: 5 trials, 5 failed" in out
    after = out[out.index("next:") :].splitlines()[1]
    assert after == "  nas show run 0       # why it failed, with its traceback"
    status, out, _ = nas("show", "run", 0)
    assert (status, "Traceback" in out) == (0, True)
    assert nas(*arguments, "--json")[0] == 1
    status, _, err = nas("export", "run", "--to", "winner")
    assert status == 2
    assert err == f"nas: run: no completed trial among 5, all failed: {ALL_FAILED}\n"
    _, _, err = nas("search", "--out", "run")
    assert err == (
        f"nas: run: want its evaluator, {own}:fails, got none: add --evaluator {own}:fails\n"
    )
    with caplog.at_level(logging.WARNING, logger="nas"):
        toolkit.search(evaluator=f"{own}:fails", trials=5, out="run")
    assert caplog.messages == [f"run: all 5 trials failed: {ALL_FAILED}"]


def test_a_complete_search_says_what_continues_it(nas, own):
    arguments = ("search", "--evaluator", f"{own}:works", "--out", "run")
    nas(*arguments, "--until", "error<=3", "--trials", 9)
    status, _, err = nas(*arguments, "--until", "error<=3", "--trials", 9)
    assert status == 0
    assert err.endswith(" has error<=3; a harder --until continues it\n")
    (own.parent / "run" / "stop").touch()  # a request to stop was for the session before
    _, _, err = nas(*arguments, "--trials", 9)
    assert "all configurations of the hyperparameters within the limits have been tried: 6 d" in err
    assert len(toolkit.open_run("run").trials) == 6
