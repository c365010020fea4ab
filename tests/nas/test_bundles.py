"""Bundles: written whole and proved, refused when touched, and used again."""

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from random import Random

import numpy as np
import onnx
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import nas
import search_spaces
import trainers
from nas.bundles import forms, proof, writing
from nas.bundles.latency import onnx_runner
from nas.bundles.transfer import adapted
from nas.bundles.verify import Unproved, verify
from nas.bundles.writing import write_bundle
from nas.cli import main
from nas.evaluators.predicting import predict
from nas.evaluators.retraining import Winner
from nas.starts import winners_of
from search_spaces import SPACES, Task
from tests.nas.networks import contents, small, trained
from tests.nas.test_source import MOST_LINES, module_of

FILES = {
    *("README.md", "architecture.json", "architecture.png", "check.safetensors", "hubconf.py"),
    *("manifest.json", "metrics.json", "model.onnx", "model.pt2", "model.py", "pareto.png"),
    "weights.safetensors",
}
SPACE = "nasbench201:channels=4,cells=1"
REFUSE = "def refuse(*_): raise ValueError('this test wants it so')\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "run"
    return nas.search(space=SPACE, trials=3, epochs=1, out=out)


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "winner"
    run.export(run.best(), folder)
    return folder


@pytest.fixture
def bundle(exported, tmp_path):
    return Path(shutil.copytree(exported, tmp_path / "winner"))


def status(*arguments):
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return end.value.code


def test_it_holds_every_form_and_they_prove(exported, capfd):
    assert {file.name for file in exported.iterdir()} == FILES
    assert status("verify", exported, "--json") == 0
    document = json.loads(capfd.readouterr().out)
    assert document["held"]
    assert [check["check" if "check" in check else "name"] for check in document["checks"]] == [
        *("files", "model.py", "parameters", "hubconf.py", "model.pt2", "model.onnx", "toolkit")
    ]
    metrics = nas.open_bundle(exported).metrics
    assert 0 <= metrics["test"]["accuracy"] <= 1
    assert metrics["latency"]["seconds"] > 0
    card = (exported / "README.md").read_text()
    assert f"{metrics['test']['accuracy']:.2%}" in card


def test_the_cards_example_runs_in_a_process_that_cannot_import_the_toolkit(bundle):
    block = (bundle / "README.md").read_text().split("```python\n")[1].split("```")[0]
    refuse = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.split('.')[0] in ('nas', 'search_spaces', 'trainers'): raise ImportError(name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        f"sys.path.insert(0, {str(bundle)!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", refuse + block],
        cwd=bundle,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in nas.open_bundle(bundle).described["class_names"]


def test_weights_that_no_onnx_file_may_hold_lie_beside_it(tmp_path, monkeypatch):
    write = forms.write_onnx

    def write_in_two(program, path):  # as torch.onnx does from 1.5 GB on
        write(program, path)
        beside = {"location": "model.onnx.data", "size_threshold": 0}
        onnx.save_model(onnx.load(path), path, save_as_external_data=True, **beside)

    monkeypatch.setattr(forms, "write_onnx", write_in_two)
    space, task = search_spaces.get("mlp"), Task((5,), 3)
    architecture = small(space, Random(0), task)
    net = trained(space, architecture, task)
    write_bundle(contents(space, architecture, task, net), tmp_path / "large")
    size = {file.name: file.stat().st_size for file in (tmp_path / "large").iterdir()}
    assert size["model.onnx"] < size["model.onnx.data"]
    run, x = onnx_runner(tmp_path / "large" / "model.onnx"), torch.randn(2, 5)
    with torch.inference_mode():
        assert torch.allclose(torch.from_numpy(run(x)), net(x), atol=1e-4)


# -- faults ------------------------------------------------------------------------------------


