"""The `nas` command as a user types it."""

import json
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from nas.cli.main import COMMANDS, main
from nas.cli.winners import _choose
from nas.runs.options import GROUPS, MOST_USED
from nas.runs.run import Run
from nas.strategies import STRATEGIES


@pytest.fixture
def nas(capfd, monkeypatch, tmp_path):
    """Run the command in this process and in an empty folder; (status, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in arguments])
        said = capfd.readouterr()
        return end.value.code, said.out, said.err

    return run


def images(folder, classes, count=6, size=8):
    rng = np.random.default_rng(0)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for i in range(count):
            pixels = rng.integers(0, 255, (size, size), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


def one_class(path):
    return images(path / "one", ["cat"])


def unreadable(path):
    folder = images(path / "bad", ["cat", "dog"])
    (folder / "dog" / "3.png").write_bytes(b"not an image")
    return folder


def no_images(path):
    for name in ("cat", "dog"):
        (path / "none" / name).mkdir(parents=True)
    return path / "none"


BAD = [
    (["--space", "nothing"], "want a search space (nasbench201, "),
    (["--strategy", "annealed"], f"want a strategy ({', '.join(STRATEGIES)}), got 'annealed'"),
    (
        ["--schedule", "ahsa"],
        "want a schedule (none, halving, asha, hyperband, pbt, pb2), got 'ahsa'",
    ),
    (["--schedule", "asha", "--epochs", "2"], "want a recipe of at least 3 epochs"),
    (["--data", "no_such_data"], "no_such_data"),
    (["--device", "tpu"], "device: want auto, cpu, cuda or cuda:N, got 'tpu'"),
    (["--trials", "0"], "--trials: want 1 to 1,000,000,000, got 0"),
    (["--budget", "5W"], "--budget: want trials, a time, epochs or energy"),
    (["--until", "accuracy>0.9"], "--until: want a limit such as latency_ms<=5, got"),
    (["--trials", "9" * 40], "--trials: want 1 to 1,000,000,000, got 9999"),
    (
        ["--trials", "many"],
        "got 'many'",
    ),
    (["--epochs", "0"], "recipe.epochs: want a whole number from 1 to 5000, got 0"),
    (["--learning-rate", "-1"], "learning_rate: want a number above 0, got -1"),
    (
        ["--max-params", "10"],
        "nothing in nasbench201 has parameters <= 10: the nearest has 18,594",
    ),
    (["--max-params", "0"], "max-params: want a positive number, got 0"),
    (["--objectives", "beauty"], "objectives: want some of accuracy, "),
    (["--tune", "weather"], "tune: want all, or some of learning_rate, "),
    (["--tune", "momentum", "--optimizer", "adamw"], "momentum is not searched for adamw"),
    (
        ["--tune", "dropout", "--dropout", "0.1"],
        "dropout is fixed to 0.1: leave that out, or name the others to tune",
    ),
    (["--space", "conv1d"], "conv1d is for sequences"),
    (["--space", "fixed:nasbench201:|none~0|"], "want a cell such as"),
    (["--space", "fixed:mlp:{}"], "want the fields"),
    (["--data", one_class], "want at least 2 class folders"),
    (["--data", unreadable], "3.png"),
    (["--data", no_images], "no images"),
    (["--no-such-option"], "No such option"),
    (["--recipe", "flip"], "want recipe:setting=value,setting=value, got 'recipe:flip'"),
    (["--recipe", "flip=sometimes"], "flip"),
    (["--recipe", "colour=red"], "colour"),
    (["--out", "n" * 300], "File name too long; want another path"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_input_is_one_line_and_status_2_and_nothing_is_written(
    nas, tmp_path, arguments, message
):
    arguments = [str(a(tmp_path / "data")) if callable(a) else a for a in arguments]
    before = sorted(tmp_path.iterdir())
    status, out, err = nas("search", *arguments)
    assert status == 2
    assert out == ""
    assert err.startswith("nas: ")
    assert err.count("\n") == 1
    assert message in err
    assert sorted(tmp_path.iterdir()) == before


def test_bad_runs_bundles_and_architectures(nas, tmp_path):
    (tmp_path / "empty").mkdir()
    newer = tmp_path / "newer"
    newer.mkdir()
    (newer / "run.json").write_text('{"schema": 99}')
    for arguments, message in [
        (["show", "absent"], "want the folder of a run, got absent: no such folder"),
        (["show", "empty"], "want the folder of a run, got empty: it has no run.json"),
        (["show", "newer"], "it was made by a newer version (schema 99"),
        (["search", "--out", "newer"], "it was made by a newer version (schema 99"),
        (["export", "absent", "--to", "x"], "want the folder of a run"),
        (["export", "absent"], "Missing option '--to'"),
        (["retrain", "empty"], "want the folder of a run"),
        (["profile", "mlp", "{}"], "want the fields hidden, activation, norm"),
        (
            ["profile", "nasbench201", "resnet", "--input", "3x"],
            "input shape: want one such as 3x32x32",
        ),
        (["profile", "nasbench201", "resnet", "--input", "7"], "nasbench201 is for images"),
        (["profile", "nasbench201", "resnet", "--classes", "0"], "outputs: want a positive"),
        (["profile", "nasbench201"], "Missing argument"),
        (["nonsense"], "No such command 'nonsense'"),
    ]:
        status, out, err = nas(*arguments)
        assert (status, out, err.count("\n")) == (2, "", 1), err
        assert message in err


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli") / "run"
    command = [sys.executable, "-m", "nas", "search", "--space", "mlp", "--trials", "12"]
    command += ["--epochs", "1", "--max-params", "100000", "--tune", "learning_rate,batch_size"]
    command += ["--out", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    understood, trials = done.stderr.splitlines()[:-12], done.stderr.splitlines()[-12:]
    assert [line.split()[0] for line in understood if line[0] != " "] == [
        *("data", "task", "classes", "inputs", "scaling", "reading", "augmentation", "objectives"),
        *("limits", "space", "searched", "training", "device", "folder"),
        *("members", "forecast"),
    ]
    assert max(map(len, understood)) <= 80
    assert "limits        parameters<=100000 (met before training)" in understood
    assert "augmentation  none for vectors" not in understood  # digits are images
    assert all(line.startswith("trial ") for line in trials)  # plain lines, one a trial
    assert "trial   11    12/12 " in done.stderr
    assert "front (" in done.stdout
    assert "nas retrain" in done.stdout
    return path


def test_running_it_again_says_that_it_is_complete(nas, run):
    arguments = ["search", "--space", "mlp", "--epochs", "1", "--max-params", "100000"]
    arguments += ["--tune", "learning_rate,batch_size"]
    status, out, err = nas(*arguments, "--trials", "12", "--out", run)
    assert status == 0
    assert "is complete: 12 of 12 trials" in err
    assert "front (" in out
    _, _, err = nas(*arguments, "--trials", "2", "--out", run)
    assert "is complete: it has 12 trials already, 2 asked for; a larger --trials" in err
    status, _, err = nas(*arguments, "--trials", "12", "--out", run, "--seed", "9")
    assert status == 2
    assert "seed was 0, is 9" in err


def test_a_recommended_trial_that_was_not_confirmed_is_said_to_be_none(run, capsys):
    chosen = _choose(Run(run), None, "recommended", None)
    wanted = (
        f"not confirmed: the search trained no winner again; trial {chosen.number} is the best "
    )
    assert wanted in capsys.readouterr().err
    _choose(Run(run), None, "best", None)
    assert not capsys.readouterr().err


def test_show_as_json(nas, run):
    status, out, err = nas("show", run, "--json")
    document = json.loads(out)
    assert (status, err) == (0, "")
    assert set(document) == {
        *("run", "space", "data", "strategy", "schedule", "seed", "trials", "completed"),
        *("objectives", "limits", "paused", "stopped_early", "violating", "failed", "hypervolume"),
        *("front", "confirmation", "gate", "energy", "mixed_network", "failures"),
    }
    assert document["trials"] == document["completed"] == 12
    for trial in document["front"]:
        assert set(trial) == {
            *("number", "architecture", "notation", "recipe", "hyperparameters", "scores"),
            *("epochs", "scored_epoch", "resume_from", "seconds", "weights"),
        }
        assert set(trial["hyperparameters"]) == {"learning_rate", "batch_size"}
    status, out, _ = nas("show", run)
    assert "learning_rate " in out
    assert all(
        len(line) <= 80 for line in out.splitlines() if "runs" not in line and "/" not in line
    )


def test_export_and_retrain(nas, run, source_alone):
    status, out, _ = nas("export", run, "--to", "winner", "--select", "smallest", "--json")
    assert status == 0
    document = json.loads(out)
    status, out, err = nas("retrain", run, "--trial", document["trial"], "--epochs", "3", "--json")
    assert status == 0, err
    retrained = json.loads(out)
    assert retrained["test"]["accuracy"] > 0.3
    assert retrained["parameters"] == document["scores"]["parameters"]
    assert (run / "retrained" / f"trial-{document['trial']:05d}" / "weights.safetensors").exists()
    status, out, _ = nas("retrain", "winner", "--epochs", "3", "--json")
    assert json.loads(out)["test"]["accuracy"] == retrained["test"]["accuracy"]  # the same training
    status, _, err = nas("retrain", "winner", "--epochs", "3")
    assert status == 2
    assert "exists already" in err
    status, _, err = nas("export", run, "--to", "w", "--max-params", "3")
    assert status == 2
    assert "no completed trial with parameters<=100000 and at most 3 parameters" in err


def test_export_retrains_as_retrain_does(nas, run, monkeypatch):
    def refuse(bundle, to, **given):
        raise ValueError(f"{bundle.metrics['trial']} {given['seeds']} {given['recipe']}")

    monkeypatch.setattr("nas.winners.retrain.retrain", refuse)
    options = ["--seeds", "2", "--recipe", "learning_rate=0.1", "--to", "w"]
    status, _, err = nas("export", run, "--trial", "0", "--retrain", "1", *options)
    assert (status, err) == (2, "nas: 0 2 {'learning_rate': 0.1}\n")
    status, _, err = nas("export", run, *options)
    assert (status, "add --retrain EPOCHS" in err) == (2, True)


CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|"


def test_profile(nas):
    status, out, _ = nas("profile", "nasbench201", CELL, "--json")
    document = json.loads(out)
    assert status == 0
    assert document["parameters"] == 802_426
    assert round(document["macs"] / 1e6, 2) == 113.95
    assert document["notation"] == CELL
    status, out, _ = nas(
        "profile", "mobile", "mobilenet_v2", "--input", "3x224x224", "--classes", "1000"
    )
    assert "3,504,872" in out


def test_listings(nas):
    from search_spaces import SPACES

    listed = json.loads(nas("spaces", "--json")[1])
    assert [s["name"] for s in listed] == list(SPACES)
    assert [s["name"] for s in listed if s["dense"]] == ["unet"]
    assert "per pixel" in nas("spaces")[1]


def test_every_command_has_help_and_every_option_a_text(nas):
    commands = [[command.__name__] for group in COMMANDS.values() for command in group]
    out = nas("--help")[1]
    assert all(f"  {command}" in out for [command] in commands)
    assert all(f"\n{heading}:\n" in out for heading in COMMANDS)
    for command in [*commands, ["benchmark", "search"], ["benchmark", "training"]]:
        status, out, _ = nas(*command, "--help")
        assert status == 0
        assert max(map(len, out.splitlines())) <= 80
        assert max(map(options_of, out.split("\n\n"))) <= 12  # of one heading
        lines = [line for line in out.splitlines() if line.lstrip().startswith("--")]
        assert lines
        assert all(len(line.split()) > 1 for line in lines)


def options_of(section):
    """The number of options that a section of a help text describes."""
    return sum(line.lstrip().startswith("--") for line in section.splitlines())


def test_the_help_of_a_search_begins_with_what_is_used_most(nas):
    headings = [line for line in nas("search", "--help")[1].splitlines() if line[:1].isalpha()]
    assert headings[1:] == [f"{group}:" for group in GROUPS]
    described = nas("search", "--help")[1].partition("Most used:")[2].partition("Data:")[0]
    assert re.findall(r"^  --(\S+)", described, re.M) == list(MOST_USED)


def test_without_a_command_the_help_is_printed(nas):
    assert nas() == nas("--help")
    status, out, err = nas("benchmark")
    assert (status, err) == (0, "")
    assert "  training" in out


def test_help_is_quick_and_does_not_import_torch():
    code = (
        "import sys\nimport nas.cli.main\n"
        "for command in ['--help'], ['search', '--help']:\n"
        "    try: nas.cli.main.main(command)\n"
        "    except SystemExit: pass\n"
        "slow = {'torch', 'numpy', 'matplotlib', 'sklearn', 'tensorboard'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    start = time.monotonic()
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert time.monotonic() - start < 30  # hangs are for tests, seconds for benchmarks


@pytest.mark.parametrize(
    ("ending", "status", "said"),
    [("return 7", 7, ""), ("raise RuntimeError('our own')", 1, "RuntimeError: our own")],
)
def test_the_process_ends_with_the_status_and_takes_nothing_apart(ending, status, said):
    code = (
        "import atexit\nimport nas.cli.main\n"
        "class Torch:\n"
        "    def __del__(self): print('taken apart')\n"
        "torch = Torch()\n"
        "def command(_):\n"
        "    atexit.register(print, 'at exit')\n"
        "    print('result')\n"
        f"    {ending}\n"
        "nas.cli.main._status = command\n"
        "nas.cli.main.run()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("result\nat exit\n", status)
    assert said in done.stderr
    assert bool(said) == bool(done.stderr)


@pytest.mark.long
def test_a_plan_is_printed_and_nothing_is_run(nas, tmp_path):
    settings = ["--space", "nasbench201:channels=4,cells=1", "--epochs", "1", "--trials", "2"]
    status, out, _ = nas("search", "--plan", "--json", *settings, "--out", str(tmp_path / "run"))
    assert status == 0
    assert json.loads(out)["trials"] == 2
    assert json.loads(out)["memory_bytes"] > 0
    assert not (tmp_path / "run").exists()
