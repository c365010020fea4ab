"""Trees as plain data: they round-trip, and what is no tree is refused."""

import json

import pytest

from nas.core import hyperparameters
from search_spaces import Choice, Integer, Real, Repeat, Struct, get
from search_spaces.tree.plain import from_plain, to_plain

TREES = [
    Struct(),
    Struct(lr=Real(1e-4, 1, log=True), depth=Integer(2, 8, step=2), kind=Choice("a", None, 1.5)),
    Struct(layers=Repeat(Struct(width=Choice(8, 16), skip=Choice(True, False)), 0, 3)),
    hyperparameters.tree(hyperparameters.NAMES, {}),
    get("nasbench201").tree,
]


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: repr(tree)[:40])
def test_a_tree_round_trips_through_json(tree):
    assert repr(from_plain(json.loads(json.dumps(to_plain(tree))))) == repr(tree)


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"struct": [["a", 1]]},
        {"struct": [1]},
        {"struct": [[1, {"real": [0, 1, False]}]]},
        {"real": [1, 0, False]},
        {"integer": [0, 2]},
        {"code": "x"},
        {"repeat": [{"real": [0, 1, False]}, -1, 2]},
    ],
)
def test_what_is_no_tree_is_refused_in_one_line(data):
    with pytest.raises(ValueError, match="want"):
        from_plain(data)
