"""The task of a network: the shape of its inputs and the number of its outputs."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

MOST_VALUES, MOST_OUTPUTS = 10**8, 10**6  # numbers in one input: 400 MB
KINDS = {1: "vectors (features)", 2: "sequences (channels, length)", 3: "images (C, H, W)"}


@dataclass(frozen=True, slots=True)
class Task:
    """The shape of the inputs and the number of outputs of a network.

    Args:
        input_shape: Shape of one input, without the batch: (features,), (channels, length) or
            (C, H, W).
        outputs: Number of outputs: of classes, labels or targets.
        small_images: True for networks whose stem keeps the resolution of an image; False for
            those whose stem reduces it. By default (None), True if the shorter side is under 96
            pixels.
        dense: True for `outputs` numbers for each pixel of an image, (B, outputs, H, W), instead of
            (B, outputs).
        numeric: Number of leading numbers of a vector that are measurements; the others are
            indicators, 0 or 1. By default (None), all are measurements.

    Raises:
        ValueError: the shape or a number is not allowed.

    Examples:
        >>> from search_spaces import Task
        >>> Task(input_shape=(3, 32, 32), outputs=10)
        Task(input_shape=(3, 32, 32), outputs=10, small_images=True, dense=False, numeric=None)
    """

    input_shape: tuple[int, ...]
    outputs: int
    small_images: bool | None = None
    dense: bool = False
    numeric: int | None = None

    def __post_init__(self) -> None:
        shape = tuple(self.input_shape)
        if len(shape) not in KINDS or not all(type(n) is int and n > 0 for n in shape):
            raise ValueError(f"input shape: want 1 to 3 positive integers, got {shape}")
        if prod(shape) > MOST_VALUES:
            raise ValueError(f"input shape: want at most {MOST_VALUES:,} values, got {shape}")
        if type(self.outputs) is not int or not 1 <= self.outputs <= MOST_OUTPUTS:
            raise ValueError(
                f"outputs: want a positive integer up to {MOST_OUTPUTS:,}, got {self.outputs!r}"
            )
        if self.dense and len(shape) != 3:
            raise ValueError(f"dense: want an input shape (C, H, W), got {shape}")
        if self.numeric is not None and not (len(shape) == 1 and 0 <= self.numeric <= shape[0]):
            raise ValueError(
                f"numeric: want 0 to the number of features {shape}, got {self.numeric}"
            )
        object.__setattr__(self, "input_shape", shape)
        if self.small_images is None:
            object.__setattr__(self, "small_images", len(shape) == 3 and min(shape[1:]) < 96)

    @property
    def classes(self) -> int:
        """The number of outputs by its earlier name, which spaces of users' own may read."""
        return self.outputs


def parse_shape(text: str) -> tuple[int, ...]:
    """Read `3x32x32`.

    Raises:
        ValueError: it is not a shape.
    """
    try:
        return tuple(int(part) for part in text.lower().split("x"))
    except ValueError:
        raise ValueError(f"input shape: want one such as 3x32x32, got {text!r}") from None