@given(data=st.data())
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_one_bit_flipped_anywhere_is_refused_by_the_file(bundle, data):
    name = data.draw(st.sampled_from(sorted(FILES)))
    file = bundle / name
    before = file.read_bytes()
    place = data.draw(st.integers(0, 8 * len(before) - 1))
    content = bytearray(before)
    content[place // 8] ^= 1 << place % 8
    file.write_bytes(content)
    try:
        with pytest.raises(ValueError, match=name):
            nas.open_bundle(bundle)
        with pytest.raises((ValueError, KeyError)):
            proof.check_files(bundle)
    finally:
        file.write_bytes(before)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_is_refused_by_its_name(bundle, name):
    (bundle / name).unlink()
    with pytest.raises(ValueError, match=name):
        nas.load_bundle(bundle)


def test_an_added_file_and_an_edited_manifest_are_refused_and_nothing_is_run(bundle, capfd):
    trap = bundle.parent / "sprung"
    evil = f"open({str(trap)!r}, 'w').close()\n"
    (bundle / "torch.py").write_text(evil)
    with pytest.raises(ValueError, match=r"torch\.py was added"):
        nas.load_bundle(bundle)
    assert status("verify", bundle) == 1
    assert "FAILED  files: torch.py was added" in capfd.readouterr().out
    (bundle / "torch.py").unlink()
    (bundle / "model.py").write_text(evil)
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["sha256"]["model.py"] = proof.hashlib.sha256(evil.encode()).hexdigest()
    (bundle / "manifest.json").write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")
    with pytest.raises(ValueError, match=r"manifest\.json is damaged"):
        nas.load_bundle(bundle)
    with pytest.raises(ValueError, match=r"manifest\.json was changed"):
        proof.check_files(bundle)
    assert not trap.exists()


def resealed(folder, name, text):
    """As someone would who means harm: the manifest is made to fit."""
    (folder / name).write_text(text)
    digests = json.loads((folder / "manifest.json").read_text())["sha256"]
    digests[name] = proof.hashlib.sha256(text.encode()).hexdigest()
    (folder / "manifest.json").write_text(proof.manifest_text(digests))


@pytest.mark.parametrize(
    "change",
    [
        {"data": {}},
        {"mean": "x"},
        {"mean": [1, 2, 3]},
        {"std": [True]},
        {"test": 3},
        {"validation": {"accuracy": "1"}},
    ],
)
def test_hostile_metrics_are_refused_by_the_file(bundle, change):
    metrics = json.loads((bundle / "metrics.json").read_text())
    of_data = {key: value for key, value in change.items() if key in metrics["data"]}
    hostile = {**metrics, "data": {**metrics["data"], **of_data}, **change}
    resealed(bundle, "metrics.json", json.dumps(hostile))
    with pytest.raises(ValueError, match=r"metrics\.json: .*want") as error:
        nas.load_bundle(bundle)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "hostile",
    [
        "[" * 2000 + "]" * 2000,
        '{"space": "mlp", "space": "mlp"}',
        '{"space": NaN}',
        '{"space": "../../evil.py:space"}',
        "{}",
        "[]",
        "1e999",
    ],
)
def test_a_hostile_architecture_is_refused_by_the_file(bundle, hostile):
    resealed(bundle, "architecture.json", hostile)
    with pytest.raises(ValueError, match=r"architecture\.json") as error:
        nas.load_bundle(bundle)
    assert "\n" not in str(error.value)


def test_an_architecture_of_another_space_or_size_is_refused(bundle):
    described = json.loads((bundle / "architecture.json").read_text())
    for change in (
        *({"classes": 10**9}, {"input_shape": [3, -1, 8]}, {"space": "mlp"}),
        *({"small_images": 1}, {"class_names": ["a"]}),
    ):
        resealed(bundle, "architecture.json", json.dumps({**described, **change}))
        with pytest.raises(ValueError, match="want"):
            nas.load_bundle(bundle)


def test_a_bundle_that_does_not_do_what_it_says_does_not_prove(bundle, source_alone, capfd):
    text = (bundle / "model.py").read_text()
    resealed(bundle, "model.py", text.replace("nn.ReLU()", "nn.Tanh()"))
    assert status("verify", bundle) == 1
    assert "FAILED  model.py: logits differ by" in capfd.readouterr().out
    resealed(bundle, "model.py", "import os\n\nos._exit(0)\n")
    assert status("verify", bundle) == 1
    assert "FAILED  process: ended with 0" in capfd.readouterr().out
    space = search_spaces.get("mlp")
    made = contents(space, *(a := (small(space, Random(0), Task((5,), 3)), Task((5,), 3))))
    net = trained(space, *a)
    wrong = replace(contents(space, *a, net), metrics={**made.metrics, "parameters": 1})
    with pytest.raises(Unproved, match=r"parameters: model\.py has"):
        write_bundle(wrong, bundle.parent / "wrong")
    assert {path.name for path in bundle.parent.iterdir()} == {"winner"}


