"""References to the objects of a user's own, and the digests of those that no file defines."""

import functools
import math
import os
import subprocess
import sys
import threading
from collections import Counter
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas
import pytest
import torch

from nas.core.fronts.pareto import hypervolume
from nas.engine.own_code import digests_of
from nas.runs.references import Reference, describe, load_file_object, named, require_same
from nas.runs.references.digests import digest_of
from nas.runs.settings import Settings
from search_spaces import Choice, SearchSpace, get, user_files

SPACE = SearchSpace(
    name="of_mine", tree=Choice("a", "b"), build=lambda value, task: torch.nn.ReLU()
)
HERE = Path(__file__)
NAMED = lambda job: {"f1": 1.0}  # noqa: E731 - it is a lambda with a name


def of_bytes(path):
    return sha256(Path(path).read_bytes()).hexdigest()


def make(factor, *, power=1):
    def train(job):
        return {"f1": factor * job**power}

    return train


class Instance:
    def __init__(self, depth):
        self.depth = depth

    def evaluate(self, job):
        return {"f1": self.depth}


# -- references --------------------------------------------------------------------------------


def test_what_a_file_or_a_module_defines_is_named(tmp_path):
    here = f"{__name__}:"
    for value, name in [(make, "make"), (Instance, "Instance"), (NAMED, "NAMED"), (SPACE, "SPACE")]:
        assert describe(value, "evaluator") == Reference(f"{here}{name}", of_bytes(HERE))
    installed = describe(hypervolume, "metric")
    assert installed.text == "nas.core.fronts.pareto:hypervolume"
    assert installed == named(installed.text, "metric")
    assert (
        describe(sys.intern, "loss") == Reference("sys:intern", None) == named("sys:intern", "loss")
    )

    file = tmp_path / "mine.py"
    file.write_text("def train(job): return {}\nboth = [train]")
    text = f"{file}:train"
    train = load_file_object(text, "evaluator")
    typed = named(text, "evaluator")
    assert describe(train, "evaluator") == typed == Reference(text, of_bytes(file))
    file.write_text("")
    assert describe(train, "evaluator") == typed, "the digest is that of the file that ran"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (lambda job: {}, "object:lambda"),
        (make(2), "object:train"),
        (Instance(2), "object:Instance"),
        (functools.partial(make, 2), "object:partial"),
        ((np.ones(3), 2), "object:tuple"),
    ],
)
def test_what_no_file_defines_is_passed_by_value(value, text):
    reference = describe(value, "evaluator")
    assert reference.text == text
    assert reference.by_value
    assert reference.sha256 == digest_of(value)
    with pytest.raises(ValueError, match=f"evaluator {text}: a program passed it as an object, "):
        load_file_object(text, "evaluator")


SCRIPT = """
import sys
from nas.runs.references import describe
from other_of_mine import space

def train(job): return {}
variable = object()
def decorated(f): return [f]
listed = decorated(train)
def inner():
    def train(job): return {}
    return train
if __name__ == "__main__":
    late = object()
    def guarded(job): return {}
    for value in (train, variable, inner(), late, guarded, space, type(space)):
        print(describe(value, "evaluator").text)
"""


def test_a_script_that_runs_is_named_by_its_file(tmp_path):
    (tmp_path / "other_of_mine.py").write_text("class Of: 0\nspace = Of()")
    (tmp_path / "script.py").write_text(SCRIPT)
    done = run([str(tmp_path / "script.py")])
    assert done == [
        f"{tmp_path}/script.py:train",
        f"{tmp_path}/script.py:variable",
        "object:train",
        "object:object",
        "object:guarded",  # the file, loaded anew, has none
        f"{tmp_path}/other_of_mine.py:space",
        f"{tmp_path}/other_of_mine.py:Of",
    ]
    program = "from nas.runs.references import describe\ndef f(job): 0\nprint(describe(f, '').text)"
    assert run(["-c", program]) == ["object:f"]


