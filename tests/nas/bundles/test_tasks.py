"""Bundles of every task and kind of inputs: the same predictions in all formats, by name and unit."""

import json
import subprocess
import sys
from contextlib import nullcontext
from random import Random

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

import nas
import search_spaces
from nas.bundles import write as writing
from nas.bundles.units import in_units
from nas.bundles.write import write_bundle
from nas.cli.main import main
from nas.source import formats
from nas.winners.fine_tune import fine_tune
from nas.winners.predict import takes
from nas.winners.retrain import retrain
from search_spaces import Task
from tests.nas.networks import small, trained, unwritten
from tests.nas.source.test_source import module_of
from trainers.data.tables.preprocessing import TablePreprocessing

PRICES = {
    "task": "regression",
    "names": ["price", "area, m²"],
    "mean": [250_000.0, 80.0],
    "std": [1e5, 25.0],
}
ALONE = (
    "import sys\n"
    "class Refuse:\n"
    "    def find_spec(self, name, *_):\n"
    "        if name.split('.')[0] in ('nas', 'search_spaces', 'trainers', 'pandas', 'sklearn', 'numpy'): raise ModuleNotFoundError(name)\n"
    "sys.meta_path.insert(0, Refuse())\n"
    "sys.path.insert(0, '.')\n"
    "import json, torch, model\n"
    "net = model.load('weights.safetensors')\n"
)


def named(task, names):
    return {"task": task, "names": names, "mean": [], "std": []}


def made(folder, targets, *, space="mlp", shape=(5,), task=None, **facts):
    """A bundle of a small network."""
    space = search_spaces.get(space) if isinstance(space, str) else space
    task = task or Task(shape, len(targets["names"]), dense=targets["task"] == "segmentation")
    architecture = small(space, Random(0), task, most=50_000)
    net = (
        trained(space, architecture, task) if not task.dense else space.compile(architecture, task)
    )
    return write_bundle(unwritten(space, architecture, task, net.eval(), targets, **facts), folder)


@pytest.fixture
def source_alone(monkeypatch):
    """Bundles have `model.py` alone, unverified and not timed: what is left out takes seconds."""

    def refuse(*_):
        raise ValueError("this test wants it so")

    monkeypatch.setattr(formats, "exported", refuse)
    monkeypatch.setattr(writing, "clean_process", lambda: nullcontext(lambda _: []))
    latency = {"seconds": 1.0, "runs": 1, "threads": 1, "machine": {"machine": "any"}}
    monkeypatch.setattr(writing, "_latency", lambda *_: latency)


