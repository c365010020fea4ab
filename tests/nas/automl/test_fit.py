"""Fitting: data of every form, budgets, what is returned, and what it is exported as."""

import json
import re
import time

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient
from sklearn.datasets import load_breast_cancer, load_diabetes

import nas
from nas.automl import inputs
from nas.automl.targets import labels_of
from nas.cli.main import main

SMALL = {"budget": 2, "space": "tabular:max_width=16,max_depth=1"}
RNG = np.random.RandomState(0)


def homes(rows=120, seed=0):
    """A table with gaps, categories and a known rule."""
    rng = np.random.RandomState(seed)
    city = rng.choice(["Oslo", "Rome", "Lima"], rows)
    area = rng.uniform(40, 200, rows)
    price = 3_000 * area + 90_000 * (city == "Rome")
    area[rng.rand(rows) < 0.1] = np.nan
    return pd.DataFrame({"area": area, "city": city}), price


def test_a_table_with_categories_and_gaps_is_fitted_and_predicted():
    X, y = homes()
    model = nas.NASRegressor(budget=2).fit(X, y)
    new, truth = homes(seed=1)
    new.loc[0, "city"] = "Paris"  # of no training row
    known = new["area"].notna().to_numpy() & (np.arange(len(new)) > 0)
    assert np.corrcoef(model.predict(new)[known], truth[known])[0, 1] > 0.9
    assert list(model.feature_names_in_) == ["area", "city"]
    with pytest.raises(ValueError, match="feature names"):
        model.predict(new.rename(columns={"area": "size"}))


def test_a_table_of_numbers_keeps_the_names_of_its_columns_and_targets():
    X = pd.DataFrame(RNG.rand(60, 3), columns=["a", "b", "c"])
    model = nas.NASRegressor(**SMALL | {"budget": 1}).fit(X, (3 * X["a"]).rename("price"))
    bundle, swapped = model.bundle_, X[["c", "b", "a"]].assign(more="x")
    assert bundle.names == ["price"]
    assert np.allclose(bundle.predict(swapped).values.numpy()[:, 0], model.predict(X), atol=1e-4)
    assert np.allclose(bundle.predict(X.to_dict("records")).values, bundle.predict(X.values).values)
    with pytest.raises(ValueError, match="want the column 'b', got none"):
        bundle.predict(X.drop(columns="b"))
    with pytest.raises(ValueError, match="want numbers in the column 'a'"):
        bundle.predict(X.assign(a="x"))
    with pytest.raises(ValueError, match="Input X contains NaN, and there was none in the fit"):
        model.predict(X.assign(a=np.nan))
    with pytest.raises(ValueError, match="Input X contains texts, and there were only numbers"):
        model.predict(X.assign(a="x"))
    gaps = X.assign(a=X["a"].where(X["a"] > 0.1))
    other = nas.NASRegressor(**SMALL | {"budget": 1}).fit(gaps, X[["b", "c"]])
    assert other.bundle_.names == ["b", "c"]
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        unnamed = other.predict(X.to_numpy())
    assert np.array_equal(unnamed, other.predict(X))


def test_an_array_of_texts_is_a_table():
    X = np.array([["a", 1.5], ["b", 2.5]] * 30, dtype=object)
    model = nas.NASClassifier(**SMALL | {"budget": 1}).fit(X, X[:, 0] == "a")
    assert model.score(X, X[:, 0] == "a") == 1


def test_the_layout_of_an_array_may_be_given():
    X, y = RNG.rand(40, 12, 12).astype(np.float32), labels_of(np.arange(40) % 2)
    for layout, shape in (("nlc", (12, 12)), ("NHW", (1, 12, 12))):
        data = inputs.dataset(X, y, None, layout=inputs.parse_layout(layout), split_off=())
        assert data.input_shape == shape
    with pytest.raises(ValueError, match=r"layout: want ND, NL, .*, got 'XY'"):
        nas.NASClassifier(**SMALL, layout="XY").fit(X, np.arange(40) % 2)


def test_labels_and_several_targets():
    X = RNG.rand(150, 4)
    Y = (X[:, :3] > 0.5).astype(int)
    labelled = nas.NASClassifier(budget=2).fit(X, Y)
    assert labelled.predict(X).shape == (150, 3)
    assert (labelled.predict(X) == Y).mean() > 0.85
    several = nas.NASRegressor(budget=2).fit(X, 100 * X[:, :2] + 7)
    assert several.predict(X).shape == (150, 2)
    assert several.score(X, 100 * X[:, :2] + 7) > 0.8


@pytest.mark.long
def test_images_and_sequences():
    images = RNG.randint(0, 255, (60, 8, 8)).astype(np.uint8)
    images[30:, :4] //= 4
    y = np.repeat(["light", "dark"], 30)
    small = {"budget": 1, "space": "nasbench201:channels=4,cells=1"}
    model = nas.NASClassifier(**small).fit(images, y)
    assert set(model.predict(images)) <= {"light", "dark"}
    waves = RNG.rand(60, 30, 2).astype(np.float32)
    sequences = nas.NASClassifier(budget=1, space="conv1d").fit(waves, y)
    assert sequences.predict_proba(waves).shape == (60, 2)


