"""Every block of the README, of docs/guides/data.md and of docs/guides/automl.md runs; what all pages name exists."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from nas.cli.main import app, main
from trainers.data.reading import LAYOUTS
from trainers.data.sources.arrays import slot
from trainers.tasks.registry import TASKS, default_metrics, metrics_of

ROOT = Path(__file__).parent.parent
README, DATA = (ROOT / "README.md").read_text(), (ROOT / "docs" / "guides" / "data.md").read_text()
AUTOML = (ROOT / "docs" / "guides" / "automl.md").read_text()
BLOCKS, DATA_BLOCKS, AUTOML_BLOCKS = (
    re.findall(r"```(\w*)\n(.*?)```", page, flags=re.DOTALL) for page in (README, DATA, AUTOML)
)


def test_the_two_commands_stand_first():
    kind, block = BLOCKS[0]
    commands = [line.split("  ")[0].strip() for line in block.splitlines()]
    assert (kind, commands) == ("", ["pip install uv && uv run nas search", "uv run pytest"])


@pytest.fixture(scope="module", params=["here", pytest.param("typed", marks=pytest.mark.long)])
def way(request):
    """Run commands as `here` or `typed` does."""
    return request.param


@pytest.fixture(scope="module")
def folder(way, tmp_path_factory):
    folder = tmp_path_factory.mktemp(way)
    (folder / "tests").symlink_to(ROOT / "tests")  # a clone has the table that a block reads
    return folder


@pytest.fixture(scope="module")
def typed(folder):
    """Run a command as a user does, in a process of its own."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}

    def run(command):
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    return run


@pytest.fixture
def here(folder, monkeypatch, capfd):
    """Run a `nas` command in this process, which has imported already what it needs."""
    monkeypatch.chdir(folder)

    def run(command):
        assert command[0] == "nas"
        with pytest.raises(SystemExit) as end:
            main(command[1:])
        assert end.value.code == 0, capfd.readouterr().err

    return run


@pytest.mark.parametrize("number", range(1, len(BLOCKS)))
def test_block(way, folder, typed, here, number):
    kind, block = BLOCKS[number]
    assert kind in ("bash", "python")
    if kind == "python":
        name = re.match(r"# (\w+\.py)\n", block)
        file = folder / (name[1] if name else f"block_{number}.py")
        file.write_text(block)
        typed([sys.executable, str(file)])
        return
    for line, text in enumerate(block.splitlines()):
        run = typed if way == "typed" or (number, line) == (1, 0) else here
        run(shlex.split(text))


@pytest.mark.parametrize("lines", [2, pytest.param(4, marks=pytest.mark.long)])  # 3, 4: a bundle
def test_the_blocks_on_data_run(lines, tmp_path, monkeypatch, capfd):
    (_, program), (_, commands) = DATA_BLOCKS
    monkeypatch.chdir(tmp_path)
    exec(program, {})  # noqa: S102 - it is the program of the page
    for command in commands.splitlines()[:lines]:
        with pytest.raises(SystemExit) as end:
            main(shlex.split(command)[1:])
        assert end.value.code == 0, capfd.readouterr().err
    if lines == 4:
        assert len((tmp_path / "predictions.csv").read_text().splitlines()) == 301


@pytest.mark.long
def test_the_blocks_on_the_front_door_run(tmp_path, monkeypatch, capfd):
    (_, program), (_, commands), *_ = AUTOML_BLOCKS
    monkeypatch.chdir(tmp_path)
    exec(program, {})  # noqa: S102 - it is the program of the page
    assert (tmp_path / "homes-model" / "model.py").exists()
    for command in commands.splitlines():
        with pytest.raises(SystemExit) as end:
            main(shlex.split(command)[1:])
        assert end.value.code == 0, capfd.readouterr().err
    assert len((tmp_path / "predictions.csv").read_text().splitlines()) == 301


def test_the_parameters_of_the_front_door_are_in_its_table():
    from nas import NASClassifier

    table = AUTOML.split("## What is taken")[1].split("## What happens")[0]
    names = {
        name
        for row in table.splitlines()
        for name in re.findall(r"`(\w+)`", row.split("|")[1] if "|" in row else "")
    }
    assert names == {"X", "y", "sample_weight", *NASClassifier().get_params()}


def test_the_metrics_of_the_tasks_on_data_are_those_of_the_registry():
    cells = [line.split(" | ") for line in DATA.splitlines() if line.startswith("| `")]
    rows = {
        row[0].strip("| `"): [re.findall(r"`(\w+)`", cell) for cell in row[2:]] for row in cells
    }
    for task in TASKS:
        first, others = rows.pop(task)
        assert first[0] == default_metrics(task)[0]
        assert sorted(first + others) == sorted(metrics_of(task))


def test_the_names_in_the_table_of_data_are_read():
    inputs, parts = re.search(r"inputs (.*?)in upper or lower case; (.*?) for parts", DATA).groups()
    assert all(slot(name) for name in re.findall(r"`(\w+)`", inputs + parts))
    axes = DATA.split("## Images, sequences, vectors")[1].split("Without it")[0]
    assert re.findall(r"`(N[A-Z]+)`", axes) == list(LAYOUTS)


def options(command):
    """The options of a command and of all commands in it."""
    own = {
        text for parameter in command.params for text in parameter.opts + parameter.secondary_opts
    }
    return own.union(*map(options, getattr(command, "commands", {}).values()))


SCRIPTS = {
    option
    for file in (ROOT / "scripts").rglob("*.py")
    for option in re.findall(r'"(--[a-z][a-z-]+)"', file.read_text())
}
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_options_that_are_named_exist(page):
    text = re.sub(r"^.*\bpip .*$", "", page.read_text(), flags=re.MULTILINE)
    named = set(re.findall(r"(?<![\w/.])--[a-z][a-z-]+", text))
    assert named - options(typer.main.get_command(app)) - SCRIPTS == set()
