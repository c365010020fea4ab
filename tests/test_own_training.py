"""The example of a space, a training and a metric of one's own, killed in the middle, for real."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import nas
from nas.cli.main import main

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "scripts" / "own_training.py"

pytestmark = pytest.mark.long


def start(folder):
    return subprocess.Popen(
        [sys.executable, str(folder / "own.py")],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )


def trials(folder):
    space = f"{folder / 'own.py'}:space"
    return nas.open_run(folder / "runs" / "own-training", space=space)


def written(folder, *, latency):
    """A folder with the example; without latency, which is measured, its trials are repeatable."""
    folder.mkdir()
    text = SCRIPT.read_text()
    assert len(text.splitlines()) <= 40
    assert text.count('"latency_ms"') == 1
    (folder / "own.py").write_text(text if latency else text.replace("latency_ms", "parameters"))
    return folder


def killed_in_the_middle(folder):
    """Run the example, kill it with SIGKILL after 12 trials, run it again; the lines before."""
    search = start(folder)
    journal = folder / "runs" / "own-training" / "trials.jsonl"
    while not journal.exists() or len(journal.read_bytes().splitlines()) < 12:
        assert search.poll() is None
        time.sleep(0.05)
    os.kill(search.pid, signal.SIGKILL)
    search.wait()
    before = journal.read_bytes()
    assert start(folder).wait() == 0
    assert journal.read_bytes().startswith(before)
    return trials(folder)


def test_a_killed_search_ends_with_the_trials_of_one_that_was_not(tmp_path):
    whole, killed = (written(tmp_path / name, latency=False) for name in ("whole", "killed"))
    assert start(whole).wait() == 0
    found, wanted = killed_in_the_middle(killed), trials(whole)
    assert len(wanted.trials) == 40
    for a, b in zip(found.trials, wanted.trials, strict=True):
        assert (a.proposal, a.scores, a.curve) == (b.proposal, b.scores, b.curve)


def test_the_example_as_it_stands_is_resumed_exported_and_verified(tmp_path, capsys):
    run = killed_in_the_middle(written(tmp_path / "example", latency=True))
    assert run.objectives.names == ("f1", "latency_ms")
    assert len(run.trials) == 40
    run.export(run.best(), tmp_path / "winner")
    with pytest.raises(SystemExit) as end:
        main(["verify", str(tmp_path / "winner")])
    assert end.value.code == 0, capsys.readouterr().err