def alone(folder, code):
    """Run `code` in the folder of a bundle, without this toolkit; return the JSON that it prints."""
    program = [sys.executable, "-I", "-B", "-c", ALONE + code]
    done = subprocess.run(program, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def written(bundle, use):
    """The result of `use(model, net)`, where `model` is the bundle's `model.py`."""
    model = module_of((bundle.path / "model.py").read_text())
    return use(model, model.load(bundle.path / "weights.safetensors"))


def status(*arguments):
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return end.value.code


def test_values_are_in_the_users_units_in_every_format(tmp_path):
    bundle = made(tmp_path / "b", PRICES)  # verified
    raw = torch.randn(9, 5) * 50
    with torch.inference_mode():
        wanted = bundle.net()(bundle.preprocess(raw)).double() * torch.tensor(
            PRICES["std"]
        ) + torch.tensor(PRICES["mean"])
    found = bundle.predict(raw)
    assert found.names == ("price", "area, m²")
    torch.testing.assert_close(found.values, wanted)
    x = bundle.preprocess(raw)
    session = onnxruntime.InferenceSession(bundle.path / "model.onnx")
    (values,) = session.run(["values"], {"x": x.numpy()})
    np.testing.assert_allclose(values, wanted, rtol=1e-4)
    meta = {
        p.key: json.loads(p.value) for p in onnx.load(bundle.path / "model.onnx").metadata_props
    }
    assert meta["targets"] == PRICES
    about = {"targets": ""}
    program = torch.export.load(bundle.path / "model.pt2", extra_files=about).module()
    torch.testing.assert_close(program(x).double(), wanted, rtol=1e-4, atol=1e-3)
    assert json.loads(about["targets"]) == PRICES
    rows = written(bundle, lambda model, net: model.predict(net, model.preprocess(raw)))
    for ours, theirs in zip(found.rows(), rows, strict=True):
        assert theirs == pytest.approx(ours, rel=1e-5)


def test_a_target_far_from_zero_is_scaled_in_float64():
    """Seconds since 1970, some of them apart: float32 would tell none from the next."""
    net, x = nn.Linear(5, 1), torch.randn(20, 5)
    moment = {"mean": [1.7e9], "std": [10.0]}
    with torch.inference_mode():
        values = in_units(net, moment)(x)
        assert values.dtype == torch.float64
        torch.testing.assert_close((values - 1.7e9) / 10, net(x).double(), atol=1e-6, rtol=0)
        assert in_units(net, PRICES)(x).dtype == torch.float32
    assert in_units(net, named("classification", ["a"])) is net


def test_labels_have_names(source_alone, tmp_path):
    bundle = made(tmp_path / "b", named("multilabel", ["cat", "dog", 'a "b" | ü']))
    raw = torch.randn(30, 5) * 100
    found = bundle.predict(raw)
    with torch.inference_mode():
        chances = bundle.net()(bundle.preprocess(raw)).sigmoid()
    assert found.labels == [
        [n for n, c in zip(bundle.names, row, strict=True) if c > 0.5] for row in chances.tolist()
    ]
    rows = written(bundle, lambda model, net: model.predict(net, model.preprocess(raw)))
    assert [row["labels"] for row in rows] == found.labels
    assert [row["probabilities"] for row in rows] == [
        pytest.approx(row["probabilities"], rel=1e-4) for row in found.rows()
    ]


def test_masks_have_the_numbers_of_classes_and_the_size_of_the_images(
    source_alone, tmp_path, capfd
):
    names = named("segmentation", ["sky", "road", "tree"])
    bundle = made(tmp_path / "b", names, space="unet", shape=(3, 12, 9))
    pixels = np.random.default_rng(0).integers(0, 255, (4, 3, 12, 9), dtype=np.uint8)
    masks = bundle.predict(pixels).masks
    with torch.inference_mode():
        wanted = bundle.net()(bundle.preprocess(pixels)).argmax(dim=1)
    assert masks.dtype == torch.uint8
    assert torch.equal(masks.long(), wanted)
    assert bundle.predict(pixels.repeat(2, axis=3)).masks.shape == (4, 12, 18)

    files = [tmp_path / "one.png", tmp_path / "two.png"]
    Image.fromarray(pixels[0].transpose(1, 2, 0)).save(files[0])
    Image.fromarray(pixels[1].transpose(1, 2, 0)).resize((20, 31)).save(files[1])
    assert status("predict", bundle.path, *files, "--out", tmp_path / "masks", "--json") == 0
    shares = [row["prediction"] for row in json.loads(capfd.readouterr().out)]
    first = np.asarray(Image.open(tmp_path / "masks" / "one.png"))
    assert (first == masks[0].numpy()).all()
    assert np.asarray(Image.open(tmp_path / "masks" / "two.png")).shape == (31, 20)
    counts = np.bincount(first.ravel(), minlength=3) / first.size
    assert list(shares[0].values()) == pytest.approx(counts.tolist())
    assert list(shares[0]) == ["sky", "road", "tree"]
    mask = written(bundle, lambda model, net: model.predict(net, model.preprocess(files[0])))
    assert torch.equal(mask, masks[:1])


def table(rows, rng):
    """Rows with a number, a category, a flag, a date and an id, a tenth of the values missing."""
    days = np.datetime64("2024-01-01") + rng.integers(0, 300, rows)
    frame = pd.DataFrame(
        {
            "id": np.arange(rows),
            "size, m²": rng.normal(80, 20, rows).round(1),
            "city": rng.choice(["Bonn", "Köln", "Ulm", "Jena", 'a "b", c'], rows),
            "new": rng.choice(["yes", "no"], rows),
            "sold": days.astype(str),
        }
    )
    gone = rng.random(frame.shape) < 0.1
    gone[:, 0] = False
    return frame.astype(object).mask(gone)


def check_commands(bundle, new, found, folder, capfd):
    """`nas predict` on raw rows, as text, as JSON and to a file; and its errors."""
    assert status("predict", bundle.path, folder / "new.csv", "--json") == 0
    out, said = capfd.readouterr()
    assert "'city': 1 values of unseen categories (such as 'Trier')" in said
    document = json.loads(out)
    assert [row["prediction"] for row in document] == found
    assert [row["row"] for row in document] == list(range(len(new)))
    target = folder / "predictions.csv"
    assert status("predict", bundle.path, folder / "new.csv", "--out", target) == 0
    written = pd.read_csv(target)
    np.testing.assert_allclose(written["price"], [row["price"] for row in found])
    capfd.readouterr()
    np.save(folder / "array.npy", np.zeros((2, 5)))
    new.drop(columns="city").to_csv(folder / "less.csv")
    new[:0].to_csv(folder / "empty.csv")
    for file, message in (
        ("new.csv", "exists already"),
        ("array.npy", "array.npy: want rows with the columns size, m²"),
        ("less.csv", "less.csv: want column 'city'"),
        ("empty.csv", "empty.csv: want rows below the names of the columns"),
        ("image.png", "the network takes CSV or Parquet files with the columns size, m²"),
    ):
        (folder / "image.png").write_bytes(b"")
        more = ["--out", target] if file == "new.csv" else []
        assert status("predict", bundle.path, folder / file, *more) == 2
        said = " ".join(capfd.readouterr().err.split())
        assert message in said
        assert "data:" not in said  # an option of nas search


def test_vectors_with_missing_values_are_asked_for_as_arrays():
    """They are rows of a table, but no CSV file has numbers as names of columns."""
    x = np.array([[1.0, 2.0, np.nan], [3.0, 4.0, 5.0]] * 20) + np.arange(40)[:, None]
    fitted = TablePreprocessing.fit(pd.DataFrame(x))
    space = search_spaces.get("mlp")
    task = Task((len(fitted.features),), 2, numeric=fitted.numeric)
    architecture = small(space, Random(0), task, most=50_000)
    bundle = unwritten(space, architecture, task, table=fitted.to_dict())
    assert takes(bundle) == ".npy or .npz files with an array (N, 3)"
    assert len(fitted.features) == 4


def test_a_table_is_read_from_raw_rows_without_the_toolkit(source_alone, tmp_path, capfd):
    rng = np.random.default_rng(0)
    fitted = TablePreprocessing.fit(table(200, rng))
    task = Task((len(fitted.features),), 2, numeric=fitted.numeric)
    bundle = made(tmp_path / "b", PRICES, task=task, table=fitted.to_dict())
    assert bundle.task == task
    new = table(30, rng).assign(more=1)
    new.loc[0, "city"] = "Trier"  # unseen
    for file, separator in (("new.csv", ","), ("semicolons.csv", ";")):
        new.to_csv(tmp_path / file, index=False, sep=separator)
        found = bundle.predict(tmp_path / file).rows()
        assert found == bundle.predict(new).rows()
    records = new.astype(object).where(new.notna(), None).to_dict("records")
    assert bundle.predict(records).rows() == found
    files = [str(tmp_path / file) for file in ("new.csv", "semicolons.csv")]
    check_commands(bundle, new, found, tmp_path, capfd)
    with pytest.raises(ValueError, match="want column 'city', which"):
        bundle.predict(new.drop(columns="city"))
    with pytest.raises(ValueError, match=r"want rows with the columns size, m².*got ndarray"):
        bundle.predict(new.to_numpy())
    card = (bundle.path / "README.md").read_text()
    assert '| city | category: Bonn, Jena, Köln, Ulm, a "b", c; others are none of them |' in card
    assert "price: mean 250000, standard deviation 100000" in card
    block = card.split("```python\n")[1].split("```")[0].replace("print(", "str(")  # it runs
    code = (
        f"print(json.dumps([model.predict(net, model.preprocess(model.rows(f))) for f in {files}]))"
    )
    for rows in alone(bundle.path, block + code):
        for ours, theirs in zip(found, rows, strict=True):
            assert theirs == pytest.approx(ours, rel=1e-5)


def test_arrays_are_read_as_those_of_the_training_data(source_alone, tmp_path):
    rng, names = np.random.default_rng(0), named("classification", ["a", "b"])
    square = rng.normal(size=(4, 6, 6)).astype(np.float32)
    reading = {"layout": "NLC", "pixels": None}
    bundle = made(tmp_path / "s", names, space="conv1d", shape=(6, 6), reading=reading)
    mean, std = (torch.tensor(bundle.described["preprocessing"][n]) for n in ("mean", "std"))
    wanted = (torch.from_numpy(square) - mean) / std  # channels last
    torch.testing.assert_close(bundle.preprocess(square), wanted.movedim(2, 1))
    for wrong in (square[:, :5], square.astype(str), square * np.nan, [[1.0], [1.0, 2.0]]):
        with pytest.raises(ValueError, match=r"want (inputs|numbers|finite|an array)"):
            bundle.preprocess(wrong)

    bundle = made(tmp_path / "i", names, space="resnet", shape=(3, 8, 8))
    pixels = rng.integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    first = pixels.transpose(0, 3, 1, 2)
    torch.testing.assert_close(bundle.preprocess(pixels), bundle.preprocess(first))
    assert bundle.preprocess(pixels.repeat(2, axis=1)).shape == (2, 3, 8, 8)
    for wrong in (first / 255, first * 2.0, first.astype(int) - 1):
        with pytest.raises(ValueError, match="want pixels from 0 to 255"):
            bundle.preprocess(wrong)
    fractions = {"layout": "NHWC", "pixels": "fractions"}
    other = made(tmp_path / "f", names, space="resnet", shape=(3, 8, 8), reading=fractions)
    torch.testing.assert_close(other.preprocess(pixels / 255), bundle.preprocess(pixels))
    torch.testing.assert_close(other.preprocess(pixels), bundle.preprocess(pixels))


@pytest.mark.long
def test_a_table_from_search_to_predictions_on_raw_rows(tmp_path, capfd, monkeypatch):
    """Missing values, an unseen category, a date and an id; every format is verified."""
    rng = np.random.default_rng(0)
    frame = table(400, rng)
    size = pd.to_numeric(frame["size, m²"]).fillna(80)
    frame["price"] = 3000 * size + 40_000 * (frame["city"] == "Bonn") + rng.normal(0, 5000, 400)
    frame.to_csv(tmp_path / "houses.csv", index=False)
    new = table(50, rng)
    new.loc[0, "city"] = "Trier"
    new.to_csv(tmp_path / "new.csv", index=False)
    monkeypatch.chdir(tmp_path)
    arguments = ["--data", "houses.csv", "--target", "price", "--trials", 3, "--epochs", 10]
    assert status("search", *arguments, "--out", "run") == 0
    assert status("export", "run", "--to", "winner") == 0
    assert status("verify", "winner") == 0
    capfd.readouterr()
    assert status("predict", "winner", "new.csv", "--json") == 0
    found = [row["prediction"] for row in json.loads(capfd.readouterr().out)]
    file = str(tmp_path / "new.csv")
    code = f"print(json.dumps(model.predict(net, model.preprocess(model.rows({file!r})))))"
    for ours, theirs in zip(found, alone(tmp_path / "winner", code), strict=True):
        assert theirs == pytest.approx(ours, rel=1e-5)
    truth = 3000 * pd.to_numeric(new["size, m²"]).fillna(80) + 40_000 * (new["city"] == "Bonn")
    assert np.corrcoef(truth, [row["price"] for row in found])[0, 1] > 0.8
    tuned = ["--data", "houses.csv", "--epochs", 2, "--to", "tuned"]
    assert status("retrain", "winner", *tuned, "--json") == 0
    before, after = nas.open_bundle("winner"), nas.open_bundle("tuned")
    assert after.described["preprocessing"] == before.described["preprocessing"]
    assert after.described["targets"] == before.described["targets"]
    assert after.metrics["test"]["r2"] > 0.5
    assert status("retrain", "run", "--epochs", 10, "--to", "again") == 0
    assert "test r2 " in capfd.readouterr().out


def test_a_regression_is_trained_again_on_values_of_another_unit(source_alone, tmp_path):
    x = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)
    for name, factor in (("euros", 1), ("cents", 100)):
        np.savez(tmp_path / f"{name}.npz", x=x, y=factor * (90 + 10 * x[:, 0]))
    run = nas.search(
        data=str(tmp_path / "euros.npz"),
        space="mlp",
        trials=1,
        epochs=10,
        dropout=0.0,
        max_params=5_000,
        out=tmp_path / "run",
    )
    bundle = run.export(run.best(), tmp_path / "euros")
    tuned = fine_tune(bundle, str(tmp_path / "cents.npz"), tmp_path / "tuned", epochs=2)
    again = retrain(tuned, tmp_path / "again", epochs=10)
    for cents in (tuned, again):
        assert cents.metrics["test"]["r2"] > 0.7
        found = cents.predict(x).values[:, 0].numpy()
        assert np.corrcoef(found, x[:, 0])[0, 1] > 0.8
        assert found.mean() == pytest.approx(9_000, rel=0.05)


