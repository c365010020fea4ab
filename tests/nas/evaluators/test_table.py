"""Looking scores up in a table."""

import gzip

import pytest

from nas.core.configuration import Configuration
from nas.core.proposal import Proposal
from nas.evaluators.table import Lookup, Table
from nas.executors import guarded
from search_spaces import get

SPACE = get("nasbench201")
RESNET = SPACE.known["resnet"]
BEST = SPACE.known["best_cifar10"]
ROWS = [
    ("index", "cell", "early", "late", "seconds"),
    ("0", SPACE.format(RESNET), "80.5", "93.5", "10"),
    ("1", SPACE.format(BEST), "82.5", "94.5", "20"),
]


def write(path, rows=ROWS):
    text = "\n".join(",".join(row) for row in rows) + "\n"
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_reads_architectures_and_numbers(name, tmp_path):
    table = Table(write(tmp_path / name), SPACE)
    assert table.architectures == [RESNET, BEST]
    assert [table.row(a) for a in (BEST, RESNET)] == [1, 0]
    assert table.column("late").tolist() == [93.5, 94.5]
    assert table.accuracy("late").tolist() == [0.935, 0.945]  # percent become shares


def test_shares_stay_as_they_are(tmp_path):
    rows = [("arch", "score"), (SPACE.format(RESNET), "0.935")]
    assert Table(write(tmp_path / "t.csv", rows), SPACE).accuracy("score").tolist() == [0.935]


def test_scores_after_fewer_epochs_and_their_share_of_the_time(tmp_path):
    table = Table(write(tmp_path / "t.csv"), SPACE)
    lookup = Lookup(table, {12: "early", 200: "late"}, seconds="seconds")
    whole = guarded.evaluate(lookup, 0, Proposal(Configuration.of(BEST)))
    assert whole.scores == {"accuracy": 0.945}
    assert whole.training_seconds == 20
    assert whole.measured.keys() == {
        *("seconds", "published_seconds", "processor_seconds", "memory_bytes", "ended"),
    }
    assert [epoch["accuracy"] for epoch in whole.curve] == [0.825, 0.945]
    first = guarded.evaluate(lookup, 0, Proposal(Configuration.of(BEST), epochs=12))
    assert first.scores == {"accuracy": 0.825}
    assert [epoch["number"] for epoch in first.curve] == [12]
    rest = guarded.evaluate(
        lookup,
        1,
        Proposal(Configuration.of(BEST), epochs=200, resume_from=0, root=0, start_epoch=12),
    )
    assert rest.scores == whole.scores
    assert first.training_seconds + rest.training_seconds == pytest.approx(20)
    between = guarded.evaluate(lookup, 2, Proposal(Configuration.of(BEST), epochs=50))
    assert str(between.failure) == "invalid: the table has no accuracy after 50 epochs"


def test_what_is_not_there_fails(tmp_path):
    table = Table(write(tmp_path / "t.csv", ROWS[:2]), SPACE)
    outcome = guarded.evaluate(Lookup(table, {200: "late"}), 0, Proposal(Configuration.of(BEST)))
    assert str(outcome.failure) == "invalid: not in the table"


CELL = SPACE.format(RESNET)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("arch", "score")], "want rows below the column names"),
        ([("arch", "score"), (CELL, "1", "2")], "line 2: want 2 columns, got 3"),
        ([("arch", "arch"), (CELL, "1")], "two of its columns have one name"),
        ([("arch", "score"), ("cell", "1")], "want a column of architectures of nasbench201"),
        ([("arch", "score"), (CELL, "1"), ("cell", "1")], "line 3: want a cell such as"),
        ([("arch", "score"), (CELL, "1"), (CELL, "2")], "line 3: .* is there already"),
    ],
)
def test_damaged_tables_are_refused_by_line(rows, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        Table(write(tmp_path / "t.csv", rows), SPACE)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("score", "nan", "want one of its columns of numbers"),
        ("score", "good", "want one of its columns of numbers"),
        ("score", "-0.5", "want accuracies in score"),
        ("score", "1200", "want accuracies in score"),
        ("no_such", "1", "columns of numbers .score., got 'no_such'"),
    ],
)
def test_columns_that_are_no_accuracies_are_refused(column, value, message, tmp_path):
    rows = [("arch", "score"), (CELL, value)]
    with pytest.raises(ValueError, match=message):
        Table(write(tmp_path / "t.csv", rows), SPACE).accuracy(column)


def test_what_is_no_table_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"want a table, a CSV file, got .*no\.csv: No such file"):
        Table(tmp_path / "no.csv", SPACE)
    (tmp_path / "bad.csv.gz").write_bytes(b"not gzip")
    with pytest.raises(ValueError, match="want a table, a CSV file"):
        Table(tmp_path / "bad.csv.gz", SPACE)


def test_tables_that_mean_harm(tmp_path):
    space = get("nasbench201")
    endless = tmp_path / "endless.csv.gz"
    with gzip.open(endless, "wb", compresslevel=1) as file:
        file.write(bytes(3_000_000))
    damaged = tmp_path / "damaged.csv.gz"
    whole = gzip.compress(b"architecture,score\n" * 1_000)
    damaged.write_bytes(whole[:20] + b"\xff" * 10 + whole[30:])
    for path, message in (
        (endless, "want lines of at most 1,000,000 characters"),
        (damaged, "want a table, a CSV file, got"),
        (tmp_path, "it is not a file"),
    ):
        with pytest.raises(ValueError, match=message) as error:
            Table(path, space)
        assert "\n" not in str(error.value)
