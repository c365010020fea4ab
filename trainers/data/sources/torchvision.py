"""The classification data sets of torchvision by name, read from disk or downloaded."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from trainers.data.decoding import decode, sensible_side
from trainers.data.sources.source import Examples, Source, channels_first
from trainers.data.targets import of_classes

LOOKED_AT = 100  # images of a part, of which the size is chosen

Options = tuple[dict[str, Any], ...]


class Known(NamedTuple):
    """A data set of torchvision.

    Attributes:
        cls: Name of the class in `torchvision.datasets`.
        train: Keyword arguments of each part of the training data.
        test: Keyword arguments of each part of the test split; empty where there is none.
        labels: Name of the attribute with the labels, where `data` holds the pixels; None where
            images are files.
        flippable: True if a horizontally flipped image keeps its label.
    """

    cls: str
    train: Options
    test: Options
    labels: str | None = None
    flippable: bool = True


def _flag(cls: str, *, flippable: bool, **options: Any) -> Known:
    train, test = ({"train": True, **options},), ({"train": False, **options},)
    return Known(cls, train, test, "targets", flippable)


def _parts(cls: str, *train: str, **kind: Any) -> Known:
    return Known(cls, tuple({"split": part} for part in train), ({"split": "test"},), **kind)


DATA_SETS: dict[str, Known] = {
    "cifar10": _flag("CIFAR10", flippable=True),
    "cifar100": _flag("CIFAR100", flippable=True),
    "mnist": _flag("MNIST", flippable=False),
    "fashionmnist": _flag("FashionMNIST", flippable=True),
    "kmnist": _flag("KMNIST", flippable=False),
    "qmnist": Known(
        "QMNIST", ({"what": "train"},), ({"what": "test10k"},), "targets", flippable=False
    ),
    "emnistbalanced": _flag("EMNIST", flippable=False, split="balanced"),
    "emnistdigits": _flag("EMNIST", flippable=False, split="digits"),
    "usps": _flag("USPS", flippable=False),
    "svhn": _parts("SVHN", "train", labels="labels", flippable=False),
    "stl10": _parts("STL10", "train", labels="labels"),
    "gtsrb": _parts("GTSRB", "train", flippable=False),
    "flowers102": _parts("Flowers102", "train", "val"),
    "food101": _parts("Food101", "train"),
    "dtd": _parts("DTD", "train", "val"),
    "oxfordiiitpet": _parts("OxfordIIITPet", "trainval"),
    "fgvcaircraft": _parts("FGVCAircraft", "trainval"),
    "country211": _parts("Country211", "train", "valid"),
    "renderedsst2": _parts("RenderedSST2", "train", "val", flippable=False),
    "eurosat": Known("EuroSAT", ({},), ()),
    "imagenette": Known("Imagenette", ({"split": "train"},), ({"split": "val"},)),
}


def torchvision_set(name: str, root: Path, image_size: int | None) -> Source:
    """The data set called `name` in `DATA_SETS`, under `root`.

    Raises:
        ValueError: It is not there and cannot be downloaded, or a few of its images differ in size
            and there is no `image_size`.
    """
    known = DATA_SETS[name]
    train = [_opened(name, known, options, root) for options in known.train]
    test = [_opened(name, known, options, root) for options in known.test]
    size = None if known.labels else _size(train, image_size)
    train_half = _half(name, train, known, size)
    test_half = _half(name, test, known, size) if test else None
    classes = getattr(train[0], "classes", None) or range(int(train_half.targets.max()) + 1)
    notes: tuple[str, ...] = ()
    if size is not None and image_size is None:
        squares = f"{size[1]}×{size[0]} (--image-size for another size)"
        notes = (f"images of different sizes resized to {squares}",)
    return Source(
        train_half, test_half, of_classes(tuple(map(str, classes))), known.flippable, notes=notes
    )


def _size(parts: list[Any], image_size: int | None) -> tuple[int, int] | None:
    """Height and width for images of files; None if those that are looked at have one size."""
    if image_size is not None:
        return image_size, image_size
    seen = [
        part[n][0].size for part in parts for n in range(0, len(part), -(-len(part) // LOOKED_AT))
    ]
    if len(set(seen)) == 1:
        return None
    side = sensible_side(seen)
    return side, side


def _opened(name: str, known: Known, options: dict[str, Any], root: Path) -> Any:
    """One part of a data set: read from disk, or else downloaded."""
    import torchvision  # late: it takes a second

    dataset = getattr(torchvision.datasets, known.cls)
    with redirect_stdout(sys.stderr):  # stdout is for results
        try:
            return dataset(root=str(root), download=False, **options)
        except (RuntimeError, OSError):
            pass  # missing or incomplete
        try:
            return dataset(root=str(root), download=True, **options)
        except Exception as error:  # network, disk, archive and parser each have their own
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ValueError(
                f"data: {name} is not in {root.absolute()} and cannot be downloaded ({reason}); put it there as "
                f"torchvision.datasets.{known.cls}({str(root)!r}, download=True) does on a machine that can"
            ) from error


def _half(name: str, parts: list[Any], known: Known, size: tuple[int, int] | None) -> Examples:
    halves = [
        _from_memory(part, known.labels) if known.labels else _from_files(name, part, size)
        for part in parts
    ]
    if len(halves) == 1:
        return halves[0]
    shapes = {half.inputs.shape[1:] for half in halves}
    if len(shapes) > 1:
        raise ValueError(f"data: {name}: images differ in size; pass image_size to resize them")
    return Examples(
        np.concatenate([half.inputs for half in halves]),
        np.concatenate([half.targets for half in halves]),
    )


def _from_memory(part: Any, labels_attribute: str) -> Examples:
    labels = np.asarray(getattr(part, labels_attribute)).astype(np.int64)
    if labels.ndim > 1:
        labels = labels[:, 0].copy()  # QMNIST adds the writer of the digit
    return Examples(channels_first(np.asarray(part.data)), labels)


def _from_files(name: str, part: Any, size: tuple[int, int] | None) -> Examples:
    labels: npt.NDArray[np.int64] = np.empty(len(part), np.int64)

    def read(number: int) -> Image.Image:
        picture, labels[number] = part[number]
        assert isinstance(picture, Image.Image)
        return picture

    def call(number: int) -> str:
        return f"{name}[{number}]"

    pixels = decode(len(part), read, call, grey=False, size=size)
    return Examples(pixels, labels)
