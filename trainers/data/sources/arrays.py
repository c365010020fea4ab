"""Labelled arrays by name: the inputs and labels of a training, validation and test part."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from trainers.data.reading import Layout
from trainers.data.sources.inputs import read, understand
from trainers.data.sources.labels import listed
from trainers.data.sources.source import Examples, Source
from trainers.data.sources.targets import NamedTargets, check_count, read_targets
from trainers.data.targets import TaskName

Array = npt.NDArray[Any]
Part = Literal["train", "validation", "test"]

PARTS: dict[str, Part] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
Kind = Literal["x", "y", "w"]  # inputs, targets, weights
KINDS: dict[str, Kind] = {
    **dict.fromkeys(("x", "images", "image", "data", "inputs", "features"), "x"),
    **dict.fromkeys(("y", "labels", "label", "target", "targets"), "y"),
    **dict.fromkeys(("w", "weights", "weight", "sampleweight"), "w"),
}
WANTED = (
    "x_train, y_train and, if there are such parts, x_val, y_val, x_test, y_test; or x (images, "
    "data) and y (labels, target); and perhaps sample_weight"
)


class Names(NamedTuple):
    """The names of the arrays of a part; `w` is empty without weights."""

    x: str
    y: str
    w: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class NamedPair:
    """Inputs and targets of one part, and their names in error messages.

    Attributes:
        columns: Names of the columns of the targets, if they have names.
        w_name: Name of the weights of the examples in the loss; empty without.
        w: The weights [N].
    """

    x_name: str
    x: Array
    y_name: str
    y: Array
    columns: tuple[str, ...] = ()
    w_name: str = ""
    w: Array | None = None


def pair_of(arrays: Mapping[str, Array], names: Names) -> NamedPair:
    """The arrays of one part by their names."""
    w = arrays[names.w] if names.w else None
    return NamedPair(names.x, arrays[names.x], names.y, arrays[names.y], w_name=names.w, w=w)


def read_weights(name: str, weights: Array | None, count: int) -> npt.NDArray[np.float32] | None:
    """The weights of `count` examples, float32 [N]; None without.

    Raises:
        ValueError: One line that names the array: it does not hold finite numbers of at least 0.
    """
    if weights is None:
        return None
    if weights.ndim == 2 and weights.shape[1] == 1:
        weights = weights[:, 0]
    if weights.dtype.kind not in "biuf" or weights.shape != (count,):
        got = f"{weights.dtype} {list(weights.shape)}"
        raise ValueError(f"data: {name}: want a weight of each of {count:,} examples, got {got}")
    with np.errstate(over="ignore"):
        found = weights.astype(np.float32)
    if not (np.isfinite(found) & (found >= 0)).all() or not found.any():
        raise ValueError(
            f"data: {name}: want finite weights of at least 0, some of them above, got "
            f"{found.min():g} to {found.max():g}"
        )
    return found


def slot(name: str) -> tuple[Part, Kind] | None:
    """The part and the kind of the array called `name`: `x_val`, `Y`, `train_images`, `target`."""
    words = name.lower().replace("sample_weight", "sampleweight").split("_")
    parts: list[Part] = [PARTS[word] for word in words if word in PARTS]
    kinds = [KINDS[word] for word in words if word in KINDS]
    if len(kinds) != 1 or len(parts) > 1 or len(words) != 1 + len(parts):
        return None
    return parts[0] if parts else "train", kinds[0]


def parts_of(where: str, names: Iterable[str]) -> dict[Part, Names]:
    """The names of inputs, targets and, perhaps, weights by part.

    Raises:
        ValueError: Two names mean the same, one of a pair is missing, or there is no training part.
    """
    names = list(names)
    found: dict[tuple[Part, Kind], str] = {}
    for name in names:
        if (its := slot(name)) is not None:
            if its in found:
                raise ValueError(
                    f"data: {where}{found[its]} and {name} mean the same ({its[1]} for {its[0]}); "
                    "keep one"
                )
            found[its] = name
    if ("train", "x") not in found or ("train", "y") not in found:
        raise ValueError(f"data: {where}want arrays {WANTED}; got {listed(names) or 'none'}")
    for part, kind in found:
        partner: Kind = "y" if kind == "x" else "x"
        if (part, partner) not in found:
            raise ValueError(
                f"data: {where}want {partner} of the {part} part too, got {found[part, kind]} alone"
            )
    return {
        part: Names(name, found[part, "y"], found.get((part, "w"), ""))
        for (part, kind), name in found.items()
        if kind == "x"
    }


def unused(names: Iterable[str]) -> tuple[str, ...]:
    """A note on the arrays that are not read, if there are any."""
    left = [name for name in names if slot(name) is None]
    return (f"not used: {listed(left)}",) if left else ()


def arrays_source(
    where: str,
    parts: Mapping[Part, NamedPair],
    *,
    layout: Layout | None = None,
    task: TaskName | None = None,
    notes: tuple[str, ...] = (),
) -> Source:
    """The source of these parts, of which `train` must be there.

    Classes are the sorted distinct labels of the training part; the other parts may lack some.

    Args:
        where: Begins error messages: empty, or the file with a colon and a space.
        parts: Inputs (see `inputs.understand`) and targets (see `targets.inferred`).
        layout: The axes of the inputs; None to infer them.
        task: The task; None to infer it from the targets.
        notes: Statements on how the data were read.

    Raises:
        ValueError: One line that names the array and says what is wrong with it.
    """
    first = parts["train"]
    reading, understood = understand(where + first.x_name, first.x, layout)
    examples = {p: read(reading, where + pair.x_name, pair.x) for p, pair in parts.items()}
    named = {p: NamedTargets(pair.y_name, pair.y, pair.columns) for p, pair in parts.items()}
    for part, pair in parts.items():
        x = examples[part]
        check_count(where, pair.x_name, len(x), named[part])
        if x.shape[1:] != examples["train"].shape[1:]:
            shapes = f"{list(x.shape[1:])} and {list(examples['train'].shape[1:])}"
            raise ValueError(
                f"data: {where}examples of {pair.x_name} and {first.x_name} differ in shape: {shapes}"
            )
    targets, values, said = read_targets(where, named, examples["train"].shape[1:], task)
    halves = {
        part: Examples(
            examples[part], values[part], read_weights(where + pair.w_name, pair.w, len(pair.x))
        )
        for part, pair in parts.items()
    }
    return Source(
        halves["train"],
        halves.get("test"),
        targets,
        validation=halves.get("validation"),
        reading=reading,
        notes=tuple(filter(None, (understood, *said, *notes))),
    )
