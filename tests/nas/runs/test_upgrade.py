"""Folders of earlier schemas are read as if this version had written them."""

import json
from dataclasses import replace

import pytest

from nas.runs.run import Run
from nas.runs.same_search import check_same_search
from nas.runs.upgrade import SCHEMA
from search_spaces import strict_json
from tests.nas.synthetic import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("runs") / "present", 12)


def older(run, path, schema):
    """Write a run as an earlier version did."""
    header = run.header.to_dict() | {"schema": schema}
    settings, data, task = header["settings"], header["data"], header["task"]
    trials = [trial.to_dict() for trial in run.trials]
    del settings["dead_parts"]
    if schema < 8:
        del settings["learn_from"], settings["device_profile"]
    if schema < 7:
        del settings["folds"]
    if schema < 6:
        one_task(header, settings, data, task)
    if schema < 5:
        close(header, settings)
    if schema < 4:
        rename(header, settings, trials, schema)
    path.mkdir()
    (path / "run.json").write_text(json.dumps(header))
    write_journal(path / "trials.jsonl", trials)
    return path


def one_task(header, settings, data, task):
    data["classes"] = data.pop("targets")["names"]
    header["task"] = {"input_shape": task["input_shape"], "classes": task["outputs"]}
    del settings["flip"], settings["layout"]


def close(header, settings):
    for name in ("evaluator", "estimators", "limits", "loss", "metric"):
        del settings[name]
    for name in ("task", "metrics", "hyperparameters", "code"):
        del header[name]
    header["space_sha256"] = None
    header["hypervolume_reference"] = header["hypervolume_reference"]["parameters"]


def same(header):
    """A header as plain data: trees of decisions have no equality."""
    return header.to_dict()


def rename(header, settings, trials, schema):
    settings["first"] = settings.pop("warm_start")
    settings["window"] = settings.pop("max_pending")
    header["largest"] = header.pop("hypervolume_reference")
    for trial in trials:
        trial["continues"], trial["done"] = trial.pop("resume_from"), trial.pop("start_epoch")
    if schema < 3:
        del settings["ordered"], settings["first"]
    if schema < 2:
        del settings["schedule"]
        for trial in trials:
            for name in ("epochs", "continues", "root", "done"):
                del trial[name]


def write_journal(path, trials):
    from nas.runs.journal import _digest

    texts = [strict_json.dumps(trial) for trial in trials]
    lines = [f'{{"sha256":"{_digest(text)}","trial":{text}}}\n' for text in texts]
    path.write_text("".join(lines))


@pytest.mark.parametrize("schema", range(1, SCHEMA))
def test_an_earlier_schema_is_read(run, tmp_path, schema):
    found = Run(older(run, tmp_path / "old", schema))
    scored = ("accuracy", "parameters", "macs")
    metrics = tuple(m for m in run.header.metrics if m.name in scored or schema >= 5)
    settings = replace(run.settings, dead_parts=True)
    assert same(found.header) == same(replace(run.header, settings=settings, metrics=metrics))
    assert found.trials == run.trials


def test_an_old_name_in_the_present_schema_is_refused(run, tmp_path):
    header = run.header.to_dict()
    header["largest"] = header.pop("hypervolume_reference")
    (tmp_path / "run.json").write_text(json.dumps(header))
    with pytest.raises(ValueError, match="want the field 'hypervolume_reference', got none"):
        Run(tmp_path)


def test_an_old_and_a_new_name_together_are_refused(run, tmp_path):
    path = older(run, tmp_path / "old", 3)
    header = json.loads((path / "run.json").read_text())
    header["settings"]["max_pending"] = 4
    (path / "run.json").write_text(json.dumps(header))
    with pytest.raises(ValueError, match="got 'max_pending' by an old and a new name"):
        Run(path)


def test_a_run_whose_images_were_flipped_is_not_resumed_without(run, tmp_path):
    """Up to schema 5, images of folders and files were flipped unless it was known to be wrong."""
    before = replace(run.header, data={**run.header.data, "flip": True})
    with pytest.raises(ValueError, match="flips of images were on, are off"):
        check_same_search(run.header, before, tmp_path)
    check_same_search(before, before, tmp_path)
