"""The contract every space obeys. A new space joins by joining SPACES."""

import subprocess
import sys
from random import Random

import pytest

import search_spaces
from nas.testing import check_space
from nas.testing.space import independent_decisions
from search_spaces import SPACES, Architecture, Task


@pytest.mark.parametrize("name", SPACES)
def test_contract(name):
    check_space(name)


# Tests of their own: the one is no tree of independent decisions, the other has an objection.
UNIFORM_ELSEWHERE = {"nasbench101", "regnet"}


@pytest.mark.parametrize("name", [name for name in SPACES if name not in UNIFORM_ELSEWHERE])
def test_the_contract_sees_decisions_of_which_samples_must_be_uniform(name):
    space = search_spaces.get(name)
    assert space.objection is None
    assert list(independent_decisions(space.tree))


def test_listing_spaces_does_not_import_torch():
    code = (
        "import sys, search_spaces as s\n"
        "for name in s.SPACES: s.get(name).size, s.get(name).known\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_digests_are_the_same_in_another_process():
    code = (
        "import random, search_spaces as s; print(s.get('mobile').sample(random.Random(5)).digest)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    here = search_spaces.get("mobile").sample(Random(5)).digest
    assert done.stdout.strip() == here


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "want a search space (nasbench201, "),
        ("resnt", "path/to/file.py:space), got 'resnt'; did you mean resnet?"),
        ("mlp:max_layer=2", "(max_layers), got 'max_layer'; did you mean max_layers?"),
        ("nasbench201:cells=many", "nasbench201: want cells as int, got 'many'"),
        ("nasbench201:cell=1", "want one of its settings (channels, cells), got 'cell'"),
        ("nasbench201:1", "want nasbench201:setting=value"),
        ("no_such_file.py:space", "no such file"),
        ("fixed:nasbench201", "want fixed:SPACE:ARCHITECTURE"),
        ("fixed:nasbench201:|none~0|", "want a cell such as"),
    ],
)
def test_names_that_name_nothing(name, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        search_spaces.load(name)
    assert message in str(error.value)


def test_settings_and_fixed_spaces():
    assert search_spaces.load("nasbench201:channels=4,cells=1").settings == {
        "channels": 4,
        "cells": 1,
    }
    fixed = search_spaces.load("fixed:nasbench201:channels=4,cells=1:resnet")
    assert fixed.size == 1
    assert fixed.sample(Random(0)) == search_spaces.get("nasbench201").known["resnet"]
    assert fixed.settings["channels"] == 4
    assert fixed.flat(fixed.sample(Random(0))) == {}


def test_a_space_in_a_file_of_the_users_own(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from search_spaces import *\n"
        "from torch import nn\n"
        "def build(a, task):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(task.input_shape[0], a['width']),\n"
        "                         nn.ReLU(), nn.Linear(a['width'], task.outputs))\n"
        "space = SearchSpace(name='mine', tree=Struct(width=Choice(4, 8)), build=build, inputs=(1,))\n"
    )
    space = search_spaces.load(f"{file}:space")
    cost = space.cost(space.parse('{"width": 8}'), Task((5,), 3))
    assert cost == search_spaces.Cost(5 * 8 + 8 + 8 * 3 + 3, 5 * 8 + 8 * 3, (8 + 8) * 4)
    with pytest.raises(ValueError, match="it has space"):
        search_spaces.load(f"{file}:spaces")
    file.write_text("x = 1\nraise RuntimeError('broken')\n")
    with pytest.raises(ValueError, match=r"mine.py:2: RuntimeError: broken"):
        search_spaces.load(f"{file}:space")


@pytest.mark.parametrize(
    "text",
    [
        "mlp:",
        "mlp:{",
        'mlp:{"a":1,"a":2}',
        "mlp:NaN",
        "mlp:1e400",
        "mlp:" + "[" * 500 + "]" * 500,
        "mlp:" + "9" * 5000,
        "MLP:{}",
        "../x:{}",
        "{}",
    ],
)
def test_hostile_text_is_refused_in_one_line(text):
    with pytest.raises(ValueError, match="want") as error:
        Architecture.parse(text)
    assert "\n" not in str(error.value)
