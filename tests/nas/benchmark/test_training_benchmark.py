"""`nas benchmark training`: measurements, document, and continuation after a stop."""

import json
import re
from functools import partial

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import search_spaces
import trainers
from nas.benchmark import training as speed
from nas.benchmark.throughput import Bench, Training
from nas.cli import main as cli
from search_spaces import Task
from trainers.profiling import roofline
from trainers.profiling.phases import split_pass
from trainers.profiling.plain_loop import train_plainly

SPACES = [("nasbench201:channels=4,cells=1", 2), ("mlp", 1)]


@pytest.fixture(scope="module")
def candidates():
    return speed.sample(SPACES)


def test_the_sample_is_fixed_and_without_repetition(candidates):
    again = speed.sample(SPACES)
    assert [c.architecture for c in again] == [c.architecture for c in candidates]
    assert len({c.architecture for c in candidates}) == 3
    with pytest.raises(ValueError, match="want 1 to 15,625 architectures, got 15626"):
        speed.sample([("nasbench201", 15_626)])


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A file with 200 digits."""
    split = trainers.load("digits").train
    path = tmp_path_factory.mktemp("data") / "few.npz"
    np.savez(path, x=split.inputs[:200].numpy(), y=split.targets[:200].numpy())
    return str(path)


SMALL = "mlp:max_layers=1"


def arguments(spaces, data, out, *others):
    """Options of a benchmark that takes seconds."""
    brief = ("--epochs", "1", "--loader-workers", "0")
    to = ("--data", data, "--out", str(out))
    return ["benchmark", "training", "--spaces", spaces, *to, *brief, *others]


def test_one_document_says_it_all(few, tmp_path):
    spaces = f"nasbench201:channels=4,cells=1*1+{SMALL}*1"
    others = ("--seeds", "2", "--recipe", "averaging=0", "--device", "cpu", "--json")
    command = arguments(spaces, few, tmp_path / "b.json", *others)
    done = CliRunner().invoke(cli.app, command, catch_exceptions=False)
    document = json.loads(done.stdout)
    assert document == json.loads((tmp_path / "b.json").read_text())
    assert document["recipe"]["averaging"] == 0
    assert {"device", "processor", "versions", "commit", "cores"} <= document["machine"].keys()
    for loop in ("ours", "plain"):
        found = document["loops"][loop]
        rows = [c[loop] for c in document["candidates"]]
        seconds = sum(sum(row["seconds"]) for row in rows)
        assert found["candidates_per_hour"] == pytest.approx(4 * 3600 / seconds)
        assert found["images_per_second"] == pytest.approx(4 * 128 / seconds)
    for candidate in document["candidates"]:
        assert set(candidate["step_seconds"]) == {
            *("data", "forward", "backward", "optimiser", "idle")
        }
        assert 0 < candidate["roofline_share"] < 2
        busy = sum(s for phase, s in candidate["step_seconds"].items() if phase != "idle")
        assert candidate["seconds"] == pytest.approx(busy)
    assert document["ratio"]["half_width"] is not None


def test_stopped_it_keeps_the_rounds_that_are_whole(few, tmp_path, monkeypatch, capsys):
    """Ctrl-C in the second round: the first is in the file and on the screen."""
    measured = []

    def interrupted(*what):
        measured.append(what)
        if len(measured) == 2 + 2 + 1:  # warm-up, a round, half of another
            raise KeyboardInterrupt
        return whole(*what)

    whole = speed._measure
    monkeypatch.setattr(speed, "_measure", interrupted)
    assert cli._status(arguments(f"{SMALL}*1", few, tmp_path / "b.json", "--seeds", "2")) == 130
    document = json.loads((tmp_path / "b.json").read_text())
    assert [len(c["ours"]["seconds"]) for c in document["candidates"]] == [1]
    assert "mean of 1 seed" in capsys.readouterr().out


@pytest.mark.long
def test_the_same_command_goes_on_from_the_rounds_in_its_file(few, tmp_path, capsys):
    out = tmp_path / "b.json"
    documents = []
    for seeds in ("1", "2", "1"):
        assert cli._status(arguments(f"{SMALL}*2", few, out, "--seeds", seeds)) == 0
        documents.append(json.loads(out.read_text()))
    one, two, again = documents
    assert f"round 2 of 2: {two['ratio']['mean']:.2f} times" in capsys.readouterr().err
    for before, after in zip(one["candidates"], two["candidates"], strict=True):
        for loop in ("ours", "plain"):
            for name in ("seconds", "cpu_seconds", "accuracy"):
                assert len(after[loop][name]) == 2
                assert after[loop][name][:1] == before[loop][name]
    assert two["loops"]["ours"]["images_per_second"] == pytest.approx(
        4 * 128 / sum(sum(c["ours"]["seconds"]) for c in two["candidates"])
    )
    assert again["ratio"] == two["ratio"]  # nothing was left to do, and nothing was lost


@pytest.fixture(scope="module")
def written(few, tmp_path_factory):
    """The document that a benchmark has written."""
    out = tmp_path_factory.mktemp("benchmark") / "b.json"
    assert cli._status(arguments(f"{SMALL}*2", few, out, "--seeds", "1")) == 0
    return json.loads(out.read_text())


def elsewhere(document, **machine):
    """The document, changed as if another machine or version had measured it."""
    return json.dumps(document | {"machine": document["machine"] | machine})


@pytest.mark.parametrize(
    ("text", "others", "got"),
    [
        (lambda _: "[]", [], "not a benchmark"),
        (lambda _: "{}", [], "not a benchmark"),
        (lambda _: "{", [], "want JSON, got something else"),
        (json.dumps, ["--batch-size", "32"], r"another benchmark \(recipe\)"),
        (json.dumps, ["--spaces", f"{SMALL}*1"], r"another benchmark \(spaces\)"),
        (partial(elsewhere, processor="?"), [], r"another benchmark \(processor\)"),
        (partial(elsewhere, versions={}), [], r"another benchmark \(versions\)"),
        (partial(elsewhere, commit="?"), [], r"another benchmark \(commit\)"),
    ],
)
def test_the_file_of_something_else_is_left_alone(
    few, written, tmp_path, capsys, text, others, got
):
    out = tmp_path / "b.json"
    out.write_text(text(written))
    before = out.read_bytes()
    capsys.readouterr()
    assert cli._status(arguments(f"{SMALL}*2", few, out, "--seeds", "1", *others)) == 2
    error = capsys.readouterr().err
    assert re.search(rf"nas: --out: want a new file, .* {re.escape(str(out))}: {got}", error)
    assert error.count("\n") == 1
    assert out.read_bytes() == before


def test_the_summary_is_arithmetic(candidates):
    def one(candidate, seed, loop, seconds, accuracy):
        trained = Training(
            seconds=seconds, cpu_seconds=2 * seconds, images=100, accuracy=accuracy, peak_bytes=None
        )
        return speed.Measurement(candidate, seed, loop, trained)

    measured = [one(c, s, "ours", 1.0 + c, 0.5 + 0.1 * s) for c in range(3) for s in range(2)]
    measured += [one(c, s, "plain", 3.0 * (1 + c + s), 0.5) for c in range(3) for s in range(2)]
    found = speed.summary(candidates, measured, [{}] * 3)
    # Seconds of ours: 6 with either seed; of plain: 18, then 27.
    assert found["ratio"]["mean"] == pytest.approx((3 + 4.5) / 2)
    assert found["ratio"]["half_width"] == pytest.approx(12.7062 * 1.5 / 2, rel=1e-4)
    assert found["cpu_ratio"] == found["ratio"]
    assert found["ratio_by_space"]["mlp"]["mean"] == pytest.approx((9 / 3 + 12 / 3) / 2)
    assert found["accuracy_difference"]["mean"] == pytest.approx(0.05)
    assert found["loops"]["ours"]["candidates_per_hour"] == pytest.approx(3600 / 2)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--spaces", "mlp", r"want SPACE\*COUNT\+..., got 'mlp'"),
        ("--images", "9", "--images: 9 are 8 of a split of 1,150; .* gives 10 to 1,140"),
        ("--images", "1438", "--images: 1438 are 1151 of a split of 1,150; .* 10 to 1,140"),
        ("--seeds", "0", "--seeds: want at least 1, got 0"),
        ("--loader-workers", "-1", "--loader-workers: want at least 0, got -1"),
        ("--recipe", "lr=1", "recipe: want only epochs, .*, got 'lr'"),
    ],
)
def test_mistakes_are_told_in_one_line(option, value, message):
    with pytest.raises(ValueError, match=message):
        CliRunner().invoke(
            cli.app, ["benchmark", "training", option, value], catch_exceptions=False
        )


def test_data_that_are_no_classification_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "amounts.npz", x=rng.normal(size=(40, 3)), y=rng.normal(size=40))
    file = str(tmp_path / "amounts.npz")
    with pytest.raises(ValueError, match=r"--data: want a classification, .* got regression"):
        Bench(file, {"epochs": 1}, device="cpu", loader_workers=0)


def test_fewer_images_are_of_every_class():
    bench = Bench("digits", {"epochs": 1}, device="cpu", loader_workers=0, images=101)
    assert bench.described()["examples"] == {"train": 81, "validation": 20}
    assert set(bench.data.train.targets.tolist()) == set(range(10))
    assert set(bench.data.validation.targets.bincount().tolist()) == {2}


def test_the_plain_loop_learns():
    data = trainers.load("digits")
    recipe = trainers.Recipe(epochs=3, batch_size=64)
    with trainers.seeded(0):
        net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    first, *_, last = train_plainly(net, data, recipe, seed=0, workers=0)
    assert last.accuracy > 0.75
    assert last.train_loss < first.train_loss
    assert 0 <= last.learning_rate < first.learning_rate


def test_the_plain_loop_repeats_itself(few):
    data = trainers.load(few)
    found = []
    for seed in (0, 0, 1):
        with trainers.seeded(0):
            net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
        (epoch,) = train_plainly(net, data, trainers.Recipe(epochs=1), seed=seed, workers=0)
        found.append(epoch.train_loss)
    assert found[0] == found[1] != found[2]


def test_bytes_and_operations_of_a_linear_layer_are_those_of_the_textbook():
    net = torch.nn.Linear(32, 16, bias=False)
    work = roofline.count_step(net, (32,), 8, "float32")
    # Forward and the gradient of the weights; nobody needs that of the inputs.
    assert work.operations == 2 * (2 * 8 * 32 * 16)
    products = [moved for operations, moved in work.each if operations]
    assert products == [4 * (8 * 32 + 32 * 16 + 8 * 16)] * 2
    assert work.each[-1] == (0, 20 * 32 * 16)
    rates = roofline.Rates(operations=1e9, bytes=1e9)
    assert work.seconds(rates) >= max(work.operations, work.bytes) / 1e9 * (1 - 1e-9)


def test_operations_of_a_network_are_thrice_its_macs_twice_over():
    """Backward has two products for each of forward, except for the inputs of the first layer."""
    space = search_spaces.get("nasbench201", channels=4, cells=1)
    task = Task((3, 32, 32), 10)
    architecture = space.known["resnet"]
    net = space.compile(architecture, task)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    work = roofline.count_step(net, task.input_shape, 2, "float32")
    macs = space.cost(architecture, task).macs
    stem = 3 * 4 * 9 * 32 * 32
    assert work.operations == 2 * 2 * (3 * macs - stem)
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def test_the_phases_of_a_pass_are_seconds_of_a_step():
    bench = Bench("digits", {"epochs": 1}, device="cpu", loader_workers=0)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    phases = split_pass(net, bench.data, bench.recipe, seed=0)
    parts = (phases.data, phases.forward, phases.backward, phases.optimiser)
    assert min(*parts, phases.idle) >= 0
    assert phases.busy == pytest.approx(sum(parts))
    assert 0 < phases.busy < 1
