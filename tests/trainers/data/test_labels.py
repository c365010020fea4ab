"""Every form in which people have labels is read as the same labels."""

import numpy as np
import pandas as pd
import pytest
import torch

from trainers import from_objects
from trainers.data.targets import of_classes

WANTED = [3, 1, 0, 1, 3, 0] * 4
X = np.arange(24.0).reshape(24, 1)
TEXTS = ["none", "one", "two", "three"]


def read(y):
    data = from_objects((X, y, X, y, X, y))
    return [data.classes[label] for label in data.train.targets.tolist()]


NUMBERS = np.array(WANTED)
FORMS = {
    "list": WANTED,
    "tuple": tuple(WANTED),
    "int8": NUMBERS.astype(np.int8),
    "uint64": NUMBERS.astype(np.uint64),
    "big endian": NUMBERS.astype(">i4"),
    "whole floats": NUMBERS.astype(np.float32),
    "column": NUMBERS[:, None],
    "column of floats": NUMBERS[:, None].astype(float),
    "list of columns": [[label] for label in WANTED],
    "list of floats": [float(label) for label in WANTED],
    "list of numpy numbers": list(NUMBERS),
    "floats and whole numbers": [WANTED[0], *map(float, WANTED[1:])],
    "list of tensors": list(torch.tensor(WANTED)),
    "tensor": torch.tensor(WANTED),
    "bfloat16": torch.tensor(WANTED).bfloat16(),
    "column tensor": torch.tensor(WANTED)[:, None],
    "one-hot": np.eye(4)[WANTED],
    "one-hot list": np.eye(4, dtype=int)[WANTED].tolist(),
    "one-hot tensor": torch.eye(4)[WANTED],
    "one-hot bools": np.eye(4, dtype=bool)[WANTED],
    "objects": np.array(WANTED, dtype=object),
    "one-hot objects": np.eye(4)[WANTED].astype(object),
    "series": pd.Series(WANTED, index=range(100, 124)),
    "nullable series": pd.Series(WANTED, dtype="Int64"),
    "categories": pd.Series(WANTED, dtype="category"),
    "frame": pd.DataFrame({"label": WANTED}),
}


@pytest.mark.parametrize("form", FORMS)
def test_numbers(form):
    assert read(FORMS[form]) == [str(label) for label in WANTED]


@pytest.mark.parametrize(
    "form",
    [
        [TEXTS[label] for label in WANTED],
        np.array(TEXTS)[WANTED],
        np.array(TEXTS)[WANTED][:, None],
        np.array(TEXTS, dtype=object)[WANTED],
        np.array(TEXTS)[WANTED].astype(bytes),
        [TEXTS[label].encode() for label in WANTED],
        pd.Series(np.array(TEXTS)[WANTED]),
        pd.Series(np.array(TEXTS)[WANTED], dtype="category"),
        pd.DataFrame(np.eye(4)[WANTED], columns=TEXTS),
        pd.get_dummies(pd.Series(np.array(TEXTS)[WANTED])),
    ],
)
def test_texts(form):
    assert read(form) == [TEXTS[label] for label in WANTED]


def test_bools():
    bools = [label > 0 for label in WANTED]
    for form in (bools, np.array(bools), torch.tensor(bools), pd.Series(bools, dtype="boolean")):
        assert read(form) == [str(label) for label in bools]


def with_(value, row=5):
    return [*WANTED[:row], value, *WANTED[row + 1 :]]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (
            np.array(WANTED) + 0.5,
            r"y: want classes, got numbers such as 3.5 \(row 0\); --task regress",
        ),
        (with_(1e300), r"y: want classes, got numbers such as 1e\+300 \(row 5\)"),
        (with_(np.inf), r"y: want classes, got numbers such as inf \(row 5\)"),
        (np.array(with_(np.nan)), "y: 1 of 24 labels are missing, the first in row 5"),
        (pd.Series(with_(None)), "y: 1 of 24 labels are missing, the first in row 5"),
        (
            pd.Series(with_(None), dtype="Int64"),
            "y: 1 of 24 labels are missing, the first in row 5",
        ),
        (["a", None, float("nan")] * 8, "y: 16 of 24 labels are missing, the first in row 1"),
        (with_("one"), "y: want whole numbers or texts .*, got objects: int, str"),
        (with_(True), "y: want whole numbers or texts .*, got objects: bool, int"),
        (with_({}), "y: want whole numbers or texts .*, got objects: dict, int"),
        (with_(2**70), "y: want whole numbers of 64 bits"),
        (with_([1, 2]), "y: want"),
        (with_(b"\xff") and [b"\xff", b"a"] * 12, "y: want texts in UTF-8"),
        (np.array(WANTED) * 1j, "y: want whole numbers or texts .*, got complex128"),
        (np.zeros(24, "M8[D]"), "y: want whole numbers or texts .*, got datetime64"),
        (np.zeros((24, 2, 2)), r"y: want whole numbers or texts .*, got int64 \[24, 2, 2\]"),
        (np.ones((24, 3)), "y: want one-hot rows, got row 0 with 3 ones; --task multilabel"),
        (np.zeros((24, 3)), "y: want one-hot rows, got row 0 with 0 ones"),
        (
            np.full((24, 2), 7),
            "y: want one column of labels or one-hot rows, got row 0 with 7 to 7",
        ),
        (np.full((24, 2), 0.5), "y: want classes, got numbers such as 0.5"),
        (np.full((24, 2), "a"), "y: want whole numbers or texts"),
        ([], "X has 24 examples, y has 0"),
        (WANTED[:-1], "X has 24 examples, y has 23"),
    ],
)
def test_what_is_not_classification_is_refused_in_one_line(y, message):
    with pytest.raises(ValueError, match=f"^data: {message}") as caught:
        from_objects((X, y, X, y, X, y), task="classification")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ('Köln, "a" | b', 'Köln, "a" | b'),
        ("New\u00a0York", "New\u00a0York"),
        ("a\nb\x1b[31m", "a\\nb\\x1b[31m"),
        ("\ud800", "\\ud800"),
    ],
)
def test_characters_that_control_a_terminal_are_escaped(name, shown):
    assert of_classes((name,)).names == (shown,)


def test_a_name_that_no_run_can_store_is_refused():
    with pytest.raises(ValueError, match=r"want names of at most 1,000 characters, got 1,001 in"):
        of_classes(("a" * 1001,))
