"""Searches of every task on generated data whose best possible score is known."""

import os
import shutil
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import nas
from tests.nas.decided import decided

NOISE = 0.1  # share of the variance of an amount: the best possible R² is 0.9
GAPS = 0.1  # share of missing values of the column that matters most
TRIALS = 3
SEARCH = {"strategy": "random", "seed": 0, "device": "cpu", "max_params": 20_000}


def amounts(n=600):
    """A smooth function of three numbers, in thousands, and noise."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, 3)).astype(np.float32)
    clean = x[:, 0] + np.sin(2 * x[:, 1])
    noise = rng.normal(size=n) * clean.std() * np.sqrt(NOISE / (1 - NOISE))
    return x, 10_000 + 250 * (clean + noise)


def labels(n=500):
    """Three labels by rules without noise, the second of two numbers."""
    x = np.random.default_rng(2).normal(size=(n, 4)).astype(np.float32)
    return x, np.stack([x[:, 0] > 0, x[:, 1] + x[:, 2] > 0.5, x[:, 3] > 1], axis=1).astype(int)


def waves(n=240):
    """One, three or five periods in 32 steps, of any phase, and noise: [N,1,32]."""
    rng = np.random.default_rng(3)
    words, steps = np.arange(n) % 3, np.arange(32) / 32
    phase = rng.uniform(0, 1, (n, 1))
    x = np.sin(2 * np.pi * (steps * (1 + 2 * words[:, None]) + phase))
    x += 0.3 * rng.normal(size=x.shape)
    return x[:, None].astype(np.float32), np.array(["slow", "middle", "fast"])[words]


def squares(n=120):
    """A bright square of any place on noise, [N,16,16,1], and its mask."""
    rng = np.random.default_rng(4)
    images = rng.integers(0, 120, (n, 16, 16, 1)).astype(np.uint8)
    masks = np.zeros((n, 16, 16), np.uint8)
    for image, mask, (row, column) in zip(images, masks, rng.integers(0, 10, (n, 2)), strict=True):
        image[row : row + 6, column : column + 6] += 120
        mask[row : row + 6, column : column + 6] = 1
    return images, masks


def prices(file: Path, n=600):
    """A CSV file with a category, gaps and a price.

    Without the values in the gaps, 1 - NOISE - GAPS · 9 / 14.6 · (1 - NOISE) of its variance can be
    predicted: that of 3 x is 9, that of the effect of the colour 5.6.
    """
    import pandas as pd

    rng = np.random.default_rng(5)
    x, colour = rng.normal(size=n), rng.integers(0, 4, n)
    clean = 3 * x + 1.5 * np.array([-2.0, -1, 1, 2])[colour]
    noise = rng.normal(size=n) * np.sqrt(14.625 * NOISE / (1 - NOISE))
    words = np.array(["red", "green", "blue", "white"])[colour]
    gaps = rng.random(n) < GAPS
    table = {"x": np.where(gaps, np.nan, x), "colour": words, "price": 50 + 10 * (clean + noise)}
    pd.DataFrame(table).to_csv(file, index=False)


ADAMW = {"optimizer": "adamw", "learning_rate": 0.01, "batch_size": 32}
CASES = {
    "amounts": {"data": amounts, "epochs": 20, **ADAMW},
    "labels": {"data": labels, "epochs": 15, **ADAMW},
    "waves": {"data": waves, "epochs": 10, **ADAMW},
    "squares": {"data": squares, "epochs": 10, **ADAMW, "batch_size": 16},
    "prices": {"target": "price", "epochs": 20, **ADAMW},
}
ANSWERS = {
    "amounts": ("r2", 0.9),
    "labels": ("average_precision_macro", 1),
    "waves": ("accuracy", 1),
    "squares": ("mean_iou", 1),
    "prices": ("r2", 1 - NOISE - GAPS * 9 / 14.625 * (1 - NOISE)),
}
TOLERANCE = 0.08  # of a few trials and some 100 examples of validation


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tasks")
    prices(folder / "prices.csv")
    return folder


def asked(name, folder):
    case = {**SEARCH, **CASES[name]}
    return {**case, "data": case["data"]() if "data" in case else folder / "prices.csv"}


@pytest.fixture(scope="module")
def searched(folder):
    @cache
    def search(name):
        return nas.search(**asked(name, folder), trials=TRIALS, out=folder / name)

    return search


@pytest.mark.parametrize("name", CASES)
def test_the_best_trial_is_as_good_as_can_be(name, searched):
    run, (metric, best) = searched(name), ANSWERS[name]
    assert run.objectives.metrics[0].name == metric
    assert all(trial.completed for trial in run.trials)
    found = max(trial.scores[metric] for trial in run.trials)
    assert best - TOLERANCE < found < best + TOLERANCE, [t.scores for t in run.trials]


@pytest.mark.parametrize("name", CASES)
def test_a_run_goes_on_after_its_first_trials(name, searched, folder, tmp_path):
    whole = searched(name)
    shutil.copytree(whole.path, tmp_path / "run")
    lines = (tmp_path / "run" / "trials.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "run" / "trials.jsonl").write_text("".join(lines[:-1]) + lines[-1][:20])  # torn
    nas.search(**asked(name, folder), trials=TRIALS, out=tmp_path / "run")
    assert decided(tmp_path / "run") == decided(whole.path)


MANY = [n if n == "prices" else pytest.param(n, marks=pytest.mark.long) for n in CASES]


@pytest.mark.parametrize("name", MANY)
def test_two_workers_have_the_same_trials(name, searched, folder, tmp_path):
    nas.search(**asked(name, folder), trials=TRIALS, workers=2, out=tmp_path / "run")
    assert decided(tmp_path / "run") == decided(searched(name).path)


@pytest.mark.long
def test_a_killed_search_of_a_table_ends_as_one_that_was_not(searched, folder, tmp_path):
    whole, out = searched("prices"), tmp_path / "run"
    words = [
        f"--{name.replace('_', '-')}={value}" for name, value in asked("prices", folder).items()
    ]
    command = [sys.executable, "-m", "nas", "search", *words, "--trials", str(TRIALS)]
    with subprocess.Popen(
        [*command, "--out", str(out)], stderr=subprocess.PIPE, text=True
    ) as child:
        for line in child.stderr:
            if line.startswith("trial    0"):
                break
        os.kill(child.pid, signal.SIGKILL)
    assert 1 <= len(nas.open_run(out).trials) < TRIALS
    nas.search(**asked("prices", folder), trials=TRIALS, out=out)
    assert decided(out) == decided(whole.path)


@pytest.mark.parametrize("name", ["amounts", "labels", "waves"])
def test_the_test_split_has_no_part_in_a_search(name, tmp_path):
    x, y = CASES[name]["data"](60)
    few = {**SEARCH, "trials": 2, "epochs": 1, "max_params": 5_000}
    for number in range(2):
        test = (x * (1 - 1000 * number), y[:: 1 - 2 * number])
        nas.search(**few, data=(x[:40], y[:40], x[40:], y[40:], *test), out=tmp_path / str(number))
    assert decided(tmp_path / "0") == decided(tmp_path / "1")
    chosen = [nas.open_run(tmp_path / str(number)).header.settings for number in range(2)]
    assert chosen[0] == chosen[1]
