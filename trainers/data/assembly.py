"""Data sets as tensors, assembled from their source: missing splits are drawn, images resized."""

import warnings
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from trainers import memory
from trainers.data import cache
from trainers.data.dataset import Dataset, Split, mean_and_std
from trainers.data.sources.labels import listed
from trainers.data.sources.source import Examples, Labels, Source
from trainers.data.sources.tables import as_vectors
from trainers.data.split import draw, draw_test
from trainers.data.tables.preprocessing import TablePreprocessing
from trainers.data.tables.reading import Table
from trainers.data.targets import IGNORED, Targets
from trainers.determinism import derive_seed

if TYPE_CHECKING:
    import numpy.typing as npt

VALIDATION_SHARE = 0.2  # of the training data
MOST_VALIDATION = 10_000  # examples: then the standard error of an accuracy is at most 0.5 %
MEMORY_SHARE = 1 / 4  # of the machine's memory, for images of a file: workers have copies
LARGEST_SIDE = 4096  # pixels
Held = Literal["validation", "test"]
HELD_OUT: tuple[Held, ...] = ("validation", "test")


def assembled(
    name: str,
    source: Source,
    *,
    seed: int,
    image_size: int | None,
    flippable: bool | None,
    table: TablePreprocessing | None = None,
    split_off: Collection[Held] = HELD_OUT,
) -> Dataset:
    """The data set of `source`, on the CPU.

    Args:
        name: Name of the data set.
        source: Splits that it has are used as such, each in the order of the source; a table is
            preprocessed by what its training split holds. A missing test split is a stratified 20 %
            of the rest, the same for every seed; a missing validation split a stratified 20 % of
            the rest, at most 10,000 examples. Classes with too few examples for that stay in the
            training split.
        seed: Seed of the validation split.
        image_size: Resize images to this height and width, in pixels; None leaves them.
        flippable: True if a horizontally flipped image keeps its label; None for what the source
            says.
        table: The preprocessing of a table, if it is known; None to fit it.
        split_off: The splits that are drawn where they are missing; others are empty then.

    Raises:
        ValueError: Fewer than two classes have enough examples to split them, nothing can be
            learnt from the targets, vectors were to be resized, or a split to draw is unknown.
    """
    if not set(split_off) <= set(HELD_OUT):
        raise ValueError(f"split_off: want some of {list(HELD_OUT)}, got {split_off!r}")
    targets = source.targets
    table, cut, said = as_vectors(_cut(source, seed, split_off), table)
    splits = [_split(half, image_size, dense=targets.dense) for half in cut]
    if table is None:
        mean, std = mean_and_std(splits[0].inputs)
    else:
        mean, std = torch.zeros(len(table.features)), torch.ones(len(table.features))
    _check_weights(source)
    if source.validation is not None or "validation" in split_off:
        _check_validation(splits[1].targets, targets)
    targets, constant = _with_scale(targets, splits[0].targets)
    validation = "given" if source.validation else f"split off with seed {seed}"
    test = "given" if source.test else "split off"
    return Dataset(
        name=name,
        train=splits[0],
        validation=splits[1],
        test=splits[2],
        targets=targets,
        mean=mean,
        std=std,
        flippable=bool(source.flippable if flippable is None else flippable),
        reading=source.reading,
        notes=(
            *_held_out("validation", validation, splits[1], targets),
            *_held_out("test", test, splits[2], targets),
            *constant,
            *source.notes,
            *said,
            *_flip_notes(splits[0].inputs, source.flippable, flippable),
        ),
        table=table,
    )


def _flip_notes(inputs: Tensor, known: bool | None, given: bool | None) -> tuple[str, ...]:
    """A note on flips of images, and on the way to have them where nothing is known.

    Raises:
        ValueError: Flips are asked for, and the inputs are no images.
    """
    if inputs.dim() != 4:
        if given:
            raise ValueError(f"flip: want images, got inputs of shape {tuple(inputs.shape[1:])}")
        return ()
    if known is None and given is None:
        return ("flips off (--flip if mirrored images keep their labels)",)
    return (f"flips {'on' if (known if given is None else given) else 'off'}",)