def test_exporting_over_a_bundle_asks_for_force_and_replaces_it_whole(
    run, bundle, source_alone, capfd
):
    before = contents_of(bundle)
    arguments = ["export", run.path, "--to", bundle]
    assert status(*arguments) == 2
    assert f"{bundle} is there already: choose another folder, or --force" in one_line(capfd)
    assert contents_of(bundle) == before
    assert status(*arguments, "--force") == 0
    assert set(contents_of(bundle)) == FILES - {"model.pt2", "model.onnx"}
    assert "model.onnx is not here: this test wants it so" in (bundle / "README.md").read_text()
    assert nas.load_bundle(bundle)(torch.zeros(1, 1, 8, 8)).shape == (1, 10)
    assert [path.name for path in bundle.parent.iterdir()] == [bundle.name]


def test_a_folder_that_is_no_bundle_is_never_replaced(run, tmp_path, capfd):
    mine = tmp_path / "thesis" / "chapter.txt"
    mine.parent.mkdir()
    mine.write_text("years of work")
    assert status("export", run.path, "--to", mine.parent, "--force") == 2
    assert "is there and is not a bundle: choose another folder" in one_line(capfd)
    assert mine.read_text() == "years of work"


def contents_of(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def one_line(capfd):
    return " ".join(capfd.readouterr().err.split())


def test_a_killed_export_leaves_no_half_bundle(run, tmp_path):
    program = (
        "import sys, nas, pathlib, nas.bundles.writing as w\n"
        "w._seal = lambda folder: (print('written', flush=True), __import__('time').sleep(60))\n"
        "run = nas.open_run(sys.argv[1]); run.export(run.best(), sys.argv[2])\n"
    )
    target = tmp_path / "out" / "winner"
    program = f"import nas.bundles.forms as f\n{REFUSE}f.exported = refuse\n{program}"
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(run.path), str(target)], stdout=subprocess.PIPE
    )
    assert child.stdout.readline() == b"written\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert not target.exists()
    left = list(target.parent.iterdir())
    assert [path.name for path in left] == [f".winner.{child.pid}.tmp"]
    from nas.bundles.writing import _beside

    with _beside(target) as folder:
        (folder / "manifest.json").touch()
    assert [path.name for path in target.parent.iterdir()] == ["winner"]


def test_an_old_bundle_that_a_kill_moved_away_comes_back(tmp_path):
    from nas.bundles.writing import _clear

    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    (tmp_path / f".winner.{child.pid}.old.tmp").mkdir()
    (tmp_path / f".winner.{os.getpid()}x.tmp").mkdir()  # of someone else
    _clear(tmp_path / "winner")
    assert {path.name for path in tmp_path.iterdir()} == {"winner", f".winner.{os.getpid()}x.tmp"}


def test_schema_1_bundles_are_read(bundle):
    for name in FILES - {"architecture.json", "metrics.json", "weights.safetensors"}:
        (bundle / name).unlink()
    digests = {
        file.name: proof.hashlib.sha256(file.read_bytes()).hexdigest() for file in bundle.iterdir()
    }
    (bundle / "manifest.json").write_text(json.dumps({"schema": 1, "sha256": digests}, indent=2))
    assert isinstance(nas.load_bundle(bundle), torch.nn.Module)
    with pytest.raises(ValueError, match="an earlier version made it"):
        verify(bundle)


# -- reuse -------------------------------------------------------------------------------------


def test_features_are_what_the_classifier_reads(exported):
    net = nas.load_bundle(exported)
    x = torch.randn(3, 1, 8, 8)
    with torch.inference_mode():
        assert torch.equal(net.head[-1](net.features(x)), net(x))
    assert "features" not in "".join(net.state_dict())
    assert next(net.features.parameters()) is next(net.parameters())


def test_other_classes_and_other_sizes_keep_the_weights(exported):
    bundle = nas.open_bundle(exported)
    net = adapted(bundle, classes=3, input_shape=(1, 20, 12)).eval()
    x = torch.randn(2, 1, 20, 12)
    with torch.inference_mode():
        assert net(x).shape == (2, 3)
        assert torch.equal(net.features(x), nas.load_bundle(exported).features(x))
    with pytest.raises(ValueError, match=r"it would be .*; use inputs of"):
        adapted(bundle, classes=10, input_shape=(3, 8, 8))


