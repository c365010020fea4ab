"""The comparison of methods for tables: its folds and scores are the known ones, its file goes on."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "scripts"))

import benchmark_tables  # noqa: E402
from side_by_side import results  # noqa: E402
from side_by_side.data_sets import DataSet, folds, load  # noqa: E402


def run(monkeypatch, file, *arguments):
    monkeypatch.setattr(sys, "argv", ["benchmark_tables.py", "--out", str(file), *arguments])
    benchmark_tables.main()


def scores(file, method):
    return [line["score"] for line in results.read(file) if line["method"] == method]


def test_scores_are_those_known_of_these_folds(monkeypatch, tmp_path, capsys):
    run(monkeypatch, tmp_path / "r.jsonl", "--data", "wine,diabetes", "--methods", "linear,svm")
    capsys.readouterr()
    lines = results.read(tmp_path / "r.jsonl")
    found = {
        (name, method): np.mean(
            [line["score"] for line in lines if (line["set"], line["method"]) == (name, method)]
        )
        for name in ("wine", "diabetes")
        for method in ("linear", "svm")
    }
    assert found == {
        ("wine", "linear"): pytest.approx(0.9832, abs=1e-4),
        ("wine", "svm"): pytest.approx(0.9887, abs=1e-4),
        ("diabetes", "linear"): pytest.approx(0.4873, abs=1e-4),
        ("diabetes", "svm"): pytest.approx(0.4683, abs=1e-4),
    }


def test_what_is_there_is_not_run_again_and_an_error_is(monkeypatch, tmp_path, capsys):
    file = tmp_path / "r.jsonl"
    run(monkeypatch, file, "--data", "iris", "--methods", "linear", "--folds", "0,3")
    first = results.read(file)
    failed = {**first[0], "fold": 1, "error": "ValueError: no"}
    del failed["score"]
    results.append(file, failed)
    run(monkeypatch, file, "--data", "iris", "--methods", "linear", "--folds", "0,1")
    capsys.readouterr()
    again = results.read(file)
    assert again[:2] == first
    assert [line["fold"] for line in again] == [0, 3, 1, 1]
    assert "score" in again[3]


def test_seconds_of_two_clocks_are_not_mixed_in_a_file(monkeypatch, tmp_path):
    file = tmp_path / "r.jsonl"
    results.append(file, line("iris", "search", 0.9, seconds=60.0, clock="processor"))
    with pytest.raises(SystemExit, match="--clock processor"):
        run(monkeypatch, file, "--data", "iris", "--methods", "linear", "--folds", "0")
    assert len(results.read(file)) == 1


def test_an_error_of_a_method_is_a_line_and_the_others_go_on(monkeypatch, tmp_path, capsys):
    def fails(fold, seconds):
        raise KeyError("no\nsuch")

    monkeypatch.setitem(
        benchmark_tables.METHODS, "failing", benchmark_tables.METHODS["linear"].__class__(fails)
    )
    file = tmp_path / "r.jsonl"
    run(monkeypatch, file, "--data", "iris", "--methods", "failing,linear", "--folds", "0")
    capsys.readouterr()
    assert results.read(file)[0]["error"] == "KeyError: 'no\\nsuch'"
    assert len(scores(file, "linear")) == 1


def test_scores_of_a_fold_are_accuracy_and_r2():
    classes = next(folds(load("iris")))
    wrong = classes.y_test.copy()
    wrong[:3] = (wrong[:3] + 1) % 3
    assert classes.score(wrong) == pytest.approx(1 - 3 / 30)
    values = next(folds(load("diabetes")))
    assert values.score(values.y_test) == 1
    assert values.score(np.full(len(values.y_test), values.y_test.mean())) == pytest.approx(0)


def test_folds_share_no_row_and_keep_texts_as_columns():
    import pandas as pd

    x = pd.DataFrame({"number": range(20), "text": list("ab") * 10})
    data = DataSet(name="own", x=x, y=np.arange(20) % 2, regression=False)
    for fold in folds(data):
        assert fold.texts == ["text"]
        assert sorted([*fold.x.number, *fold.x_test.number]) == list(range(20))


def line(name, method, score, fold=0, **others):
    return {
        "set": name,
        "rows": 9,
        "columns": 2,
        "regression": False,
        "method": method,
        "seconds": None,
        "fold": fold,
        "score": score,
        "cpu": 1.0,
        **others,
    }


def test_summary_has_mean_error_rank_and_what_is_below_linear():
    lines = [
        *(line("a", "linear", score, fold) for fold, score in enumerate((0.8, 0.9))),
        *(line("a", "forest", score, fold) for fold, score in enumerate((0.7, 0.7))),
        *(line("b", "linear", 0.5, fold) for fold in range(2)),
        *(line("b", "forest", 0.5, fold) for fold in range(2)),
        *(line("c", "linear", 0.5, fold) for fold in range(2)),
    ]
    text = results.summary(lines, None, None)
    assert "| a | 9 × 2 | 0.850 ± 0.050 (2 folds) | 0.700 ± 0.000 (2 folds) |" in text
    assert "| over 2 sets (a, b) |" in text
    assert "| linear | 1.25 | 0.6750 |" in text
    assert "| forest | 1.75 | 0.6000 |" in text
    assert text.endswith("forest on a: -0.150 ± 0.050")


def test_summary_tells_budgets_apart_and_takes_one():
    lines = [
        line("a", "search", 0.5, seconds=10),
        line("a", "search", 0.6, seconds=60),
        line("a", "linear", 0.4),
    ]
    assert "| search 10 s | search 60 s | linear |" in results.summary(lines, None, None)
    one = results.summary(lines, 60, None)
    assert "| search | linear |" in one
    assert "0.600" in one
    assert "0.500" not in one


def test_lines_are_json_one_for_each(tmp_path):
    results.append(tmp_path / "folder" / "r.jsonl", {"a": 1})
    results.append(tmp_path / "folder" / "r.jsonl", {"a": 2})
    held = (tmp_path / "folder" / "r.jsonl").read_text().splitlines()
    assert [json.loads(text) for text in held] == [{"a": 1}, {"a": 2}]
