"""Every block of the README and of the guides that are a tour of the toolkit runs."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from nas.cli.main import main
from trainers.data.reading import LAYOUTS
from trainers.data.sources.arrays import slot
from trainers.tasks.registry import TASKS, default_metrics, metrics_of

ROOT = Path(__file__).parent.parent
GUIDES = ROOT / "docs" / "guides"
TOUR = ("search", "spaces", "your_own", "parallel", "understand", "strategies", "take_away")


def blocks(page):
    """Language and text of each block of code of a page."""
    return re.findall(r"```(\w*)\n(.*?)```", page.read_text(), flags=re.DOTALL)


README, DATA, AUTOML = (
    page.read_text() for page in (ROOT / "README.md", GUIDES / "data.md", GUIDES / "automl.md")
)
DATA_BLOCKS, AUTOML_BLOCKS = blocks(GUIDES / "data.md"), blocks(GUIDES / "automl.md")
BLOCKS = [
    (page.stem, number, *block)
    for page in (ROOT / "README.md", *(GUIDES / f"{name}.md" for name in TOUR))
    for number, block in enumerate(blocks(page))
]


def test_the_two_commands_stand_first():
    _, _, kind, block = BLOCKS[0]
    commands = [line.split("  ")[0].strip() for line in block.splitlines()]
    assert (kind, commands) == ("", ["pip install uv && uv run nas search", "uv run pytest"])


def test_the_readme_is_one_screen():
    lines = README.splitlines()
    assert len(lines) <= 120
    assert [line for line in lines if len(line) > 120] == []


def test_the_numbers_of_the_readme_stand_in_the_figures():
    """Rounded to the digits of the README, each is a number of a page of figures."""
    table = README.split("## Compared with others")[1].split("## ")[0]
    pages = [*(ROOT / "docs" / "figures").glob("*.md"), GUIDES / "automl.md"]
    text = "".join(page.read_text() for page in pages).replace(",", "")
    measured = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", text)]
    for number in re.findall(r"\d+\.\d+|\d{2,}", table.replace(",", "")):
        digits = len(number.partition(".")[2])
        assert float(number) in {round(value, digits) for value in measured}, number


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


@pytest.fixture(scope="module")
def done():
    """Commands that ran: pages that are read one after another repeat some."""
    return set()


def marked(page, number, kind, block):
    """The block, with a mark if it is one of the slowest; most of what those do is tested elsewhere."""
    slow = "NASRegressor" in block or "NASClassifier" in block or "bayesian" in block
    return pytest.param(page, number, kind, block, marks=[pytest.mark.long] if slow else [])


@pytest.mark.parametrize(("page", "number", "kind", "block"), [marked(*b) for b in BLOCKS[1:]])
def test_block(way, folder, typed, here, done, page, number, kind, block):
    if kind == "python":
        name = re.match(r"# (\w+\.py)\n", block)
        file = folder / (name[1] if name else f"{page}_{number}.py")
        file.write_text(block)
        if way == "typed" or "@nas.evaluator" in block:  # a function is known by its file
            typed([sys.executable, str(file)])
        else:
            exec(compile(block, str(file), "exec"), {"__name__": "__main__"})  # noqa: S102 - ours
        return
    assert kind == "bash"
    for text in block.splitlines():
        if text not in done:
            run = typed if way == "typed" or not done else here
            run(shlex.split(text))
            done.add(text)


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
