"""Targets and weights taken out of tables."""

import numpy as np
import pandas as pd
import pytest

from trainers.data.tables.reading import Table, as_table
from trainers.data.tables.targets import split_target


def table(**columns):
    return as_table("t.csv", pd.DataFrame(columns))


TARGETS = [
    ([1, 2, 3], np.array([1, 2, 3])),
    ([1.5, 2, 3], np.array([1.5, 2, 3])),
    (["1", "2.0", "3"], np.array([1, 2, 3])),
    (["1,000.5", "2", "3"], np.array([1000.5, 2, 3])),
    (["1,5", "2", "3"], np.array([1.5, 2, 3])),
    (["yes", "no", " yes"], np.array(["yes", "no", "yes"])),
    ([True, False, True], np.array(["True", "False", "True"])),
    (["01", "10", "02"], np.array(["01", "10", "02"])),
    (["a", "1", "2.5"], np.array(["a", "1", "2.5"])),
    (pd.Categorical([1, 2, 1]), np.array(["1", "2", "1"])),
    (["None", "mild", "none "], np.array(["None", "mild", "none"])),
    (["+", "-", "+"], np.array(["+", "-", "+"])),
    (pd.Categorical(["nil", "one", "nil"]), np.array(["nil", "one", "nil"])),
]


@pytest.mark.parametrize(("values", "wanted"), TARGETS, ids=lambda v: str(list(v)))
def test_types_of_targets(values, wanted):
    split = split_target(table(x=[1, 2, 3], y=values), "y")
    assert split.targets.dtype.kind == wanted.dtype.kind
    assert split.targets.tolist() == wanted.tolist()
    assert (list(split.table.frame), split.names, split.weights) == (["x"], ("y",), None)


def test_rows_without_a_target_are_left_out_and_said():
    split = split_target(
        table(x=[1, 2, 3, 4], y=["a", None, "?", "b"], w=[1, 1, None, 2]), "y", "w"
    )
    assert split.table.frame["x"].tolist() == [1, 4]
    assert split.table.notes == ("2 of 4 rows left out: no y (taken as missing: '?')",)
    assert split.targets.tolist() == ["a", "b"]
    assert split.weights.tolist() == [1, 2]
    assert split.weights.dtype == np.float32


def test_words_that_are_missing_among_numbers():
    split = split_target(table(x=[1, 2, 3, 4], y=["1", "none", "-", "2.5"]), "y")
    assert split.targets.tolist() == [1, 2.5]
    assert split.table.notes == ("2 of 4 rows left out: no y (taken as missing: '-', 'none')",)


def test_several_targets():
    columns = {"x": [1, 2], "a": [1, 2], "b": [0.5, np.inf], "c, d": ["u", "v"]}
    split = split_target(table(**columns), "a, b")
    assert (split.names, split.targets.tolist()) == (("a", "b"), [[1, 0.5]])
    assert split_target(table(**columns), "c, d").targets.tolist() == ["u", "v"]
    split = split_target(table(**columns), 'a,"c, d"')
    assert split.targets.tolist() == [["1", "u"], ["2", "v"]]


def test_several_labels_of_yes_and_no():
    columns = {"x": [1, 2], "a": ["yes", "No"], "b": [True, True], "c": [0, 1]}
    split = split_target(table(**columns), "a,b,c")
    assert split.targets.tolist() == [[1, 1, 0], [0, 1, 1]]


REFUSED = [
    (("prize",), "t.csv: no column 'prize' for the target, columns are 'x\\\\n', 'Price', 'w'; do you mean 'Price'"),
    (("Price", "weight"), "t.csv: no column 'weight' for the weights"),
    (("Price", "Price"), "t.csv: want different columns, got Price, Price"),
    (("Price", "w"), "t.csv: want weights of at least 0 in column 'w', got -1.0 in row 1"),
    (("Price", "x\n"), "t.csv: want weights as numbers in column 'x\\\\n'"),
    (("'x\n','Price','w'",), "no column"),
    (('w,Price,"x\n"',), "want columns beside w, Price, 'x.*', got none"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), REFUSED, ids=lambda value: str(value)[:20])
def test_refusals_are_one_line(arguments, message):
    given = table(**{"x\n": ["u", "v"], "Price": [1, 2], "w": [1, -1]})
    with pytest.raises(ValueError, match=message) as error:
        split_target(given, *arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("weights", [[0, 0], [1, 1e60]])
def test_weights_are_finite_and_not_all_zero(weights):
    message = "^data: t.csv: column 'w': want finite weights of at least 0, some of them above"
    with pytest.raises(ValueError, match=message):
        split_target(table(x=[1, 2], y=[1, 2], w=weights), "y", "w")


def test_no_known_target():
    with pytest.raises(ValueError, match="want rows with y, got none"):
        split_target(table(x=[1], y=[None]), "y")


def test_the_decimal_sign_of_the_file_decides_where_texts_do_not():
    frame = pd.DataFrame({"x": ["a"], "y": ["1,234"]})
    assert split_target(Table("t", frame, ","), "y").targets.tolist() == [1.234]
    assert split_target(Table("t", frame, "."), "y").targets.tolist() == [1234]