def test_the_stem_stays_as_it_was_for_the_first_size(source_alone, tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "clean_process", lambda: nullcontext(lambda _: []))
    space = search_spaces.get("resnet")
    task = Task((3, 96, 96), 2, small_images=True)  # by default it would be of large ones
    architecture = space.known["resnet20"]
    made = contents(space, architecture, task, trained(space, architecture, task))
    assert write_bundle(made, tmp_path / "large").task == task
    x = torch.randn(1, *task.input_shape)
    with torch.inference_mode():
        assert torch.equal(nas.load_bundle(tmp_path / "large")(x), made.net()(x))


def digits_as_files(folder):
    digits = trainers.load("digits")
    files = []
    for number in range(12):
        file = folder / f"{number}.png"
        Image.fromarray(digits.test.images[number, 0].numpy()).save(file)
        files.append(file)
    return digits, files


def test_images_from_disk_are_classified_as_in_training(exported, tmp_path, capfd):
    digits, files = digits_as_files(tmp_path)
    bundle = nas.open_bundle(exported)
    x = trainers.normalise(digits.test.images[:12], digits.mean, digits.std)
    with torch.inference_mode():
        wanted = bundle.net()(x).softmax(dim=1)
    found = predict(bundle, files)
    assert [p.label for p in found] == [str(n) for n in wanted.argmax(dim=1).tolist()]
    assert [p.probability for p in found] == pytest.approx(wanted.amax(dim=1).tolist(), abs=1e-5)
    written = module_of((exported / "model.py").read_text())
    assert torch.allclose(torch.cat([written.preprocess(file) for file in files]), x, atol=1e-6)
    assert status("predict", exported, *files, "--json") == 0
    assert [p["label"] for p in json.loads(capfd.readouterr().out)] == [p.label for p in found]
    assert status("predict", exported, tmp_path / "absent.png") == 2
    assert status("predict", exported, *files, "--device", "gpu") == 2
    assert "absent.png: no such file" in capfd.readouterr().err


