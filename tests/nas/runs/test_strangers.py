"""Runs and bundles that came from somebody else: what is in them is read, and never run."""

import json
import shutil
from dataclasses import fields

import pytest

import nas
from nas.cli.main import main
from nas.runs.lock import writing
from nas.runs.settings import CHECKS, Settings
from nas.runs.space_files import open_space
from search_spaces import Architecture, strict_json, user_files

SPACE = """
import os
os.makedirs({mark!r}, exist_ok=True)
from torch import nn
from search_spaces import Choice, SearchSpace, Struct

def build(architecture, task):
    features = task.input_shape[0] * task.input_shape[1] * task.input_shape[2]
    width = architecture["width"]
    return nn.Sequential(nn.Flatten(), nn.Linear(features, width), nn.Linear(width, task.outputs))

space = SearchSpace(name="mine", tree=Struct(width=Choice(1, 2, 3, 4)), build=build)
"""


def command(*arguments):
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return end.value.code


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """A run in a space of the user's own, whose file leaves a mark when it is run."""
    folder = tmp_path_factory.mktemp("mine")
    file, mark = folder / "my_space.py", folder / "executed"
    file.write_text(SPACE.format(mark=str(mark)))
    run = nas.search(space=f"{file}:space", trials=2, epochs=1, out=folder / "run")
    run.export(run.best(), folder / "winner")
    assert mark.exists()
    shutil.rmtree(mark)
    return folder


@pytest.fixture
def mark(mine):
    yield mine / "executed"
    shutil.rmtree(mine / "executed", ignore_errors=True)


def test_looking_runs_no_file(mine, mark, capsys):
    assert command("show", mine / "run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["trials"] == 2
    nas.open_bundle(mine / "winner")
    assert not mark.exists()


def test_what_needs_the_file_says_so_and_runs_it_when_it_is_named(
    mine, mark, tmp_path, capsys, monkeypatch
):
    space = f"{mine / 'my_space.py'}:space"
    for source in ("run", "winner"):
        monkeypatch.setattr(user_files, "_LOADED", {})  # as in a new process
        arguments = ["retrain", mine / source, "--epochs", "1", "--to", tmp_path / source]
        assert command(*arguments) == 2
        assert f"add --space {space}" in capsys.readouterr().err
        assert not mark.exists()
        assert command(*arguments, "--space", space) == 0
        assert mark.exists()
        shutil.rmtree(mark)
    assert command("export", mine / "run", "--to", tmp_path / "w") == 2
    assert f"add --space {space}" in capsys.readouterr().err
    for read in (
        lambda: nas.open_run(mine / "run").space,
        lambda: nas.load_bundle(mine / "winner"),
    ):
        with pytest.raises(ValueError, match="which is code and is run only if you name it"):
            read()
    assert not mark.exists()
    assert nas.open_run(mine / "run", space=space).space.name == "mine"


def test_a_run_and_its_files_may_move_but_not_change(mine, mark, tmp_path):
    shutil.copytree(mine / "run", tmp_path / "run")
    file = tmp_path / "elsewhere.py"
    shutil.copy(mine / "my_space.py", file)
    settings = {"space": f"{file}:space", "epochs": 1, "out": tmp_path / "run"}
    assert len(nas.search(**settings, trials=3).trials) == 3
    file.write_text(file.read_text() + "\n")
    for changed in (
        lambda: nas.search(**settings, trials=4),
        lambda: nas.open_run(tmp_path / "run", space=f"{file}:space").space,
    ):
        with pytest.raises(ValueError, match="has changed since the run began; restore the file"):
            changed()


@pytest.mark.parametrize(
    "name", ["run.json", "trials.jsonl", "lock", "writer.txt", "checkpoints", "tensorboard"]
)
def test_a_run_with_a_link_in_it_is_not_written_to(mine, tmp_path, name):
    """Else it would say what of the user's is overwritten."""
    path = tmp_path / "run"
    shutil.copytree(mine / "run", path)
    real = tmp_path / "real"
    if (path / name).exists():
        (path / name).rename(real)
    (path / name).symlink_to(real)
    with pytest.raises(ValueError, match=f"{name} is a link"), writing(path):
        pass


@pytest.mark.parametrize("change", ["width", "number"])
def test_a_search_is_not_resumed_with_trials_of_another(mine, tmp_path, change):
    """Well formed, checksums and all; but no member of the space, or out of order."""
    shutil.copytree(mine / "run", tmp_path / "run")
    file = tmp_path / "run" / "trials.jsonl"
    trials = [json.loads(line)["trial"] for line in file.read_text().splitlines()]
    if change == "width":
        trials[1]["architecture"]["width"] = 5
    else:
        trials[1]["parents"] = [1]
    from nas.core.trial import Trial
    from nas.runs.journal import Journal

    file.unlink()
    journal = Journal(file)
    for trial in trials:
        journal.append(Trial.from_dict(trial))
    journal.close()
    settings = {"space": f"{mine / 'my_space.py'}:space", "epochs": 1, "out": tmp_path / "run"}
    with pytest.raises(ValueError, match=r"trials\.jsonl, line 2: .*want .*, got "):
        nas.search(**settings, trials=3)


def test_every_setting_has_a_check():
    assert CHECKS.keys() == {field.name for field in fields(Settings)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 65 + "]" * 65, "at most 64 levels"),
        ("[" * 900_000, "at most 50,000 values"),
        ("[" + "0," * 60_000 + "0]", "at most 50,000 values"),
        (" " * 1_000_001, "at most 1,000,000 characters"),
        ('{"a": 1, "b": 2, "a": 3}', "each key once, got 'a' twice"),
        ("9" * 301, "at most 300 digits"),
        ('["\\ud800"]', "lone surrogate"),
        ("NaN", "finite"),
        ("1e400", "finite"),
    ],
)
def test_json_that_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        strict_json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 64 + "]" * 64,
        '"[[[[' + "[" * 100 + '"',
        '"\\\\ud800"',
        '"\\ud83d\\ude00"',
        '["a,", ",b"]',
    ],
)
def test_json_that_only_looks_bad(text):
    assert strict_json.loads(text) == json.loads(text)


def test_what_would_be_refused_is_not_written():
    for value in ("\ud800", [0] * 60_000, float("nan")):
        with pytest.raises(ValueError, match=r"surrogate|values|JSON compliant"):
            strict_json.dumps(value)


def test_a_large_architecture_is_no_architecture():
    with pytest.raises(ValueError, match="at most 100,000 characters"):
        Architecture.parse("mlp:" + " " * 200_000)


def test_an_ensemble_of_a_space_in_a_file_needs_the_file_of_its_members(mine, mark, tmp_path):
    file = mine / "my_space.py"
    recorded = f"ensemble:{file}:space"
    with pytest.raises(ValueError, match="which is code and is run only if you name it"):
        open_space(recorded, None, tmp_path)
    assert not mark.exists()
    for given in (f"{file}:space", recorded):
        assert open_space(recorded, given, tmp_path).name == "ensemble"
    with pytest.raises(ValueError, match="want its search space"):
        open_space(recorded, "mlp", tmp_path)
    with pytest.raises(ValueError, match="want its search space"):
        open_space(f"{file}:space", recorded, tmp_path)
