"""Bundles: written whole and verified, refused when changed, and used again."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import nullcontext, redirect_stdout
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from random import Random

import numpy as np
import onnx
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

import nas
import search_spaces
import trainers
from nas.bundles import proof
from nas.bundles import write as writing
from nas.bundles.bundle import unnamed_classes
from nas.bundles.model_file import model_file
from nas.bundles.transfer import adapted, without_dead_parts
from nas.bundles.verify import VerificationError, verify
from nas.bundles.write import write_bundle
from nas.cli.main import main
from nas.source import formats
from nas.winners.latency import onnx_runner
from nas.winners.predict import predict
from nas.winners.retrain import origin_of
from nas.winners.warm_start import architectures_of
from search_spaces import SPACES, Task
from tests.nas.networks import small, trained, unwritten
from tests.nas.source.test_source import MOST_LINES, module_of

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


def test_it_has_every_format_and_they_pass(exported, capfd):
    assert {file.name for file in exported.iterdir()} == FILES
    assert status("verify", exported, "--json") == 0
    document = json.loads(capfd.readouterr().out)
    assert document["passed"]
    assert [check["check" if "check" in check else "name"] for check in document["checks"]] == [
        *("files", "model.py", "parameters", "hubconf.py", "model.pt2", "model.onnx", "toolkit")
    ]
    metrics = nas.open_bundle(exported).metrics
    assert 0 <= metrics["test"]["accuracy"] <= 1
    assert metrics["latency"]["seconds"] > 0
    card = (exported / "README.md").read_text()
    assert f"{metrics['test']['accuracy']:.2%}" in card
    assert "| task | classification, 10 classes |" in card
    assert "| device |" not in card


def test_an_ensemble_is_a_bundle_as_any_other(run, source_alone, tmp_path, capfd):
    to = tmp_path / "several"
    assert status("export", run.path, "--ensemble", "2", "--to", to, "--json") == 0
    found = json.loads(capfd.readouterr().out)
    bundle = nas.open_bundle(to)
    members = bundle.metrics["ensemble"]["members"]
    assert found["trials"] == {str(each["trial"]): each["count"] for each in members}
    assert found["scores"] == bundle.metrics["validation"]
    assert 0 <= bundle.metrics["test"]["accuracy"] <= 1
    assert {file.name for file in to.iterdir()} == FILES - {"model.pt2", "model.onnx"}
    assert (to / "README.md").read_text().startswith("# Ensemble of nasbench201 for digits")
    x = torch.randn(2, 1, 8, 8)
    parts = [member(x).softmax(dim=1) for member in nas.load_bundle(to).members]
    assert len(parts) == len(members) <= 2
    for more in (["--trial", "0"], ["--retrain", "1"], ["--select", "knee"]):
        assert status("export", run.path, "--ensemble", "2", "--to", to, *more) == 2
        assert "--ensemble selects trials by itself" in capfd.readouterr().err


@pytest.mark.long
@pytest.mark.parametrize("mean", ["probabilities", "sigmoids", "outputs"])
@pytest.mark.parametrize(
    ("member", "shape"), [("tabular", (7,)), ("unet", (3, 16, 16)), ("darts", (3, 16, 16))]
)
def test_ensembles_have_every_format(member, shape, mean, tmp_path):
    inner, space = search_spaces.load(member), search_spaces.load(f"ensemble:{member}")
    task, rng = Task(shape, 3, dense=inner.dense), Random(0)
    values = [small(inner, rng, task, most=300_000).value for _ in range(2)]
    members = [{"count": 1 + n, "architecture": value} for n, value in enumerate(values * 2)]
    architecture = space.architecture({"mean": mean, "members": members})
    net = trained(space, architecture, task)
    bundle = unwritten(space, architecture, task, net)
    described = {**bundle.described, "space": f"ensemble:{member}"}
    written = write_bundle(replace(bundle, described=described), tmp_path / "bundle")
    assert written.metrics["not_written"] == {}
    assert all(check.passed for check in verify(tmp_path / "bundle"))


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
    assert done.stdout.strip() in nas.open_bundle(bundle).names


def test_weights_that_no_onnx_file_may_hold_lie_beside_it(tmp_path, monkeypatch):
    write = formats.write_onnx

    def write_in_two(program, path, *more):  # as torch.onnx does from 1.5 GB on
        write(program, path, *more)
        beside = {"location": "model.onnx.data", "size_threshold": 0}
        onnx.save_model(onnx.load(path), path, save_as_external_data=True, **beside)

    monkeypatch.setattr(formats, "write_onnx", write_in_two)
    space, task = search_spaces.get("mlp"), Task((5,), 3)
    architecture = small(space, Random(0), task)
    net = trained(space, architecture, task)
    write_bundle(unwritten(space, architecture, task, net), tmp_path / "large")
    size = {file.name: file.stat().st_size for file in (tmp_path / "large").iterdir()}
    assert size["model.onnx"] < size["model.onnx.data"]
    run, x = onnx_runner(tmp_path / "large" / "model.onnx"), torch.randn(2, 5)
    with torch.inference_mode():
        assert torch.allclose(torch.from_numpy(run(x)), net(x), atol=1e-4)


# -- faults ------------------------------------------------------------------------------------


def refused(folder, name):
    """Refused by `nas.load_bundle` and by `nas verify`, each of which names the file."""
    with pytest.raises(ValueError, match=re.escape(name)):
        nas.load_bundle(folder)
    assert name in first_failure(folder)


def first_failure(folder):
    """The finding of the first check, which fails; `nas verify` runs no further one."""
    with redirect_stdout(io.StringIO()) as out:
        proof.main(folder)
    [line] = out.getvalue().splitlines()
    check = json.loads(line)
    assert (check["check"], check["passed"]) == ("files", False)
    return check["found"]


@pytest.mark.parametrize("name", sorted(FILES))
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@example(where=0.0, bit=0)
@example(where=1 - 2**-53, bit=7)
@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_one_bit_flipped_anywhere_is_refused_by_the_file(bundle, name, where, bit):
    file = bundle / name
    before = file.read_bytes()
    content = bytearray(before)
    content[int(where * len(content))] ^= 1 << bit
    file.write_bytes(content)
    try:
        refused(bundle, name)
    finally:
        file.write_bytes(before)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_is_refused_by_its_name(bundle, name):
    (bundle / name).unlink()
    refused(bundle, name)


@pytest.mark.parametrize("name", ["torch.py", ".hidden", "more/torch.py", "model.onnx.data"])
def test_an_added_file_is_refused_by_its_name_and_is_not_run(bundle, name):
    trap, added = bundle.parent / "sprung", bundle / name
    added.parent.mkdir(exist_ok=True)
    added.write_text(f"open({str(trap)!r}, 'w').close()\n")
    refused(bundle, Path(name).parts[0])
    assert not trap.exists()


def test_verify_names_what_was_added_and_runs_nothing(bundle, capfd):
    trap = bundle.parent / "sprung"
    (bundle / "torch.py").write_text(f"open({str(trap)!r}, 'w').close()\n")
    assert status("verify", bundle) == 1
    assert capfd.readouterr().out == "FAILED  files: torch.py was added: remove it\n"
    assert not trap.exists()


def test_what_python_compiled_is_not_run_and_hinders_only_verification(bundle):
    folder = bundle / "__pycache__"
    folder.mkdir()
    (folder / f"model.{sys.implementation.cache_tag}.pyc").write_bytes(b"of anyone")
    nas.load_bundle(bundle)  # runs nothing from it
    assert first_failure(bundle) == "__pycache__ was added, as by importing model.py: remove it"


def test_a_changed_file_with_its_digest_edited_is_refused_and_is_not_run(bundle):
    trap = bundle.parent / "sprung"
    evil = f"open({str(trap)!r}, 'w').close()\n"
    (bundle / "model.py").write_text(evil)
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["sha256"]["model.py"] = proof.hashlib.sha256(evil.encode()).hexdigest()
    (bundle / "manifest.json").write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")
    refused(bundle, "manifest.json")
    assert not trap.exists()


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace('"model.py"', '"model.px"'),
        lambda text: text.replace('"schema": 2', '"schema": 3'),
        lambda text: text.replace('"schema": 2', '"more": 0,\n  "schema": 2'),
        lambda text: text.replace("\n  ", "\n "),
        lambda text: text[:-1],
        lambda text: text[: len(text) // 2],
        lambda _: "[" * 100_000,
        lambda _: "[]",
        lambda _: "{}",
        lambda _: "",
        lambda _: proof.manifest_text([]),
    ],
)
def test_an_edited_manifest_is_refused_by_its_name(bundle, edit):
    file = bundle / "manifest.json"
    file.write_text(edit(file.read_text()))
    refused(bundle, "manifest.json")


def resealed(folder, name, text):
    """Change a file and make the manifest fit it, as an attacker would."""
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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"outputs": 10**9}, "outputs: want"),
        ({"outputs": 11}, "names: want 11 of them, got 10"),
        ({"targets": {**unnamed_classes(10), "names": ["\x1b[31m"] * 10}}, "want a line"),
        ({"input_shape": [3, -1, 8]}, r"input_shape\[1\]: want"),
        ({"small_images": 1}, "want true or false"),
        ({"space": "mlp"}, "want an architecture of mlp"),
        ({"space": "os.system"}, "want a search space"),
        ({"space": "nasbench201:cells=1000000000"}, "want channels"),
        ({"space": "EVIL:space"}, "is code and is run only if you name it"),
        ({"space": "fixed:EVIL:space:x"}, "is code and is run only if you name it"),
        ({"space": "ensemble:EVIL:space"}, "is code and is run only if you name it"),
        ({"space": "ensemble:nasbench201"}, "want an architecture of ensemble"),
        ({"architecture": {"space": "nasbench201", "value": "x"}}, "want the fields"),
        ({"architecture": {"space": "__import__('os')", "value": {}}}, "want a text that matches"),
    ],
)
def test_an_architecture_that_is_none_is_refused_by_the_file_and_nothing_is_run(
    bundle, change, message
):
    trap, evil = bundle.parent / "sprung", bundle.parent / "evil.py"
    evil.write_text(f"open({str(trap)!r}, 'w').close()\n")
    described = json.loads((bundle / "architecture.json").read_text())
    text = json.dumps({**described, **change}).replace("EVIL", str(evil))
    resealed(bundle, "architecture.json", text)
    with pytest.raises(ValueError, match=rf"architecture\.json: .*{message}") as error:
        nas.load_bundle(bundle)
    assert "\n" not in str(error.value)
    assert not trap.exists()


def test_an_architecture_larger_than_its_weights_is_not_built(bundle):
    described = json.loads((bundle / "architecture.json").read_text())
    large = {**described, "space": "nasbench201:channels=1000000000,cells=1"}
    resealed(bundle, "architecture.json", json.dumps(large))
    with pytest.raises(ValueError, match="its weights do not fit its network"):
        nas.load_bundle(bundle)


def test_a_bundle_whose_formats_differ_fails_verification(bundle, source_alone, capfd):
    text = (bundle / "model.py").read_text()
    resealed(bundle, "model.py", text.replace("nn.ReLU()", "nn.Tanh()"))
    assert status("verify", bundle) == 1
    assert "FAILED  model.py: outputs differ by" in capfd.readouterr().out
    resealed(bundle, "model.py", "import os\n\nos._exit(0)\n")
    assert status("verify", bundle) == 1
    assert "FAILED  process: ended with 0" in capfd.readouterr().out
    space = search_spaces.get("mlp")
    made = unwritten(space, *(a := (small(space, Random(0), Task((5,), 3)), Task((5,), 3))))
    net = trained(space, *a)
    wrong = replace(unwritten(space, *a, net), metrics={**made.metrics, "parameters": 1})
    with pytest.raises(VerificationError, match=r"parameters: model\.py has"):
        write_bundle(wrong, bundle.parent / "wrong")
    assert {path.name for path in bundle.parent.iterdir()} == {"winner"}


def test_exporting_over_a_bundle_asks_for_force_and_replaces_it_whole(
    run, bundle, source_alone, capfd
):
    before = contents_of(bundle)
    arguments = ["export", run.path, "--to", bundle]
    assert status(*arguments) == 2
    assert f"{bundle} exists already: choose another folder, or --force" in one_line(capfd)
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
    assert "exists and is not a bundle: choose another folder" in one_line(capfd)
    assert mine.read_text() == "years of work"


def contents_of(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def one_line(capfd):
    return " ".join(capfd.readouterr().err.split())


MOMENTS = ("_put", "_write_formats", "_write_card", "_seal", "require", "sync")

EXPORTS = """
import os, signal, sys
from contextlib import nullcontext
from pathlib import Path
from random import Random
import search_spaces, torch
from nas.bundles import write as writing
from nas.source import formats
from search_spaces import Task
from tests.nas.networks import unwritten, small, trained

