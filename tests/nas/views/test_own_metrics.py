"""Views, analyses and commands on runs with metrics of the user's own: three objectives, or one."""

import csv
import io
import json

import pytest
from rich.console import Console

import nas as toolkit
from nas.cli.main import main
from nas.core.budgets.budget import Budget
from nas.views.terminal.live import live_view
from tests.nas.own import alone, three


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of three objectives with networks, data and a limit; one of an error alone."""
    folder = tmp_path_factory.mktemp("own")
    many = toolkit.search(
        space="mlp",
        data="digits",
        evaluator=three,
        objectives=("f1", "delay", "parameters"),
        limits=("delay<=5",),
        strategy="evolution:population=10,tournament=3",
        trials=40,
        out=folder / "three",
    )
    one = toolkit.search(
        evaluator=alone,
        strategy="evolution:population=10,tournament=3",
        trials=30,
        out=folder / "alone",
    )
    return {"three": many, "alone": one}


@pytest.fixture(params=["three", "alone"])
def run(request, runs):
    return runs[request.param]


@pytest.fixture
def nas(capfd):
    def call(*arguments):
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in arguments])
        said = capfd.readouterr()
        assert end.value.code == 0, said.err
        return said.out, said.err

    return call


def over(run):
    return [t.number for t in run.trials if run.objectives.violated(t.scores)]


def test_a_search_says_what_it_understood_and_shows_each_trial(nas, tmp_path):
    _, err = nas(
        *("search", "--evaluator", "tests/nas/own.py:three", "--space", "mlp", "--trials", "3"),
        *("--data", "digits", "--objectives", "f1,delay,parameters", "--limit", "delay<=5"),
        *("--limit", "parameters<=100000", "--out", tmp_path / "run"),
    )
    lines = err.splitlines()
    assert lines[0] == "data          digits, 1,797 examples: train 1,150, validation 288, test 359"
    said = {line.split("  ")[0]: line for line in lines[1:20]}
    assert "augmentation" not in said  # it is the evaluator's
    assert said["space"].endswith(" mlp, 43,632 networks")
    assert said["searched too"].endswith(" lr, kind")
    assert "tests/nas/own.py:three" in said["evaluator"]
    assert said["objectives"].split(maxsplit=1)[1] == (
        "f1 (maximize), delay (minimize, ms), parameters (minimize)"
    )
    assert said["limits"].endswith(" delay<=5 (measured), parameters<=100000 (met before training)")
    for trial in toolkit.open_run(tmp_path / "run").trials:
        (line,) = (line for line in lines if line.startswith(f"trial {trial.number:>4} "))
        assert f"{trial.scores['f1']:.2%} f1" in line
        assert f"{trial.scores['delay']:.0f} ms delay" in line
        assert f"{trial.scores['parameters']:,} parameters" in line
        assert ("(not delay<=5)" in line) == (trial.scores["delay"] > 5)


def test_a_search_without_networks_says_so(nas, tmp_path):
    out, err = nas(
        *("search", "--evaluator", "tests/nas/own.py:alone", "--trials", "2"),
        *("--out", tmp_path / "run"),
    )
    assert err.splitlines()[:4] == [
        "data          none, the evaluator has its own",
        "objectives    error (minimize)",
        "space         none, hyperparameters only",
        "searched too  lr, deep.layers, kind",
    ]
    assert f"nas show {tmp_path / 'run'} " in out
    assert "nas retrain" not in out
    assert "nas export" not in out


def test_show_has_the_objectives_as_columns_in_80_columns(nas, runs):
    for name, head in (
        ("three", ["trial", "f1", "delay,", "ms", "parameters", "seconds", "architecture"]),
        ("alone", ["trial", "error", "seconds", "hyperparameters"]),
    ):
        run = runs[name]
        out, _ = nas("show", run.path)
        lines = out.splitlines()
        table = lines.index(next(line for line in lines if line.startswith("front (")))
        assert lines[table + 1].split() == head
        assert all(len(line) <= 80 for line in lines if str(run.path) not in line)
        first = run.front[0]
        cells = lines[table + 2].split()[: len(run.objectives.names) + 1]
        assert cells[0] == str(first.number)
        assert cells[1] == run.objectives.first.text(first.scores[run.objectives.first.name])
        said = f"never on the front: {len(over(run))} trials not delay<=5"
        assert (said in out) == bool(over(run))


def test_show_as_json_has_objectives_limits_and_scores(nas, run):
    document = json.loads(nas("show", run.path, "--json")[0])
    assert [o["name"] for o in document["objectives"]] == list(run.objectives.names)
    assert document["violating"] == len(over(run))
    assert document["limits"] == [str(c) for c in run.objectives.constraints]
    for item in document["front"]:
        assert item["scores"] == run.trial(item["number"]).scores
        assert item["number"] not in over(run)


def test_show_a_trial_tells_its_metrics_limits_and_gain(nas, run):
    first = run.objectives.first
    for trial in (run.best(), *(run.trial(n) for n in over(run)[:1])):
        out, _ = nas("show", run.path, trial.number)
        assert all(len(line) <= 80 for line in out.splitlines())
        assert out.startswith(f"trial {trial.number}: {first.words(trial.scores[first.name])}, ")
        assert ("not delay<=5" in out.splitlines()[0]) == (trial.number in over(run))
        document = json.loads(nas("show", run.path, trial.number, "--json")[0])
        assert document["violates"] == [str(c) for c in run.objectives.violated(trial.scores)]
        if document["gain"] is not None:
            before, after = (
                run.trial(n).scores[first.name] for n in (document["parent"], trial.number)
            )
            better = after > before if first.direction == "maximize" else after < before
            assert (document["gain"] > 0) == better


def test_the_live_table_is_of_the_objectives_and_counts_what_is_over_a_limit(runs):
    run, page = runs["three"], io.StringIO()
    console = Console(file=page, force_terminal=True, width=100)
    view = live_view(Budget(trials=len(run.trials)), console, workers=lambda: 1)
    view.started(toolkit.Run(run.path, run.space, trials=[]))
    for trial in run.trials:
        view.observed(trial)
    view.ended(run)
    told = page.getvalue()
    assert all(title in told for title in ("f1", "delay, ms", "parameters"))
    assert f"front: {len(run.front)}" in told
    assert f"failed: 0; over a limit: {len(over(run))}" in told
    assert "40/40" in told


def test_csv_has_the_metrics_of_the_run(nas, run):
    rows = list(csv.DictReader(io.StringIO(nas("show", run.path, "--csv")[0])))
    names = [metric.name for metric in run.header.metrics]
    assert list(rows[0])[4 : 4 + len(names)] == names
    for row, trial in zip(rows, run.trials, strict=True):
        assert {name: float(row[name]) for name in names} == trial.scores
        assert row["violates"] == " ".join(map(str, run.objectives.violated(trial.scores)))
        if row["on_front"] == "1":
            assert not row["violates"]


def test_explain_finds_what_decides_each_objective(nas, runs):
    document = json.loads(nas("explain", runs["three"].path, "--json")[0])
    assert list(document["importance"]) == ["f1", "delay", "parameters"]
    assert next(iter(document["importance"]["f1"])) == "recipe.lr"
    assert {*list(document["importance"]["delay"])[:2]} == {"norm", "recipe.kind"}
    assert all(set(e["costs"]) == {"parameters"} for e in document["effects"]["norm"])
    out, _ = nas("explain", runs["three"].path)
    assert "mean effect of each option, points of f1" in out
    assert "what decides delay, ms" in out
    assert all(len(line) <= 80 for line in out.splitlines())


def test_an_effect_on_an_error_is_positive_where_the_error_is_small(nas, runs):
    document = json.loads(nas("explain", runs["alone"].path, "--json")[0])
    gains = {effect["option"]: effect["gain"] for effect in document["effects"]["recipe.kind"]}
    assert gains["a"] > 0 > gains["b"]
    assert document["effects"]["recipe.kind"][0]["costs"] == {}
    assert "mean effect of each option, less error" in nas("explain", runs["alone"].path)[0]


def test_compare_is_in_the_first_objective_and_one_scale(nas, runs, tmp_path):
    other = toolkit.search(evaluator=alone, strategy="random", trials=20, out=tmp_path / "random")
    out, _ = nas("compare", runs["alone"].path, other.path)
    best = min(t.scores["error"] for t in runs["alone"].trials[:20])
    assert [*map(str.split, out.splitlines())].count(
        ["best", "error", f"{best:.4g}", f"{other.best().scores['error']:.4g}"]
    ) == 1
    assert "hypervolume" not in out  # it would say no more than the best error
    document = json.loads(nas("compare", runs["alone"].path, other.path, "--json")[0])
    assert (document["objective"], document["cost"], document["sizes"]) == ("error", None, [])
    first = [t.scores["error"] for t in runs["alone"].trials[:10]]
    for group, run in zip(document["groups"], (runs["alone"], other), strict=True):
        best = min(t.scores["error"] for t in run.trials[:20])
        expected = (max(first) - best) / (max(first) - min(first))
        assert group["areas"][-1]["mean"] == pytest.approx(max(0, expected))


def test_compare_leaves_out_what_is_over_a_limit(nas, runs, tmp_path):
    again = toolkit.search(
        space="mlp", data="digits", evaluator=three, objectives=("f1", "delay", "parameters"),
        limits=("delay<=5",), strategy="random", trials=20, out=tmp_path / "random",
    )  # fmt: skip
    document = json.loads(nas("compare", runs["three"].path, again.path, "--json")[0])
    assert (document["objective"], document["cost"]) == ("f1", "parameters")
    for group, run in zip(document["groups"], (runs["three"], again), strict=True):
        kept = [t.scores["f1"] for t in run.trials[:20] if t.scores["delay"] <= 5]
        assert group["best"]["mean"] == group["sizes"][-1]["mean"] == max(kept)


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """A run whose error is decided by the norm, the epochs and the seed."""
    return toolkit.search(
        space="mlp", data="digits", evaluator="tests/nas/own.py:noisy", strategy="random",
        max_params=20_000, epochs=1, trials=12, out=tmp_path_factory.mktemp("noisy") / "run",
    )  # fmt: skip


def test_what_is_trained_again_needs_the_users_evaluator(noisy, capfd):
    own = noisy.settings.evaluator
    with pytest.raises(SystemExit) as end:
        main(["trust", str(noisy.path)])
    assert end.value.code == 2
    assert capfd.readouterr().err == (
        f"nas: {noisy.path}: its evaluator is your own, which is run only if it is named: add "
        f"--evaluator {own}\n"
    )


def test_trust_and_ablation_run_the_users_evaluator(nas, noisy):
    with_own = ("--evaluator", noisy.settings.evaluator)
    found = json.loads(nas("trust", noisy.path, "--seeds", 2, *with_own, "--json")[0])
    assert found["epochs"] == [1, 4]
    for member in found["members"]:
        assert member["long"]["mean"] < member["brief"]["mean"]
    out, _ = nas("trust", noisy.path, "--seeds", 2)  # all of them are stored
    assert "the front, drawn again (error; ± 95 %)" in out
    trial = next(t for t in noisy.trials if t.architecture.value["norm"] == "batch")
    ablated = ("explain", noisy.path, "--ablate", "--one", "--trial", trial.number, "--seeds", 2)
    document = json.loads(nas(*ablated, *with_own, "--json")[0])["ablation"]
    assert document["metric"] == "error"
    gains = {(o["path"], o["instead"]): o["gain"] for o in document["options"]}
    assert gains["norm", "none"] < -0.05 or gains["norm", "layer"] > 0.05
    assert all(set(option["costs"]) == {"parameters"} for option in document["options"])


def test_a_run_without_a_trial_within_its_limits_has_no_front_and_says_so(nas, tmp_path, capfd):
    run = toolkit.search(
        evaluator=alone,
        strategy="random",
        limits="error<=0.000001",
        trials=10,
        out=tmp_path / "run",
    )
    out, _ = nas("show", run.path)
    assert "never on the front: 10 trials not error<=1e-06" in out
    assert "front (" not in out
    assert json.loads(nas("show", run.path, "--json")[0])["violating"] == 10
    assert json.loads(nas("explain", run.path, "--json")[0])["trials"] == 10
    for arguments in (["trust", run.path], ["compare", run.path, run.path]):
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in arguments])
        err = capfd.readouterr().err
        assert (end.value.code, err.count("\n")) == (2, 1)
        assert "no completed trial within its limits" in err
