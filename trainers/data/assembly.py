"""Data sets as tensors, assembled from their source: missing splits are drawn, images resized."""

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from trainers import memory
from trainers.data import cache
from trainers.data.dataset import Dataset, Split, mean_and_std
from trainers.data.sources.source import Examples, Labels, Source
from trainers.data.split import stratified
from trainers.determinism import derive_seed

if TYPE_CHECKING:
    import numpy.typing as npt

VALIDATION_SHARE = 0.2  # of the training data
MOST_VALIDATION = 10_000  # examples: then the standard error of an accuracy is at most 0.5 %
TEST_SHARE = 0.2  # of all data, where there is no official test split
TEST_SEED = 0  # the test split is the same whatever the caller's seed is
MEMORY_SHARE = 1 / 4  # of the machine's memory, for images of a file: workers have copies
LARGEST_SIDE = 4096  # pixels


def assembled(
    name: str, source: Source, *, seed: int, image_size: int | None, flippable: bool | None
) -> Dataset:
    """The data set of `source`, on the CPU.

    Args:
        name: Name of the data set.
        source: Splits that it has are used as such, each in the order of the source. A missing
            test split is a stratified 20 % of the rest, the same for every seed; a missing
            validation split a stratified 20 % of the rest, at most 10,000 examples.
        seed: Seed of the validation split.
        image_size: Resize images to this height and width, in pixels; None leaves them.
        flippable: True if a horizontally flipped image keeps its label; None for what the source
            says.

    Raises:
        ValueError: A class has too few examples to split them, or vectors were to be resized.
    """
    splits = [_split(half, image_size) for half in _cut(source, seed)]
    mean, std = mean_and_std(splits[0].inputs)
    validation = "given" if source.validation else f"split off with seed {seed}"
    test = "given" if source.test else "split off"
    return Dataset(
        name=name,
        train=splits[0],
        validation=splits[1],
        test=splits[2],
        targets=source.targets,
        mean=mean,
        std=std,
        flippable=source.flippable if flippable is None else flippable,
        notes=(f"validation {validation}", f"test {test}", *source.notes),
    )


def check_image_size(image_size: int | None) -> None:
    """Raise ValueError for a size that images cannot be resized to."""
    if image_size is not None and not 1 <= image_size <= LARGEST_SIDE:
        raise ValueError(f"image_size: want 1 to {LARGEST_SIDE} pixels, got {image_size}")


def _cut(source: Source, seed: int) -> tuple[Examples, Examples, Examples]:
    """Train, validation and test, each in the order of the source."""
    labels, classes = source.train.targets, source.targets.names
    validation, test = source.validation, source.test
    rows = np.arange(len(labels))
    _check_counts(labels, classes, least=1 + (validation is None) + (test is None))
    if test is None:
        count = round(TEST_SHARE * len(labels))
        drawn = stratified(labels, max(count, len(classes)), TEST_SEED)
        rows, test = rows[~drawn], _rows(source.train, rows[drawn])
    if validation is None:
        _check_counts(labels[rows], classes, least=2)
        count = min(MOST_VALIDATION, round(VALIDATION_SHARE * len(rows)))
        its_seed = derive_seed("validation", seed) >> 31
        drawn = stratified(labels[rows], max(count, len(classes)), its_seed)
        rows, validation = rows[~drawn], _rows(source.train, rows[drawn])
    whole = len(rows) == len(labels)
    return source.train if whole else _rows(source.train, rows), validation, test


def _rows(half: Examples, rows: Labels) -> Examples:
    """The examples with these numbers; those of a large file stay in a file."""
    if isinstance(half.inputs, np.memmap) and half.inputs.nbytes > _largest_in_memory():
        return Examples(cache.rows(half.inputs, rows), half.targets[rows])
    return Examples(half.inputs[rows], half.targets[rows])


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
        many = f" ({len(classes):,} classes; only classification is supported)"
        raise ValueError(
            f"data: class {classes[rarest]!r} has {counts[rarest]} training examples; "
            f"want at least {least} of each class to split them"
            f"{many if len(classes) > len(labels) / 4 else ''}"
        )


def _split(half: Examples, image_size: int | None) -> Split:
    mapped = isinstance(half.inputs, np.memmap)
    images = torch.from_numpy(half.inputs)
    if image_size is not None and images.shape[1:][-2:] != (image_size, image_size):
        images = _resized(images, image_size)
    return Split(images, torch.from_numpy(half.targets), mapped=mapped)


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