def test_arrays_in_files_are_predicted(source_alone, tmp_path, capfd):
    bundle = made(tmp_path / "b", PRICES)
    x = np.random.default_rng(0).normal(size=(3, 5))
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "both.npz", x_test=x, y_test=np.zeros(3), more=np.zeros(2))
    np.savez(tmp_path / "two.npz", x_test=x, x_train=x)
    np.save(tmp_path / "narrow.npy", x[:, :4])
    np.save(tmp_path / "texts.npy", x.astype(str))
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    (tmp_path / "folder").mkdir()
    wanted = bundle.predict(x).rows()
    for name in ("x.npy", "both.npz"):
        assert status("predict", bundle.path, tmp_path / name, "--json") == 0
        document = json.loads(capfd.readouterr().out)
        assert [row["prediction"] for row in document] == wanted
    assert status("predict", bundle.path, tmp_path / "x.npy") == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[2].endswith(
        f"price {wanted[2]['price']:.6g}, area, m² {wanted[2]['area, m²']:.6g}"
    )
    for name, message in (
        ("two.npz", "want one array of inputs, such as x, got x_test, x_train"),
        ("narrow.npy", "narrow.npy: want inputs (B, 5), got (3, 4)"),
        ("texts.npy", "texts.npy: want numbers, got str"),
        ("objects.npy", "objects.npy: want an array of numbers that numpy saved: "),
        ("rows.csv", "the network takes .npy or .npz files with an array (N, 5)"),
        ("none.npy", "none.npy: no such file"),
        ("folder", "folder is a folder; name its files, as in "),
    ):
        assert status("predict", bundle.path, tmp_path / name) == 2
        assert message in " ".join(capfd.readouterr().err.split())


@nas.evaluator(metrics={"error": "minimize"})
def in_users_units(job):
    """Learn the values as they are: near 1000."""
    network, (x, y) = job.network(), job.data.tensors("train")
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        list(network.parameters())[-1].fill_(float(y.mean()))
        error = (network(x) - y).abs().mean().item()
    return {"error": error}


def test_outputs_of_an_own_evaluator_are_not_scaled(source_alone, tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    data = (x, 1000 + x[:, 0])
    out = tmp_path / "run"
    run = nas.search(
        data=data, evaluator=in_users_units, space="mlp", trials=1, max_params=5_000, out=out
    )
    bundle = run.export(run.best(), tmp_path / "b", data=data)
    assert bundle.predict(x).values.mean().item() == pytest.approx(1000, rel=1e-2)
    assert bundle.metrics["test"]["rmse"] < 3
