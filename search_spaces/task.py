"""The task of a network: the shape of its inputs and the number of its classes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

MOST_VALUES, MOST_CLASSES = 10**8, 10**6  # numbers in one input: 400 MB
KINDS = {1: "vectors (features)", 2: "sequences (channels, length)", 3: "images (C, H, W)"}


@dataclass(frozen=True, slots=True)
class Task:
    """A classification task: the shape of inputs and the number of classes.

    Args:
        input_shape: Shape of one input, without the batch: (features,), (channels, length) or
            (C, H, W).
        classes: Number of classes.
        small_images: True for networks whose stem keeps the resolution of an image; False for
            those whose stem reduces it. By default (None), True if the shorter side is under 96
            pixels.
    """

    input_shape: tuple[int, ...]
    classes: int
    small_images: bool | None = None

    def __post_init__(self) -> None:
        shape = tuple(self.input_shape)
        if len(shape) not in KINDS or not all(type(n) is int and n > 0 for n in shape):
            raise ValueError(f"input shape: want 1 to 3 positive integers, got {shape}")
        if prod(shape) > MOST_VALUES:
            raise ValueError(f"input shape: want at most {MOST_VALUES:,} values, got {shape}")
        if type(self.classes) is not int or not 1 <= self.classes <= MOST_CLASSES:
            raise ValueError(
                f"classes: want a positive integer up to {MOST_CLASSES:,}, got {self.classes!r}"
            )
        object.__setattr__(self, "input_shape", shape)
        if self.small_images is None:
            object.__setattr__(self, "small_images", len(shape) == 3 and min(shape[1:]) < 96)


def parse_shape(text: str) -> tuple[int, ...]:
    """Read `3x32x32`.

    Raises:
        ValueError: it is not a shape.
    """
    try:
        return tuple(int(part) for part in text.lower().split("x"))
    except ValueError:
        raise ValueError(f"input shape: want one such as 3x32x32, got {text!r}") from None