def run(arguments, **environment):
    environment = {**os.environ, **environment}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_resuming_wants_the_same_object(tmp_path):
    one, two = (describe(make(factor), "evaluator") for factor in (1, 2))
    where = tmp_path / "run"
    require_same(one, describe(make(1), "evaluator"), "evaluator", where)
    passed = (
        f"{where}: its evaluator object:train was passed by a program and no file holds it: want a "
        r"program that passes it again \(in Python: evaluator=...\), got "
    )
    with pytest.raises(ValueError, match=f"^{passed}none$"):
        require_same(one, None, "evaluator", where)
    with pytest.raises(ValueError, match=f"^{passed}object:train, which is another or has other"):
        require_same(one, two, "evaluator", where)

    first, second = tmp_path / "first.py", tmp_path / "second.py"
    for file in (first, second):
        file.write_text("train = 1")
    train = named(f"{first}:train", "evaluator")
    with pytest.raises(ValueError, match=f"^{passed}{first}:train$"):
        require_same(one, train, "evaluator", where)
    require_same(train, named(f"{second}:train", "evaluator"), "evaluator", where)  # it has moved
    with pytest.raises(ValueError, match=f"want its evaluator, {first}:train, got none"):
        require_same(train, None, "evaluator", where)
    with pytest.raises(ValueError, match=f"want its evaluator, {first}:train, got object:train"):
        require_same(train, one, "evaluator", where)
    with pytest.raises(ValueError, match=f"want its evaluator, {first}:train, got {first}:other"):
        require_same(train, named(f"{first}:other", "evaluator"), "evaluator", where)
    first.write_text("train = 2")
    with pytest.raises(ValueError, match=f"its evaluator {first}:train has changed since the run"):
        require_same(train, named(f"{first}:train", "evaluator"), "evaluator", where)


def test_other_lines_of_a_script_may_change(tmp_path):
    """Such as the number of trials that it asks for."""
    began, other_lines, other = (
        Reference("script.py:train", sha256, definition)
        for sha256, definition in [("1", "a"), ("2", "a"), ("3", "b")]
    )
    require_same(began, other_lines, "evaluator", tmp_path)
    for changed in (other, named(f"{HERE}:train", "evaluator")):
        with pytest.raises(ValueError, match="train has changed since the run began"):
            require_same(began, changed, "evaluator", tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("absent.py:f", "evaluator .*absent.py: No such file or directory"),
        ("absent_module:f", "evaluator absent_module:f: no module is called absent_module"),
        ("absent.module:f", "evaluator absent.module:f: No module named 'absent'"),
        ("train", "want an evaluator as path/to/file.py:NAME"),
    ],
)
def test_a_name_of_nothing_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        named(text, "evaluator")


def test_naming_runs_nothing(tmp_path):
    (tmp_path / "harmful.py").write_text("1 / 0")
    named(f"{tmp_path}/harmful.py:train", "evaluator")
    assert not any("harmful" in name for name in sys.modules)
    user_files.refuse_while_running()


# -- digests -----------------------------------------------------------------------------------

RATE = 0.1


def helper(x):
    return x


def assigns(job):
    global COUNT
    COUNT += 1
    return {"count": COUNT}


COUNT = 0


def test_other_definitions_and_values_have_other_digests():
    one, two, ten, array = 1, 2, [1], np.arange(3)
    values = [
        *(lambda job: 1, lambda job: 2, lambda job: job.a, lambda job: job.b, lambda work: 1),
        *(lambda job: lambda: 1, lambda job: lambda: 2),
        *(lambda job: one, lambda job: two, lambda job: ten, lambda job: array),
        *(lambda job, a=1: a, lambda job, a=2: a, lambda job, *, a=1: a, lambda job, *, a=2: a),
        *(make(1), make(2), make(1.0), make(1, power=2), make("1"), make(b"1"), make(None)),
        *(make({"lr": 1}), make({"lr": 2}), make((1, 2)), make([1, 2]), make({1, 2}), make((2, 1))),
        *(make(np.ones(3)), make(np.ones((3, 1))), make(np.ones(3, "f4")), make(np.zeros(3))),
        *(make(torch.ones(3)), make(torch.zeros(3)), make(torch.zeros(3, dtype=torch.bfloat16))),
        *(make(make(1)), make(make(2)), make(math.sin), make(math.cos), make(torch.nn.ReLU)),
        *(make(pandas.DataFrame({"a": [1]})), make(pandas.DataFrame({"a": [2]}))),
        *(make(Instance(1)), make(Instance(2)), make(Instance(1).evaluate), make(Instance)),
        *(functools.partial(make, 1), functools.partial(make, 2), functools.cache(lambda: 1)),
        *(make(torch.nn.Linear(1, 1)), make(torch.nn.Linear(2, 1)), make(Counter("a"))),
        *(make(get("mlp")), make(get("mlp", max_layers=2)), make(threading.Lock())),
    ]
    digests = [digest_of(value) for value in values]
    doubles = [n for n, digest in enumerate(digests) if digest in digests[:n]]
    assert doubles == []
    assert digests == [digest_of(value) for value in values]


