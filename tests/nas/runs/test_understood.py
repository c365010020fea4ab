"""A search as it was understood: printed, in `run.json`, and for readers elsewhere."""

import json
from dataclasses import replace

from nas.engine.session import Session
from nas.engine.understood import understood
from nas.runs.header import read_header, write_header
from nas.runs.settings import Settings
from nas.runs.understood import Choice, aligned, for_others, line


def test_subjects_have_a_column_of_their_own():
    lines = [("task", "a b c d"), ("searched too", "x"), ("none", ""), ("folder", "a /b/c-d")]
    assert list(aligned(lines, 17)) == [
        "task          a b",
        "              c d",
        "searched too  x",
        "none",
        "folder        a",
        "              /b/c-d",  # whole, to be copied
    ]


def test_any_name_can_be_printed_and_stored():
    subject, said = line("classes", "a\x1b[2J\nb " + "c" * 5_000)
    assert said.startswith("a\\x1b[2J\\nb ccc")
    assert len(said) == 2_000
    assert [text.split()[0] for text in aligned([(subject, said)])] == ["classes", said.split()[1]]


def test_others_are_not_told_of_this_machine():
    lines = [
        ("data", "/elsewhere/a.npz, 3 examples"),
        ("evaluator", "/elsewhere/own.py:train"),
        ("device", "cpu"),
        ("folder", "/elsewhere/run"),
    ]
    assert list(for_others(lines, ["/elsewhere/a.npz", "/elsewhere/own.py:train", "training"])) == [
        ("data", "a.npz, 3 examples"),
        ("evaluator", "own.py:train"),
    ]
    assert list(for_others([("data", "none")], [])) == [("data", "none")]


def test_the_lines_are_those_of_run_json(tmp_path):
    settings = Settings(space="mlp", recipe={"epochs": 2, "averaging": 0.9}, tune=("dropout",))
    session = Session(settings, tmp_path / "run")
    write_header(tmp_path / "run", session.header)
    header = read_header(tmp_path / "run")
    said = dict(header.understood)
    assert header.understood == session.header.understood
    assert said["augmentation"].startswith("shifts of up to 1 pixel, ")
    assert said["training"] == (
        "epochs 2, batch size 64, optimizer sgd, learning rate 0.2, weight decay 0.0005, "
        "label smoothing 0.1, averaging 0.9"
    )
    assert said["searched too"] == "dropout"
    assert session.understood[-1] == f"folder        {tmp_path / 'run'}"
    assert header.data["counts"]["validation"] == [28, 29, 29, 29, 29, 29, 29, 29, 28, 29]
    assert header.data["notes"][:2] == ["validation split off with seed 0", "test split off"]
    file = tmp_path / "run" / "run.json"  # by an earlier commit of this schema
    file.write_text(json.dumps({k: v for k, v in header.to_dict().items() if k != "understood"}))
    assert read_header(tmp_path / "run").to_dict() == replace(header, understood=()).to_dict()


def test_what_was_chosen_comes_with_its_reason(tmp_path):
    problem = Session(Settings(space="mlp"), tmp_path / "run").problem
    chosen = (
        Choice("space", "mlp", "vectors"),
        Choice("objectives", "accuracy", "classes of equal size"),
        Choice("recipe", "epochs=5", "1,150 examples"),
    )
    said = dict(understood(replace(problem, chosen=chosen)))
    assert said["space"] == "mlp, 43,632 networks; chosen: vectors"
    assert said["objectives"].endswith("; chosen: classes of equal size")
    assert said["training"].endswith("; chosen: 1,150 examples")
