"""Benchmarks of search strategies on a table."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from random import Random

import numpy as np
import pytest

from nas.benchmark import searches, summary
from nas.benchmark.contestants import split
from nas.benchmark.curves import Measure, _expected_best, checkpoints, trials_within
from nas.benchmark.searches import Benchmark, Search
from nas.core.candidates import Candidates
from nas.core.joint_space import JointSpace
from nas.core.objectives import Objectives
from nas.strategies import make
from search_spaces import get
from tests.nas.table import UNPREPARED

SPACE = get("nasbench201")
DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """All cells; accuracy is the share of 3x3 convolutions, and lower after one epoch."""
    lines = ["cell,early,late"]
    for cell in SPACE:
        share = sum(op == "nor_conv_3x3" for op in cell.value.values()) / 6
        lines.append(f"{SPACE.format(cell)},{share / 2},{share}")
    path = tmp_path_factory.mktemp("table") / "table.csv"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def benchmark(path):
    return Benchmark(
        table=str(path), space="nasbench201", accuracy={1: "early", 3: "late"}, report="late"
    )


def found(contestant, rows, epochs=3, **more):
    n = len(rows)
    return Search(
        contestant=contestant,
        seed=0,
        trials=n,
        rows=tuple(rows),
        epochs=more.get("each", (epochs,) * n),
        spent=more.get("spent", (epochs,) * n),
        seconds=0.1,
    )


def test_contestants_are_split_at_commas_that_no_setting_follows():
    text = "random,evolution:population=64,tournament=10,random/asha:eta=8,rungs=1+3,optuna-tpe"
    assert split(text) == (
        "random",
        "evolution:population=64,tournament=10",
        "random/asha:eta=8,rungs=1+3",
        "optuna-tpe",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("randon", "want a strategy"),
        ("random/ahsa", "want a schedule"),
        ("random,random", "want each once"),
        ("evolution:size=3", "want one of its settings"),
    ],
)
def test_unknown_contestants_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        split(text)


def test_expected_best_equals_all_draws_one_by_one():
    rising = np.sort(np.random.default_rng(0).random(9))
    for draws in range(1, 10):
        every = [max(drawn) for drawn in combinations(rising.tolist(), draws)]
        assert _expected_best(rising, draws) == pytest.approx(np.mean(every), abs=1e-12)


def test_random_search_is_what_the_expectation_says(benchmark):
    """The harness against a formula: cells sampled regardless of equal functions, as it assumes."""
    table = benchmark.open_table()
    measure = Measure(benchmark)
    rng = np.random.default_rng(1)
    runs = [found("random", rng.permutation(len(table))[:200].tolist()) for _ in range(300)]
    values = summary.matrix(measure, runs, (10, 50, 200))
    for column, expected in zip(values.T, measure.uniform((10, 50, 200)), strict=True):
        assert abs(column.mean() - expected) < 4 * column.std() / np.sqrt(300) + 1e-9


def test_curves_report_the_best_of_those_trained_longest(benchmark):
    table, measure = benchmark.open_table(), Measure(benchmark)
    late = table.accuracy("late")
    rows = [int(np.flatnonzero(np.isclose(late, n / 6))[0]) for n in (3, 6, 2, 4, 1)]
    search = found(
        "x", [-1, *rows], each=(1, 1, 1, 3, 3, 1), spent=(1, 1, 1, 2, 2, 1)
    )  # the first fails; the best of all is trained for one epoch only
    curve = measure.curve(search, range(1, 7))
    assert curve == pytest.approx([0, 3 / 6, 6 / 6, 2 / 6, 4 / 6, 4 / 6])
    assert measure.trials_to_optimum(search) == 3
    assert trials_within(search, [0, 1, 2.5, 5, 100]) == [1, 1, 2, 4, 6]
    assert measure.curve(search, [50]) == pytest.approx([4 / 6])  # it ended sooner


def test_the_true_front_has_the_whole_hypervolume(benchmark):
    both = replace(benchmark, objectives=("accuracy", "parameters"))
    measure = Measure(both)
    everything = found("all", range(len(both.open_table())))
    assert measure.curve(everything, [len(both.open_table())]) == pytest.approx([1.0])
    assert 0 < measure.curve(everything, [20])[0] < 1


def test_statistics():
    same = np.array([0.5, 0.6, 0.7, 0.8])
    low, high = summary.interval(same)
    assert (low + high) / 2 == pytest.approx(0.65)
    assert summary.interval(same[:1]) is None
    assert high - 0.65 == pytest.approx(3.182446 * same.std(ddof=1) / 2, rel=1e-5)  # t, 3 degrees


def test_checkpoints_are_round_numbers_and_the_end():
    assert checkpoints(120) == (10, 15, 20, 30, 50, 80, 100, 120)
    assert checkpoints(7) == (7,)


NAMES = ("random", "evolution:population=5,tournament=3", "random/asha:rungs=1+3", "optuna-tpe")


def run(benchmark, out, *, workers=1, names=NAMES, trials=25, seeds=3):
    done = list(
        searches.run(benchmark, names, trials=trials, seeds=seeds, out=out, workers=workers)
    )
    return done, searches.read(out, names, trials=trials, seeds=seeds)


def plain(results):
    return {name: [replace(search, seconds=0) for search in runs] for name, runs in results.items()}


def test_the_same_whatever_the_workers_and_resumed_where_it_was(benchmark, tmp_path):
    done, one = run(benchmark, tmp_path / "one")
    assert sum(search is not None for search in done) == 12
    _, two = run(benchmark, tmp_path / "two", workers=2)
    assert plain(two) == plain(one)
    for file in sorted((tmp_path / "two").glob("searches/*/*.json"))[::2]:
        file.unlink()
    done, again = run(benchmark, tmp_path / "two")
    assert sum(search is not None for search in done) == 6
    assert plain(again) == plain(one)
    _, shorter = run(benchmark, tmp_path / "two", trials=10)  # the beginning of a longer one
    assert [s.rows for s in shorter["random"]] == [s.rows[:10] for s in one["random"]]


def test_another_benchmark_is_not_mixed_in(benchmark, tmp_path):
    run(benchmark, tmp_path / "b", names=("random",), trials=3, seeds=1)
    with pytest.raises(ValueError, match=r"another benchmark \(max_pending differ\)"):
        run(replace(benchmark, max_pending=2), tmp_path / "b", names=("random",), trials=3, seeds=1)


def test_a_schedule_spends_less_on_most(benchmark, tmp_path):
    _, results = run(benchmark, tmp_path / "b", names=("random/asha:rungs=1+3",), trials=40)
    for search in results["random/asha:rungs=1+3"]:
        assert set(search.epochs) == {1, 3}
        assert {
            spent for spent, epochs in zip(search.spent, search.epochs, strict=True) if epochs == 3
        } == {2}


def test_the_same_cost_is_that_of_epochs_or_of_seconds(benchmark, path, tmp_path):
    names = ("random", "random/asha:rungs=1+3")
    _, results = run(benchmark, tmp_path / "a", names=names, trials=30)
    measure = Measure(benchmark)
    by_epochs = summary.at_equal_cost(measure, results, (10, 500), benchmark.training())
    staged = results["random/asha:rungs=1+3"]
    means = [measure.curve(s, trials_within(s, [30]))[0] for s in staged]
    assert by_epochs["random/asha:rungs=1+3"] == [
        pytest.approx((np.mean(means), *summary.interval(np.array(means)))),
        None,
    ]
    assert by_epochs["random"][0].mean == np.mean(
        [measure.curve(s, [10])[0] for s in results["random"]]
    )

    header, *rows = path.read_text().splitlines()
    timed = tmp_path / "timed.csv"
    timed.write_text("\n".join([f"{header},took", *(f"{row},30" for row in rows)]))
    clocked = replace(benchmark, table=str(timed), seconds="took")
    assert clocked.training() == 30
    _, results = run(clocked, tmp_path / "b", names=names, trials=30)
    for search in results["random/asha:rungs=1+3"]:
        assert set(search.spent) == {10, 20}  # a third of the epochs, and the rest
    assert summary.at_equal_cost(Measure(clocked), results, (10, 500), 30) == by_epochs


def test_what_a_model_recommends_is_judged_beside_the_best_score(path, tmp_path):
    """One cell has a false score, the best of all; the model predicts it from similar cells."""
    header, *rows = path.read_text().splitlines()
    rng = Random(0)
    noisy = tmp_path / "noisy.csv"
    noisy.write_text(
        "\n".join(
            [f"{header},noisy"]
            + [f"{row},{float(row.split(',')[-1]) * 0.5 + rng.uniform(0, 0.3)}" for row in rows]
        )
    )
    benchmark = Benchmark(
        table=str(noisy), space="nasbench201", accuracy={1: "noisy"}, report="late"
    )
    _, results = run(benchmark, tmp_path / "b", names=("random", "predictor"), trials=40)
    measure = Measure(benchmark)
    random, predictor = summary.efforts(measure, results)
    assert random.recommended is None
    advised = [measure._reported[search.recommended] for search in results["predictor"]]
    assert predictor.recommended.mean == np.mean(advised)
    assert all(search.recommended in search.rows for search in results["predictor"])
    fewer = searches.read(tmp_path / "b", ["predictor"], trials=39, seeds=2)["predictor"]
    assert [search.recommended for search in fewer] == [None, None]  # another one, after fewer


def test_the_command_prints_and_writes(path, tmp_path):
    out = tmp_path / "b"
    command = [
        *(sys.executable, "-m", "nas", "benchmark", "search", "--table", str(path)),
        *("--space", "nasbench201", "--accuracy", "late", "--strategies", "random,evolution"),
        *("--trials", "30", "--seeds", "4", "--at", "5,10,15,20,25", "--out", str(out)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "8 of 8 searches\n" in done.stderr
    table = done.stdout
    assert "uniform draws, exact" in table
    assert max(map(len, table.splitlines())) <= 80
    document = json.loads(
        subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout
    )
    assert document["trials"] == [5, 10, 15, 20, 25, 30]
    assert {row["contestant"] for row in document["rows"]} == {"random", "evolution"}
    for row in document["rows"]:  # nothing is cut
        mean = f"{100 * row['mean']:.2f} ±{50 * (row['high'] - row['low']):.2f}"
        assert mean in table
    assert document["rows"][0]["p_random"] is None
    assert {f.name for f in out.iterdir()} >= {"summary.csv", "summary.json", "curves.png"}
    assert sorted(f.name for f in (out / "tensorboard").iterdir() if f.is_dir()) == [
        "evolution",
        "random",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--strategies", "randon"], "want a strategy"),
        (["--accuracy", "no"], "want one of its columns of numbers (early, late), got 'no'"),
        (["--accuracy", "1=early,x=late"], "--accuracy: want COLUMN or EPOCHS=COLUMN"),
        (["--objectives", "accuracy,loss"], "objectives: want accuracy or accuracy,parameters"),
        (["--at", "500"], "--at: want numbers of trials from 1 to 200"),
        (["--seeds", "0"], "--seeds: want at least 1, got 0"),
        (["--input", "3"], "nasbench201 is for images"),
    ],
)
def test_bad_input_is_one_line_and_nothing_written(options, message, path, tmp_path, capsys):
    from nas.cli.main import _status

    out = tmp_path / "b"
    given = ["--table", str(path), "--space", "nasbench201", "--accuracy", "late", *options]
    assert _status(["benchmark", "search", "--out", str(out), *given]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not out.exists()


def test_a_kill_loses_only_what_was_running(path, benchmark, tmp_path):
    out = tmp_path / "b"
    command = [
        *(sys.executable, "-m", "nas", "benchmark", "search", "--table", str(path)),
        *("--space", "nasbench201", "--accuracy", "1=early,3=late", "--strategies", "evolution"),
        *("--trials", "60", "--seeds", "30", "--workers", "1", "--out", str(out)),
    ]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    while len(list(out.glob("searches/*/*.json"))) < 3:
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done, results = run(benchmark, out, names=("evolution",), trials=60, seeds=6)
    assert sum(search is None for search in done) >= 3
    _, whole = run(benchmark, tmp_path / "c", names=("evolution",), trials=60, seeds=6)
    assert plain(results) == plain(whole)


def test_random_search_on_the_published_table():
    """Protocol N of NAS-Bench-201: the exact expectation of the best of n is within the interval.

    For that, cells are what counts, not functions: ours would not try an equal function again.
    """
    published = Benchmark(
        table=str(DATA / "nasbench201_cifar100.csv.gz"),
        space="nasbench201",
        accuracy={200: "cifar100_test_200ep"},
        report="cifar100_test_200ep",
    )
    table, measure, at = published.open_table(), Measure(published), (50, 100, 200, 300, 500)
    expected = measure.uniform(at)
    assert expected == pytest.approx([0.7110, 0.7155, 0.7199, 0.7223, 0.7252], abs=1e-4)
    cells = replace(table.space, canonical_form=None)
    runs = []
    for seed in range(200):
        candidates = Candidates(JointSpace(cells, published.task))
        strategy = make("random", candidates, Objectives.parse(published.objectives))
        rows = []
        for number in range(500):
            proposal = strategy.ask(Random(f"{seed}/{number}"))
            candidates.ledger.add(proposal)
            rows.append(table.row(proposal.architecture))
        runs.append(found("random", rows, epochs=200))
    for column, exact in zip(summary.matrix(measure, runs, at).T, expected, strict=True):
        low, high = summary.interval(column)
        assert low <= exact <= high


def test_every_strategy_can_take_part(benchmark, tmp_path):
    _, results = run(benchmark, tmp_path / "b", names=UNPREPARED, trials=22, seeds=1)
    for name in UNPREPARED:
        (search,) = results[name]
        assert len(search.rows) == len(set(search.rows)) == 22


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_it_and_says_how_to_continue(path, tmp_path, sent, status):
    out = tmp_path / "b"
    command = [
        *(sys.executable, "-m", "nas", "benchmark", "search", "--table", str(path)),
        *("--space", "nasbench201", "--accuracy", "late", "--trials", "60", "--seeds", "40"),
        *("--strategies", "evolution", "--workers", "1", "--out", str(out)),
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not list(out.glob("searches/*/*.json")):
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, sent) if sent == signal.SIGINT else process.send_signal(sent)
    _, error = process.communicate()
    assert process.returncode == status
    assert "the same command continues" in error
    assert "Traceback" not in error
    for _ in range(100):  # no worker is left, soon
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("a worker is left")