def check_image_size(image_size: int | None) -> None:
    """Raise ValueError for a size that images cannot be resized to."""
    if image_size is not None and not 1 <= image_size <= LARGEST_SIDE:
        raise ValueError(f"image_size: want 1 to {LARGEST_SIDE} pixels, got {image_size}")


def _cut(
    source: Source, seed: int, split_off: Collection[Held]
) -> tuple[Examples, Examples, Examples]:
    """Train, validation and test, each in the order of the source."""
    targets, validation, test = source.train.targets, source.validation, source.test
    if set(split_off) < set(HELD_OUT):
        nothing = _rows(source.train, np.arange(0))  # may make a file
        validation = validation or (None if "validation" in split_off else nothing)
        test = test or (None if "test" in split_off else nothing)
    by_class = source.targets.task == "classification"
    rows = np.arange(len(targets))
    missing = (validation is None) + (test is None)
    if by_class:
        _check_counts(targets, source.targets.names, least=1 + missing)
    elif len(targets) < 2 + missing:
        raise ValueError(f"data: want at least {2 + missing} training examples, got {len(targets)}")
    if test is None:
        least = 1 + missing if by_class else None
        drawn = draw_test(targets, least=least)
        rows, test = rows[~drawn], _rows(source.train, rows[drawn])
    if validation is None:
        its_seed, least = derive_seed("validation", seed) >> 31, 2 if by_class else None
        drawn = draw(targets[rows], VALIDATION_SHARE, its_seed, least=least, most=MOST_VALIDATION)
        rows, validation = rows[~drawn], _rows(source.train, rows[drawn])
    whole = len(rows) == len(targets)
    return source.train if whole else _rows(source.train, rows), validation, test


def _check_weights(source: Source) -> None:
    """Refuse weights of a part that is not trained on, where the training part has none."""
    parts = {"validation": source.validation, "test": source.test}
    alone = [name for name, part in parts.items() if part is not None and part.weights is not None]
    if alone and source.train.weights is None:
        raise ValueError(f"data: want weights of the training part too, got those of {alone[0]}")


def _check_validation(values_N: Tensor, targets: Targets) -> None:
    """Refuse a validation split by which no network can be judged."""
    count = len(values_N)
    if targets.task == "regression" and count < 2:
        raise ValueError(f"data: want at least 2 validation examples of a regression, got {count}")
    if targets.task == "segmentation" and bool((values_N == IGNORED).all()):
        raise ValueError(
            f"data: want a pixel that counts in the {count:,} validation masks, got none"
        )
    if targets.task == "multilabel" and not (values_N != values_N[0]).any():
        raise ValueError(
            f"data: want a label that some of the {count:,} validation examples have and others "
            f"lack, got none; give more examples"
        )


def _with_scale(targets: Targets, values_NT: Tensor) -> tuple[Targets, tuple[str, ...]]:
    """The targets with mean and deviation over the training split, and a note on constant ones."""
    if targets.task != "regression":
        return targets, ()
    std_T, mean_T = torch.std_mean(values_NT, dim=0, correction=0)
    if not (mean_T.isfinite() & std_T.isfinite()).all():
        most = values_NT.abs().max().item()
        raise ValueError(f"data: want targets with a finite deviation, got values up to {most:.3g}")
    varies = (std_T > 0).tolist()
    constant = [name for name, it in zip(targets.names, varies, strict=True) if not it]
    said = f"{listed(constant)} never varies among the {len(values_NT):,} training examples"
    if not any(varies):
        raise ValueError(f"data: want targets that vary, got none: {said}")
    std_T = torch.where(std_T > 0, std_T, 1.0)
    targets = replace(targets, mean=tuple(mean_T.tolist()), std=tuple(std_T.tolist()))
    return targets, (said,) if constant else ()


