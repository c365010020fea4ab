"""The baseline gate: searches whose true scores are known, kills, failures, and a real search."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from scipy import stats

import nas
from nas import gating
from nas.analysis.context import AnalysisContext
from nas.analysis.retraining.gate import Rival, Scored, judge, over_searches
from nas.analysis.retraining.rivals import known_networks
from nas.analysis.statistics import TopShare
from nas.cli.main import main
from nas.core.configuration import Configuration
from nas.core.constraints import Constraint
from nas.core.joint_space import JointSpace
from nas.core.metrics import METRICS
from nas.core.numbers import energy as energy_text
from nas.evaluators.held_out import simple
from nas.runs.control.energy import words
from nas.runs.control.gate import FILE, read_gate
from nas.runs.journal import Journal
from nas.views.html import checklist
from nas.views.html.report import write_report
from nas.views.tensorboard.board import is_complete, mark
from nas.views.tensorboard.pages import pages
from nas.views.terminal.gate import GATE_HEAD, gate_lines, gate_rows, over_line
from nas.views.terminal.run import overview
from nas.winners.from_trial import bundle_of
from search_spaces import Integer, Struct, Task, get

SETTINGS = Struct(a=Integer(0, 30), b=Integer(0, 30))


def evaluator(noise=0.001, fails=lambda _: False):
    @nas.evaluator(
        metrics={"score": nas.Metric("score", "maximize", 0, 1)}, hyperparameters=SETTINGS
    )
    def score(job):
        if fails(job):
            raise ArithmeticError("on purpose")
        a, b = job.hyperparameters["a"], job.hyperparameters["b"]
        return 0.5 + (a + b) / 200 + Random(f"{job.seed}/{a}/{b}").gauss(0, noise)

    return score


def search(folder, *, strategy="evolution:population=10,tournament=5", trials=60, **given):
    return nas.search(
        evaluator=given.pop("evaluator", evaluator()),
        objectives="score",
        strategy=strategy,
        trials=trials,
        out=folder,
        **given,
    )


def status(arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in arguments])
    return ended.value.code


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    return search(tmp_path_factory.mktemp("gate") / "run", gate=True)


def test_a_search_that_learns_beats_random_search_at_equal_cost(judged):
    (random,) = judged.gate.baselines
    assert (random.kind, random.verdict, random.seeds) == ("random", "beaten", 5)
    assert random.top[0] > random.top[1] / 2
    assert judged.gate.random_trials == 60
    assert random.superiority == 1
    first, second = gate_lines(judged, judged.gate)
    assert "5 new seeds" in first
    assert "may have chosen by the same examples" in first
    assert second.startswith("  beats random search at equal cost (")
    theirs = nas.open_run(judged.path / "gate" / "random")
    assert (theirs.settings.strategy, len(theirs.trials)) == ("random", 60)
    assert theirs.settings.seed != judged.settings.seed


def copied(run, to, *, gate=True):
    """A copy of a run, with its gate or as before it."""
    shutil.copytree(run.path, to / "run")
    if not gate:
        (to / "run" / FILE).unlink()
        shutil.rmtree(to / "run" / "gate")
    return nas.open_run(to / "run")


def test_it_is_said_wherever_a_run_is_looked_at(judged, capsys):
    assert status(["show", judged.path, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["gate"]["baselines"][0]["verdict"] == "beaten"
    assert any("beats random search" in str(part) for part in overview(judged))
    (cells,) = gate_rows(judged, judged.gate)
    assert len(cells) == len(GATE_HEAD)
    rows = dict(checklist.checklist_rows(judged))
    assert (
        "5 new seeds: random search at equal cost: beaten" in rows["comparison with random search"]
    )
    assert rows["comparison with known networks, trained alike"] == "there is none"
    assert not any("random" in line for line in checklist.unclaimed(judged))
    assert " of the gate; " in rows["cost from start to end"]


def test_tensorboard_shows_it_once_it_is_there(judged, tmp_path):
    run = copied(judged, tmp_path, gate=False)

    def page():
        context = AnalysisContext.of(run)
        return dict(pages(context, run.trials, run.front, context.lineage(run.trials)))["1_best"]

    assert "beats random search" not in page()
    board = run.path / "tensorboard"
    board.mkdir(exist_ok=True)
    (board / "complete.txt").write_text(mark(run.path, len(run.trials)))
    assert is_complete(run)
    shutil.copy(judged.path / FILE, run.path)
    assert not is_complete(run)  # so that it is written again
    assert f"**The winner against its baselines**\n\ntrial {run.gate.winner}: score 7" in page()
    assert "| beats random search at equal cost | 60 trials; " in page()


def test_its_cost_is_counted(judged, tmp_path):
    """Also that of a comparison that is stopped, and of the one that goes on."""
    assert judged.energy.gate_wh > 0
    assert f"gate {energy_text(judged.energy.gate_wh)}" in words(judged.energy)
    run = copied(judged, tmp_path, gate=False)
    before = run.energy

    def stop(trial):
        if trial.number == 30:
            raise KeyboardInterrupt

    objects, messages = {"evaluator": evaluator()}, gating.Messages(progress=stop)
    with pytest.raises(KeyboardInterrupt):
        gating.gate(run, objects=objects, messages=messages)
    stopped = run.energy
    assert stopped.gate_wh > before.gate_wh
    assert replace(stopped, gate_wh=0.0) == replace(before, gate_wh=0.0)
    assert stopped.wh - before.wh == pytest.approx(stopped.gate_wh - before.gate_wh)
    found = gating.gate(run, objects=objects)
    assert run.energy.gate_wh > stopped.gate_wh
    made = [t for f in (run.path / "gate").rglob("*.jsonl") for t in Journal(f, ordered=False)]
    assert len(made) >= 60 + 10
    assert found.seconds == pytest.approx(sum(trial.seconds for trial in made))


def test_the_files_of_earlier_versions_are_read(judged, tmp_path):
    run = copied(judged, tmp_path)
    for file, name in ((FILE, "seconds"), ("energy.json", "gate_wh")):
        fields = json.loads((run.path / file).read_text())
        del fields[name]
        (run.path / file).write_text(json.dumps(fields))
    assert run.gate == replace(judged.gate, seconds=0.0)
    assert "of training" not in next(gate_lines(run, run.gate))
    assert run.energy == replace(judged.energy, gate_wh=0.0)


def test_what_was_not_asked_cannot_be_claimed(judged, tmp_path):
    run = copied(judged, tmp_path, gate=False)
    assert run.gate is None
    assert dict(checklist.checklist_rows(run))["comparison with random search"] == "not asked"
    assert any("beats any baseline: not asked" in line for line in checklist.unclaimed(run))


def test_a_gate_that_is_stopped_goes_on(judged, tmp_path):
    """Killed in the random search and among the trainings, it ends as if it never had been."""
    run = copied(judged, tmp_path, gate=False)
    made, stops = [], {7, 64}

    def progress(trial):
        made.append(trial)
        if len(made) in stops:
            raise KeyboardInterrupt

    def gate():
        objects = {"evaluator": evaluator()}
        return gating.gate(run, objects=objects, messages=gating.Messages(progress=progress))

    for _ in stops:
        with pytest.raises(KeyboardInterrupt):
            gate()
        assert run.gate is None
    found = gate()
    assert replace(found, seconds=judged.gate.seconds) == judged.gate
    assert gate() == found
    assert len(made) == 60 + 10  # nothing was made twice


def test_more_seeds_are_more_trainings_and_other_trials_another_gate(judged, tmp_path):
    run = copied(judged, tmp_path)
    more = gating.gate(run, seeds=8, objects={"evaluator": evaluator()})
    assert (more.seeds, more.baselines[0].seeds) == (8, 8)
    with pytest.raises(ValueError, match="--seeds: want 5 to 1000, got 4"):
        gating.gate(run, seeds=4, objects={})
    assert read_gate(run.path, 61) is None


def test_failures_are_said_and_end_nothing(judged, tmp_path):
    """The random search fails altogether; then each training fails, and some."""
    run = copied(judged, tmp_path, gate=False)
    best = run.best().hyperparameters

    def gate(fails):
        (run.path / FILE).unlink(missing_ok=True)
        return gating.gate(run, objects={"evaluator": evaluator(fails=fails)})

    none = gate(lambda job: job.hyperparameters != best)
    assert none.mean is not None
    (random,) = none.baselines
    assert (random.verdict, random.mean) == ("failed", None)
    assert random.failed.startswith("the first 10 trials all failed: 10 x error")
    assert (
        "not compared with random search at equal cost: the first" in list(gate_lines(run, none))[1]
    )
    shutil.rmtree(run.path / "gate")
    every = gate(lambda _: True)
    assert (every.reason, every.baselines) == ("no training of the winner completed", ())
    assert list(gate_lines(run, every)) == [
        f"gate: trial {every.winner} is not shown to beat any baseline: no training of the winner "
        f"completed"
    ]


def test_several_searches_judge_their_strategy(judged):
    def moved(by):
        (random,) = judged.gate.baselines
        return replace(judged.gate, baselines=(replace(random, difference=by),))

    assert over_searches([judged.gate]) is None
    shown = over_searches([moved(0.1), moved(0.12), moved(0.09)])
    assert (shown.searches, shown.verdict) == (3, "beaten")
    test = stats.ttest_1samp([0.1, 0.12, 0.09], 0)
    assert shown.difference.p == pytest.approx(test.pvalue)
    assert over_line(judged, shown).startswith(
        "over 3 searches: evolution:population=10,tournament=5 beats random search at equal cost: +10.33"
    )
    assert over_searches([moved(0.1), moved(-0.12)]).verdict == "not shown"
    with pytest.raises(ValueError, match="want runs of different seeds"):
        gating.require_alike([judged, judged])


def test_code_of_ones_own_is_not_run_unasked(judged, tmp_path, capsys):
    run = copied(judged, tmp_path, gate=False)
    assert status(["gate", run.path]) == 2
    assert "only it can ask for the gate, by nas.search(gate=True)" in capsys.readouterr().err


def test_a_damaged_gate_is_refused(judged, tmp_path):
    run = copied(judged, tmp_path)
    file = run.path / FILE
    file.write_text(file.read_text().replace('"random_trials":', '"random_trial":'))
    with pytest.raises(ValueError, match=r"gate\.json: .* it may be removed"):
        _ = run.gate
    assert status(["show", run.path]) == 2


def test_verdicts_follow_the_adjusted_p_values():
    metric, seeds = METRICS["accuracy"], np.array([0.0, 0.01, -0.01, 0.005, -0.005])
    ours = Scored(0.9 + seeds)

    def rival(mean, top=None, noise=seeds[::-1]):
        return Rival(kind="simple", name=str(mean), scored=Scored(mean + noise), top=top)

    worse, equal, better = judge(ours, [rival(0.8), rival(0.9), rival(0.95)], metric)
    assert [one.verdict for one in (worse, equal, better)] == ["beaten", "not shown", "better"]
    assert (worse.mean, worse.difference) == (pytest.approx(0.8), pytest.approx(0.1))
    lucky, shown = judge(
        ours, [rival(0.8, TopShare(6, 10, 0.38)), rival(0.8, TopShare(10, 10, 0.001))], metric
    )
    assert (lucky.verdict, lucky.top) == ("not shown", (6, 10))  # better by luck of the draw
    assert shown.verdict == "beaten"
    failed, one = judge(
        ours,
        [Rival(kind="known", name="x", failed="why"), rival(0.8, noise=np.r_[0, [np.nan] * 4])],
        metric,
    )
    assert (failed.verdict, failed.failed) == ("failed", "why")
    assert (one.verdict, one.p, one.seeds) == ("not shown", None, 1)


def test_known_networks_that_are_left_out_are_counted():
    space = get("resnet")
    limit = Constraint("parameters", "<=", 5_000_000)
    joint = JointSpace(space, Task((3, 32, 32), 10), [limit])
    found = known_networks(joint, Configuration.of(space.known["resnet56"]))
    assert set(found.networks) == {"resnet32", "resnet44", "resnet56", "resnet110"}
    assert found.note.endswith("of 5 known networks; 10 more are not within the limits")


def test_errors_are_smaller_where_less_is_better():
    loss = nas.Metric("loss", "minimize")
    (found,) = judge(
        Scored(-np.array([1.0, 1.1, 0.9])),
        [Rival(kind="simple", name="x", scored=Scored(-np.array([2.0, 2.1, 2.2])))],
        loss,
    )
    assert (found.mean, found.difference) == (pytest.approx(2.1), pytest.approx(1.1))
    assert found.verdict == "beaten"


def small(targets, task, metric):
    import trainers
    from trainers.tasks.registry import make_task

    rows = np.random.default_rng(0).normal(size=(len(targets), 4)).astype(np.float32)
    if task != "classification":
        columns = np.array(targets).reshape(len(targets), -1)
        rows[:, : columns.shape[1]] += 2 * columns
    else:
        rows[:, 0] += 4 * np.array(targets)
    data = trainers.from_objects((rows, np.array(targets)), task=task)
    return data, make_task(data.targets, metrics=(metric,))


@pytest.mark.parametrize(
    ("task", "metric", "targets"),
    [
        ("classification", "accuracy", [0, 1] * 60 + [2, 1] * 30),
        ("classification", "loss", [0, 1] * 60),
        ("multilabel", "f1_macro", [[0, 1], [1, 1], [1, 0]] * 40),
        ("regression", "r2", list(np.random.default_rng(1).normal(size=120))),
    ],
)
def test_simple_baselines_learn_what_there_is(task, metric, targets):
    data, learned = small(targets, task, metric)
    names = simple.simple_baselines(data, metric)
    assert (simple.VECTORS in names) == (metric != "loss")
    found = {name: simple.score(name, data, learned, metric) for name in names}
    constant = found.pop(simple.CONSTANT)
    sign = -1 if metric == "loss" else 1
    assert all(sign * one.value > sign * constant.value for one in found.values())
    assert {len(one.left_out) for one in found.values()} == {min(30, len(data.test) // 2)}
    assert all(one.examples == len(data.train) for one in found.values())
    if metric == "accuracy":
        frequent = data.train.targets.bincount().argmax()
        assert constant.value == pytest.approx(
            float((data.test.targets == frequent).double().mean())
        )
    if metric == "r2":
        assert constant.value == pytest.approx(0, abs=0.2)


def test_the_constant_of_pixels_is_their_most_frequent_class():
    import trainers
    from trainers.tasks.registry import make_task

    masks = np.zeros((30, 4, 4), np.uint8)
    masks[:, 0] = 1
    images = np.random.default_rng(0).integers(0, 255, (30, 3, 4, 4)).astype(np.uint8)
    data = trainers.from_objects((images, masks), task="segmentation")
    learned = make_task(data.targets, metrics=("pixel_accuracy",))
    assert simple.simple_baselines(data, "pixel_accuracy") == (simple.CONSTANT,)
    found = simple.score(simple.CONSTANT, data, learned, "pixel_accuracy")
    assert found.value == pytest.approx(0.75)


@pytest.mark.long
def test_a_real_search_is_judged_on_the_test_split(tmp_path, monkeypatch, capsys):
    """On digits: known networks, random search, and simple models, of which one fails."""
    monkeypatch.chdir(tmp_path)
    fitted = simple.score

    def broken(name, *given, **more):
        if name == simple.FOREST:
            raise MemoryError("no room")
        return fitted(name, *given, **more)

    monkeypatch.setattr(simple, "score", broken)
    assert status(["search", "--trials", 4, "--epochs", 1, "--gate", "--out", "run"]) == 0
    assert "beats the most frequent class (" in capsys.readouterr().out
    run = nas.open_run("run")
    found = {each.name: each for each in run.gate.baselines}
    assert (run.gate.split, run.gate.examples) == ("test", 359)
    assert list(found) == [
        *("the known resnet", "the known best_cifar10", "random search at equal cost"),
        *("the most frequent class", "a linear model", "a support vector machine"),
        "a random forest",
    ]
    vectors = found["a support vector machine"]
    assert vectors.mean == pytest.approx(0.98, abs=0.01)
    assert (vectors.verdict, vectors.seeds) == ("better", 1)  # than one epoch
    assert found["a random forest"].failed == "no room"
    made = [trial for path in Path("run/gate").glob("*.jsonl") for trial in Journal(path)]
    assert len(made) == 5 * 4
    assert all(len(trial.measured["left_out"]) == 30 for trial in made)
    write_report(run, Path("report.html"))
    assert "Judged with new seeds" in Path("report.html").read_text(encoding="utf-8")
    bundle = bundle_of(run, run.best())
    assert bundle.metrics["gate"][0].startswith(f"gate: trial {run.best().number}: ")
    assert status(["gate", "run", "--json"]) == 0  # nothing is trained again
    assert json.loads(capsys.readouterr().out)["gates"][0]["winner"] == run.gate.winner
