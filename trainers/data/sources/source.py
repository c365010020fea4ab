"""A source of data: examples of a training part and, perhaps, an official test split.

Sources hold numpy arrays, which `torch.from_numpy` does not copy.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trainers.data.reading import Reading
from trainers.data.tables.reading import Table
from trainers.data.targets import Targets, of_classes

Images = npt.NDArray[np.uint8] | npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Inputs and targets of examples.

    Attributes:
        inputs: uint8 [N,C,H,W] for images, float32 [N,D] for vectors or [N,C,L] for sequences; or a
            table, which becomes vectors when it is split.
        targets: int64 [N], the index of the class; for other tasks see `dataset.Split`.
        weights: Weight of each example in the loss, float32 [N]; None for equal weights.
        rows: Number of each example in the file, array or folder, int64 [N]; None for 0, 1, 2, ...
    """

    inputs: Images | Table
    targets: npt.NDArray[Any]
    weights: npt.NDArray[np.float32] | None = None
    rows: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A data set as it was read.

    Attributes:
        train: Examples for training, and for validation and testing where those are None.
        test: The official test split, if there is one.
        targets: The task, and the meaning of each output.
        flippable: True if a horizontally flipped image keeps its label; None if it is not known.
        validation: The user's own validation split, if there is one.
        reading: The reading of inputs that were arrays.
        notes: Statements on how the data were read.
    """

    train: Examples
    test: Examples | None
    targets: Targets
    flippable: bool | None = None
    validation: Examples | None = None
    reading: Reading | None = None
    notes: tuple[str, ...] = ()


DIGITS = "datasets/data/digits.csv.gz"  # in scikit-learn


def digits() -> Source:
    """Scikit-learn's 1,797 scanned handwritten digits, 1×8×8, 0..16 scaled to 0..255.

    Alpaydin & Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998.
    """
    rows = _digits_rows()
    images = np.rint(rows[:, :-1].reshape(-1, 1, 8, 8) * (255 / 16)).astype(np.uint8)
    half = Examples(images, np.ascontiguousarray(rows[:, -1]))
    return Source(half, None, of_classes(tuple("0123456789")), flippable=False)


def _digits_rows() -> npt.NDArray[np.int64]:
    """Rows of 64 pixels and a label, from scikit-learn's file: importing scikit-learn is slow."""
    found = find_spec("sklearn")
    assert found is not None  # it is a dependency
    assert found.origin is not None
    file = Path(found.origin).parent / DIGITS
    if file.is_file():
        return np.loadtxt(file, delimiter=",", dtype=np.int64)
    from sklearn.datasets import load_digits  # a release with another layout

    digits = load_digits()
    return np.column_stack([digits.data, digits.target]).astype(np.int64)


def channels_first(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """[N,H,W], [N,H,W,C] or [N,C,H,W] as [N,C,H,W].

    Of axes 1 and 3 of a 4-dimensional array the shorter one is the channels; when equal, axis 1 is.
    """
    if pixels.ndim == 3:
        return pixels[:, None]
    if pixels.shape[3] < pixels.shape[1]:
        return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    return pixels