def test_the_ensemble_is_at_least_as_good_as_the_best_configuration_out_of_sample():
    X, y = load_breast_cancer(return_X_y=True)
    model = nas.NASClassifier(**SMALL | {"budget": 3}).fit(X[::4], y[::4])
    single = model.leaderboard_["loss"].min()
    assert model.fitted_.scores["loss"] <= single + 1e-9
    assert model.score(X[1::2], y[1::2]) > 0.9


@pytest.mark.long
def test_a_model_is_exported_as_a_bundle_that_predicts_the_same(tmp_path):
    X, y = load_diabetes(return_X_y=True)
    model = nas.NASRegressor(**SMALL).fit(X[:150], y[:150])
    model.export(tmp_path / "model")
    bundle = nas.open_bundle(tmp_path / "model")
    values = bundle.predict(X[150:180].astype(np.float32)).values.numpy()[:, 0]
    assert np.allclose(values, model.predict(X[150:180]), rtol=1e-4)


@pytest.mark.long
def test_the_bundle_of_a_table_of_numbers_takes_a_file_of_rows(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    frame = load_diabetes(as_frame=True)
    nas.NASRegressor(**SMALL).fit(frame.data, frame.target).export("model")
    frame.data.head(3).to_csv("new.csv", index=False)
    with pytest.raises(SystemExit) as ended:
        main(["predict", "model", "new.csv", "--json"])
    assert ended.value.code == 0
    assert len(json.loads(capsys.readouterr().out)) == 3


@pytest.mark.long
def test_a_run_is_kept_where_it_is_asked_for_and_goes_on(tmp_path):
    X, y = load_diabetes(return_X_y=True)
    first = nas.NASRegressor(**SMALL, out=tmp_path / "run").fit(X, y)
    run = nas.open_run(tmp_path / "run")
    assert len(run.trials) == 2
    assert run.settings.folds == 5
    more = nas.NASRegressor(**SMALL | {"budget": 3}, out=tmp_path / "run").fit(X, y)
    assert len(more.leaderboard_) == 3
    assert set(first.leaderboard_["configuration"]) < set(more.leaderboard_["configuration"])


def test_many_rows_are_judged_by_a_part_that_is_held_out(tmp_path):
    X = RNG.rand(2_100, 3)
    y = X[:, 0] > X[:, 1]
    model = nas.NASClassifier(budget=1, space="tabular:max_depth=1", out=tmp_path / "run").fit(X, y)
    run = nas.open_run(tmp_path / "run")
    assert run.settings.folds == 0
    assert run.header.data["examples"] == {"train": 1_680, "validation": 420, "test": 0}
    assert model.score(X, y) > 0.95


@pytest.mark.long
@pytest.mark.parametrize("seconds", [3, 10, 20])
def test_a_budget_of_time_is_kept(seconds):
    X, y = load_breast_cancer(return_X_y=True)
    began = time.monotonic()
    model = nas.NASClassifier(budget=f"{seconds}s").fit(X, y)
    assert time.monotonic() - began < 1.05 * seconds + 2
    assert model.score(X, y) > 0.9


def test_the_command_goes_from_a_file_to_predictions(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    X, y = homes(80)
    X.assign(price=y).to_csv("homes.csv", index=False)
    words = "fit homes.csv --target price --budget 1 --to model"
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    assert ended.value.code == 0
    written = capsys.readouterr()
    assert "only a program" not in written.err  # there is no run that could be resumed
    printed = written.out.splitlines()
    assert re.fullmatch(r"1 configuration of 1, 5 networks, \d+ parameters", printed[0])
    assert re.match(r"on 80 examples .*: r2 0\.\d+", printed[1])
    assert printed[-1] == "next: nas predict model NEW-DATA"
    X.to_csv("new.csv", index=False)
    with pytest.raises(SystemExit) as ended:
        main(["predict", "model", "new.csv", "--json"])
    assert ended.value.code == 0
    assert len(json.loads(capsys.readouterr().out)) == 80
    again = "retrain model --data homes.csv --epochs 1 --to tuned"
    for words_of, status in ((again, 2), (f"{again} --target price", 0)):
        with pytest.raises(SystemExit) as ended:
            main(words_of.split())
        assert ended.value.code == status
    assert "want the column to predict" in capsys.readouterr().err
    for more, message in (("", "exists already"), (" --force --task what", "task: want auto, ")):
        with pytest.raises(SystemExit) as ended:
            main((words + more).split())
        assert ended.value.code == 2
        assert message in capsys.readouterr().err


CELLS = """\
import numpy as np, pandas as pd, nas
X = pd.DataFrame({"size": [1.0, None, 3.0, 4.0] * 20, "kind": list("abcd") * 20}); y = ["x", "y"] * 40
---
model = nas.NASClassifier(budget=2, progress=True).fit(X, y)
model.predict(X)[:4]
---
model.leaderboard_
"""


@pytest.mark.long
def test_three_lines_in_a_notebook(tmp_path):
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS.split("---\n")]
    client = NotebookClient(
        nbformat.v4.new_notebook(cells=cells),
        timeout=600,
        resources={"metadata": {"path": tmp_path}},
    )
    done = client.execute()
    shown = [output for cell in done.cells for output in cell.get("outputs", ())]
    assert any("array(['x', 'y', 'x', 'y']" in str(output) for output in shown)
    assert any("<progress" in str(output) for output in shown)
    assert any("in_ensemble" in str(output) for output in shown)