def test_preprocess_reads_files_of_every_mode_as_training_does(exported, tmp_path):
    written = module_of((exported / "model.py").read_text())
    bundle = nas.open_bundle(exported)
    pixels = np.random.default_rng(0).integers(0, 255, (13, 9, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    wide = Image.fromarray(pixels[..., 0].astype(np.uint16) * 256 + 7)
    files = []
    for name, image in {
        **{mode: picture.convert(mode) for mode in ("RGB", "L", "RGBA", "P", "1")},
        "I16": wide,
    }.items():
        files.append(tmp_path / f"{name}.png")
        image.save(files[-1])
    mine = torch.cat([written.preprocess(file) for file in files])
    with torch.inference_mode():
        chances = bundle.net()(mine).softmax(dim=1).amax(dim=1)
    theirs = [p.probability for p in predict(bundle, files)]
    assert theirs == pytest.approx(chances.tolist(), abs=1e-5)


def test_fine_tuning_on_other_data(exported, source_alone, tmp_path, capfd):
    rng = np.random.default_rng(0)
    for name, level in (("dark", 40), ("bright", 200)):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(20):
            noise = rng.integers(-30, 30, (12, 12))
            Image.fromarray((level + noise).astype(np.uint8)).save(
                tmp_path / "set" / name / f"{number}.png"
            )
    other = tmp_path / "other"
    arguments = ["--data", tmp_path / "set", "--epochs", 12, "--patience", 11, "--to", other]
    assert status("retrain", exported, *arguments, "--json") == 0
    assert json.loads(capfd.readouterr().out)["test_accuracy"] == 1.0
    made = nas.open_bundle(other)
    assert made.described["class_names"] == ["bright", "dark"]
    assert made.metrics["fine_tuned_from"]
    assert "fine_tuned_from" not in Winner.of_bundle(made).origin  # what begins anew is not
    assert any((tmp_path / "other-tensorboard").iterdir())
    assert status("retrain", exported, "--patience", 3) == 2
    assert "--data says on what" in capfd.readouterr().err


def test_timm_makes_the_network_of_a_bundle(exported):
    timm = pytest.importorskip("timm")
    name = nas.timm.register(exported, "winner_of_the_tests")
    x = torch.randn(2, 1, 8, 8)
    with torch.inference_mode():
        net = timm.create_model(name, pretrained=True)
        assert torch.equal(net(x), nas.load_bundle(exported)(x))
        assert timm.create_model(name, pretrained=True, num_classes=4)(x).shape == (2, 4)
    with pytest.raises(ValueError, match="already"):
        nas.timm.register(exported, name)


def test_latency_and_comparison(exported, capfd):
    assert status("latency", exported, "--batches", "1,4", "--no-compile", "--json") == 0
    assert status("latency", exported, "--batches", "9" * 40) == 2
    found = json.loads(capfd.readouterr().out)["latencies"]
    assert [(item["way"], item["batch"]) for item in found] == [
        *(("pytorch", 1), ("onnxruntime", 1), ("pytorch", 4), ("onnxruntime", 4))
    ]
    assert all(0 < item["low"] <= item["median"] <= item["high"] for item in found)
    assert status("compare", exported, "--baselines", "mobilenet_v3_small", "--json") == 0
    ours, theirs = json.loads(capfd.readouterr().out)
    assert ours["parameters"] == nas.open_bundle(exported).metrics["parameters"]
    assert theirs["parameters"] > 1_000_000
    assert status("compare", exported, "--baselines", "resnet1") == 2
    assert "torchvision has no classifier called 'resnet1'" in capfd.readouterr().err


def test_a_search_starts_from_winners(run, exported, tmp_path, capfd):
    assert winners_of(exported) == (str(run.best().architecture),)
    assert winners_of(run.path) == tuple(str(trial.architecture) for trial in run.front)
    arguments = ["search", "--space", SPACE, "--epochs", 1, "--out", tmp_path / "next"]
    assert status(*arguments, "--trials", 1, "--from", exported, "--seed", 5) == 0
    first = nas.open_run(tmp_path / "next").trials[0]
    assert first.architecture == run.best().architecture
    assert status(*arguments, "--trials", 2, "--seed", 5) == 2
    assert "first was" in capfd.readouterr().err
    assert status("search", "--space", "mlp", "--from", exported, "--out", tmp_path / "x") == 2
    assert "want an architecture of mlp" in capfd.readouterr().err


PROVED = int(os.environ.get("NAS_BUNDLES", "2"))  # so many drawn, and the smallest so many known


def task_of(space):
    return Task({1: (20,), 2: (3, 40), 3: (3, 33, 20)}[space.inputs[-1]], 10)


def to_prove():
    for name in SPACES:
        space = search_spaces.get(name)
        task = task_of(space)
        yield from ((name, seed) for seed in range(PROVED))
        by_size = sorted(space.known, key=lambda k: space.cost(space.known[k], task).parameters)
        yield from ((name, known) for known in by_size[:PROVED])


@pytest.fixture(scope="module")
def checks_of():
    """What a clean process finds in a folder: one process for all, as its imports take seconds."""
    program = (
        f"import sys; sys.path.insert(0, {str(Path(proof.__file__).parent)!r})\n"
        "import proof, pathlib\n"
        "sys.meta_path.insert(0, proof.Refuse())\n"
        "for line in sys.stdin: proof.main(pathlib.Path(line[:-1])); print(flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-I", "-B", "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:

        def checks_of(folder):
            child.stdin.write(f"{folder}\n")
            child.stdin.flush()
            lines = takewhile(str.strip, iter(child.stdout.readline, ""))
            return [json.loads(line) for line in lines if line.startswith('{"check"')]

        yield checks_of


@pytest.mark.long
@pytest.mark.parametrize(("name", "which"), list(to_prove()))
def test_a_network_of_every_space_proves(name, which, checks_of, tmp_path, monkeypatch):
    """Every form, after training, in a clean process: see issue 7."""
    monkeypatch.setattr(writing, "clean_process", lambda: nullcontext(lambda _: []))  # `checks_of`
    space = search_spaces.get(name)
    task = task_of(space)
    drawn = isinstance(which, int)
    architecture = small(space, Random(which), task) if drawn else space.known[which]
    folder = tmp_path / "bundle"
    made = contents(space, architecture, task, trained(space, architecture, task))
    try:
        write_bundle(made, folder)
        assert {file.name for file in folder.iterdir()} == FILES - {"pareto.png"}
        lines = (folder / "model.py").read_text().count("\n")
        checks = checks_of(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # a large one is gigabytes
    assert [check for check in checks if not check["held"]] == []
    assert len(checks) == 7
    assert lines <= MOST_LINES
    print(name, which, f"{made.metrics['parameters']:,} parameters, {lines} lines,", checks[-2])  # noqa: T201
