"""Files of a user's own: run once, and explained in one line."""

import inspect
import sys
from pathlib import Path

import pytest

from search_spaces import load
from search_spaces.user_files import PREFIX, load_file_object, refuse_while_running, run_file

BOTH = """
from pathlib import Path
from search_spaces import Choice, SearchSpace
from helpers_of_mine import one

with (Path(__file__).parent / "runs.txt").open("a") as file:
    file.write("once ")

space = SearchSpace(name="mine", tree=Choice("a", "b"), build=None)
def train(job):
    return one
train_again = train
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "helpers_of_mine.py").write_text("one = 1\n")
    yield tmp_path
    sys.modules.pop("helpers_of_mine", None)


def test_a_file_runs_once_however_it_is_named(folder, monkeypatch):
    file = folder / "both.py"
    file.write_text(BOTH)
    space = load(f"{file}:space")
    train = load_file_object(f"{file}:train", "evaluator")
    monkeypatch.chdir(folder)
    assert load_file_object("both.py:train", "evaluator") is train
    assert load("both.py:space") is space
    assert train(None) == 1, "modules beside the file are found"
    assert (folder / "runs.txt").read_text() == "once "
    assert train.__module__.startswith(f"{PREFIX}both_")
    assert "return one" in inspect.getsource(train)

    sha256 = run_file(file, "evaluator").sha256
    assert load_file_object("both.py:train", "evaluator", sha256) is train
    file.write_text(BOTH.replace("return one", "return two"))  # as long, in the same second
    with pytest.raises(ValueError, match=r"evaluator both.py:train: .* has changed since"):
        load_file_object("both.py:train", "evaluator", sha256)
    assert "return two" in inspect.getsource(load_file_object("both.py:train", "evaluator"))
    assert (folder / "runs.txt").read_text() == "once once "
    assert not list(folder.glob("__pycache__/both*"))


def test_modules_are_named_too():
    assert load_file_object("pathlib:Path", "evaluator") is Path


@pytest.mark.parametrize(
    ("content", "reference", "message"),
    [
        ("", "absent.py:f", r"want a Python file with an evaluator, got .*absent.py: no such file"),
        ("", "{}:f", r"want an evaluator called 'f' in .*mine.py, got none$"),
        (
            "from math import pi as _p\nimport os\nfrom pathlib import Path\ndef train(): 0\nlr = 1",
            "{}:trian",
            r"called 'trian' in .*mine.py, got none; it has train, lr; did you mean train\?",
        ),
        ("\n\n1 / 0", "{}:f", r"mine.py:3: ZeroDivisionError: division by zero$"),
        ("def f(:\n  1", "{}:f", r"mine.py:1: SyntaxError: invalid syntax"),
        ("import sys\nsys.exit('no\\nmore')", "{}:f", r"mine.py:2: SystemExit: no more$"),
        ("import absent_one", "{}:f", r"mine.py:1: ModuleNotFoundError: No module named"),
        (
            "from search_spaces.user_files import run_file\nfrom pathlib import Path\n"
            "run_file(Path(__file__), 'evaluator')",
            "{}:f",
            r"mine.py:3: ValueError: mine.py begins a search when it is loaded: put that under",
        ),
        ("", "{}", r"got '.*mine.py': which name in it\?"),
        ("", "{}:a.b", r"want an evaluator as path/to/file.py:NAME or package.module:NAME, got"),
        ("", "absent.module:f", r"evaluator of the module absent.module: it cannot be imported: M"),
        ("", "pathlib:Paht", r"called 'Paht' in pathlib, got none; it has .*did you mean Path\?"),
        ("", "", "want an evaluator as"),
    ],
)
def test_what_is_wrong_is_one_line(folder, content, reference, message):
    (folder / "mine.py").write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        load_file_object(reference.format(folder / "mine.py"), "evaluator")
    assert "\n" not in str(caught.value)
    refuse_while_running()  # none is left running