torch.set_num_threads(1)  # others would not be there after a fork, and be waited for
formats.exported = refuse
writing.clean_process = lambda: nullcontext(lambda _: [])
space, task, target = search_spaces.get("mlp"), Task((5,), 3), Path(sys.argv[1])
architecture = small(space, Random(0), task)

def export(seed):
    net = trained(space, architecture, task, seed)
    writing.write_bundle(unwritten(space, architecture, task, net), target, force=True)

def killed_at(holder, name, calls):
    child = os.fork()
    if child == 0:
        real, left = getattr(holder, name), iter(range(calls - 1))
        def die(*arguments):
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments)
        setattr(holder, name, die)
        export(seed=1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL, (name, status)

def files(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}

killed_at(writing, "require", 1)
assert not target.exists()
export(seed=0)
before = files(target)
assert list(target.parent.iterdir()) == [target]
moments = [(writing, name, 1) for name in sys.argv[2:]]
for holder, name, calls in [*moments, (writing, "_put", 3), (Path, "rename", 1)]:
    killed_at(holder, name, calls)
    assert files(target) == before, name
killed_at(Path, "rename", 2)  # the old one is beside it, whole, and comes back
assert not target.exists()
killed_at(writing, "_write_check", 1)
assert files(target) == before
export(seed=1)
assert files(target)["weights.safetensors"] != before["weights.safetensors"]
assert list(target.parent.iterdir()) == [target]
"""


def test_an_export_killed_at_any_moment_leaves_no_half_bundle(tmp_path):
    target = tmp_path / "out" / "winner"
    program = [sys.executable, "-c", REFUSE + EXPORTS, target, *MOMENTS]
    subprocess.run(program, check=True, timeout=600)


@pytest.mark.parametrize(("moment", "what"), [("_seal", KeyboardInterrupt), ("sync", OSError)])
def test_an_export_that_ends_early_leaves_nothing(
    source_alone, tmp_path, monkeypatch, moment, what
):
    def end(*_):
        raise what

    monkeypatch.setattr(writing, "clean_process", lambda: nullcontext(lambda _: []))
    monkeypatch.setattr(writing, moment, end)
    space, task = search_spaces.get("mlp"), Task((5,), 3)
    architecture = small(space, Random(0), task)
    net = trained(space, architecture, task)
    with pytest.raises(what):
        write_bundle(unwritten(space, architecture, task, net), tmp_path / "winner")
    assert list(tmp_path.iterdir()) == []


def test_an_old_bundle_that_a_kill_moved_away_comes_back(tmp_path):
    from nas.bundles.write import _clear

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
    made = unwritten(space, architecture, task, trained(space, architecture, task))
    assert write_bundle(made, tmp_path / "large").task == task
    x = torch.randn(1, *task.input_shape)
    with torch.inference_mode():
        assert torch.equal(nas.load_bundle(tmp_path / "large")(x), made.net()(x))


def digits_as_files(folder):
    digits = trainers.load("digits")
    files = []
    for number in range(12):
        file = folder / f"{number}.png"
        Image.fromarray(digits.test.inputs[number, 0].numpy()).save(file)
        files.append(file)
    return digits, files


def test_images_from_disk_are_classified_as_in_training(exported, tmp_path, capfd):
    digits, files = digits_as_files(tmp_path)
    bundle = nas.open_bundle(exported)
    x = trainers.normalise(digits.test.inputs[:12], digits.mean, digits.std)
    with torch.inference_mode():
        wanted = bundle.net()(x).softmax(dim=1)
    [found] = predict(bundle, files)
    labels = found.predictions.labels
    assert labels == [str(n) for n in wanted.argmax(dim=1).tolist()]
    assert torch.allclose(found.predictions.probabilities, wanted, atol=1e-5)
    written = module_of((exported / "model.py").read_text())
    assert torch.allclose(torch.cat([written.preprocess(file) for file in files]), x, atol=1e-6)
    pictures = [*files[:4], *(f.read_bytes() for f in files[4:8]), *map(Image.open, files[8:])]
    assert torch.equal(bundle.preprocess(pictures), x)
    assert torch.equal(bundle.preprocess(str(files[0])), x[:1])
    assert bundle.classes == [str(n) for n in range(10)]
    with pytest.raises(ValueError, match="cannot read the image number 1: "):
        bundle.predict([files[0].read_bytes(), b"no image"])
    assert status("predict", exported, *files, "--json") == 0
    document = json.loads(capfd.readouterr().out)
    assert [p["prediction"]["label"] for p in document] == labels
    assert [p["input"] for p in document] == [str(file) for file in files]
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
    for orientation in (3, 6):  # as a camera was held
        exif = Image.Exif()
        exif[0x0112] = orientation
        files.append(tmp_path / f"{orientation}.jpg")
        picture.save(files[-1], exif=exif)
    mine = torch.cat([written.preprocess(file) for file in files])
    with torch.inference_mode():
        chances = bundle.net()(mine).softmax(dim=1).amax(dim=1)
    [theirs] = predict(bundle, files)
    assert torch.allclose(theirs.predictions.probabilities.amax(dim=1), chances, atol=1e-5)


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
    assert json.loads(capfd.readouterr().out)["test"]["accuracy"] == 1.0
    made = nas.open_bundle(other)
    assert made.names == ["bright", "dark"]
    assert made.metrics["fine_tuned_from"]
    assert "fine_tuned_from" not in origin_of(made)  # a network trained from scratch is not
    assert any((tmp_path / "other-tensorboard").iterdir())
    assert status("retrain", exported, "--patience", 3) == 2
    assert "--data says on which data" in capfd.readouterr().err


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
    assert architectures_of([str(exported)]) == (str(run.best().architecture),)
    assert architectures_of([str(run.path)]) == tuple(
        str(trial.architecture) for trial in run.front
    )
    arguments = ["search", "--space", SPACE, "--epochs", 1, "--out", tmp_path / "next"]
    assert status(*arguments, "--trials", 1, "--from", exported, "--seed", 5) == 0
    first = nas.open_run(tmp_path / "next").trials[0]
    assert first.architecture == run.best().architecture
    assert status(*arguments, "--trials", 2, "--seed", 5) == 2
    assert "warm_start was" in capfd.readouterr().err
    assert status("search", "--space", "mlp", "--from", exported, "--out", tmp_path / "x") == 2
    assert "want an architecture of mlp" in capfd.readouterr().err


NETWORKS = int(os.environ.get("NAS_BUNDLES", "2"))  # sampled, and as many known, the smallest


def task_of(space):
    return Task({1: (20,), 2: (3, 40), 3: (3, 33, 20)}[space.inputs[-1]], 10, dense=space.dense)


def to_verify():
    for name in SPACES:
        space = search_spaces.get(name)
        task = task_of(space)
        yield from ((name, seed) for seed in range(NETWORKS))
        by_size = sorted(space.known, key=lambda k: space.cost(space.known[k], task).parameters)
        yield from ((name, known) for known in by_size[:NETWORKS])


@pytest.fixture(scope="module")
def checks_of():
    """Runs the checks of a folder in a clean process: one for all, as its imports take seconds."""
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
@pytest.mark.parametrize(("name", "which"), list(to_verify()))
def test_a_network_of_every_space_passes(name, which, checks_of, tmp_path, monkeypatch):
    """Every format, after training, in a clean process."""
    monkeypatch.setattr(writing, "clean_process", lambda: nullcontext(lambda _: []))  # `checks_of`
    space = search_spaces.get(name)
    task = task_of(space)
    drawn = isinstance(which, int)
    architecture = small(space, Random(which), task) if drawn else space.known[which]
    folder = tmp_path / "bundle"
    made = unwritten(space, architecture, task, trained(space, architecture, task))
    try:
        write_bundle(made, folder)
        beside = {"model.onnx.data"} if len(made.read_weights()) > 1.5e9 else set()
        assert {file.name for file in folder.iterdir()} == FILES - {"pareto.png"} | beside
        lines = (folder / "model.py").read_text().count("\n")
        checks = checks_of(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # a large one is gigabytes
    assert [check for check in checks if not check["passed"]] == []
    assert len(checks) == 7
    assert lines <= MOST_LINES
    print(name, which, f"{made.metrics['parameters']:,} parameters, {lines} lines,", checks[-2])  # noqa: T201


def dead_bundle():
    """A trained network with a convolution of nothing and a branch that ends in nothing."""
    space, task = search_spaces.load(SPACE), Task((1, 8, 8), 5)
    cell = "|nor_conv_1x1~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|nor_conv_1x1~2|"
    net = trained(space, space.parse(cell), task)
    return unwritten(space, space.parse(cell), task, net), net


def test_the_network_of_a_bundle_has_no_dead_parts():
    bundle, net = dead_bundle()
    simple, x = without_dead_parts(bundle), torch.randn(3, 1, 8, 8)
    assert simple.metrics["searched_parameters"] == bundle.metrics["parameters"]
    assert simple.metrics["macs"] < bundle.metrics["macs"]
    written = module_of(model_file(simple)).Model().eval()
    written.load_state_dict(simple.weights())
    assert sum(p.numel() for p in written.parameters()) == simple.metrics["parameters"]
    with torch.inference_mode():
        for same in (written, simple.net(), adapted(simple, classes=5).eval()):
            assert torch.allclose(same(x), net(x), rtol=0, atol=1e-5)
    assert simple.net().features(x).shape == (3, 16)
    assert without_dead_parts(simple).weights().keys() == simple.weights().keys()


@pytest.mark.long
def test_every_format_is_without_dead_parts(tmp_path):
    bundle, net = dead_bundle()
    written = write_bundle(bundle, tmp_path / "bundle")
    assert all(check.passed for check in verify(written.path))
    left = written.metrics["parameters"]
    assert (
        f"{left:,} (of {bundle.metrics['parameters']:,}" in (written.path / "README.md").read_text()
    )
    program = torch.export.load(written.path / "model.pt2")
    x = torch.randn(2, 1, 8, 8)
    assert sum(p.numel() for p in program.parameters()) == left
    assert torch.allclose(program.module()(x), net(x), rtol=0, atol=1e-5)
    graph = onnx.load(written.path / "model.onnx").graph
    assert sum(int(np.prod(each.dims)) for each in graph.initializer) <= left + 100


def test_a_bundle_that_names_other_dead_parts_is_refused():
    bundle, _ = dead_bundle()
    simple = without_dead_parts(bundle)
    parts = [{"path": "stem.9", "kind": "identity", "channels": 0}]
    wrong = replace(simple, described={**simple.described, "dead_parts": parts})
    with pytest.raises(
        ValueError, match=r"architecture.json: dead_parts: the network has no module"
    ):
        wrong.net()
