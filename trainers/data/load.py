"""Data sets by name or path: read from their source, and split into train, validation and test."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from trainers import memory
from trainers.data import cache
from trainers.data.dataset import Dataset, Split, mean_and_std
from trainers.data.sources import source as sources
from trainers.data.sources import torchvision as downloads
from trainers.data.sources.source import LabelledArrays, Labels, Source
from trainers.data.split import stratified
from trainers.determinism import derive_seed

if TYPE_CHECKING:
    import numpy.typing as npt

VALIDATION_SHARE = 0.2  # of the training data
MOST_VALIDATION = 10_000  # examples: then the standard error of an accuracy is at most 0.5 %
TEST_SHARE = 0.2  # of all data, where there is no official test split
TEST_SEED = 0  # the test split is the same whatever the caller's seed is
LARGEST_SIDE = 4096  # pixels
MEMORY_SHARE = 1 / 4  # of the machine's memory, for images of a file: workers have copies


def data_sets() -> tuple[str, ...]:
    """Names of data sets for `load`; a folder or an .npz file is loaded by its path."""
    return ("digits", *downloads.DATA_SETS)


def load(
    name_or_path: str | Path,
    *,
    seed: int = 0,
    image_size: int | None = None,
    root: Path | str | None = None,
    flippable: bool | None = None,
) -> Dataset:
    """Load a data set to the CPU and split it into train, validation and test.

    An official test split is used as such; otherwise the test split is a stratified 20 %, the same
    for every seed. Validation is a stratified 20 % of the rest, at most 10,000 examples, drawn with
    `seed`.

    Args:
        name_or_path: A name in `data_sets()` (case, - and _ do not matter), an image folder
            (layout: see `folders.image_folder`), or an .npz file (arrays: see `arrays.npz`).
        seed: Seed of the validation split.
        image_size: Resize images to this height and width, in pixels (bilinear, antialiased,
            without cropping).
        root: Folder of downloaded data sets; None means `data` in the current folder.
        flippable: True if a horizontally flipped image keeps its label; None means what is known of
            the data set, and True for a folder or a file.

    Raises:
        ValueError: One line that says what is wrong with the name, the path, a file or the data.
    """
    if image_size is not None and not 1 <= image_size <= LARGEST_SIDE:
        raise ValueError(f"image_size: want 1 to {LARGEST_SIDE} pixels, got {image_size}")
    source = _find(name_or_path, image_size, Path(root or "data"))
    splits = [_split(half, image_size) for half in _cut(source, seed)]
    mean, std = mean_and_std(splits[0].images)
    return Dataset(
        name=str(name_or_path),
        train=splits[0],
        validation=splits[1],
        test=splits[2],
        classes=source.classes,
        mean=mean,
        std=std,
        flippable=source.flippable if flippable is None else flippable,
    )


def _find(name_or_path: str | Path, image_size: int | None, root: Path) -> Source:
    """The source of that name or path. Names come first: a folder called `mnist` is `./mnist`."""
    name = "" if isinstance(name_or_path, Path) else _plain(name_or_path)
    if name == "digits":
        return sources.digits()
    if name in downloads.DATA_SETS:
        return downloads.torchvision_set(name, root, image_size)
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        from trainers.data.sources.folders import image_folder

        return image_folder(path, image_size)
    if path.is_file():
        from trainers.data.sources.arrays import npz

        return npz(path)
    raise ValueError(
        f"data: nothing called {str(name_or_path)!r}; want a folder, an .npz file or "
        f"one of {', '.join(data_sets())}"
    )


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _cut(source: Source, seed: int) -> tuple[LabelledArrays, LabelledArrays, LabelledArrays]:
    """Train, validation and test, each in the order of the source."""
    labels, classes = source.train.labels, source.classes
    train_rows, test = np.arange(len(labels)), source.test
    if test is None:
        _check_counts(labels, classes, least=3)
        count = round(TEST_SHARE * len(labels))
        drawn = stratified(labels, max(count, len(classes)), TEST_SEED)
        train_rows, test = train_rows[~drawn], _rows(source.train, train_rows[drawn])
    _check_counts(labels[train_rows], classes, least=2)
    count = min(MOST_VALIDATION, round(VALIDATION_SHARE * len(train_rows)))
    its_seed = derive_seed("validation", seed) >> 31
    drawn = stratified(labels[train_rows], max(count, len(classes)), its_seed)
    train, validation = (_rows(source.train, train_rows[part]) for part in (~drawn, drawn))
    return train, validation, test


def _rows(half: LabelledArrays, rows: Labels) -> LabelledArrays:
    """The examples with these numbers; those of a large file stay in a file."""
    if isinstance(half.images, np.memmap) and half.images.nbytes > _largest_in_memory():
        return LabelledArrays(cache.rows(half.images, rows), half.labels[rows])
    return LabelledArrays(half.images[rows], half.labels[rows])


def _largest_in_memory() -> float:
    """Bytes of images that are copied to memory; more of them stay in mapped files."""
    return MEMORY_SHARE * memory.machine_bytes()


def _check_counts(labels: Labels, classes: tuple[str, ...], *, least: int) -> None:
    counts: npt.NDArray[np.intp] = np.bincount(labels, minlength=len(classes))
    if len(classes) < 2:
        raise ValueError(
            f"data: want at least 2 classes, got {len(classes)} ({', '.join(classes)})"
        )
    rarest = int(counts.argmin())
    if counts[rarest] < least:
        raise ValueError(
            f"data: class {classes[rarest]!r} has {counts[rarest]} training examples; "
            f"want at least {least} of each class to split them"
        )


def _split(half: LabelledArrays, image_size: int | None) -> Split:
    mapped = isinstance(half.images, np.memmap)
    images = torch.from_numpy(half.images)
    if image_size is not None and images.shape[1:][-2:] != (image_size, image_size):
        images = _resized(images, image_size)
    return Split(images, torch.from_numpy(half.labels), mapped)


def _resized(images: Tensor, size: int) -> Tensor:
    if images.dim() != 4:
        raise ValueError(f"image_size: want images, got vectors of shape {tuple(images.shape[1:])}")
    blocks = [
        F.interpolate(block.float(), size=(size, size), mode="bilinear", antialias=True)
        .round_()
        .clamp_(0, 255)
        .to(torch.uint8)
        for block in torch.split(images, 1000)
    ]
    return torch.cat(blocks)
