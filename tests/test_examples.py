"""The examples in docstrings of exported names run, each in a folder of its own."""

import doctest
import inspect
import re

import pytest

import nas
import search_spaces
import trainers
from scripts.structure import ROOT

NAMES = re.findall(r" as (\w+)$", (ROOT / "search_spaces/__init__.py").read_text(), re.M)
EXPORTED = {
    **{f"nas.{name}": getattr(nas, name) for name in nas.MODULE_OF},
    **{f"trainers.{name}": getattr(trainers, name) for name in trainers.MODULE_OF},
    **{f"search_spaces.{name}": getattr(search_spaces, name) for name in NAMES},
}


def examples():
    """The doctests of the exported classes, their methods, and the exported functions."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    for name, item in EXPORTED.items():
        if inspect.isclass(item) or inspect.isroutine(item):
            yield from (t for t in finder.find(item, name, globs={}) if t.examples)


EXAMPLES = list(examples())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda test: test.name)
def test_an_example_runs(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example)
    assert tried
    assert not failed


def test_the_names_that_are_used_first_have_an_example():
    """Those of a search, an evaluator, a space and a training."""
    have = {test.name for test in EXAMPLES}
    wanted = {
        *(
            "nas.search",
            "nas.iterate",
            "nas.evaluator",
            "nas.Metric",
            "nas.Estimator",
            "nas.Observer",
        ),
        *("search_spaces.SearchSpace", "search_spaces.Choice", "search_spaces.Struct"),
        *("search_spaces.get", "search_spaces.load", "search_spaces.Task", "trainers.train"),
    }
    assert wanted <= have