def test_variables_that_a_function_reads_count(monkeypatch):
    def train(job):
        return {"rate": RATE + helper(job)}

    before = digest_of(train)
    monkeypatch.setitem(globals(), "RATE", 0.2)
    other_rate = digest_of(train)
    monkeypatch.setitem(globals(), "helper", lambda x: x + 1)
    assert len({before, other_rate, digest_of(train)}) == 3
    monkeypatch.undo()
    assert digest_of(train) == before


def test_a_module_of_the_users_own_counts(tmp_path, monkeypatch):
    file = tmp_path / "a_module_of_mine.py"
    file.write_text("one = 1")
    monkeypatch.syspath_prepend(tmp_path)
    import a_module_of_mine

    def train(job):
        return a_module_of_mine.one

    before = digest_of(train)
    assert digest_of(train) == before
    file.write_text("one = 2")
    assert digest_of(train) != before
    del sys.modules["a_module_of_mine"]


def test_what_a_function_changes_does_not_count():
    """Else the process that began a run could not resume it."""
    seen, best, calls = [], {}, 0

    def train(job):
        nonlocal calls
        calls += 1
        seen.append(job)
        best[job] = calls
        return assigns(job)

    before = digest_of(train)
    train(1)
    assert digest_of(train) == before
    train.metrics = {"f1": "maximize"}
    assert digest_of(train) != before


def test_inside_itself():
    def train(job):
        return train(job - 1)

    cycle = [1]
    cycle.append(cycle)
    assert digest_of(train) == digest_of(train)
    assert digest_of(cycle) != digest_of([1, [1]])


def test_searching_a_space_changes_no_digest():
    import random

    from search_spaces import Task

    space = get("nasbench201")
    before = digest_of(space)
    space.cost(space.sample(random.Random(0)), Task((3, 8, 8), 10))
    assert digest_of(space) == before == digest_of(get("nasbench201"))


IN_ANOTHER_PROCESS = """
import numpy
from nas.runs.references.digests import digest_of
def make(factor):
    words = {"a", "b", "c", "d"}
    def train(job):
        if job in {"x", "y", "z"}:
            return factor
        return {"f1": words}
    return train
class Mine(dict):
    names = frozenset(("p", "q", "r"))
    def get(self, x): return super().get(x)
for value in (make(1), make(numpy.ones(2)), numpy.ones(2), Mine, Mine(a=1),
              {"x", "y", "z"}, lambda job: [n for n in job if n in ("a", "b")]):
    print(digest_of(value))
"""


def test_digests_are_the_same_in_every_process(tmp_path):
    first = run(["-c", IN_ANOTHER_PROCESS], PYTHONHASHSEED="1")
    (tmp_path / "moved.py").write_text("# a comment\n\n" + IN_ANOTHER_PROCESS)
    assert run([str(tmp_path / "moved.py")], PYTHONHASHSEED="2") == first
    assert len(set(first)) == len(first) == 7


def test_a_space_has_the_digest_of_its_module_and_the_name_of_one_is_no_module():
    def digests(space):
        return digests_of(Settings(space=space), {})

    assert digests("ensemble:tabular") == {}
    for space in (f"{__name__}:SPACE", f"ensemble:{__name__}:SPACE", f"fixed:{__name__}:SPACE:a"):
        assert digests(space) == {"space": of_bytes(HERE)}
