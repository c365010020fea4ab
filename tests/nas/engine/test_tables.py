"""Searches on tables, from the file to the facts of the run."""

import numpy as np
import pandas as pd
import pytest

import nas
from trainers import load
from trainers.data.tables.preprocessing import TablePreprocessing

N = 60
RNG = np.random.default_rng(0)


@pytest.fixture
def file(tmp_path):
    table = pd.DataFrame({"size": RNG.normal(size=N), "w": RNG.random(N)})
    table["city"] = RNG.choice(["Rome", "Oslo"], N)
    table.assign(price=table["size"].round(3)).to_csv(tmp_path / "homes.csv", index=False)
    return tmp_path / "homes.csv"


def test_a_search_on_a_file_keeps_its_preprocessing(file, tmp_path):
    columns = {"target": "price", "sample_weight": "w"}
    run = nas.search(
        data=str(file), **columns, space="tabular", budget=1, epochs=1, out=tmp_path / "run"
    )
    header = nas.open_run(tmp_path / "run").header
    assert (header.settings.target, header.settings.sample_weight) == ("price", "w")
    assert TablePreprocessing.from_dict(header.data["table"]) == load(file, **columns).table
    assert (header.task.input_shape, header.task.numeric) == ((3,), 1)
    assert run.trials[0].completed
