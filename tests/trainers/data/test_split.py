"""Our stratified draw is scikit-learn's; and importing that is not needed for it."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedShuffleSplit

from trainers.data.sources import source as sources
from trainers.data.sources.source import digits
from trainers.data.split import stratified


@pytest.mark.parametrize("seed", range(25))
def test_it_draws_what_scikit_learn_draws(seed):
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(2, 12))
    sizes = rng.integers(2, [3, 8, 50, 700][seed % 4], size=classes)
    labels = rng.permutation(np.repeat(np.arange(classes), sizes))
    count = int(rng.integers(classes, len(labels) - classes + 1))
    splitter = StratifiedShuffleSplit(1, test_size=count, random_state=seed * 10**8)
    _, drawn = next(splitter.split(np.zeros(len(labels)), labels))
    assert np.array_equal(np.flatnonzero(stratified(labels, count, seed * 10**8)), np.sort(drawn))


@pytest.mark.parametrize("file", [sources.DIGITS, "of/another/release.csv.gz"])
def test_digits_are_scikit_learns(file, monkeypatch):
    monkeypatch.setattr(sources, "DIGITS", file)
    found, wanted = digits(), load_digits()
    assert np.array_equal(found.train.inputs[:, 0], np.rint(wanted.images * (255 / 16)))
    assert np.array_equal(found.train.targets, wanted.target)
    assert found.targets.names == tuple(map(str, wanted.target_names))


def test_reading_digits_does_not_import_scikit_learn_or_scipy():
    program = """
import sys, trainers
assert len(trainers.load("digits").train) > 1000
sys.exit(bool({"sklearn", "scipy"} & sys.modules.keys()))
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
