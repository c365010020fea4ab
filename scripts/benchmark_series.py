"""Networks of `conv1d` found on time series that a package carries, against nearest neighbours.

    python scripts/benchmark_series.py --seconds 120 --seeds 3

One line of JSON for each data set: accuracies on its own test part for each seed, that of the nearest
neighbour (Euclidean), and that of MiniRocket. Sequences of unequal length are padded with zeros.
Needs the package aeon, whose folder has these sets; nothing is downloaded.
"""

from __future__ import annotations

import argparse
import json
import warnings
from time import process_time
from typing import Any

import numpy as np
import torch
from side_by_side.clock import CLOCKS, use_clock
from sklearn.neighbors import KNeighborsClassifier

NAMES = ("ArrowHead", "BasicMotions", "JapaneseVowels")


def main() -> None:
    """Print one line for each data set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=",".join(NAMES), help="Names, separated by commas.")
    parser.add_argument("--seconds", type=float, default=120, help="Seconds of each search.")
    parser.add_argument("--seeds", type=int, default=3, help="Number of searches of a set.")
    parser.add_argument("--clock", **CLOCKS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    use_clock(options.clock)
    warnings.simplefilter("ignore")
    for name in options.data.split(","):
        print(json.dumps(line(name, options.seconds, options.seeds)), flush=True)


def line(name: str, seconds: float, seeds: int) -> dict[str, Any]:
    """The figures of a data set."""
    from side_by_side.found import found_network  # after the clock was set

    x, y, x_test, y_test = series(name)
    start = process_time()
    found = [
        found_network(
            x, y, seconds=seconds, regression=False, seed=seed, space="conv1d", layout="NCL"
        )
        for seed in range(seeds)
    ]
    took = (process_time() - start) / seeds
    accuracies = [float((one.predict(x_test) == y_test).mean()) for one in found]
    return {
        "set": name,
        "train": list(x.shape),
        "test": len(x_test),
        "classes": int(y.max()) + 1,
        "accuracy": [round(value, 4) for value in accuracies],
        "mean": round(float(np.mean(accuracies)), 4),
        "nearest neighbour": round(neighbour(x, y, x_test, y_test), 4),
        "MiniRocket": round(mini_rocket(x, y, x_test, y_test), 4),
        "processor seconds": round(took, 1),
        "found": [dict(one.words) for one in found],
    }


def series(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Inputs float32 [N,C,L] and classes [N] of the training and the test part of a set."""
    from aeon.datasets import load_classification

    (x, y), (x_test, y_test) = (load_classification(name, split=part) for part in ("train", "test"))
    length = max(one.shape[1] for one in (*x, *x_test))
    classes = np.unique(y).tolist()
    found: list[np.ndarray] = []
    for inputs, labels in ((x, y), (x_test, y_test)):
        padded = [np.pad(one, ((0, 0), (0, length - one.shape[1]))) for one in inputs]
        found += [np.stack(padded).astype(np.float32), np.array([classes.index(k) for k in labels])]
    return found[0], found[1], found[2], found[3]


def neighbour(x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray) -> float:
    """Accuracy of the nearest neighbour."""
    model = KNeighborsClassifier(1).fit(x.reshape(len(x), -1), y)
    return float(model.score(x_test.reshape(len(x_test), -1), y_test))


def mini_rocket(x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray) -> float:
    """Accuracy of MiniRocket."""
    from aeon.classification.convolution_based import MiniRocketClassifier

    return float(MiniRocketClassifier(random_state=0).fit(x, y).score(x_test, y_test))


if __name__ == "__main__":
    main()
