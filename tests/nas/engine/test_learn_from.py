"""Learning from earlier searches: read from their runs, copied, and resumed without them."""

import json
import shutil
from random import Random

import pytest

import nas
from nas.cli.main import main
from nas.engine.learning.earlier import FILE
from search_spaces import Choice, Integer, SearchSpace, Struct

SPACE = SearchSpace(
    name="small", tree=Struct(**{f"op{n}": Choice("a", "b", "c") for n in range(6)})
)
OTHER = SearchSpace(name="other", tree=Struct(depth=Integer(1, 99)))


def options_c(job):
    return {"f1": sum(v == "c" for v in job.configuration.architecture.value.values()) / 6}


def depth(job):
    return {"f1": job.configuration.architecture["depth"] / 100}


def constant(job):
    return {"f1": 0.5}


def search(out, trials, evaluator=options_c, space=SPACE, **settings):
    settings = {"strategy": "predictor", "max_pending": 1, **settings}
    return nas.search(
        space=space, evaluator=evaluator, objectives="f1:max", trials=trials, out=out, **settings
    )


def texts(run):
    return [(str(t.configuration), t.scores) for t in run.trials]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    search(folder / "good", 25, strategy="random", seed=1)
    search(folder / "elsewhere", 3, depth, OTHER, strategy="random")
    search(folder / "flat", 3, constant, strategy="random")
    return folder


def test_the_best_of_an_earlier_search_is_first_and_the_others_are_left_out_with_the_reason(
    runs, tmp_path
):
    run = search(tmp_path / "new", 6, learn_from=runs)
    earlier = nas.Run(runs / "good", SPACE)
    assert run.trials[0].scores == earlier.best().scores
    said = dict(run.header.understood)["learns from"]
    assert said.startswith("1 earlier search with 25 trials: good; left out: ")
    assert "elsewhere (its search space other is another, and is not at hand)" in said
    assert "flat (no two of its completed trials differ in score)" in said


@pytest.mark.parametrize("strategy", ["predictor", "random"])
def test_it_resumes_the_same_without_the_runs_that_it_learnt_from(strategy, runs, tmp_path):
    source, given = tmp_path / "good", {"strategy": strategy, "learn_from": tmp_path / "good"}
    shutil.copytree(runs / "good", source)
    whole = texts(search(tmp_path / "whole", 9, **given))
    search(tmp_path / "parts", 5, **given)
    shutil.rmtree(source)
    assert texts(search(tmp_path / "parts", 9, **given)) == whole
    if strategy == "random":  # a portfolio is evaluated first
        assert max(t.scores["f1"] for t in nas.Run(tmp_path / "whole", SPACE).trials[:1]) >= 0.5


def smallness(job):
    return {"f1": -sum(p.numel() for p in job.network().parameters())}


def test_a_search_of_another_space_is_translated_by_the_costs_of_networks(tmp_path):
    """The fewer parameters the better: the first trial has fewer than nearly all members."""
    given = {"data": "digits", "space": "mlp", "evaluator": smallness}
    search(tmp_path / "mlp", 20, strategy="random", **given)
    other = given | {"space": "nasbench201:channels=4,cells=1", "learn_from": tmp_path / "mlp"}
    run = search(tmp_path / "cells", 3, **other)
    assert dict(run.header.understood)["learns from"].endswith(
        " trials: mlp (of mlp, by the sizes of its networks)"
    )
    space, task = run.space, run.header.task
    drawn = [space.cost(space.sample(Random(n)), task).parameters for n in range(50)]
    assert sum(-run.trials[0].scores["f1"] <= each for each in drawn) > 45


def test_a_changed_copy_is_refused(runs, tmp_path):
    search(tmp_path / "new", 2, learn_from=runs / "good")
    copy = tmp_path / "new" / FILE
    lines = copy.read_text().splitlines()
    changed = json.loads(lines[1])
    changed["scores"]["f1"][0] = -1.0
    copy.write_text("\n".join([lines[0], json.dumps(changed), ""]))
    with pytest.raises(ValueError, match="earlier searches that it learns from have changed"):
        search(tmp_path / "new", 3, learn_from=runs / "good")
    copy.write_text("{}\n")
    with pytest.raises(ValueError, match=r"earlier.jsonl: line 1"):
        search(tmp_path / "new", 3, learn_from=runs / "good")


def test_a_source_that_cannot_be_used_is_refused_and_auto_goes_on(runs, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"got no earlier search; left out: elsewhere"):
        search(tmp_path / "new", 2, learn_from=runs / "elsewhere")
    with pytest.raises(ValueError, match="want the folder of a run or of runs, got"):
        search(tmp_path / "new", 2, learn_from=tmp_path / "nowhere")
    monkeypatch.chdir(tmp_path)  # has no runs/
    run = search(tmp_path / "new", 2, learn_from="auto")
    assert dict(run.header.understood)["learns from"] == "no earlier search"


def test_a_portfolio_is_written_and_a_search_begins_with_it(runs, tmp_path, capsys):
    file = tmp_path / "portfolio.json"
    space = tmp_path / "space.py"
    space.write_text(
        "from search_spaces import *\n"
        "space = SearchSpace(name='small', tree=Struct(**{f'op{n}': Choice('a', 'b', 'c') "
        "for n in range(6)}))\n"
    )
    given = {"evaluator": options_c, "objectives": "f1:max", "strategy": "random"}
    here = f"{space}:space"
    source = nas.search(space=here, trials=12, out=tmp_path / "source", **given)
    sources = [str(source.path), str(runs / "flat")]
    with pytest.raises(SystemExit, match="0"):
        main(["portfolio", *sources, "--size=3", f"--to={file}", f"--space={here}"])
    texts = json.loads(file.read_text())
    printed = capsys.readouterr()
    assert printed.out.splitlines() == texts
    assert "left out: flat (" in printed.err
    assert len(texts) == 3
    run = nas.search(space=here, trials=3, warm_start=file, out=tmp_path / "run", **given)
    assert [str(t.architecture) for t in run.trials] == texts
    file.write_text('["nonsense"]')
    with pytest.raises(ValueError, match=r"portfolio\.json: "):
        nas.search(space=here, trials=3, warm_start=file, out=tmp_path / "other", **given)
