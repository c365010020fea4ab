"""Tables as data sets: files and DataFrames, split by rows before anything is fitted."""

import numpy as np
import pandas as pd
import pytest
import torch

from trainers import from_objects, load, understood
from trainers.data.tables.preprocessing import TablePreprocessing

N = 120
RNG = np.random.default_rng(0)


def people():
    table = pd.DataFrame(
        {
            "id": range(1, N + 1),
            "age": RNG.integers(18, 90, N).astype(float),
            "income": [f"{x:,}" for x in RNG.integers(900, 90_000, N)],
            "city": RNG.choice(["Berlin", "Paris, FR", "Rome"], N),
            "since": pd.date_range("2020-01-01", periods=N, freq="7h").strftime("%d.%m.%Y %H:%M"),
            "weight": RNG.random(N),
            "price": RNG.normal(size=N).round(3),
            "sold": RNG.choice(["yes", "no"], N),
        }
    )
    table.loc[RNG.random(N) < 0.1, ["age", "city"]] = None
    return table


PEOPLE = people()


@pytest.fixture
def file(tmp_path):
    PEOPLE.to_csv(tmp_path / "people.csv", index=False)
    return tmp_path / "people.csv"


def test_a_file_with_a_target(file):
    data = load(file, target="price", sample_weight="weight")
    assert (data.targets.task, data.targets.names) == ("regression", ("price",))
    assert (len(data.train), len(data.validation), len(data.test)) == (77, 19, 24)
    assert data.input_shape == (len(data.table.features),) == (12,)
    assert (data.table.numeric, data.mean.any(), (data.std == 1).all()) == (6, False, True)
    rows = torch.cat([data.train.weights, data.validation.weights, data.test.weights])
    assert torch.allclose(rows.sort().values, torch.tensor(np.sort(PEOPLE["weight"])).float())
    for note in (
        "comma-separated",
        "columns: 2 of numbers, 1 of dates, 1 of yes/no, 1 of categories ('city' 3)",
        "not learnt: 'id' (an id: a different whole number in each row)",
    ):
        assert note in data.notes


def test_what_is_understood_of_a_table(file):
    said = dict(understood(load(file, target="price", sample_weight="weight")))
    assert said["inputs"] == "table, 5 columns as 6 numbers and 6 indicators of 0 or 1"
    assert said["scaling"].startswith("numbers by median and quartiles of the training split")
    assert "not learnt: 'id' (an id" in said["reading"]


def test_frames_are_read_as_files_are(file):
    data = load(file, target="sold")
    assert data.classes == ("no", "yes")
    texts = PEOPLE.astype({"id": str})
    for other in (
        from_objects(PEOPLE, target="sold"),
        from_objects((texts.drop(columns="sold"), PEOPLE["sold"])),
        from_objects({"data": PEOPLE.drop(columns="sold"), "target": PEOPLE["sold"]}),
    ):
        assert other.table.columns == data.table.columns
        assert other.fingerprint == data.fingerprint


POISON = {"id": "id", "age": "1e9", "income": "?", "city": "Mordor", "since": "1.1.1066 00:00"}


def test_nothing_of_validation_and_test_is_learnt(file, tmp_path):
    """The rows of the other splits are recognised by their weights."""
    data = load(file, target="price", sample_weight="weight")
    seen = set(data.train.weights.tolist())
    poisoned = PEOPLE.astype(str).assign(weight=PEOPLE["weight"])
    others = ~PEOPLE["weight"].astype("float32").isin(seen)
    assert others.sum() == len(data.validation) + len(data.test)
    poisoned.loc[others, list(POISON)] = list(POISON.values())
    poisoned.to_csv(tmp_path / "poisoned.csv", index=False)
    other = load(tmp_path / "poisoned.csv", target="price", sample_weight="weight")
    assert other.table == data.table
    assert torch.equal(other.train.inputs, data.train.inputs)
    assert not torch.equal(other.validation.inputs, data.validation.inputs)
    assert "test: column 'city': 24 values of unseen categories (such as 'Mordor')" in other.notes


def test_given_splits_in_any_order_of_columns():
    train, other = PEOPLE[:80], PEOPLE[80:]
    x = [part.drop(columns=["price", "sold"]) for part in (train, other)]
    x[1] = x[1][x[1].columns[::-1]].assign(more=1)
    data = from_objects((x[0], train["sold"], x[1], other["sold"]))
    assert data.table.features == TablePreprocessing.fit(x[0]).features
    assert "validation: columns not used: more" in data.notes
    assert np.array_equal(data.table.transform(x[1]), data.validation.inputs)


def test_the_preprocessing_stays_when_validation_is_trained_on(file):
    data = load(file, target="sold")
    merged = data.with_validation_in_train()
    assert merged.table is data.table
    assert torch.equal(merged.train.inputs[: len(data.train)], data.train.inputs)
    assert (merged.mean.any(), (merged.std == 1).all()) == (False, True)
    assert "preprocessed by what the training split held" in merged.notes[-1]


def test_an_earlier_preprocessing(file):
    first = load(file, target="price", sample_weight="weight")
    again = load(file, target="price", seed=1, table=first.table)
    assert again.table is first.table
    assert not torch.equal(again.validation.targets, first.validation.targets)
    assert "validation: columns not used: id, weight" in again.notes
    with pytest.raises(
        ValueError, match=r"^data: want rows of a table, got inputs of shape \[1, 8"
    ):
        load("digits", table=first.table)


def test_vectors_are_rows_for_an_earlier_preprocessing(tmp_path):
    x = RNG.normal(size=(60, 3))
    np.savez(tmp_path / "whole.npz", x=x, y=np.arange(60) % 2)
    np.savez(tmp_path / "gaps.npz", x=np.where(x > 2, np.nan, x), y=np.arange(60) % 2)
    first = load(tmp_path / "gaps.npz")
    again = load(tmp_path / "whole.npz", table=first.table)
    assert first.table is not None
    assert again.input_shape == first.input_shape
    assert load(tmp_path / "whole.npz").input_shape == (3,)


def test_several_targets(file):
    data = load(file, target="price,age")
    assert data.targets.names == ("price", "age")
    assert data.train.targets.shape[1] == 2
    assert f"{PEOPLE['age'].isna().sum()} of 120 rows left out: no price, age" in data.notes


REFUSED = [
    ({}, "people.csv: want the column to predict (target, --target), one of 'id', 'age'"),
    ({"target": "prize"}, "people.csv: no column 'prize' for the target"),
    ({"target": "price", "sample_weight": "city"}, "people.csv: want weights as numbers"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_columns_that_are_not_there(file, arguments, message):
    with pytest.raises(ValueError, match=r"^data: ") as caught:
        load(file, **arguments)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["target", "sample_weight"])
def test_columns_are_those_of_tables(name):
    with pytest.raises(ValueError, match=f"^{name}: want a table for the column 'a', got other"):
        load("digits", **{name: "a"})
    with pytest.raises(ValueError, match=f"^{name}: want a table for the column 'a', got other"):
        from_objects((np.eye(9), np.arange(9)), **{name: "a"})
