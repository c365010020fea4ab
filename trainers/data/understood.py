"""Statements on a data set as it was read, to be printed before it is trained on."""

import torch
from torch import Tensor

from trainers.data.dataset import Dataset, Split
from trainers.data.transforms import LARGEST_HOLE, LARGEST_SHIFT

# Shape letters: N examples, K classes or labels, T targets, H height, W width.

Line = tuple[str, str]  # a subject and what is said of it
NO_BREAK = "\u00a0"  # a space at which no line ends
MOST_NAMED = 20  # classes whose counts are all listed
MOST_TARGETS = 4  # targets whose range is listed

KINDS = {1: "vectors", 2: "sequences", 3: "images"}
AXES = {1: "columns", 2: "channels×length", 3: "channels×height×width"}
COUNTED = {
    "classification": ("classes", "examples"),
    "multilabel": ("labels", "examples"),
    "segmentation": ("classes", "pixels"),
}


def understood(data: Dataset) -> tuple[Line, ...]:
    """Statements on a data set: examples, task, targets, inputs, scaling and how it was read."""
    found = [
        ("data", _examples(data)),
        ("task", f"{data.targets.task}, {data.targets.words}{_weighted(data)}"),
        _targets(data),
        ("inputs", _inputs(data)),
        ("scaling", _scaling(data)),
        *([("reading", "; ".join(data.notes))] if data.notes else []),
    ]
    return tuple(found)


def augmentation(data: Dataset, *, strength: float, flip: str) -> str:
    """The augmentation of a training in words; see `trainers.data.transforms`.

    Args:
        data: The data set.
        strength: Its strength, 0 to 1.
        flip: The field `flip` of the recipe.
    """
    shape = data.input_shape
    if len(shape) != 3:
        return f"none for {KINDS[len(shape)]}"
    if strength == 0:
        return "none"
    reach = [max(1, round(side * LARGEST_SHIFT * strength)) * (side > 1) for side in shape[1:]]
    pixels = str(reach[0]) if len(set(reach)) == 1 else f"{reach[0]}×{reach[1]}"
    side = 0 if data.targets.dense else round(min(shape[1:]) * LARGEST_HOLE * strength)
    parts = [
        f"shifts of up to {pixels} pixel{'' if reach == [1, 1] else 's'}",
        f"holes of {side}×{side} pixels" if side else "no holes",
        f"flips left to right ({flip})" if data.flippable and flip != "never" else "no flips",
    ]
    return f"{', '.join(parts)} (strength {strength:g})"


def target_counts(data: Dataset) -> dict[str, list[int]]:
    """Number of examples of each class or label, or of pixels of each class, by split.

    A regression has none.
    """
    if data.targets.task == "regression":
        return {}
    return {name: _counts(split, data).tolist() for name, split in _splits(data).items()}


def target_ranges(data: Dataset) -> list[list[float]]:
    """The least and the greatest value of each target of a regression in the training split."""
    if data.targets.task != "regression":
        return []
    values_NT = data.train.targets
    return torch.stack([values_NT.amin(dim=0), values_NT.amax(dim=0)], dim=1).tolist()


def _splits(data: Dataset) -> dict[str, Split]:
    return {"train": data.train, "validation": data.validation, "test": data.test}


def _counts(split: Split, data: Dataset) -> Tensor:
    """Occurrences of each output in a split, int64 [K] on the CPU."""
    outputs, targets = data.targets.outputs, split.targets
    if data.targets.task == "multilabel":
        return targets.sum(dim=0).round().long().cpu()
    counts = torch.zeros(outputs, dtype=torch.int64)
    for block in torch.split(targets, 10_000):  # masks as int64 take eight times their memory
        found = torch.bincount(block.flatten().long(), minlength=outputs).cpu()
        counts += found[:outputs]  # without the pixels that do not count
    return counts


def _examples(data: Dataset) -> str:
    splits = _splits(data)
    counts = ", ".join(f"{name} {len(split):,}" for name, split in splits.items())
    return f"{data.name}, {sum(map(len, splits.values())):,} examples: {counts}"


def _plain(number: float) -> str:
    """A number without an exponent where it is large."""
    return f"{number:,.0f}" if abs(number) >= 1_000 else f"{number:.4g}"


def _weighted(data: Dataset) -> str:
    return "" if data.train.weights is None else ", each example with a weight"


def _targets(data: Dataset) -> Line:
    """Counts by split of each class, or mean, deviation and range of each target."""
    targets = data.targets
    if targets.task == "regression":
        rows = zip(targets.names, targets.mean, targets.std, target_ranges(data), strict=True)
        said = [
            f"{name} mean {_plain(mean)}, deviation {_plain(std)}, from {_plain(low)} to {_plain(high)}"
            for name, mean, std, (low, high) in list(rows)[:MOST_TARGETS]
        ]
        more = targets.outputs - len(said)
        return "targets", "; ".join([*said, *([f"{more:,} more"] if more else [])])
    title, unit = COUNTED[targets.task]
    counts = list(zip(*target_counts(data).values(), strict=True))
    said = [
        f"{name} {'/'.join(f'{n:,}' for n in row)}".replace(" ", NO_BREAK)
        for name, row in zip(targets.names, counts, strict=True)
    ]
    if len(said) <= MOST_NAMED:
        return title, f"{', '.join(said)} ({unit} of train/validation/test)"
    by_size = sorted(range(len(said)), key=lambda k: counts[k][0])
    smallest, largest = said[by_size[0]], said[by_size[-1]]
    return title, (
        f"{len(said):,}; smallest: {smallest}, largest: {largest} ({unit} of train/validation/test)"
    )


def _inputs(data: Dataset) -> str:
    shape, dtype = data.input_shape, str(data.train.inputs.dtype).removeprefix("torch.")
    kind = KINDS[len(shape)]
    if data.table is not None:
        columns, numeric = len(data.table.columns), data.table.numeric
        return (
            f"table, {_many(columns, 'column')} as {_many(numeric, 'number')} and "
            f"{_many(shape[0] - numeric, 'indicator')} of 0 or 1"
        )
    if len(shape) == 1:
        return f"{kind} of {shape[0]:,} columns ({dtype})"
    return f"{kind} {'×'.join(map(str, shape))} ({AXES[len(shape)]}, {dtype})"


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}{'s' if count != 1 else ''}"


def _scaling(data: Dataset) -> str:
    if data.table is not None:
        return "numbers by median and quartiles of the training split, clipped smoothly at 3"
    one = "column" if len(data.input_shape) == 1 else "channel"
    return f"each {one} to mean 0 and deviation 1 of the training split"