def _lacking(name: str, split: Split, targets: Targets) -> tuple[str, ...]:
    """A note on the classes that a split lacks: none of its numbers says how well they are learnt."""
    if targets.task == "classification":
        counts, words = split.targets.bincount(minlength=targets.outputs), ("class", "classes")
    elif targets.task == "multilabel":
        counts, words = split.targets.sum(dim=0), ("label", "labels")
    else:
        return ()
    named = zip(targets.names, counts.tolist(), strict=True)
    missing = [one for one, count in named if not count]
    which = words[len(missing) != 1]
    return (f"{name} lacks the {which} {listed(missing)}",) if missing else ()


def _held_out(name: str, origin: str, split: Split, targets: Targets) -> tuple[str, ...]:
    """Notes on a split that is not trained on."""
    if not len(split):
        return (f"no {name} split",)
    return f"{name} {origin}", *_lacking(name, split, targets)


def _rows(half: Examples, rows: Labels) -> Examples:
    """The examples with these numbers; those of a large file stay in a file."""
    weights = None if half.weights is None else half.weights[rows]
    numbers = rows if half.rows is None else half.rows[rows]
    if isinstance(half.inputs, np.memmap) and half.inputs.nbytes > _largest_in_memory():
        return Examples(cache.rows(half.inputs, rows), half.targets[rows], weights, numbers)
    return Examples(half.inputs[rows], half.targets[rows], weights, numbers)


def _largest_in_memory() -> float:
    """Bytes of images that are copied to memory; more of them stay in mapped files."""
    return MEMORY_SHARE * memory.machine_bytes()


def _check_counts(labels: Labels, classes: tuple[str, ...], *, least: int) -> None:
    """Refuse labels of which fewer than two classes can be learnt and seen in every split."""
    counts: npt.NDArray[np.intp] = np.bincount(labels, minlength=len(classes))
    if len(classes) < 2:
        raise ValueError(f"data: want at least 2 classes, got {len(classes)} ({listed(classes)})")
    if not counts.all():
        rarest = classes[int(counts.argmin())]
        raise ValueError(f"data: class {rarest!r} has no training examples")
    if (counts >= least).sum() < 2:
        many = f"; are these {len(classes):,} classes amounts? then --task regression"
        raise ValueError(
            f"data: want at least 2 classes of {least} examples or more to split them, got "
            f"{int((counts >= least).sum())}{many if len(classes) > len(labels) / 4 else ''}"
        )


def _split(half: Examples, image_size: int | None, *, dense: bool) -> Split:
    assert not isinstance(half.inputs, Table), "tables are vectors by now"
    mapped = isinstance(half.inputs, np.memmap)
    inputs, targets = _tensor(half.inputs), torch.from_numpy(half.targets)
    if image_size is not None and inputs.shape[1:][-2:] != (image_size, image_size):
        inputs = _resized(inputs, image_size)
        if dense:
            size = (image_size, image_size)
            targets = F.interpolate(targets[:, None], size=size, mode="nearest-exact")[:, 0]
    weights = None if half.weights is None else torch.from_numpy(half.weights)
    rows = None if half.rows is None else torch.from_numpy(half.rows)
    return Split(inputs, targets, weights, mapped=mapped, rows=rows)


def _tensor(array: "npt.NDArray[Any]") -> Tensor:
    """The array as a tensor that shares its memory; nothing here writes to a file of the user's."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)


def _resized(images: Tensor, size: int) -> Tensor:
    if images.dim() != 4:
        raise ValueError(f"image_size: want images, got vectors of shape {tuple(images.shape[1:])}")
    blocks = (
        F.interpolate(block.float(), size=(size, size), mode="bilinear", antialias=True)
        for block in torch.split(images, 1000)
    )
    if images.dtype != torch.uint8:
        return torch.cat(list(blocks))
    return torch.cat([block.round_().clamp_(0, 255).to(torch.uint8) for block in blocks])
