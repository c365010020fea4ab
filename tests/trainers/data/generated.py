"""Data sets of every source with a training, validation and test part, or one part that is cut."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import TensorDataset

import trainers

KINDS = ("vectors", "sequences", "images", "table")
TASKS = ("classification", "multilabel", "regression", "segmentation")
PARTS = ("train", "val", "test")
SIZES = {"train": 36, "val": 15, "test": 18}


def inputs(kind, count, seed):
    """Inputs of one part: [N,4], [N,3,16] or [N,8,6,3], or a DataFrame of three columns."""
    rng = np.random.default_rng(seed)
    if kind == "images":
        return rng.integers(0, 256, (count, 8, 6, 3)).astype(np.uint8)
    if kind == "sequences":
        return rng.normal(size=(count, 3, 16)).astype(np.float32)
    x = rng.normal(size=(count, 4)).astype(np.float32)
    return frame(x) if kind == "table" else x


def frame(x):
    import pandas as pd

    return pd.DataFrame(
        {
            "width": np.where(x[:, 0] > 1.3, np.nan, x[:, 0].astype(float)),
            "colour": np.array(["red", "green", "blue"])[np.arange(len(x)) % 3],
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(len(x)), "D"),
        }
    )


def targets(task, count, seed):
    """Targets of one part for images of 8 × 6 pixels."""
    rng = np.random.default_rng(seed)
    if task == "classification":
        return np.array(["cat", "dog", "eel"])[np.arange(count) % 3]
    if task == "multilabel":
        return np.array([[1, 1], [0, 1], [0, 0]])[np.arange(count) % 3]
    if task == "regression":
        return 500 + 20 * rng.normal(size=count)
    return rng.integers(0, 3, (count, 8, 6)).astype(np.uint8)


def parts(kind, task):
    """Inputs and targets of `PARTS`."""
    return {
        part: (inputs(kind, SIZES[part], seed), targets(task, SIZES[part], 10 + seed))
        for seed, part in enumerate(PARTS)
    }


@dataclass(frozen=True)
class Kept:
    """A source with three parts of its own."""

    name: str
    kinds: tuple[str, ...]
    tasks: tuple[str, ...]

    def loader(self, folder, halves):
        """A function of the seed that loads `halves`, which are written to `folder` or held."""
        return globals()[f"_{self.name}"](folder, halves)


def _arrays(_, halves):
    flat = tuple(array for pair in halves.values() for array in pair)
    return lambda seed: trainers.from_objects(flat, seed=seed)


def _named(halves):
    return {
        f"{word}_{part}": array
        for part, pair in halves.items()
        for word, array in zip("xy", pair, strict=True)
    }


def _dict(_, halves):
    return lambda seed: trainers.from_objects(_named(halves), seed=seed)


def _npz(folder, halves):
    np.savez(folder / "data.npz", **_named(halves))
    return lambda seed: trainers.load(folder / "data.npz", seed=seed)


def _npy_folder(folder, halves):
    for name, array in _named(halves).items():
        np.save(folder / f"{name}.npy", array)
    return lambda seed: trainers.load(folder, seed=seed)


def _weighted(folder, halves):
    weights = {f"w_{part}": _weights(x) for part, (x, _) in halves.items()}
    np.savez(folder / "data.npz", **_named(halves), **weights)
    return lambda seed: trainers.load(folder / "data.npz", seed=seed)


def _weights(x):
    """A weight that follows from the inputs, and is poisoned with them."""
    return np.abs(x.reshape(len(x), -1).astype(float)).mean(axis=1)


def _torch_sets(_, halves):
    sets = {}
    for part, (x, y) in halves.items():
        codes = np.searchsorted(["cat", "dog", "eel"], y) if y.dtype.kind == "U" else y
        sets[part] = TensorDataset(torch.from_numpy(x), torch.from_numpy(codes))
    return lambda seed: trainers.from_objects(sets, seed=seed)


def _folder(folder, halves):
    for part, (x, y) in halves.items():
        write_images(folder / part, x, y)
    return lambda seed: trainers.load(folder, seed=seed)


def write_images(folder, x, y):
    for number, (pixels, name) in enumerate(zip(x, y, strict=True)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / name / f"{number:03d}.png")


NUMBERS = ("vectors", "sequences", "images")
KEPT = (
    Kept("arrays", KINDS, TASKS),
    Kept("dict", ("sequences",), TASKS),
    Kept("npz", NUMBERS, TASKS),
    Kept("npy_folder", ("vectors", "images"), ("classification", "regression")),
    Kept("weighted", ("vectors",), ("classification", "regression")),
    Kept("torch_sets", NUMBERS, TASKS),
    Kept("folder", ("images",), ("classification",)),
)


def cases(sources):
    """Each source with each kind of inputs and each task that it can have."""
    return [
        (source, kind, task)
        for source in sources
        for kind in source.kinds
        for task in source.tasks
        if task != "segmentation" or kind == "images"
    ]


def case_id(case):
    source, kind, task = case
    return f"{source.name}-{kind}-{task}"


def joined(halves):
    """The three parts as one, in the order of `PARTS`."""
    import pandas as pd

    xs, ys = zip(*halves.values(), strict=True)
    x = pd.concat(xs, ignore_index=True) if isinstance(xs[0], pd.DataFrame) else np.concatenate(xs)
    return x, np.concatenate(ys)


@dataclass(frozen=True)
class Cut(Kept):
    """A source with one part, which is cut in three."""

    def loader(self, folder, pair):
        return globals()[f"_cut_{self.name}"](folder, *pair)


def _cut_pair(_, x, y):
    return lambda seed: trainers.from_objects((x, y), seed=seed)


def _cut_npz(folder, x, y):
    np.savez(folder / "data.npz", X=x, y=y)
    return lambda seed: trainers.load(folder / "data.npz", seed=seed)


def _cut_npy_folder(folder, x, y):
    return _npy_folder(folder, {"train": (x, y)})


def _cut_weighted(folder, x, y):
    return _weighted(folder, {"train": (x, y)})


def _cut_weighted_csv(folder, x, y):
    table, names = _with_targets(x.assign(weight=1.0 + np.arange(len(x)) % 5), y)
    table.to_csv(folder / "data.csv", index=False)
    file, column = folder / "data.csv", "weight"
    return lambda seed: trainers.load(file, target=names, sample_weight=column, seed=seed)


def _cut_torch_set(_, x, y):
    held = TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    return lambda seed: trainers.from_objects(held, seed=seed)


def _with_targets(x, y):
    columns = y.reshape(len(y), -1).T
    names = [f"y{number}" for number in range(len(columns))]
    return x.assign(**dict(zip(names, columns, strict=True))), ",".join(names)


def _cut_frame(_, x, y):
    table, names = _with_targets(x, y)
    return lambda seed: trainers.from_objects(table, target=names, seed=seed)


def _cut_csv(folder, x, y):
    table, names = _with_targets(x, y)
    table.to_csv(folder / "data.csv", index=False)
    return lambda seed: trainers.load(folder / "data.csv", target=names, seed=seed)


def _cut_folder(folder, x, y):
    write_images(folder, x, y)
    return lambda seed: trainers.load(folder, seed=seed)


TABLES = ("classification", "multilabel", "regression")
CUT = (
    Cut("pair", KINDS, TASKS),
    Cut("npz", NUMBERS, TASKS),
    Cut("npy_folder", ("vectors", "images"), ("classification", "regression")),
    Cut("weighted", ("vectors",), ("classification", "regression")),
    Cut("torch_set", NUMBERS, ("multilabel", "regression", "segmentation")),
    Cut("frame", ("table",), TABLES),
    Cut("csv", ("table",), TABLES),
    Cut("weighted_csv", ("table",), TABLES),
    Cut("folder", ("images",), ("classification",)),
)


def write_mnist(root: Path, halves):
    """The four files of MNIST in their own format, of `train` and `test`: images and labels 0..9."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, word in (("train", "train"), ("test", "t10k")):
        images, labels = halves[part]
        head = np.array([0x803, *images.shape], ">i4").tobytes()
        (raw / f"{word}-images-idx3-ubyte").write_bytes(head + images.tobytes())
        head = np.array([0x801, len(labels)], ">i4").tobytes()
        (raw / f"{word}-labels-idx1-ubyte").write_bytes(head + labels.astype(np.uint8).tobytes())
    return lambda seed: trainers.load("mnist", root=root, seed=seed)
